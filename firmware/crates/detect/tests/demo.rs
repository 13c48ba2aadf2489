//! The demo model on streets that it has not seen, by the detector itself. Needs nothing but the
//! clone. `make demo-model` judges it on many more.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use domain::frame::Matrix;
use domain::{BBox, Colours, DetectionParams, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, Precision, locate, manifest};
use scene::dataset::{LEAST_VISIBLE, Split};
use scene::{I420Mut, Look, SceneRenderer, Truth};

const MODEL: &str = "edgecam-demo_416x256";
const SIZE: Size = Size::new(1280, 720);
const FRAMES: u64 = 40;
/// The largest that a demo model may be, in bytes.
const MOST_BYTES: u64 = 1_500_000;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo"))
}

fn detector() -> Detector {
    let manifest = manifest::built_in().into_iter().find(|m| m.name == MODEL).unwrap();
    let files = locate::locate(&manifest, &[folder()]).unwrap();
    assert!(std::fs::metadata(&files.bin).unwrap().len() <= MOST_BYTES);
    let options = DetectorOptions { threads: 1, precision: Precision::Full };
    let mut detector = Detector::load(&manifest, &files, options).unwrap();
    let params = DetectionParams {
        score_threshold: 0.4,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 1000,
        iou_threshold: 0.5,
        max_detections: 100,
        min_box_area_px: 0.0,
        labels: None,
    };
    detector.set_params(&params).unwrap();
    detector
}

/// Frame `n` of a held-out street, as the source `scene` hands it on.
fn frame(renderer: &mut SceneRenderer, n: u64) -> (Frame, Vec<Truth>) {
    let (w, h) = (SIZE.width as usize, SIZE.height as usize);
    let mut data = vec![0; PixelFormat::I420.bytes(SIZE)];
    let (y, chroma) = data.split_at_mut(w * h);
    let (u, v) = chroma.split_at_mut(w * h / 4);
    let truth = renderer.frame(n, &mut I420Mut { y: (y, w), u: (u, w / 2), v: (v, w / 2) });
    let frame = Frame {
        seq: n,
        pts: Duration::ZERO,
        captured: Duration::ZERO,
        tapped: Duration::ZERO,
        size: SIZE,
        source_size: SIZE,
        format: PixelFormat::I420,
        colours: Colours { matrix: Matrix::Bt709, ..Colours::default() },
        data,
    };
    (frame, truth)
}

/// What came of one class, or of all.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    objects: u32,
    hits: u32,
    false_alarms: u32,
}

impl Score {
    fn recall(self) -> f32 {
        self.hits as f32 / self.objects.max(1) as f32
    }

    fn precision(self) -> f32 {
        self.hits as f32 / (self.hits + self.false_alarms).max(1) as f32
    }
}

/// Best first, each found box takes the object of its label that it overlaps most, by at least 0.5;
/// what lies on a don't-care region of its label is no false alarm.
fn judge(found: &[(String, BBox)], truth: &[Truth], scores: &mut BTreeMap<String, Score>) {
    let (objects, ignored): (Vec<_>, Vec<_>) =
        truth.iter().partition(|truth| truth.visible >= LEAST_VISIBLE);
    let mut taken = vec![false; objects.len()];
    for object in &objects {
        scores.entry(object.label.to_owned()).or_default().objects += 1;
    }
    for (label, bbox) in found {
        let free = objects.iter().enumerate().filter(|(n, o)| !taken[*n] && o.label == label);
        let best = free.max_by(|(_, a), (_, b)| a.bbox.iou(*bbox).total_cmp(&b.bbox.iou(*bbox)));
        let score = scores.entry(label.clone()).or_default();
        match best.filter(|(_, object)| object.bbox.iou(*bbox) >= 0.5) {
            Some((n, _)) => {
                taken[n] = true;
                score.hits += 1;
            }
            None => {
                let on_ignored = ignored
                    .iter()
                    .any(|i| i.label == label && overlap(i.bbox, *bbox) >= 0.5 * bbox.area());
                score.false_alarms += u32::from(!on_ignored);
            }
        }
    }
}

/// Area that two boxes share.
fn overlap(a: BBox, b: BBox) -> f32 {
    let along = |from: f32, to: f32| (to - from).max(0.0);
    along(a.x.max(b.x), a.right().min(b.right())) * along(a.y.max(b.y), a.bottom().min(b.bottom()))
}

fn scores(look: impl Fn(u64) -> Look, first: u64) -> BTreeMap<String, Score> {
    let mut detector = detector();
    let labels = detector.labels().clone();
    let mut scores = BTreeMap::new();
    for n in 0..FRAMES {
        let seed = Split::HeldOut.seeds().start + first + n;
        let mut renderer = SceneRenderer::with_look(seed, SIZE, 25, look(seed));
        let (frame, truth) = frame(&mut renderer, 500 + n * 997);
        let found = detector.detect(&frame).unwrap();
        let found: Vec<_> =
            found.detections.iter().map(|d| (labels.name(d.class).to_owned(), d.bbox)).collect();
        judge(&found, &truth, &mut scores);
    }
    scores
}

fn all(scores: &BTreeMap<String, Score>) -> Score {
    scores.values().fold(Score::default(), |sum, one| Score {
        objects: sum.objects + one.objects,
        hits: sum.hits + one.hits,
        false_alarms: sum.false_alarms + one.false_alarms,
    })
}

#[test]
fn nine_in_ten_objects_of_an_unknown_street_are_found_and_little_else() {
    let scores = scores(|_| Look::plain(), 20_000);
    let all = all(&scores);
    assert!(all.objects > 200, "{all:?}");
    assert!(all.recall() >= 0.9 && all.precision() >= 0.9, "{all:?}: {scores:#?}");
}

#[test]
fn other_cameras_light_and_weather_are_borne() {
    let scores = scores(Look::varied, 30_000);
    let all = all(&scores);
    assert!(all.objects > 200, "{all:?}");
    assert!(all.recall() >= 0.8 && all.precision() >= 0.85, "{all:?}: {scores:#?}");
}
