//! Promise: every bad input gets an error that names the thing, the reason and the way out, and
//! nothing is lost.

mod harness;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Need, Setup, Site, clips, http, ports, site, until, until_some, viewer};

/// Nothing of a test takes longer.
const LONG: Duration = Duration::from_secs(30);

/// Whether `text` has all of `parts`; shows it when not.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// Waits until the camera or its detector has an error, and answers it.
#[track_caller]
fn error_of(edgecam: &EdgeCam, pointer: &str) -> String {
    let look = || edgecam.api().camera().pointer(pointer)?.as_str().map(str::to_owned);
    until_some("the camera says what is wrong", LONG, look).0
}

/// A setup that finds its models in a folder of its own only.
fn with_models(models: &[(&str, Vec<u8>)]) -> Setup {
    let setup = Setup::new();
    let folder = setup.folder().join("models");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, bytes) in models {
        fs::write(folder.join(name), bytes).expect("a file can be written");
    }
    setup.env("EDGECAM_MODELS", &folder).away_from_the_checkout().set("detector.download=false")
}

fn shared_model(name: &str) -> Vec<u8> {
    fs::read(site::shared().join("models").join(name)).expect("the model is there")
}

#[test]
fn a_missing_model_is_named_with_the_command_that_installs_it() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = with_models(&[]).start();
    let command = "`edgecamd install-model nanodet-plus-m_320 --into ";
    says(&error_of(&edgecam, "/detector/note"), &["`detector.download` is off", command]);
}

#[test]
fn a_damaged_model_is_named_and_replaced_until_it_is_mended() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let param = shared_model("nanodet_plus_m.param");
    let good = shared_model("nanodet_plus_m.bin");
    let mut bad = good.clone();
    bad[1000] ^= 0xff;
    let edgecam =
        with_models(&[("nanodet_plus_m.param", param), ("nanodet_plus_m.bin", bad)]).start();
    let said = error_of(&edgecam, "/detector/note");
    says(&said, &["is damaged", "nanodet_plus_m.bin is not the file that its manifest names"]);
    let detector = || edgecam.api().camera()["detector"].clone();
    until("the demo model detects meanwhile", LONG, || {
        let detector = detector();
        detector["running"] == true && detector["model"] == "edgecam-demo_416x256"
    });
    fs::write(edgecam.folder().join("models/nanodet_plus_m.bin"), good)
        .expect("the file can be mended");
    until("the model runs by itself", LONG, || {
        let detector = detector();
        detector["running"] == true && detector["note"].is_null()
    });
    assert_eq!(detector()["model"], "nanodet-plus-m_320");
}

#[test]
fn an_unknown_model_is_refused_at_the_start_with_those_there_are() {
    let Some(_site) = Site::with(&[]) else { return };
    let said = Setup::new().set("detector.model=yolo").refusal();
    says(&said, &["/detector/model", "yolo", "nanodet-plus-m_320"]);
}

/// What can be done about a source that is not to be had.
const OTHER_SOURCE: &str = "or name another source with `cameras.<id>.source` or --source";

#[test]
fn a_clip_that_is_missing_or_no_video_is_named_with_the_way_out_and_the_rest_goes_on() {
    let Some(_site) = Site::with(&[]) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let [absent, letter, sound] =
        ["absent", "letter", "sound"].map(|name| folder.path().join(name).with_extension("mp4"));
    fs::write(&letter, "Dear camera,\n".repeat(500)).expect("a file can be written");
    viewer::ffmpeg(&["-f", "lavfi", "-i", "sine=duration=1"], &sound);
    for (clip, phase, reason) in [
        (absent, "waiting", "there is no clip at"),
        (letter, "failed", "is no video"),
        (sound, "failed", "is no video"),
    ] {
        let edgecam = Setup::new().set("media_server.enabled=false").clip(&clip).start();
        let name = clip.to_str().expect("a plain name");
        says(&error_of(&edgecam, "/error"), &[name, reason, OTHER_SOURCE]);
        assert_eq!(edgecam.api().camera()["phase"], phase);
        assert_eq!(edgecam.api().get("/healthz").status, 200, "the daemon is well");
        let ready = edgecam.api().get("/readyz");
        assert_eq!(ready.status, 503, "a camera without a picture is not ready");
        says(&String::from_utf8_lossy(&ready.body), &[reason]);
    }
}

#[test]
fn a_video_device_or_csi_camera_that_is_absent_is_named() {
    let Some(_site) = Site::with(&[]) else { return };
    for (source, part) in [("/dev/video97", "/dev/video97"), ("libcamera", "CSI camera")] {
        let edgecam = Setup::new().source(source).start();
        says(&error_of(&edgecam, "/error"), &[part, OTHER_SOURCE]);
    }
}

#[test]
fn an_rtsp_source_that_is_not_reachable_is_tried_again_until_it_is() {
    let Some(_site) = Site::with(&[Need::MediaServer, Need::Shared]) else { return };
    let server = Setup::new().clip(&site::clip("car-detection.mp4"));
    // Whoever claims it later: the owner with the password of the tests.
    let password = http::PASSWORD.replace(' ', "%20");
    let source = format!("rtsp://{}:{password}@{}/cam", http::OWNER, server.at.rtsp);
    let edgecam = Setup::new().source(&source).start();
    let error = error_of(&edgecam, "/error");
    says(&error, &[&server.at.rtsp.to_string(), "does not answer", "it is tried again"]);
    assert!(!error.contains("quiet"), "the password is told");
    assert!(!edgecam.log().contains("quiet"), "the password is in the log");
    let _server = server.stream();
    until("the source is found", LONG, || edgecam.api().camera()["phase"] == "running");
}

