//! Promise: settings are changed over the API whole or not at all, kept through `kill -9`, taken back when
//! nobody confirms them or when they do not work, and everything runs on them: cameras as they run or
//! with a process of their own, the daemon after a start of its own.

mod harness;

use std::net::TcpListener;
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Setup, Site, ports, until, until_some};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);
const SETTINGS: &str = "/api/v1/settings";
const SMALL: &str = "\
[media_server]
enabled = false
[cameras.cam.video]
width = 320
height = 180
fps = 5
[cameras.cam.detection]
enabled = false
";
const BITRATE: &str = "/cameras/cam/encoder/bitrate_kbps";

/// A daemon with one camera that draws little.
fn small() -> Setup {
    Setup::new().settings(SMALL)
}

fn bitrate(kbps: u32) -> Value {
    json!({ "cameras": { "cam": { "encoder": { "bitrate_kbps": kbps } } } })
}

/// What answers; `None`: nothing does, or not yet.
fn get(edgecam: &EdgeCam, path: &str) -> Option<Value> {
    let answer = edgecam.api().try_get(path).ok()?;
    (answer.status == 200).then(|| answer.json())
}

#[track_caller]
fn patch(edgecam: &EdgeCam, query: &str, patch: &Value) -> Value {
    let answer = edgecam.api().patch(&format!("{SETTINGS}{query}"), patch);
    assert!([200, 202].contains(&answer.status), "{patch}: {}", answer.json());
    answer.json()
}

fn in_force(edgecam: &EdgeCam, pointer: &str) -> Value {
    get(edgecam, SETTINGS).and_then(|all| all.pointer(pointer).cloned()).unwrap_or_default()
}

fn status(edgecam: &EdgeCam) -> Value {
    get(edgecam, &format!("{SETTINGS}/status")).unwrap_or_default()
}

#[track_caller]
fn wait_for(edgecam: &EdgeCam, what: &str, pointer: &str, value: &Value) {
    until(what, LONG, || in_force(edgecam, pointer) == *value);
}

/// The camera's process, once it draws `width` columns.
#[track_caller]
fn drawing(edgecam: &EdgeCam, width: u32) -> u64 {
    let look = || {
        let camera = get(edgecam, "/api/v1/cameras/cam")?;
        let there = camera["phase"] == "running" && camera["pipeline"]["width"] == width;
        camera["pid"].as_u64().filter(|_| there)
    };
    until_some(&format!("the camera draws {width} columns"), LONG, look).0
}

