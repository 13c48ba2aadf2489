//! A frame costs no memory: after a few frames the detector allocates nothing more, whatever the
//! frames' content. Counted by an allocator that stands in for Rust's in this program; the network's
//! blobs are among it, because their pools are ours. Small things of C++ remain (a run's list of blobs,
//! layers' lists of inputs, OpenMP's teams): some 900 a frame, one of them larger than 4 kB.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use domain::{BBox, Colours, DetectionParams, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, locate, manifest};

/// Everything that might be something.
fn params() -> DetectionParams {
    DetectionParams {
        score_threshold: 0.02,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 200,
        iou_threshold: 0.6,
        max_detections: 100,
        min_box_area_px: 0.0,
        labels: None,
    }
}

/// Frame `n` of noise in blocks, coarser from frame to frame.
fn frame(n: u64, format: PixelFormat) -> Frame {
    let size = Size::new(640, 360);
    let block = 4 + n as usize % 60;
    let byte = |at: usize| {
        let (x, y) = (at % 640 / block, at / 640 / block);
        (((x * 7919 + y * 104_729 + n as usize * 31) * 2_654_435_761) >> 13) as u8
    };
    let data = (0..format.bytes(size)).map(byte).collect();
    let (pts, source_size, colours) = (Duration::from_millis(33 * n), size, Colours::default());
    Frame { seq: n, pts, captured: pts, tapped: pts, size, source_size, format, colours, data }
}

#[test]
fn after_ten_frames_fifty_more_of_other_content_and_parts_allocate_nothing() {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/models"));
    for manifest in manifest::built_in().into_iter().filter(|m| m.name.ends_with("_320")) {
        let Ok(files) = locate::locate(&manifest, std::slice::from_ref(&shared)) else {
            let name = "after_ten_frames_fifty_more_of_other_content_and_parts_allocate_nothing";
            writeln!(std::io::stderr(), "skipped: {name}: ../shared/models is absent").unwrap();
            return;
        };
        let mut detector = Detector::load(&manifest, &files, DetectorOptions::default()).unwrap();
        detector.set_params(&params()).unwrap();
        let parts = [BBox::WHOLE, BBox::new(0.0, 0.0, 0.6, 1.0), BBox::new(0.4, 0.0, 0.6, 1.0)];
        let mut most = 0;
        let mut look = |n: u64| {
            let formats = [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Rgb];
            let frame = frame(n, formats[n as usize % 3]);
            let part = parts[n as usize / 3 % 3];
            let counted = allocation_counter::measure(|| {
                most = most.max(detector.detect_in(&frame, part).unwrap().detections.len());
            });
            counted.count_total
        };
        for n in 0..10 {
            look(n);
        }
        let allocations: u64 = (10..60).map(&mut look).sum();
        assert_eq!(allocations, 0, "{}", manifest.name);
        assert!(most > 5, "{} saw {most} objects at most: too few to mean anything", manifest.name);
    }
}
