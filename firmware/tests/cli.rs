//! Promise: an owner who types no address finds a new device, claims it, reads and changes it and follows
//! its events from the command line.

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use harness::http::PASSWORD;
use harness::{Need, Setup, Site, clips, site, until};

const LONG: Duration = Duration::from_secs(30);

/// `edgecam`, with known devices of the test's own.
fn edgecam(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(site::program("edgecam-cli", "edgecam"));
    command.args(args).env("EDGECAM_BOOK", folder.join("devices.json"));
    for name in ["EDGECAM_DEVICE", "EDGECAM_TOKEN", "EDGECAM_FINGERPRINT"] {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn says(folder: &Path, args: &[&str], typed: &str) -> String {
    let output = run(folder, args, typed);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "edgecam {args:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(folder: &Path, args: &[&str], typed: &str) -> Output {
    let mut command = edgecam(folder, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("edgecam starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    // It may need less than what is typed.
    let _ = input.write_all(typed.as_bytes());
    drop(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_new_device_is_found_claimed_read_changed_and_followed_without_typing_an_address() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = Setup::new().set("media_server.enabled=false").set("node.name=Gate 7");
    let folder = setup.folder().to_owned();
    let clip = clips::car_passes(&folder);
    let device = setup.clip(&clip).start();

    until("the device is found", LONG, || says(&folder, &["discover"], "").contains("Gate 7"));
    let code =
        std::fs::read_to_string(device.data_dir().join("claim-code")).expect("it has a code");
    let wrong = run(&folder, &["claim", "Gate 7", "--code", "AAAAA-AAAAA"], "a quiet street\n");
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && said.contains("code"), "{said}");
    let typed = format!("{PASSWORD}\n");
    let said = says(&folder, &["claim", "Gate 7", "--code", code.trim()], &typed);
    assert!(said.contains("SHA-256") && said.contains("Gate 7 is known now"), "{said}");

    assert_eq!(says(&folder, &["get", "cameras", "/0/id"], ""), "cam\n");
    let bitrate = ["get", "settings", "/cameras/cam/encoder/bitrate_kbps"];
    says(&folder, &["set", "cameras.cam.encoder.bitrate_kbps=1234"], "");
    assert_eq!(says(&folder, &bitrate, ""), "1234\n");
    let lines = says(&folder, &["get", "settings", "--lines"], "");
    assert!(lines.contains("cameras.cam.encoder.bitrate_kbps=1234\n"), "{lines}");
    let refused = run(&folder, &["set", "cameras.cam.encoder.bitrate_kbps=1", "sauce=1"], "");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    for part in ["/sauce", "/cameras/cam/encoder/bitrate_kbps", "must be within"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }

    let mut following = edgecam(&folder, &["events", "--follow", "--label", "car"]);
    let mut following = following.stdout(Stdio::piped()).spawn().expect("edgecam starts");
    let lines = BufReader::new(following.stdout.take().expect("its output is a pipe")).lines();
    let seen: Vec<_> = lines.take(3).map(|line| line.expect("a line of text")).collect();
    following.kill().and_then(|()| following.wait()).expect("it can be ended");
    assert!(seen.iter().all(|line| line.contains("  cam  ") && line.contains("car")), "{seen:?}");

    assert!(says(&folder, &["models"], "").contains("edgecam-demo"));
    models_and_backups(&folder);
    updates(&folder);
    assert!(says(&folder, &["logout"], "").contains("its token revoked"));
    let gone = run(&folder, &["get", "cameras"], "");
    let said = String::from_utf8_lossy(&gone.stderr);
    assert!(said.contains("no device is known here"), "{said}");
    assert!(says(&folder, &["completion", "bash"], "").contains("_edgecam"));
}

/// A model is sent, and a backup is saved, changed after and brought back.
fn models_and_backups(folder: &Path) {
    let demo = site::root().join("firmware/models/demo");
    for file in ["edgecam_demo.param", "edgecam_demo.bin"] {
        std::fs::copy(demo.join(file), folder.join(file)).expect("files can be copied");
    }
    let text = std::fs::read_to_string(demo.join("demo.toml")).expect("the demo model is there");
    let manifest = folder.join("ours.toml");
    std::fs::write(&manifest, text.replace("\"edgecam-demo_416x256\"", "\"ours\""))
        .expect("written");
    let manifest = manifest.to_str().expect("plain text");
    assert!(says(folder, &["models", "add", manifest], "").contains("ours is on the device"));
    assert!(says(folder, &["models"], "").contains("ours"));
    assert!(says(folder, &["models", "delete", "ours"], "").contains("is removed"));

    let file = folder.join("gate.json").to_str().expect("plain text").to_owned();
    let passphrase = "a gate in the rain\n";
    let said =
        says(folder, &["backup", "save", &file, "--encrypt", "--note", "spring"], passphrase);
    assert!(said.contains("holds the backup") && !said.contains("passwords"), "{said}");
    let again = run(folder, &["backup", "save", &file], "");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && said.contains("cannot be written"), "{said}");
    assert!(says(folder, &["backup", "list"], "").contains("spring"));
    let bitrate = ["get", "settings", "/cameras/cam/encoder/bitrate_kbps"];
    says(folder, &["set", "cameras.cam.encoder.bitrate_kbps=2345"], "");
    let wrong = run(folder, &["backup", "restore", &file], "wrong\n");
    assert!(!wrong.status.success());
    assert_eq!(says(folder, &bitrate, ""), "2345\n");
    says(folder, &["backup", "restore", &file], passphrase);
    assert_eq!(says(folder, &bitrate, ""), "1234\n");
}

/// A developer's machine runs from no image: it is said, and nothing is sent or begun.
fn updates(folder: &Path) {
    let said = says(folder, &["update"], "");
    assert!(said.contains("does not run from an EdgeCam image"), "{said}");
    let bundle = folder.join("bundle.raucb");
    std::fs::write(&bundle, "no bundle").expect("written");
    let bundle = bundle.to_str().expect("plain text");
    for args in [
        &["update", "check"][..],
        &["update", "install", bundle],
        &["update", "install", "https://updates.example.org/bundle.raucb"],
        &["update", "commit"],
        &["update", "rollback"],
    ] {
        let refused = run(folder, args, "");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success(), "{args:?}: {said}");
        assert!(said.contains("updates_not_supported"), "{args:?}: {said}");
    }
}
