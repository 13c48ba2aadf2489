//! Sources and encoders that do not work: each is told in a clear sentence, and tried again where
//! that can help.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use config::Source;
use media::{
    Board, BoardKind, EncoderRung, MediaEvent, Pipeline, PipelineOptions, STOP_DEADLINE, TapFit,
};

use crate::support::{camera, scene, start, start_on, start_with};

fn waiting(event: &MediaEvent) -> Option<String> {
    match event {
        MediaEvent::Waiting { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

fn failed(event: &MediaEvent) -> Option<String> {
    match event {
        MediaEvent::Failed { reason } => Some(reason.clone()),
        _ => None,
    }
}

#[test]
fn a_text_file_is_no_video() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    std::fs::write(&path, "This is no video at all, only words.\n".repeat(100)).unwrap();
    for looped in [true, false] {
        let started = start(&camera(Source::File { path: path.clone(), looped }));
        let reason = started.event(failed);
        assert!(reason.contains("clip.mp4 is no video"), "{reason}");
    }
}

#[test]
fn an_absent_clip_is_waited_for() {
    let path = PathBuf::from("/nowhere/clip.mp4");
    let started = start(&camera(Source::File { path, looped: true }));
    let reason = started.event(waiting);
    assert!(reason.starts_with("there is no clip at /nowhere/clip.mp4; p"), "{reason}");
    started.event(waiting);
    assert_eq!(started.handle.stats().source_restarts, 1);
}

#[test]
fn an_absent_v4l2_camera_is_waited_for() {
    let device = PathBuf::from("/dev/video99");
    let started = start(&camera(Source::V4l2 { device }));
    let reason = started.event(waiting);
    assert!(reason.starts_with("there is no camera at /dev/video99; p"), "{reason}");
}

#[test]
fn a_v4l2_device_that_is_none_is_told() {
    let started = start(&camera(Source::V4l2 { device: PathBuf::from("/dev/null") }));
    let reason = started.event(waiting);
    assert!(reason.starts_with("the camera at /dev/null gives no picture"), "{reason}");
}

#[test]
fn an_unreachable_rtsp_camera_is_waited_for_and_tried_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("rtsp://user:secret@127.0.0.1:{port}/live").parse().unwrap();
    let started = start(&camera(Source::Rtsp(url)));
    let reason = started.event(waiting);
    assert!(reason.contains(&format!("rtsp://127.0.0.1:{port}/live does not answer")), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
    started.event(waiting);
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < STOP_DEADLINE);
}

#[test]
fn a_camera_that_accepts_and_says_nothing_does_not_hold_up_a_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/mute", listener.local_addr().unwrap()).parse().unwrap();
    let started = start(&camera(Source::Rtsp(url)));
    // It connects, and waits for an answer that never comes.
    let _socket = listener.accept().unwrap();
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < STOP_DEADLINE + Duration::from_millis(200), "{:?}", began.elapsed());
}

#[test]
fn without_libcamera_the_missing_package_is_named() {
    let mut board = Board::detect().unwrap();
    board.elements.remove("libcamerasrc");
    let options = PipelineOptions {
        publish_url: None,
        tap: TapFit::Keep(domain::Size::new(320, 320)),
        state_dir: None,
        frames: base::slot::Slot::default(),
    };
    let error = Pipeline::start(&camera(Source::Libcamera { name: None }), &board, options)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "GStreamer has no element `libcamerasrc`; install the package gstreamer1.0-libcamera"
    );
}

#[test]
fn a_rung_that_cannot_be_built_is_left_for_the_next_and_remembered() {
    // A Raspberry Pi 4 by its board, but without its encoder: it fails when it is made.
    let mut board = Board::detect().unwrap();
    let pi = Board::typical(BoardKind::Rpi4);
    board.kind = pi.kind;
    board.elements.extend(pi.elements);
    board.devices.extend(pi.devices);
    let dir = tempfile::tempdir().unwrap();
    let started = start_on(&scene(), &board, None, Some(dir.path()));
    let rung_failed = |event: &MediaEvent| match event {
        MediaEvent::RungFailed { rung, reason } => Some((*rung, reason.clone())),
        _ => None,
    };
    let (rung, reason) = started.event(rung_failed);
    assert_eq!(rung, EncoderRung::V4l2Mmap, "{reason}");
    let running = started.running();
    assert_eq!(running.rung, EncoderRung::X264);
    assert!(running.rung_reason.contains("v4l2-mmap: "), "{}", running.rung_reason);
    drop(started);
    let again = start_on(&scene(), &board, None, Some(dir.path()));
    let running = again.running();
    assert_eq!(running.rung, EncoderRung::X264);
    assert!(running.rung_reason.contains("remembered until"), "{}", running.rung_reason);
}

#[test]
fn a_clip_without_a_picture_is_no_video() {
    // A sound file: it can be read, and there is nothing to see.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sound.wav");
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF\x24\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00");
    wav.extend_from_slice(b"\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00");
    wav.resize(44 + 32000, 0);
    std::fs::write(&path, wav).unwrap();
    let started = start_with(&camera(Source::File { path, looped: true }), None, None);
    let reason = started.event(failed);
    assert!(reason.contains("sound.wav is no video"), "{reason}");
}
