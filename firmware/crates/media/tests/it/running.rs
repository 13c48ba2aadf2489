//! A camera that runs: frames, encoded pictures, hot changes, the stop.

use std::time::{Duration, Instant};

use config::Source;
use domain::{PixelFormat, Size};
use media::{EncoderRung, MediaEvent, STOP_DEADLINE};

use crate::support::{PATIENCE, camera, clip, scene, start, wait_for};

#[test]
fn a_scene_gives_frames_to_the_slot_and_pictures_to_the_encoder() {
    let started = start(&scene());
    let running = started.running();
    assert_eq!(running.rung, EncoderRung::X264);
    assert!(running.rung_reason.contains("no hardware"), "{}", running.rung_reason);
    assert_eq!((running.size, running.fps), (Size::new(640, 360), 25.0));
    let mut last = started.frame();
    assert_eq!((last.size, last.source_size), (Size::new(640, 360), Size::new(640, 360)));
    assert_eq!((last.format, last.data.len()), (PixelFormat::I420, 640 * 360 * 3 / 2));
    for _ in 0..20 {
        let frame = started.frame();
        assert!(frame.seq > last.seq && frame.pts > last.pts && frame.captured > last.captured);
        let age = frame.tapped.saturating_sub(frame.captured);
        assert!(age < Duration::from_secs(1), "{age:?}");
        last = frame;
    }
    let stats = started.handle.stats();
    assert!(stats.encoded > 0 && stats.encoded_bytes > 0 && stats.key_frames > 0, "{stats:?}");
    assert_eq!(stats.overlay_copies, 0, "frames of the scene are drawn on in place");
}

#[test]
fn the_truth_of_a_tapped_frame_of_the_scene_can_be_asked() {
    let started = start(&scene());
    let mut renderer = scene::SceneRenderer::new(7, Size::new(640, 360), 25);
    for _ in 0..3 {
        let frame = started.frame();
        let truth = started.handle.truth_at(frame.pts).expect("the truth of this frame");
        // The scene starts with the pipeline: 25 frames are a second.
        let n = (frame.pts.as_secs_f64() * 25.0).round() as u64;
        assert_eq!(truth, draw(&mut renderer, n));
    }
    assert_eq!(started.handle.truth_at(Duration::from_secs(3600)), None);
}

fn draw(renderer: &mut scene::SceneRenderer, n: u64) -> Vec<media::Truth> {
    let (mut y, mut u, mut v) = (vec![0; 640 * 360], vec![0; 320 * 180], vec![0; 320 * 180]);
    renderer.frame(n, &mut scene::I420Mut { y: (&mut y, 640), u: (&mut u, 320), v: (&mut v, 320) })
}

#[test]
fn the_stream_flows_when_nobody_takes_frames() {
    let started = start(&scene());
    started.running();
    let before = started.handle.stats().encoded;
    wait_for("50 frames", || started.handle.stats().encoded >= before + 50);
    assert!(started.frames.overwritten() > 0);
}

#[test]
fn a_clip_loops_without_a_gap() {
    let name = "a_clip_loops_without_a_gap";
    let Some(path) = clip(name, "car-detection.mp4") else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(short) = cut(name, &path, &dir.path().join("short.mp4"), "1.6") else { return };
    let started = start(&camera(Source::File { path: short, looped: true }));
    let encoded = started.handle.encoded().subscribe(1000);
    let mut last = started.frame();
    let began = Instant::now();
    let mut steps = Vec::new();
    while started.handle.stats().loops < 3 {
        let frame = started.frame();
        assert!(frame.pts > last.pts, "{:?} after {:?}", frame.pts, last.pts);
        steps.push(frame.pts - last.pts);
        last = frame;
        assert!(began.elapsed() < PATIENCE);
    }
    // 12.5 frames per second; a frame may be overwritten when this thread is slow, a gap would be
    // no multiple of the frame's time.
    for step in &steps {
        let frames = step.as_secs_f64() / 0.08;
        assert!((frames - frames.round()).abs() < 0.05, "{step:?} of {steps:?}");
    }
    let times: Vec<_> =
        std::iter::from_fn(|| encoded.next(Duration::ZERO)).map(|f| f.captured).collect();
    for pair in times.windows(2) {
        let step = pair[1].saturating_sub(pair[0]);
        assert!(step.abs_diff(Duration::from_millis(80)) < Duration::from_millis(4), "{step:?}");
    }
    assert!(times.len() > 55, "{}", times.len());
    assert_eq!(started.handle.stats().source_restarts, 0);
}

