//! Promise: video never waits for AI.

mod harness;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::daemon::EdgeCam;
use harness::viewer::Viewer;
use harness::{Need, Setup, Site, site, until, until_some};
use serde_json::Value;

const NEEDS: [Need; 2] = [Need::Shared, Need::MediaServer];
const LONG: Duration = Duration::from_secs(20);
/// Frames are counted for this time.
const COUNTED: Duration = Duration::from_secs(6);
/// Frames per second of the clip.
const FPS: f64 = 12.5;
/// Frames by which two counts of the same stream may differ: those at the ends of the window.
const AT_THE_ENDS: usize = 3;

/// Frames decoded by a viewer and frames seen by the detector, in the same time.
fn count(edgecam: &EdgeCam) -> (usize, u64) {
    let viewer = Viewer::new(&edgecam.rtsp());
    until("the stream is watched", LONG, || viewer.frames().len() >= 5);
    let (begun, inferred) = (Instant::now(), inferred(edgecam));
    until("enough is counted", LONG, || begun.elapsed() >= COUNTED);
    let inferred = self::inferred(edgecam) - inferred;
    (viewer.frames_between(begun, begun + COUNTED), inferred)
}

fn inferred(edgecam: &EdgeCam) -> u64 {
    let stats = edgecam.api().get("/api/v1/cameras/cam/stats").json();
    stats["inferred_frames"].as_u64().unwrap_or_else(|| panic!("{stats}"))
}

fn detector(edgecam: &EdgeCam) -> Value {
    edgecam.api().camera()["detector"].clone()
}

fn has_the_clips_rate(frames: usize) -> bool {
    let expected = FPS * COUNTED.as_secs_f64();
    (frames as f64 - expected).abs() <= AT_THE_ENDS as f64
}

#[test]
fn video_never_waits_for_ai_two_seconds_per_inference_leave_the_frame_rate() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    let sensor = setup.folder().join("temperature");
    fs::write(&sensor, "60000\n").expect("a temporary file can be written");
    let hot = ["thermal.high_c=50", "thermal.critical_c=110", "thermal.rest_ms=2000"];
    let setup = hot.iter().fold(setup, |setup, setting| setup.set(setting));
    let setup = setup.set(&format!("thermal.sensor={}", sensor.display()));
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();

    until("the detector rests", LONG, || detector(&edgecam)["throttled"].is_string());
    let (slow_frames, slow_inferred) = count(&edgecam);
    fs::write(&sensor, "20000\n").expect("a temporary file can be written");
    until("the detector is quick again", LONG, || detector(&edgecam)["throttled"].is_null());
    let (quick_frames, quick_inferred) = count(&edgecam);

    let seconds = COUNTED.as_secs();
    println!(
        "{seconds} s with 2 s per inference: {slow_frames} frames, {slow_inferred} inferences"
    );
    println!("{seconds} s without: {quick_frames} frames, {quick_inferred} inferences");
    assert!((2..=4).contains(&slow_inferred), "the detector was not that slow");
    assert!(quick_inferred > 5 * slow_inferred, "the detector was not quick again");
    assert!(slow_frames.abs_diff(quick_frames) <= AT_THE_ENDS, "the stream's rate changed");
    assert!(has_the_clips_rate(slow_frames), "the stream does not have the clip's rate");
}

/// A folder that has what the default model is made of, the weights replaced by `weights`.
fn models(folder: &Path, weights: &[u8]) {
    fs::create_dir_all(folder).expect("a temporary folder can be made");
    let shared = site::shared().join("models");
    let structure =
        fs::read(shared.join("nanodet_plus_m.param")).expect("shared models can be read");
    for (name, bytes) in [("nanodet_plus_m.param", &structure[..]), ("nanodet_plus_m.bin", weights)]
    {
        fs::write(folder.join(name), bytes).expect("a temporary file can be written");
    }
}

#[test]
fn video_never_waits_for_ai_a_detector_that_cannot_load_leaves_the_stream_up() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    let folder = setup.folder().join("models");
    models(&folder, b"this is no model");
    let setup = setup.env("EDGECAM_MODELS", &folder).set("detector.download=false");
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();
    let error = || detector(&edgecam)["error"].as_str().map(str::to_owned);
    let (error, _) = until_some("the detector says what is wrong", LONG, error);
    println!("{error}");
    assert!(error.contains("nanodet_plus_m.bin"), "{error}");

    let (frames, inferred) = count(&edgecam);
    assert_eq!(inferred, 0);
    assert!(has_the_clips_rate(frames), "{frames} frames in {} s", COUNTED.as_secs());
    assert_eq!(edgecam.api().camera()["phase"], "running");

    // Once the model is whole, it is loaded without anybody's help.
    let weights = fs::read(site::shared().join("models/nanodet_plus_m.bin")).expect("it is there");
    models(&folder, &weights);
    until("the detector sees frames", LONG, || self::inferred(&edgecam) > 0);
    assert!(detector(&edgecam)["error"].is_null(), "{}", detector(&edgecam));
}

#[test]
fn video_never_waits_for_ai_a_detector_that_hangs_leaves_the_stream_up() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    // Whoever reads a pipe that nobody writes to, hangs: here, the detector's thread.
    let sensor = setup.folder().join("temperature");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let (cwd, fifo) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(cwd, &sensor, fifo, mode, 0).expect("a pipe can be made");
    let setup = setup.set(&format!("thermal.sensor={}", sensor.display()));
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();
    let camera = edgecam.child("edgecam-camera");

    let viewer = Viewer::new(&edgecam.rtsp());
    until("the stream is watched", LONG, || viewer.frames().len() >= 5);
    let begun = Instant::now();
    until("enough is counted", LONG, || begun.elapsed() >= COUNTED);
    let frames = viewer.frames_between(begun, begun + COUNTED);
    println!("{} s with a detector that hangs: {frames} frames", COUNTED.as_secs());
    assert!(has_the_clips_rate(frames));
    assert!(camera.is_alive(), "the camera process was replaced");

    // The pipe has an end to write to, then it is a file: the detector goes on.
    let both = fs::File::options().read(true).write(true).open(&sensor);
    let writer = both.expect("a pipe can be opened");
    fs::remove_file(&sensor).expect("a temporary file can be removed");
    fs::write(&sensor, "20000\n").expect("a temporary file can be written");
    drop(writer);
    until("the detector sees frames", LONG, || inferred(&edgecam) > 0);
}
