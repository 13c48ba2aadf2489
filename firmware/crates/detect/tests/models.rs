//! The real models on real pictures. Needs `../shared`; says so by name where it is absent.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use api::manifest::{LabelSet, ModelLabels, ModelManifest};
use domain::{BBox, Colours, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, Precision, locate, manifest};

/// The default model.
const DEFAULT: &str = "nanodet-plus-m_320";

/// The shared folder, or `None` (and a line past the harness's capture) where it is absent.
fn shared(test: &str) -> Option<PathBuf> {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared"));
    for part in ["models", "coco-tiny"] {
        if !shared.join(part).is_dir() {
            writeln!(std::io::stderr(), "skipped: {test}: ../shared/{part} is absent").ok();
            return None;
        }
    }
    Some(shared)
}

fn detector(shared: &Path, manifest: &ModelManifest) -> Detector {
    let options = DetectorOptions { threads: 1, precision: Precision::Full };
    let files = locate::locate(manifest, &[shared.join("models")]).unwrap();
    Detector::load(manifest, &files, options).unwrap()
}

fn default(shared: &Path) -> Detector {
    let manifest = manifest::built_in().into_iter().find(|m| m.name == DEFAULT).unwrap();
    detector(shared, &manifest)
}

#[derive(Clone)]
struct Picture {
    frame: Frame,
    /// Label and box of every annotated object of at least 5 % of the picture.
    objects: Vec<(String, BBox)>,
}

/// All pictures; read once for all tests, which takes longer than to look at them.
fn pictures(shared: &Path) -> &'static [Picture] {
    static PICTURES: OnceLock<Vec<Picture>> = OnceLock::new();
    PICTURES.get_or_init(|| read_pictures(shared))
}