#[test]
fn a_clip_plays_at_its_own_rate_and_ends() {
    let name = "a_clip_plays_at_its_own_rate_and_ends";
    let Some(path) = clip(name, "car-detection.mp4") else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(short) = cut(name, &path, &dir.path().join("short.mp4"), "2.4") else { return };
    let started = start(&camera(Source::File { path: short, looped: false }));
    started.running();
    let began = Instant::now();
    started.event(|event| matches!(event, MediaEvent::Ended).then_some(()));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1800), "{took:?}");
    assert_eq!(started.handle.stats().encoded, 30);
}

#[test]
fn a_key_frame_comes_on_demand() {
    let mut camera = scene();
    camera.encoder.key_frame_interval = Duration::from_secs(60);
    let started = start(&camera);
    started.running();
    let before = started.handle.stats().key_frames;
    started.handle.key_frame();
    wait_for("a key frame", || started.handle.stats().key_frames > before);
}

#[test]
fn key_frames_keep_their_interval_in_time_whatever_the_rate() {
    let name = "key_frames_keep_their_interval_in_time_whatever_the_rate";
    let Some(path) = clip(name, "car-detection.mp4") else { return };
    let mut camera = camera(Source::File { path, looped: true });
    camera.encoder.key_frame_interval = Duration::from_secs(1);
    let started = start(&camera);
    let encoded = started.handle.encoded().subscribe(1000);
    wait_for("4 key frames", || started.handle.stats().key_frames >= 4);
    let keys: Vec<_> = std::iter::from_fn(|| encoded.next(Duration::ZERO))
        .filter(|frame| frame.key)
        .map(|frame| frame.captured)
        .collect();
    for pair in keys.windows(2) {
        let step = pair[1] - pair[0];
        assert!(step <= Duration::from_millis(1130), "{step:?}");
    }
}

#[test]
fn the_bitrate_changes_without_a_break() {
    let mut camera = scene();
    camera.encoder.bitrate_kbps = 200;
    let started = start(&camera);
    started.running();
    let encoded = started.handle.encoded().subscribe(4000);
    let rate_of = |frames: usize| {
        let mut bytes = 0;
        for _ in 0..frames {
            bytes += encoded.next(PATIENCE).unwrap().data.size();
        }
        bytes
    };
    let low = rate_of(50);
    started.handle.set_bitrate(2500);
    rate_of(25);
    let high = rate_of(50);
    assert!(high > low * 2, "{low} bytes, then {high}");
    assert_eq!(started.handle.stats().source_restarts, 0);
}

#[test]
fn the_snapshot_is_the_newest_picture() {
    let started = start(&scene());
    started.running();
    let jpeg = started.handle.snapshot(80).unwrap();
    let picture = image::load_from_memory(&jpeg).unwrap();
    assert_eq!((picture.width(), picture.height()), (640, 360));
}

#[test]
fn a_stop_is_quick_and_closes_the_slot() {
    let started = start(&scene());
    started.running();
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < STOP_DEADLINE, "{:?}", began.elapsed());
    while let base::slot::Taken::Value(_) = started.frames.take(Duration::ZERO) {}
    assert_eq!(started.frames.take(PATIENCE), base::slot::Taken::Closed);
}

/// The first `seconds` of a clip, not encoded again.
fn cut(
    test: &str,
    from: &std::path::Path,
    to: &std::path::Path,
    seconds: &str,
) -> Option<std::path::PathBuf> {
    let status = std::process::Command::new("ffmpeg")
        .args(["-loglevel", "error", "-y", "-t", seconds, "-i"])
        .arg(from)
        .args(["-an", "-c", "copy"])
        .arg(to)
        .status();
    let done = status.is_ok_and(|status| status.success());
    crate::support::skip_unless(test, done.then(|| to.to_owned()), "no ffmpeg")
}
