//! Promise: without a network and without any model at hand the product detects, says with which model
//! and why, and takes up the chosen one when that arrives.

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use api::event::Kind;
use harness::daemon::EdgeCam;
use harness::{Setup, Site, site, until_some};

/// A detector that is loaded on a busy machine, and the first object on the street.
const LONG: Duration = Duration::from_secs(60);
const DEMO: &str = "edgecam-demo_416x256";

/// Waits until the detector runs `model`, and answers why it is not the chosen one.
#[track_caller]
fn note_with(edgecam: &EdgeCam, model: &str) -> Option<String> {
    let runs = || {
        let detector = edgecam.api().camera()["detector"].clone();
        (detector["running"] == true && detector["model"] == model).then_some(detector)
    };
    let (detector, _) = until_some(&format!("{model} runs"), LONG, runs);
    detector["note"].as_str().map(str::to_owned)
}

/// Waits for an announcement of an object that `model` saw.
#[track_caller]
fn is_announced(edgecam: &EdgeCam, model: &str) {
    let of_model = |event: &api::event::Event| {
        event.kind == Kind::Object && event.model.as_ref().is_some_and(|m| m.name == model)
    };
    let begun = Instant::now();
    edgecam.subscriber().wait_for("an object is announced", begun, LONG, of_model);
}

#[test]
fn without_network_and_models_the_street_is_detected_and_the_way_to_the_model_told() {
    let Some(_site) = Site::with(&[]) else { return };
    // Nobody listens at the discard port of this machine.
    let setup = Setup::new().env("ALL_PROXY", "http://127.0.0.1:9").away_from_the_checkout();
    let mut edgecam = setup.start();
    is_announced(&edgecam, DEMO);
    edgecam.wait_for_log("and could not be fetched", LONG);
    let note = note_with(&edgecam, DEMO).expect("it says why");
    let folder = edgecam.data_dir().join("models");
    let command =
        format!("`edgecamd install-model nanodet-plus-m_320 --into {}`", folder.display());
    for part in ["nanodet-plus-m_320", "could not be fetched", DEMO, "`make model`", &command] {
        assert!(note.contains(part), "{part}: {note}");
    }
    assert!(edgecam.log().contains(&format!("  Detector     {note}")), "the console says so");
}

#[test]
fn the_demo_model_runs_without_excuse_where_the_settings_choose_it() {
    let Some(_site) = Site::with(&[]) else { return };
    let setup = Setup::new().set(&format!("detector.model={DEMO}")).away_from_the_checkout();
    assert_eq!(note_with(&setup.start(), DEMO), None);
}

/// A setup that knows a model `mine`, whose files (`demo`'s, under names of their own) are in the
/// folder that is answered, and at `port` of this machine.
fn mine(port: u16) -> (Setup, PathBuf) {
    let setup = Setup::new().away_from_the_checkout().set("detector.model=mine");
    let (upstream, models) = (setup.folder().join("upstream"), setup.data_dir().join("models"));
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    for folder in [&upstream, &models] {
        fs::create_dir_all(folder).expect("a folder can be made");
    }
    let manifest = fs::read_to_string(demo.join("demo.toml")).expect("the demo model is there");
    let mut mine = manifest.replacen(DEMO, "mine", 1);
    for kind in ["param", "bin"] {
        let file = format!("edgecam_demo.{kind}");
        fs::copy(demo.join(&file), upstream.join(format!("mine.{kind}"))).expect("it is there");
        let with_url = format!("\"mine.{kind}\"\nurl = \"http://127.0.0.1:{port}/mine.{kind}\"");
        mine = mine.replacen(&format!("\"{file}\""), &with_url, 1);
    }
    fs::write(models.join("mine.toml"), mine).expect("the manifest can be written");
    (setup, upstream)
}

/// Serves the files of `folder`, each connection only after a word on `go`.
fn serve(listener: TcpListener, folder: PathBuf, go: Receiver<()>) {
    std::thread::spawn(move || {
        while go.recv().is_ok() {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let body = fs::read(folder.join(path)).expect("what is asked for is there");
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
            // A client that is gone is the test's failure, not the server's.
            let _ = write!(stream, "{head} {}\r\n\r\n", body.len());
            let _ = stream.write_all(&body);
        }
    });
}

#[test]
fn cameras_begin_at_once_and_switch_when_the_download_arrives() {
    let Some(_site) = Site::with(&[]) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let (setup, upstream) = mine(listener.local_addr().expect("it is bound").port());
    let (go, gone) = channel();
    serve(listener, upstream, gone);
    let mut edgecam = setup.start();
    let note = note_with(&edgecam, DEMO).expect("it says why");
    assert!(note.contains("mine") && note.contains("is being fetched"), "{note}");
    for _ in ["param", "bin"] {
        go.send(()).expect("the server waits");
    }
    assert_eq!(note_with(&edgecam, "mine"), None);
    edgecam.wait_for_log("  Detector     mine", LONG);
    is_announced(&edgecam, "mine");
}

#[test]
fn a_model_installed_by_hand_is_taken_up_by_the_daemon_that_runs() {
    let Some(_site) = Site::with(&[]) else { return };
    let (setup, upstream) = mine(9);
    let edgecam = setup.set("detector.download=false").start();
    let note = note_with(&edgecam, DEMO).expect("it says why");
    assert!(note.contains("`detector.download` is off"), "{note}");
    let models = edgecam.data_dir().join("models");
    let install = |from: &Path| {
        let mut command = Command::new(site::daemon_program());
        command.args(["install-model", "mine", "--from"]).arg(from).arg("--into").arg(&models);
        command.output().expect("edgecamd can be run")
    };
    let refused = install(edgecam.folder());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("mine.param"), "{said}");
    let installed = install(&upstream);
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    assert_eq!(note_with(&edgecam, "mine"), None);
}
