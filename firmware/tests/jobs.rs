//! Promise: what takes long runs as a job beside the cameras, tells how far it is, is cancelled and leaves
//! nothing; a picture or a model of a stranger is looked at in a process of its own.

mod harness;

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::http::Answer;
use harness::{Setup, Site, site, until, until_some};
use serde_json::{Value, json};

/// Long enough for a network in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(120);
const DEMO: &str = "edgecam-demo_416x256";
const SMALL: &str = "\
[media_server]
enabled = false
[detector]
model = \"edgecam-demo_416x256\"
prefer_int8 = false
[cameras.cam]
source = \"scene\"
[cameras.cam.video]
width = 640
height = 360
fps = 10
";

fn start() -> EdgeCam {
    let edgecam = Setup::new().settings(SMALL).start();
    runs(&edgecam, DEMO);
    edgecam
}

/// Waits until the camera detects with `model`.
#[track_caller]
fn runs(edgecam: &EdgeCam, model: &str) {
    until(&format!("the camera runs {model}"), LONG, || {
        let camera = edgecam.api().camera();
        let detector = &camera["detector"];
        camera["phase"] == "running" && detector["running"] == true && detector["model"] == model
    });
}

/// The job that `begun` answers, once it is in one of `states`.
#[track_caller]
fn job(edgecam: &EdgeCam, begun: &Answer, states: &[&str]) -> Value {
    assert_eq!(begun.status, 202, "{}", begun.json());
    let path = format!("/api/v1/jobs/{}", begun.json()["id"].as_str().expect("a job has an id"));
    let look = || {
        let job = edgecam.api().get(&path).json();
        let state = job["state"].as_str().unwrap_or_default().to_owned();
        let failed = state == "failed" && !states.contains(&"failed");
        assert!(!failed, "{job}");
        states.contains(&state.as_str()).then_some(job)
    };
    until_some(&format!("the job is {states:?}"), LONG, look).0
}

#[test]
fn a_picture_is_looked_at_and_a_benchmark_measured_beside_the_camera() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = start();
    let api = edgecam.api();
    let camera = edgecam.child("edgecam-camera --camera cam").pid;
    // A street on which there is something to see.
    let look = || {
        let picture = api.get("/api/v1/cameras/cam/snapshot.jpg?quality=90");
        assert_eq!(picture.status, 200, "{picture:?}");
        let seen = api.send("/api/v1/detector/infer?min_score=0.3", "image/jpeg", &picture.body);
        assert_eq!(seen.status, 200, "{}", seen.json());
        let seen = seen.json();
        (!seen["objects"].as_array()?.is_empty()).then_some(seen)
    };
    let (seen, _) = until_some("something is seen", LONG, look);
    assert_eq!(
        (&seen["model"], &seen["width"], &seen["height"]),
        (&json!(DEMO), &json!(640), &json!(360))
    );
    let object = &seen["objects"][0];
    let number = |value: &Value| value.as_f64().expect("a number");
    for (at, side) in [(0, 640.0), (1, 360.0), (2, 640.0), (3, 360.0)] {
        let (share, pixels) = (number(&object["box"][at]), number(&object["box_px"][at]));
        assert!((0.0..=1.0).contains(&share) && (share * side - pixels).abs() < 0.1, "{object}");
    }
    assert!(object["label"].is_string() && number(&object["score"]) >= 0.3, "{object}");

    for (body, kind) in [(&b"\xff\xd8\xff\xe0 no picture"[..], "image/jpeg"), (b"", "image/png")] {
        let refused = api.send("/api/v1/detector/infer", kind, body);
        assert_eq!(refused.status, 422, "{}", refused.json());
    }
    let unknown = api.send("/api/v1/detector/infer?model=none", "image/png", b"x");
    assert_eq!(unknown.status, 404, "{}", unknown.json());

    let asked = json!({ "models": [DEMO], "threads": [1, 2], "duration_ms": 100 });
    let begun = api.post("/api/v1/detector/benchmark", &asked);
    let done = job(&edgecam, &begun, &["done"]);
    let rows = done["result"]["rows"].as_array().expect("rows").clone();
    assert_eq!(rows.iter().map(|row| row["threads"].clone()).collect::<Vec<_>>(), [1, 2]);
    for row in &rows {
        assert!(
            number(&row["median_ms"]) > 0.0 && number(&row["p95_ms"]) >= number(&row["median_ms"])
        );
    }
    assert_eq!(edgecam.child("edgecam-camera --camera cam").pid, camera, "the camera went on");
    until("no worker is left", LONG, || edgecam.children("edgecam-camera work").is_empty());
}

