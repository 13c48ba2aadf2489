//! Faults of an encoder at work, put in where a driver would have them.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::support::{Started, scene, start, start_with, wait_for};
use crate::event::{EncoderRung, MediaEvent};
use crate::handle::STOP_DEADLINE;

fn rung_failed(event: &MediaEvent) -> Option<(EncoderRung, String)> {
    match event {
        MediaEvent::RungFailed { rung, reason } => Some((*rung, reason.clone())),
        _ => None,
    }
}

fn encoder(started: &Started) -> gst::Element {
    let mut encoder = None;
    wait_for("an encoder", || {
        encoder = started.handle.encoder();
        encoder.is_some()
    });
    encoder.unwrap()
}

/// From now on nothing comes out of `encoder`.
fn silence(encoder: &gst::Element) {
    let pad = encoder.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Drop);
}

#[test]
fn an_encoder_that_fails_at_work_is_left_for_the_next_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let started = start_with(&scene(), None, Some(dir.path()));
    assert_eq!(started.running().rung, EncoderRung::X264);
    let before = started.frame().pts;
    gst::element_error!(encoder(&started), gst::StreamError::Encode, ("the driver gave up"));
    let (rung, reason) = started.event(rung_failed);
    assert_eq!(
        (rung, reason.as_str()),
        (EncoderRung::X264, "element `encoder`: the driver gave up")
    );
    let running = started.running();
    assert_eq!(running.rung, EncoderRung::Openh264);
    assert!(running.rung_reason.contains("x264: element `encoder`: the driver gave up"));
    let after = started.frame().pts;
    assert!(after > before, "{after:?} after {before:?}: time goes on over the new pipeline");
    let kept = std::fs::read_to_string(dir.path().join("encoder-ladder.json")).unwrap();
    assert!(kept.contains("the driver gave up") && kept.contains("until"), "{kept}");
}

#[test]
fn an_encoder_without_a_key_frame_is_left_after_3_s() {
    let started = start(&scene());
    let began = Instant::now();
    silence(&encoder(&started));
    let (rung, reason) = started.event(rung_failed);
    assert_eq!((rung, reason.as_str()), (EncoderRung::X264, "no key frame in 3 s"));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(started.running().rung, EncoderRung::Openh264);
}

#[test]
fn an_encoder_that_falls_silent_is_left_after_3_s() {
    let started = start(&scene());
    started.running();
    silence(&encoder(&started));
    let (_, reason) = started.event(rung_failed);
    assert_eq!(reason, "no frame in 3 s");
    assert_eq!(started.running().rung, EncoderRung::Openh264);
}

#[test]
fn the_last_rung_is_tried_again() {
    let started = start(&scene());
    started.running();
    gst::element_error!(encoder(&started), gst::StreamError::Encode, ("first"));
    started.running();
    gst::element_error!(encoder(&started), gst::StreamError::Encode, ("second"));
    let reason = started.event(|event| match event {
        MediaEvent::Waiting { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("second"), "{reason}");
    assert_eq!(started.running().rung, EncoderRung::Openh264);
}

#[test]
fn an_element_that_hangs_does_not_hold_up_a_stop() {
    let started = start(&scene());
    started.running();
    // A streaming thread that never comes back: the pipeline cannot reach Null.
    let (hang, never) = std::sync::mpsc::channel::<()>();
    let never = std::sync::Mutex::new(never);
    let pad = encoder(&started).static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = never.lock().unwrap().recv_timeout(Duration::from_secs(8));
        gst::PadProbeReturn::Ok
    });
    let before = started.handle.stats().encoded;
    wait_for("the hang", || {
        let frames = started.handle.stats();
        frames.frames > before + 5
    });
    let began = Instant::now();
    started.handle.stop();
    assert!(began.elapsed() < STOP_DEADLINE + Duration::from_millis(300), "{:?}", began.elapsed());
    drop(hang);
}