#[test]
fn a_port_in_use_is_named_with_its_setting_before_anything_is_started() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    for setting in ["api.listen", "mqtt.listen", "media_server.rtsp_listen"] {
        let taken = TcpListener::bind(ports::free()).expect("the port was free");
        let address = taken.local_addr().expect("it has an address").to_string();
        let variable = setting.to_uppercase().replace('.', "__");
        let setup = Setup::new().set(&format!("{setting}={address}"));
        let said = setup.refusal();
        says(&said, &[&address, "another program uses it", setting, &variable]);
        assert!(!said.contains("child started"), "something was started:\n{said}");
    }
}

#[test]
fn all_bad_settings_are_told_at_once() {
    let Some(_site) = Site::with(&[]) else { return };
    let said = Setup::new()
        .set("cameras.cam.encoder.bitrate_kbps=much")
        .set("cameras.cam.sauce=1")
        .set("mqtt.keep_alive_s=1")
        .env("EDGECAM__API__LISTENS", "127.0.0.1:1")
        .refusal();
    says(&said, &["4 mistakes", "/cameras/cam/encoder/bitrate_kbps = \"much\"", "a whole number"]);
    says(&said, &["did you mean source?", "5..=300", "set by command line"]);
    says(&said, &["/api/listens", "set by environment variable EDGECAM__API__LISTENS"]);
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named_with_the_way_out() {
    let Some(_site) = Site::with(&[]) else { return };
    let setup = Setup::new();
    let file = setup.folder().join("file");
    fs::write(&file, "in the way").expect("a file can be written");
    let said = setup.data(&file.join("data")).refusal();
    says(&said, &["file/data", "EDGECAM__DATA__DIR"]);
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused() {
    let Some(_site) = Site::with(&[]) else { return };
    let first = Setup::new().start();
    let mut second = Command::new(site::daemon_program());
    let output =
        second.env("EDGECAM__DATA__DIR", first.data_dir()).output().expect("edgecamd starts");
    assert!(!output.status.success(), "it did not refuse");
    let said = String::from_utf8_lossy(&output.stderr);
    says(&said, &["another edgecamd", &first.data_dir().display().to_string()]);
}

/// A small file system in memory on a folder of its own, both gone when dropped. `None` without the
/// right to mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Option<Self> {
        let at = tempfile::tempdir().expect("a temporary folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "edgecam-test"]).arg(at.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(at))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left, until the answer is removed.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.path().join("in-the-way");
        let mut file = fs::File::create(&path).expect("a file can be made");
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_read_only_data_folder_is_refused_by_name() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(disk) = SmallDisk::mount("size=1m,ro") else {
        return site::skip("no right to mount a file system");
    };
    let data = disk.path().join("data");
    let said = Setup::new().data(&data).refusal();
    says(&said, &[&data.display().to_string(), "Read-only", "EDGECAM__DATA__DIR"]);
}

#[test]
fn a_full_data_folder_is_told_and_what_was_seen_meanwhile_is_stored_when_there_is_room() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let Some(disk) = SmallDisk::mount("size=8m") else {
        return site::skip("no right to mount a file system");
    };
    let folder = disk.path();
    let setup = Setup::new();
    let clip = clips::car_passes(setup.folder());
    let setup = setup.set("media_server.enabled=false").data(folder);
    let mut edgecam = setup.clip(&clip).start();
    let subscriber = edgecam.subscriber();
    until("events flow", LONG, || !subscriber.events().is_empty());

    // The claim is kept on the disk too.
    let api = edgecam.api();
    let in_the_way = disk.fill();
    edgecam.wait_for_log("events cannot be stored", LONG);
    let way_out = "delete something on that file system";
    says(&edgecam.log(), &["no space left for the event database", way_out]);
    assert_eq!(api.get("/healthz").status, 200, "the daemon is well");
    let before = subscriber.events().len();
    fs::remove_file(in_the_way).expect("the file can be removed");
    until("events flow again", LONG, || subscriber.events().len() > before + 2);
    let seqs: Vec<_> = subscriber.events().iter().map(|(_, event)| event.seq).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "gaps in {seqs:?}");
    edgecam.stop();

    // A start without the room that is kept for it has nothing to wait for.
    fs::remove_dir_all(folder.join("run")).expect("it is no more in use");
    for file in ["events.db", "reserve"] {
        fs::remove_file(folder.join(file)).expect("it is no more in use");
    }
    disk.fill();
    let said = Setup::new().data(folder).refusal();
    says(&said, &["no space left", &folder.display().to_string(), way_out]);
}

#[test]
fn a_device_whose_disk_is_full_when_its_power_fails_starts_again_and_again() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(disk) = SmallDisk::mount("size=24m") else {
        return site::skip("no right to mount a file system");
    };
    let data = disk.path().join("data");
    let reserve = || fs::metadata(data.join("reserve")).map(|it| it.len()).ok();
    let mut edgecam = Setup::new().data(&data).start();
    let kept = reserve().expect("room is kept for the next start");
    // The claim is kept on the disk too.
    edgecam.api();
    let mut in_the_way = disk.fill();
    for _ in 0..3 {
        edgecam.kill();
        fs::remove_file(&in_the_way).expect("the file can be removed");
        in_the_way = disk.fill();
        edgecam = edgecam.restart();
        says(&edgecam.log(), &["the disk is full: this start uses"]);
        assert_eq!(edgecam.api().camera()["id"], "cam");
        assert!(reserve().is_some_and(|bytes| bytes >= kept / 2), "{:?}", reserve());
    }
    edgecam.kill();
    fs::remove_file(in_the_way).expect("the file can be removed");
    drop(edgecam.restart());
    assert_eq!(reserve(), Some(kept));
}