fn read_pictures(shared: &Path) -> Vec<Picture> {
    let text = std::fs::read_to_string(shared.join("coco-tiny/instances_val2017.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = |name: &str| truth[name].as_array().unwrap();
    let labels: BTreeMap<u64, String> = list("categories")
        .iter()
        .map(|c| (c["id"].as_u64().unwrap(), c["name"].as_str().unwrap().replace(' ', "_")))
        .collect();
    let picture = |image: &serde_json::Value| {
        let file = shared.join("coco-tiny/val2017").join(image["file_name"].as_str().unwrap());
        let pixels = image::open(file).unwrap().into_rgb8();
        let size = Size::new(pixels.width(), pixels.height());
        let object = |a: &serde_json::Value| {
            let side = |i: usize| a["bbox"][i].as_f64().unwrap() as f32;
            let (width, height) = (size.width as f32, size.height as f32);
            let bbox =
                BBox::new(side(0) / width, side(1) / height, side(2) / width, side(3) / height);
            (labels[&a["category_id"].as_u64().unwrap()].clone(), bbox)
        };
        let here = |a: &&serde_json::Value| a["image_id"] == image["id"] && a["iscrowd"] == 0;
        let objects = list("annotations").iter().filter(here).map(object);
        let zero = Duration::ZERO;
        Picture {
            objects: objects.filter(|(_, bbox)| bbox.area() >= 0.05).collect(),
            frame: Frame {
                seq: 0,
                pts: zero,
                captured: zero,
                tapped: zero,
                size,
                source_size: size,
                format: PixelFormat::Rgb,
                colours: Colours::default(),
                data: pixels.into_raw(),
            },
        }
    };
    list("images").iter().map(picture).collect()
}

/// Scores with which the annotated objects are found (IoU at least 0.5), 0 for those that are not;
/// only of `label` where one is given.
fn scores(detector: &mut Detector, pictures: &[Picture], label: Option<&str>) -> Vec<f32> {
    let mut scores = Vec::new();
    for picture in pictures {
        let found = detector.detect(&picture.frame).unwrap().detections.clone();
        for (name, bbox) in picture.objects.iter().filter(|(n, _)| label.is_none_or(|l| l == n)) {
            let hits = found
                .iter()
                .filter(|d| detector.labels().name(d.class) == name && d.bbox.iou(*bbox) >= 0.5);
            scores.push(hits.map(|d| d.score).fold(0.0, f32::max));
        }
    }
    scores
}

fn mean(scores: &[f32]) -> f32 {
    scores.iter().sum::<f32>() / scores.len() as f32
}

fn share_found(scores: &[f32]) -> f32 {
    scores.iter().filter(|&&score| score > 0.0).count() as f32 / scores.len() as f32
}

#[test]
fn every_model_finds_most_large_objects_where_people_have_marked_them() {
    let Some(shared) = shared("every_model_finds_most_large_objects_where_people_have_marked_them")
    else {
        return;
    };
    // The demo model knows the drawn street only.
    let of_coco = |m: &ModelManifest| m.labels == ModelLabels::Set(LabelSet::Coco80);
    for manifest in manifest::built_in().into_iter().filter(of_coco) {
        let mut detector = detector(&shared, &manifest);
        for (label, least) in [(Some("person"), 0.7), (None, 0.6)] {
            let scores = scores(&mut detector, pictures(&shared), label);
            assert!(scores.len() > 20, "{} objects", scores.len());
            let share = share_found(&scores);
            assert!(share >= least, "{} finds {share} of {label:?}", manifest.name);
        }
    }
}

#[test]
fn pictures_with_red_and_blue_swapped_are_seen_clearly_worse() {
    let Some(shared) = shared("pictures_with_red_and_blue_swapped_are_seen_clearly_worse") else {
        return;
    };
    let mut detector = default(&shared);
    let right = mean(&scores(&mut detector, pictures(&shared), None));
    let mut swapped = pictures(&shared).to_vec();
    swapped.iter_mut().for_each(|picture| picture.frame.format = PixelFormat::Bgr);
    let swapped = mean(&scores(&mut detector, &swapped, None));
    // 0.491 and 0.428 when this was written.
    assert!(swapped < 0.93 * right, "{right} as they are, {swapped} swapped");
}

#[test]
fn a_picture_in_planes_is_seen_like_the_same_in_pixels() {
    let Some(shared) = shared("a_picture_in_planes_is_seen_like_the_same_in_pixels") else {
        return;
    };
    let mut detector = default(&shared);
    let rgb = mean(&scores(&mut detector, pictures(&shared), None));
    let mut planes = pictures(&shared).to_vec();
    planes.iter_mut().for_each(|picture| picture.frame = to_i420(&picture.frame));
    let i420 = mean(&scores(&mut detector, &planes, None));
    assert!((rgb - i420).abs() < 0.02, "{rgb} in pixels, {i420} in planes");
}

/// BT.601 limited range, chroma of the top left pixel of each four.
fn to_i420(frame: &Frame) -> Frame {
    let (w, h) = (frame.size.width as usize, frame.size.height as usize);
    let at = |x: usize, y: usize| {
        let p = &frame.data[3 * (y * w + x)..][..3];
        [p[0], p[1], p[2]].map(f32::from)
    };
    let luma = |[r, g, b]: [f32; 3]| 16.0 + 0.257 * r + 0.504 * g + 0.098 * b;
    let blue = |[r, g, b]: [f32; 3]| 128.0 - 0.148 * r - 0.291 * g + 0.439 * b;
    let red = |[r, g, b]: [f32; 3]| 128.0 + 0.439 * r - 0.368 * g - 0.071 * b;
    let plane = |step: usize, value: &dyn Fn([f32; 3]) -> f32| -> Vec<u8> {
        let rows = (0..h).step_by(step);
        let row = |y| (0..w).step_by(step).map(move |x| (x, y));
        rows.flat_map(row).map(|(x, y)| value(at(x, y)).round() as u8).collect()
    };
    let data = [plane(1, &luma), plane(2, &blue), plane(2, &red)].concat();
    Frame { format: PixelFormat::I420, data, ..frame.clone() }
}