#[test]
fn a_job_that_is_cancelled_or_whose_worker_is_killed_leaves_nothing() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = start();
    let api = edgecam.api();
    let slow = json!({ "pictures": 4, "interval_ms": 60_000 });
    let path = format!("/api/v1/models/{DEMO}/quantize");
    let begun = api.post(&path, &slow);
    let running = job(&edgecam, &begun, &["running"]);
    let waiting = api.post("/api/v1/detector/benchmark", &json!({ "duration_ms": 60_000 }));
    assert_eq!(job(&edgecam, &waiting, &["queued"])["state"], "queued", "one at a time");
    let at = format!("/api/v1/jobs/{}", running["id"].as_str().expect("an id"));
    let cancelled = api.deleted(&at);
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")));
    assert_eq!((api.deleted(&at).status, api.get(&at).status), (404, 404), "it is forgotten");

    job(&edgecam, &waiting, &["running"]);
    let worker = edgecam.child("edgecam-camera work");
    worker.signal(rustix::process::Signal::KILL);
    let failed = job(&edgecam, &waiting, &["failed"]);
    let detail = failed["problem"]["detail"].as_str().expect("it says why").to_owned();
    assert!(detail.contains("SIGKILL"), "{detail}");

    let again = api.post("/api/v1/detector/benchmark", &json!({ "duration_ms": 60_000 }));
    job(&edgecam, &again, &["running"]);
    edgecam.child("edgecam-camera work");
    let at = format!("/api/v1/jobs/{}", again.json()["id"].as_str().expect("an id"));
    assert_eq!(api.deleted(&at).json()["state"], "cancelled");
    until("its worker is gone", LONG, || edgecam.children("edgecam-camera work").is_empty());
    runs(&edgecam, DEMO);
}

