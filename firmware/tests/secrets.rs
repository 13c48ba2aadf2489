//! Promise: no secret leaves by the API, a log, the metrics, the diagnostics file or a command line.
//!
//! Every secret that a device can hold is given a value of its own, everything that may speak of them is
//! done, and then everything that can be read is searched for them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Setup, Site, ports, procs, until};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);

/// Secrets by the place that they are in.
const SECRETS: [(&str, &str); 8] = [
    ("camera's source", "c4nary-source"),
    ("camera's source, changed", "c4nary-changed"),
    ("broker's password", "c4nary-broker"),
    ("Wi-Fi password", "c4nary-wireless"),
    ("user's password", "c4nary-user-password"),
    ("a wrong password", "c4nary-wrong-password"),
    ("passphrase", "c4nary-passphrase"),
    ("unknown field", "c4nary-field"),
];

fn settings() -> String {
    let port = ports::free().port();
    format!(
        "\
[media_server]
enabled = false
[mqtt]
url = 'mqtt://127.0.0.1:{port}'
username = 'edgecam'
password = 'c4nary-broker'
[network]
wifi_country = 'DE'
[network.interfaces.wlan0.wifi]
ssid = 'Home'
password = 'c4nary-wireless'
[cameras.cam]
source = 'rtsp://viewer:c4nary-source@127.0.0.1:{port}/stream'
"
    )
}

/// Does whatever may speak of a secret; answers the ones that the device made.
fn provoke(edgecam: &EdgeCam) -> Vec<(String, String)> {
    let api = edgecam.api();
    let user = json!({ "username": "guard", "password": "c4nary-user-password", "role": "viewer" });
    assert_eq!(api.post("/api/v1/users", &user).status, 201);
    let login = json!({ "username": "guard", "password": "c4nary-wrong-password" });
    assert_eq!(api.post("/api/v1/auth/login", &login).status, 401);
    let token = api.post("/api/v1/tokens", &json!({ "name": "canary", "role": "viewer" })).json();
    let source = |password: &str, port: &str| json!({ "source": format!("rtsp://viewer:{password}@127.0.0.1:{port}/other") });
    let camera = "/api/v1/cameras/cam";
    let refused = api.patch(camera, &source("c4nary-changed", "not-a-port"));
    assert_eq!(refused.status, 422, "{}", refused.json());
    assert_eq!(api.patch(camera, &source("c4nary-changed", "9")).status, 200);
    let odd = json!({ "mqtt": { "password": { "c4nary-field": "c4nary-field" } } });
    assert_eq!(api.patch("/api/v1/settings?dry_run=true", &odd).status, 422);
    for passphrase in [json!("c4nary-passphrase"), Value::Null] {
        let new = json!({ "passphrase": passphrase });
        assert_eq!(api.post("/api/v1/backups", &new).status, 201);
    }
    let restore = json!({ "id": "01JZ8Q0V7X3C9K2M4N5P6R7S8T", "passphrase": "c4nary-passphrase" });
    assert_eq!(api.post("/api/v1/backups/restore", &restore).status, 404);
    let secret = token["secret"].as_str().expect("a token").to_owned();
    vec![("token".to_owned(), secret), ("owner's token".to_owned(), edgecam.token())]
}

/// The paths of all operations that can be read and end, filled in.
fn paths(edgecam: &EdgeCam) -> Vec<String> {
    let document = edgecam.api().get("/api/openapi.json").json();
    let backups = edgecam.api().get("/api/v1/backups").json();
    let encrypted =
        backups.as_array().and_then(|all| all.iter().find(|one| one["encrypted"] == true));
    let id = encrypted.expect("one is encrypted")["id"].as_str().expect("an id").to_owned();
    let paths = document["paths"].as_object().expect("paths").iter();
    let read = paths.filter(|(path, item)| item["get"].is_object() && !path.contains("/stream/"));
    let fill = |(path, _): (&String, &Value)| {
        path.replace("{cam}", "cam")
            .replace("{revision}", "1")
            .replace("{user}", "guard")
            .replace("{file}", "index.html")
            .replace("{id}", &id)
    };
    let mut all: Vec<_> = read.map(fill).collect();
    all.extend(["/api/v1/settings?layer=api", "/api/v1/system/logs?limit=2000"].map(str::to_owned));
    all
}

/// What `bytes` say, unpacked where they are packed.
fn text(bytes: &[u8]) -> String {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut gunzip = Command::new("gzip");
    let mut gunzip =
        gunzip.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = gunzip.stdin.take().unwrap();
    let bytes = bytes.to_owned();
    let writing = std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut input, &bytes);
    });
    let output = gunzip.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success() && output.stdout.len() > 10_000, "an archive of some size");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_secret_leaves_by_the_api_a_log_the_metrics_or_the_diagnostics() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().settings(&settings()).env("EDGECAM_LOG", "debug").start();
    let code = fs::read_to_string(edgecam.data_dir().join("claim-code")).expect("a code");
    let mut secrets: Vec<_> =
        SECRETS.iter().map(|(name, secret)| ((*name).to_owned(), (*secret).to_owned())).collect();
    secrets.extend(provoke(&edgecam));
    until("the camera says that it does not reach its source", LONG, || {
        edgecam.api().camera()["error"].is_string()
    });

    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for path in paths(&edgecam) {
        let answer = edgecam.api().get(&path);
        assert!(answer.status < 500 || answer.status == 503, "{path}: {}", answer.status);
        said.insert(format!("GET {path}"), text(&answer.body));
    }
    for process in procs::family(edgecam.pid()) {
        said.insert(format!("command line of {}", process.pid), process.command);
    }
    assert!(said.len() > 40 && said.values().any(|text| text.contains("rtsp://127.0.0.1")));
    // The code is for whoever stands at the device: on the console, which is in the log of a test.
    for (place, text) in &said {
        assert!(!text.contains(code.trim()), "{place} tells the claim code");
    }
    said.insert("the log".to_owned(), edgecam.log());
    for (place, text) in &said {
        for (name, secret) in &secrets {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{place} tells the {name}");
        }
    }
}
