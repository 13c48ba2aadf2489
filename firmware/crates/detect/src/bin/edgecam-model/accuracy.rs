//! `make accuracy`: the mAP of models, the detector over pictures with COCO annotations, judged by pycocotools. Fails
//! when a model is off its reference by more than [`TOLERANCE`].

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use api::manifest::ModelManifest;
use domain::{DetectionParams, Frame};
use edgecam_detect::{Detector, DetectorOptions, Precision};
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::pictures;

const JUDGE: &str = include_str!("../../../tools/coco_map.py");

/// mAP on the shared pictures by the reference decode, by model: DESIGN.md, section 6.
const REFERENCE: [(&str, f64); 4] = [
    ("nanodet-m_320", 26.8),
    ("nanodet-m_416", 29.6),
    ("nanodet-plus-m_320", 30.8),
    ("nanodet-plus-m_416", 36.2),
];
/// How far from its reference a model may be, in mAP.
const TOLERANCE: f64 = 0.5;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Folder of the pictures. The references hold only for the default
    #[arg(long, requires = "annotations")]
    images: Option<PathBuf>,
    /// Their annotations, in COCO's format
    #[arg(long, requires = "images")]
    annotations: Option<PathBuf>,
    /// A Python with pycocotools
    #[arg(long, env = "EDGECAM_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// A line for every class too
    #[arg(long)]
    classes: bool,
    /// Threads of one inference
    #[arg(long, default_value_t = 1)]
    threads: u32,
}

/// The part of a COCO annotation file that is needed here.
#[derive(Deserialize)]
struct Annotations {
    images: Vec<Picture>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Picture {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// A detection in COCO's result format.
#[derive(Serialize)]
struct Result {
    image_id: u64,
    category_id: u64,
    /// Left, top, width, height in pixels.
    bbox: [f32; 4],
    score: f32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shared = PathBuf::from("../shared/coco-tiny");
    let is_default = args.images.is_none();
    let images = args.images.clone().unwrap_or_else(|| shared.join("val2017"));
    let annotations =
        args.annotations.clone().unwrap_or_else(|| shared.join("instances_val2017.json"));
    let text = std::fs::read_to_string(&annotations)
        .with_context(|| format!("reading {}", annotations.display()))?;
    let truth: Annotations = serde_json::from_str(&text)
        .with_context(|| format!("{} is not in COCO's format", annotations.display()))?;
    let frames = read_frames(&truth, &images)?;
    let options = DetectorOptions { threads: args.threads, precision: Precision::Full };

    let mut all_close = true;
    for (manifest, files) in args.choice.models()? {
        let mut detector = Detector::load(&manifest, &files, options)?;
        detector.set_params(&params())?;
        let results = detect_all(&mut detector, &frames, &truth)?;
        let Verdict { map, ap50, classes } = judge(&args.python, &annotations, &results)?;
        let reference = reference(&manifest).filter(|_| is_default);
        let close = reference.is_none_or(|reference| (map - reference).abs() <= TOLERANCE);
        all_close &= close;
        let (model, size) = (model_name(&manifest), manifest.input.width);
        let reference = reference.map_or("-".to_owned(), |reference| format!("{reference:.1}"));
        let verdict = if close { "" } else { " (off)" };
        let line = format!(
            "accuracy {model} {size} mAP {map:.1} AP50 {ap50:.1} reference {reference}{verdict}"
        );
        writeln!(std::io::stdout(), "{line}")?;
        for class in classes.iter().filter(|_| args.classes) {
            writeln!(std::io::stdout(), "accuracy {model} {size} {class}")?;
        }
    }
    Ok(if all_close { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `nanodet-m_320` → `nanodet-m`.
fn model_name(manifest: &ModelManifest) -> &str {
    manifest.name.rsplit_once('_').map_or(&manifest.name, |(model, _)| model)
}

fn reference(manifest: &ModelManifest) -> Option<f64> {
    REFERENCE.iter().find(|(name, _)| *name == manifest.name).map(|(_, map)| *map)
}

/// What the references were measured with.
fn params() -> DetectionParams {
    DetectionParams {
        score_threshold: 0.05,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 100_000,
        iou_threshold: 0.6,
        max_detections: 100,
        min_box_area_px: 0.0,
        labels: None,
    }
}

fn read_frames(truth: &Annotations, images: &Path) -> anyhow::Result<Vec<(u64, Frame)>> {
    let read = |picture: &Picture| {
        Ok((picture.id, pictures::read(&images.join(&picture.file_name), picture.id)?))
    };
    truth.images.iter().map(read).collect()
}

fn detect_all(
    detector: &mut Detector,
    frames: &[(u64, Frame)],
    truth: &Annotations,
) -> anyhow::Result<Vec<Result>> {
    let categories: BTreeMap<String, u64> =
        truth.categories.iter().map(|c| (c.name.replace(' ', "_"), c.id)).collect();
    let labels = detector.labels().clone();
    let mut results = Vec::new();
    for (image_id, frame) in frames {
        let found = detector.detect(frame)?;
        for detection in &found.detections {
            // A class that the annotations do not know cannot be judged.
            let label = labels.name(detection.class);
            let Some(&category_id) = categories.get(label) else { continue };
            let (width, height) = (frame.size.width as f32, frame.size.height as f32);
            let b = detection.bbox;
            let bbox = [b.x * width, b.y * height, b.w * width, b.h * height];
            results.push(Result { image_id: *image_id, category_id, bbox, score: detection.score });
        }
    }
    ensure!(!results.is_empty(), "nothing at all was found in {} pictures", frames.len());
    Ok(results)
}

/// What pycocotools says, in percent.
struct Verdict {
    map: f64,
    ap50: f64,
    /// A line for every class.
    classes: Vec<String>,
}

fn judge(python: &Path, annotations: &Path, results: &[Result]) -> anyhow::Result<Verdict> {
    let file = std::env::temp_dir().join(format!("edgecam-accuracy-{}.json", std::process::id()));
    std::fs::write(&file, serde_json::to_vec(results)?)
        .with_context(|| format!("writing {}", file.display()))?;
    let output = Command::new(python).arg("-c").arg(JUDGE).arg(annotations).arg(&file).output();
    std::fs::remove_file(&file).ok();
    let output = output.with_context(|| format!("running {}", python.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{} with pycocotools failed (`make accuracy` sets it up): {}",
        python.display(),
        String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("no reason given")
    );
    let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let two = |words: Vec<&str>| match words[..] {
        [map, ap50] => Some((map.parse().ok()?, ap50.parse().ok()?)),
        _ => None,
    };
    let Some((map, ap50)) = lines.next().and_then(two) else {
        anyhow::bail!("{} answered {text:?} instead of two numbers", python.display());
    };
    let class = |words: Vec<&str>| match words[..] {
        [name, map, ap50, objects] => {
            Some(format!("class {name} mAP {map} AP50 {ap50} objects {objects}"))
        }
        _ => None,
    };
    Ok(Verdict { map, ap50, classes: lines.filter_map(class).collect() })
}