/// The parts of an upload of the demo model under the name `name`; `spoil` changes its weights.
fn upload(name: &str, spoil: bool) -> Vec<u8> {
    let demo = site::root().join("firmware/models/demo");
    let read = |path: &Path| fs::read(path).expect("the demo model is there");
    let manifest = String::from_utf8(read(&demo.join("demo.toml"))).expect("it is text");
    let manifest = manifest.replacen(DEMO, name, 1);
    let mut bin = read(&demo.join("edgecam_demo.bin"));
    if spoil {
        bin[100] ^= 1;
    }
    let parts = [
        ("manifest", manifest.into_bytes()),
        ("param", read(&demo.join("edgecam_demo.param"))),
        ("bin", bin),
    ];
    let mut body = Vec::new();
    for (part, bytes) in parts {
        let head = format!(
            "--xxBxx\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"x\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xxBxx--\r\n");
    body
}

const FORM: &str = "multipart/form-data; boundary=xxBxx";

#[test]
fn a_model_is_sent_chosen_outlives_kill_9_and_is_deleted() {
    let Some(_site) = Site::with(&[]) else { return };
    let mut edgecam = start();
    let api = edgecam.api();
    let spoiled = api.send("/api/v1/models", FORM, &upload("mine", true));
    assert_eq!((spoiled.status, &spoiled.json()["errors"][0]["pointer"]), (422, &json!("/bin")));
    let taken = api.send("/api/v1/models", FORM, &upload(DEMO, false));
    assert_eq!(taken.status, 409, "{}", taken.json());
    let traversing = api.send("/api/v1/models", FORM, &upload("../mine", false));
    assert_eq!(
        (traversing.status, &traversing.json()["errors"][0]["pointer"]),
        (422, &json!("/manifest/name"))
    );
    let sent = api.send("/api/v1/models", FORM, &upload("mine", false));
    assert_eq!(sent.status, 201, "{}", sent.json());
    let left = fs::read_dir(edgecam.data_dir().join("models")).expect("it is there");
    let hidden = left
        .filter_map(Result::ok)
        .filter(|one| one.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "nothing of the refused ones is left");

    let chosen = api.post("/api/v1/models/mine/activate", &json!({}));
    assert_eq!(chosen.status, 200, "{}", chosen.json());
    runs(&edgecam, "mine");
    assert_eq!(api.deleted("/api/v1/models/mine").status, 409, "it is in use");
    edgecam.kill();
    let edgecam = edgecam.restart();
    runs(&edgecam, "mine");
    let api = edgecam.api();
    let detail = api.get("/api/v1/models/mine").json();
    assert_eq!((&detail["active"], &detail["built_in"]), (&json!(true), &json!(false)));
    assert_eq!(detail["manifest"]["bin"]["file"], "mine.bin");

    let back = api.patch("/api/v1/detector", &json!({ "model": null }));
    assert_eq!(back.status, 200, "{}", back.json());
    runs(&edgecam, DEMO);
    let gone = api.deleted("/api/v1/models/mine");
    assert_eq!((gone.status, api.get("/api/v1/models/mine").status), (204, 404));
    assert!(!edgecam.data_dir().join("models/mine.bin").exists());
    assert_eq!(api.deleted(&format!("/api/v1/models/{DEMO}")).status, 409);
}

#[test]
fn a_model_is_made_in_8_bits_of_what_the_camera_shows_and_can_be_chosen() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = start();
    let api = edgecam.api();
    let quick = json!({ "camera": "cam", "pictures": 4, "interval_ms": 100, "noise_budget": 0.1 });
    let begun = api.post(&format!("/api/v1/models/{DEMO}/quantize"), &quick);
    let made = job(&edgecam, &begun, &["done"])["result"].clone();
    let int8 = format!("{DEMO}_int8");
    assert_eq!((&made["model"]["name"], &made["pictures"]), (&json!(int8), &json!(4)));
    assert!(made["int8_bytes"].as_u64() < made["float_bytes"].as_u64(), "{made}");
    let preferred = api.patch("/api/v1/detector", &json!({ "prefer_int8": true }));
    assert_eq!(preferred.status, 200, "{}", preferred.json());
    runs(&edgecam, &int8);
    let again = api.post(&format!("/api/v1/models/{DEMO}/quantize"), &quick);
    assert_eq!(again.status, 409, "there is one already: {}", again.json());
}

#[test]
fn a_model_is_fetched_from_nowhere_inside() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = start();
    let api = edgecam.api();
    let inside = format!("http://{}/api/v1/version", edgecam.at().api);
    for url in [
        inside.as_str(),
        "http://192.168.1.1/m.toml",
        "http://localhost/m.toml",
        "file:///etc/passwd",
        "http://[::1]/m",
    ] {
        let asked = json!({ "manifest_url": url, "sha256": "0".repeat(64) });
        let refused = api.post("/api/v1/models", &asked);
        assert_eq!(refused.status, 422, "{url}: {}", refused.json());
        assert_eq!(refused.json()["errors"][0]["pointer"], "/manifest_url", "{url}");
    }
}

#[test]
fn other_rules_are_tried_on_what_was_tracked_and_nothing_is_changed() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = start();
    let api = edgecam.api();
    let path = "/api/v1/cameras/cam/rules:backtest";
    let line = json!({ "from": [0.5, 0.0], "to": [0.5, 1.0] });
    let tracked = || {
        let begun = api.post(path, &json!({ "lines": { "middle": line } }));
        let done = job(&edgecam, &begun, &["done"]);
        (done["result"]["tracks"].as_u64()? > 0).then_some(done)
    };
    let (done, _) = until_some("something was tracked", LONG, tracked);
    assert_eq!(done["camera"], "cam");
    assert_eq!(api.camera()["settings"]["lines"], json!({}), "nothing was changed");
    let wrong = api.post(path, &json!({ "lines": { "middle": { "from": [9, 9], "to": [0, 1] } } }));
    assert_eq!(wrong.status, 422, "{}", wrong.json());
    let pointer = wrong.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
    assert!(pointer.starts_with("/lines/middle"), "{pointer}");
    let backwards = json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" });
    assert_eq!(api.post(path, &backwards).status, 422);
}