#[test]
fn a_change_is_taken_whole_or_not_at_all_and_survives_kill_9() {
    let Some(_site) = Site::with(&[]) else { return };
    let mut edgecam = small().start();
    let pid = drawing(&edgecam, 320);
    let before = edgecam.api().get(SETTINGS);
    assert_eq!(before.etag, "\"0\"");

    let dry = patch(&edgecam, "?dry_run=true", &bitrate(900));
    let change = json!({ "pointer": BITRATE, "before": 2500, "after": 900, "cost": "live" });
    assert_eq!((&dry["status"], &dry["changes"]), (&json!("dry_run"), &json!([change])));
    let wrong = json!({
        "sauce": 1, "mqtt": { "keep_alive_s": 1 }, "api": { "listen": "127.0.0.1:1" },
        "cameras": { "cam": { "name": "New", "encoder": { "bitrate_kbps": 1 },
            "detection": { "labels": ["boar"] } } },
    });
    let refused = edgecam.api().patch(SETTINGS, &wrong);
    assert_eq!(refused.status, 422, "{}", refused.json());
    let said = refused.json().to_string();
    for part in ["/sauce", "/mqtt/keep_alive_s", BITRATE, "variable EDGECAM__API__LISTEN"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let boar = json!({ "cameras": { "cam": { "detection": { "labels": ["boar"] } } } });
    let refused = edgecam.api().patch(SETTINGS, &boar);
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/cameras/cam/detection/labels");
    assert_eq!(edgecam.api().get(SETTINGS).json(), before.json(), "something was changed");

    let done = edgecam.api().patch_if(SETTINGS, &bitrate(900), &before.etag);
    assert_eq!((done.status, done.etag.as_str()), (200, "\"1\""));
    assert_eq!(done.json()["status"], "applied");
    let late = edgecam.api().patch_if(SETTINGS, &bitrate(800), &before.etag);
    assert_eq!((late.status, late.etag.as_str()), (412, "\"1\""));
    let named = edgecam.api().patch("/api/v1/cameras/cam", &json!({ "name": "Gate" }));
    assert_eq!((named.status, &named.json()["settings"]["name"]), (200, &json!("Gate")));
    assert_eq!(drawing(&edgecam, 320), pid, "another process");

    edgecam.kill();
    let edgecam = edgecam.restart();
    let shown = edgecam.api().get(SETTINGS);
    assert_eq!(shown.etag, "\"2\"");
    assert_eq!(shown.json().pointer(BITRATE), Some(&json!(900)));
    assert_eq!(edgecam.api().camera()["name"], "Gate");
    let same = patch(&edgecam, "", &shown.json());
    assert_eq!((&same["status"], &same["revision"]), (&json!("unchanged"), &json!(2)));
}

#[test]
fn what_nobody_confirms_is_taken_back_also_after_kill_9() {
    let Some(_site) = Site::with(&[]) else { return };
    let mut edgecam = small().start();
    let confirm = format!("{SETTINGS}/confirm");
    let tried = patch(&edgecam, "?confirm_within=1", &bitrate(900));
    assert_eq!(tried["status"], "pending_confirmation", "{tried}");
    wait_for(&edgecam, "it is taken back", BITRATE, &json!(2500));
    let after = status(&edgecam);
    assert_eq!(after["rolled_back"]["revision"], 1, "{after}");
    assert!(after["rolled_back"]["reason"].to_string().contains("in time"), "{after}");
    assert_eq!(edgecam.api().post(&confirm, &json!({})).status, 409, "there is nothing any more");

    patch(&edgecam, "?confirm_within=600", &bitrate(800));
    let waits = edgecam.api().patch(SETTINGS, &bitrate(700));
    assert_eq!(waits.status, 409, "{}", waits.json());
    assert_eq!(edgecam.api().post(&confirm, &json!({})).status, 200);
    assert_eq!(status(&edgecam)["pending"], Value::Null);

    patch(&edgecam, "?confirm_within=4", &bitrate(600));
    edgecam.kill();
    let edgecam = edgecam.restart();
    wait_for(&edgecam, "what was confirmed is back", BITRATE, &json!(800));
    assert_eq!(status(&edgecam)["rolled_back"]["revision"], 4);
}

#[test]
fn a_rebuilt_camera_runs_on_its_new_settings_and_goes_back_to_old_ones() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = small().start();
    let first = drawing(&edgecam, 320);
    let larger = json!({ "video": { "width": 640, "height": 360 } });
    let camera = edgecam.api().patch("/api/v1/cameras/cam", &larger);
    assert_eq!((camera.status, camera.etag.as_str()), (200, "\"1\""), "{}", camera.json());
    assert_ne!(drawing(&edgecam, 640), first, "the same process");

    let off = patch(&edgecam, "", &json!({ "cameras": { "cam": { "enabled": false } } }));
    assert_eq!(
        (&off["status"], &off["changes"][0]["cost"]),
        (&json!("applied"), &json!("rebuild"))
    );
    until("the camera is off", LONG, || {
        let camera = edgecam.api().camera();
        camera["phase"] == "disabled" && camera["pid"].is_null()
    });
    assert!(edgecam.children("edgecam-camera").is_empty());

    let back = edgecam.api().post(&format!("{SETTINGS}/rollback"), &json!({ "revision": 1 }));
    assert_eq!((back.status, back.etag.as_str()), (200, "\"3\""), "{}", back.json());
    drawing(&edgecam, 640);
    let list = edgecam.api().get(&format!("{SETTINGS}/revisions")).json();
    let numbers: Vec<_> = list["items"].as_array().into_iter().flatten().collect();
    assert_eq!(numbers.iter().map(|one| &one["revision"]).collect::<Vec<_>>(), [3, 2, 1]);
    let second = edgecam.api().get(&format!("{SETTINGS}/revisions/2")).json();
    assert_eq!(second["changes"][0]["pointer"], "/cameras/cam/enabled", "{second}");
    assert_eq!(second["settings"]["cameras"]["cam"]["enabled"], false);
    let none = edgecam.api().post(&format!("{SETTINGS}/rollback"), &json!({ "revision": 77 }));
    assert_eq!(none.status, 404);
    let whole = edgecam.api().post(&format!("{SETTINGS}/rollback"), &json!({ "revision": 0 }));
    assert_eq!(whole.status, 200, "{}", whole.json());
    drawing(&edgecam, 320);
}

#[test]
fn what_takes_a_start_is_in_force_after_one_and_what_cannot_start_is_taken_back() {
    let Some(_site) = Site::with(&[]) else { return };
    let broker = ports::free();
    let file = format!("{SMALL}[mqtt]\nlisten = \"{broker}\"\n");
    let edgecam = Setup::new().unset("MQTT__LISTEN").settings(&file).start();
    let pid = edgecam.pid();
    let two = json!({ "node": { "name": "Gate" }, "cameras": { "back": { "enabled": false } } });
    let restarts = edgecam.api().patch(SETTINGS, &two);
    assert_eq!((restarts.status, &restarts.json()["status"]), (202, &json!("applying")));
    let name = || get(&edgecam, "/api/v1/system").map(|system| system["name"].clone());
    until("it runs under its new name", LONG, || name() == Some(json!("Gate")));
    let cameras = edgecam.api().get("/api/v1/cameras").json();
    assert_eq!(cameras.as_array().map(Vec::len), Some(2), "{cameras}");
    until("it has shown that it starts", LONG, || status(&edgecam)["pending"].is_null());
    assert_eq!(status(&edgecam)["revision"], 1);

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("it has an address");
    let bad = patch(&edgecam, "", &json!({ "mqtt": { "listen": taken.1.to_string() } }));
    assert_eq!(bad["status"], "applying");
    until("it is taken back", LONG, || status(&edgecam)["rolled_back"]["revision"] == 2);
    let after = status(&edgecam);
    assert!(after["rolled_back"]["reason"].to_string().contains("cannot listen"), "{after}");
    assert_eq!(in_force(&edgecam, "/mqtt/listen"), json!(broker.to_string()));
    assert_eq!((edgecam.pid(), name()), (pid, Some(json!("Gate"))));
}
