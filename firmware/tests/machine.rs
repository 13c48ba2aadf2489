//! Promise: a device is brought back to its state of delivery, and to what a backup has, whole; its log
//! and its issues are told; what is not its own to change it says so and leaves alone.

mod harness;

use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Setup, Site, until};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);
const SMALL: &str = "\
[media_server]
enabled = false
[mqtt]
enabled = false
[cameras.cam]
enabled = false
";

fn name(edgecam: &EdgeCam) -> Option<String> {
    let camera = edgecam.api().get("/api/v1/cameras/cam").json();
    camera["settings"]["name"].as_str().map(str::to_owned)
}

fn rename(edgecam: &EdgeCam, name: &str) {
    let answer = edgecam.api().patch("/api/v1/cameras/cam", &json!({ "name": name }));
    assert_eq!(answer.status, 200, "{}", answer.json());
}

#[test]
fn a_backup_brings_settings_and_users_back_here_and_elsewhere() {
    let Some(_site) = Site::with(&[]) else { return };
    let here = Setup::new().settings(SMALL).start();
    rename(&here, "Before");
    let new = json!({ "note": "before", "passphrase": "a gate in the rain" });
    let made = here.api().post("/api/v1/backups", &new);
    assert_eq!(made.status, 201, "{}", made.json());
    let id = made.json()["id"].as_str().unwrap_or_default().to_owned();
    rename(&here, "After");

    let restore = |edgecam: &EdgeCam, body: &Value| {
        let answer = edgecam.api().post("/api/v1/backups/restore", body);
        (answer.status, answer.json())
    };
    for (body, pointer) in [
        (json!({ "id": id }), "/passphrase"),
        (json!({ "id": id, "passphrase": "another passphrase" }), "/passphrase"),
        (json!({ "backup": { "format": "zip" } }), "/backup"),
        (json!({}), "/id"),
    ] {
        let (status, problem) = restore(&here, &body);
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{problem}");
    }
    assert_eq!(name(&here).as_deref(), Some("After"), "what was refused changed nothing");
    let (status, change) = restore(&here, &json!({ "id": id, "passphrase": "a gate in the rain" }));
    assert_eq!((status, &change["status"]), (200, &json!("applied")), "{change}");
    assert_eq!(name(&here).as_deref(), Some("Before"));
    let revisions = here.api().get("/api/v1/settings/revisions").json();
    assert_eq!(revisions["items"][0]["note"], "restored from a backup");

    let file = here.api().get(&format!("/api/v1/backups/{id}/file")).json();
    let (url, token) = (here.at().api, here.token());
    drop(here);
    let there = Setup::new().settings(SMALL).start();
    let body = json!({ "backup": file, "passphrase": "a gate in the rain", "users": true });
    let (status, change) = restore(&there, &body);
    assert_eq!(status, 200, "{change}");
    assert_ne!(url, there.at().api);
    // The token of the first device's owner is known now, the one that was used is not.
    assert_eq!(there.api().get("/api/v1/cameras").status, 401);
    let api = harness::http::Api::at(there.at().api).with_token(Some(token));
    let camera = api.get("/api/v1/cameras/cam").json();
    assert_eq!(camera["settings"]["name"], "Before");
}

#[test]
fn a_reset_takes_everything_away_and_shows_a_new_code() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().settings(SMALL).start();
    let file = |name: &str| edgecam.data_dir().join(name);
    let code = std::fs::read_to_string(file("claim-code")).expect("a code");
    rename(&edgecam, "Mine");
    assert_eq!(edgecam.api().post("/api/v1/backups", &json!({})).status, 201);
    let certificate = std::fs::read(file("tls.pem")).expect("a certificate");
    let node = edgecam.api().get("/api/v1/system").json()["node"].clone();
    let reset = |confirm: &Value| {
        edgecam.api().post("/api/v1/system/factory-reset", &json!({ "confirm": confirm })).status
    };
    assert_eq!(reset(&json!("yes")), 422);
    assert_eq!(name(&edgecam).as_deref(), Some("Mine"));
    let (pid, status) = (edgecam.pid(), reset(&node));
    assert_eq!(status, 202);
    let claimed = || {
        let setup = edgecam.api().try_get("/api/v1/setup").ok()?.json();
        setup["claimed"].as_bool()
    };
    until("it is back without an owner", LONG, || claimed() == Some(false));
    assert_eq!(edgecam.pid(), pid, "in the same process");
    assert!(!file("factory-reset").exists() && !file("access.json").exists());
    assert_ne!(std::fs::read_to_string(file("claim-code")).expect("a code"), code);
    assert_ne!(std::fs::read(file("tls.pem")).expect("a certificate"), certificate);
    let left = std::fs::read_dir(file("backups")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[test]
fn what_is_not_its_own_it_shows_and_leaves_alone() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().settings(SMALL).start();
    let api = edgecam.api();
    for path in ["/api/v1/system/reboot", "/api/v1/system/shutdown"] {
        let answer = api.post(path, &json!({}));
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("failed_precondition")));
    }
    let network = api.get("/api/v1/system/network").json();
    assert_eq!(network["managed"], false);
    let new = json!({ "zone": "UTC", "servers": ["pool.ntp.org"] });
    let put = api.put("/api/v1/system/time", &new);
    assert_eq!(put.status, 409, "{}", put.json());
    let status = api.get("/api/v1/settings/status").json();
    assert!(
        status["rolled_back"]["reason"].as_str().is_some_and(|why| why.contains("not EdgeCam's"))
    );
    assert_eq!(api.get("/api/v1/settings").json()["time"], json!({}), "it was taken back");
    let zone = api.put("/api/v1/system/time", &json!({ "zone": "Nowhere/Land" }));
    assert_eq!((zone.status, &zone.json()["errors"][0]["pointer"]), (422, &json!("/zone")));

    let issues = api.get("/api/v1/system/issues").json();
    let codes: Vec<_> = issues.as_array().into_iter().flatten().map(|one| &one["code"]).collect();
    assert!(codes.contains(&&json!("settings_taken_back")), "{issues}");
    let fix = api.post("/api/v1/system/issues/settings_taken_back/fix", &json!({}));
    assert_eq!(fix.status, 409, "a person has to: {}", fix.json());
    assert_eq!(api.post("/api/v1/system/issues/none/fix", &json!({})).status, 404);
    let log = api.get("/api/v1/system/logs?unit=edgecamd&level=error").json();
    let lines = log["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(lines.iter().any(|line| line["message"] == "settings are taken back"), "{log}");
}
