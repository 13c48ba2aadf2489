//! Promise: video never waits for AI.

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use harness::daemon::EdgeCam;
use harness::viewer::Viewer;
use harness::{Need, Setup, Site, site, until, until_some};
use serde_json::Value;
use sha2::{Digest, Sha256};

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
    let hot = [
        "thermal.max_temp_c=50",
        "thermal.critical_c=110",
        "governor.min_detect_fps=0.5",
        "governor.settle_s=0.5",
        "governor.calm_s=1",
    ];
    let setup = hot.iter().fold(setup, |setup, setting| setup.set(setting));
    let setup = setup.set(&format!("thermal.sensor={}", sensor.display()));
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();

    let slow = || detector(&edgecam)["governor"]["reduced"]["detect_rate"] == "0.5 fps";
    until("the detector is slow", LONG, slow);
    let (slow_frames, slow_inferred) = count(&edgecam);
    fs::write(&sensor, "20000\n").expect("a temporary file can be written");
    until("the detector is quick again", 2 * LONG, || detector(&edgecam)["throttled"].is_null());
    let (quick_frames, quick_inferred) = count(&edgecam);

    let seconds = COUNTED.as_secs();
    println!(
        "{seconds} s with 2 s per inference: {slow_frames} frames, {slow_inferred} inferences"
    );
    println!("{seconds} s without: {quick_frames} frames, {quick_inferred} inferences");
    assert!((2..=4).contains(&slow_inferred), "the detector was not that slow");
    assert!(quick_inferred > 5 * slow_inferred, "the detector was not quick again");
    assert!(slow_frames + AT_THE_ENDS >= quick_frames, "the slow detector costs frames");
    assert!(has_the_clips_rate(slow_frames), "the stream does not have the clip's rate");
}

#[test]
fn video_never_waits_for_ai_a_detector_that_cannot_load_leaves_the_stream_up() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new().set("detector.model=own").set("detector.download=false");
    own_model(&setup, "7767517\n1 1\nNoSuchLayer none 0 1 out\n");
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();
    let error = || detector(&edgecam)["error"].as_str().map(str::to_owned);
    let (error, _) = until_some("the detector says what is wrong", LONG, error);
    println!("{error}");
    assert!(error.contains("own"), "{error}");
    let (frames, inferred) = count(&edgecam);
    assert_eq!(inferred, 0);
    assert!(has_the_clips_rate(frames), "{frames} frames in {} s", COUNTED.as_secs());
    assert_eq!(edgecam.api().camera()["phase"], "running");
}

/// A model `own` in the data folder of `setup` that is whole and has this structure. The weights, a
/// few zeros, are there because a model has some.
fn own_model(setup: &Setup, structure: &str) {
    let folder = setup.data_dir().join("models");
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let own = |file: &str, bytes: &[u8]| {
        fs::write(folder.join(file), bytes).expect("a temporary file can be written");
        let sha256: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        format!("{{ file = \"{file}\", url = \"none:\", sha256 = \"{sha256}\" }}")
    };
    let param = own("own.param", structure.as_bytes());
    let bin = own("own.bin", &[0; 3 * size_of::<f32>()]);
    let manifest = format!(
        "name = \"own\"\ntitle = \"Own\"\nfamily = \"nanodet-plus\"\n\
         licence = \"MIT\"\nsource = \"none/none@0\"\nreg_max = 7\n\
         class_activation = \"logits\"\ncell_offset = 0.0\nlabels = \"coco80\"\n\
         heads = [{{ stride = 8, combined = \"out\" }}]\nparam = {param}\nbin = {bin}\n\
         input = {{ blob = \"in0\", width = 320, height = 320, fit = \"stretch\", \
         channels = \"bgr\", mean = [0.0, 0.0, 0.0], norm = [1.0, 1.0, 1.0] }}\n"
    );
    fs::write(folder.join("own.toml"), manifest).expect("a temporary file can be written");
}

/// A structure that takes minutes for one look: a row of poolings over the whole picture, after a
/// scale for each channel.
fn endless() -> String {
    const LAYERS: usize = 2000;
    let mut structure = format!("7767517\n{0} {0}\nInput in0 0 1 in0\n", LAYERS + 2);
    structure += "Scale scale 1 1 in0 scaled 0=3\n";
    for layer in 0..LAYERS {
        let from = if layer == 0 { "scaled".to_owned() } else { format!("b{}", layer - 1) };
        let to = if layer + 1 == LAYERS { "out".to_owned() } else { format!("b{layer}") };
        // Maximum over 63 × 63 pixels, at every pixel.
        structure += &format!("Pooling p{layer} 1 1 {from} {to} 0=0 1=63 2=1 3=31\n");
    }
    structure
}

#[test]
fn video_never_waits_for_ai_a_detector_that_hangs_leaves_the_stream_up() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new().set("detector.model=own").set("detector.download=false");
    own_model(&setup, &endless());
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();
    let camera = edgecam.child("edgecam-camera");

    let (frames, inferred) = count(&edgecam);
    println!("{} s with a detector that hangs: {frames} frames", COUNTED.as_secs());
    assert_eq!(inferred, 0, "{}", detector(&edgecam));
    assert!(detector(&edgecam)["error"].is_null(), "it did not hang: {}", detector(&edgecam));
    assert!(has_the_clips_rate(frames));
    assert!(camera.is_alive(), "the camera process was replaced");
}

#[test]
fn nothing_waits_for_a_sensor_that_hangs() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    // Whoever reads a pipe that nobody writes to, hangs: here, the governor's thread.
    let sensor = setup.folder().join("temperature");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let (cwd, fifo) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(cwd, &sensor, fifo, mode, 0).expect("a pipe can be made");
    let setup = setup.set(&format!("thermal.sensor={}", sensor.display()));
    let edgecam = setup.clip(&site::clip("car-detection.mp4")).stream();
    let camera = edgecam.child("edgecam-camera");

    let (frames, inferred) = count(&edgecam);
    println!(
        "{} s with a sensor that hangs: {frames} frames, {inferred} inferences",
        COUNTED.as_secs()
    );
    assert!(has_the_clips_rate(frames));
    assert!(inferred > 0, "the detector waited for the sensor");
    assert!(camera.is_alive(), "the camera process was replaced");
}
