//! `make accuracy`: the mAP of models, the detector over pictures with COCO annotations, judged by
//! pycocotools. Fails when a model is off its reference by more than [`TOLERANCE`], or in 8 bits below
//! itself in floating point by more than [`INT8_TOLERANCE`].

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use api::manifest::ModelManifest;
use domain::{BBox, DetectionParams, Frame, View};
use edgecam_detect::quantize::package;
use edgecam_detect::{Detector, DetectorOptions, ModelFiles, Precision, TiledDetector};
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::pictures;
use crate::quantize::{self, Tuning};

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
/// How far below floating point a model in 8 bits may be, in mAP.
const INT8_TOLERANCE: f64 = 1.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Folder of the pictures. The references hold only for the default, in full precision
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
    /// Writes the mAP into the manifests that are named by their files, for `edgecam-model benchmark` to
    /// rank them by. One in 8 bits should have been quantized with other pictures
    #[arg(long, conflicts_with = "tiling")]
    record: bool,
    /// Number format of the network's insides: auto, full, half or bfloat
    #[arg(long, default_value_t = Precision::Full)]
    precision: Precision,
    /// Judges each model in 8 bits too. It is quantized twice, with every other picture, and judged on
    /// the pictures that it was not quantized with
    #[arg(long)]
    int8: bool,
    #[command(flatten)]
    tuning: Tuning,
    /// Looks at a picture. The references hold only for one
    #[arg(long, value_enum, default_value_t = Tiling::Off)]
    tiling: Tiling,
}

/// [`domain::Tiling`], as words.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tiling {
    /// One look
    Off,
    /// Two overlapping halves
    Two,
    /// The halves and the whole
    TwoAndWhole,
}

impl Tiling {
    fn view(self) -> View {
        let tiling = match self {
            Self::Off => domain::Tiling::Off,
            Self::Two => domain::Tiling::Two,
            Self::TwoAndWhole => domain::Tiling::TwoAndWhole,
        };
        View { region: BBox::WHOLE, tiling }
    }
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
    let threads = args.tuning.options().threads;
    let options = DetectorOptions { threads, precision: args.precision };
    let (python, view) = (args.python.as_path(), args.tiling.view());
    let test = Test { annotations: &annotations, truth: &truth, python, options, view };

    let mut all_close = true;
    for (at, (manifest, files)) in args.choice.models()?.into_iter().enumerate() {
        let results = test.detect(&manifest, &files, frames.iter())?;
        let Scores { map, ap50, small, classes } = test.judge(&results)?;
        let exact = is_default && args.precision == Precision::Full && args.tiling == Tiling::Off;
        let reference = reference(&manifest).filter(|_| exact);
        let close = reference.is_none_or(|reference| (map - reference).abs() <= TOLERANCE);
        all_close &= close;
        let (model, size) = (model_name(&manifest), manifest.input.width);
        let reference = reference.map_or("-".to_owned(), |reference| format!("{reference:.1}"));
        let verdict = if close { "" } else { " (off)" };
        let line = format!(
            "accuracy {model} {size} mAP {map:.1} AP50 {ap50:.1} small {small:.1} reference {reference}{verdict}"
        );
        writeln!(std::io::stdout(), "{line}")?;
        if let Some(file) = args.choice.manifest_file(at).filter(|_| args.record) {
            package::record_map(file, map)?;
        }
        for class in classes.iter().filter(|_| args.classes) {
            writeln!(std::io::stdout(), "accuracy {model} {size} {class}")?;
        }
        if args.int8 {
            let (results, layers) = test.quantized(&manifest, &files, &frames, &args.tuning)?;
            let Scores { map: int8_map, ap50, .. } = test.judge(&results)?;
            let close = map - int8_map <= INT8_TOLERANCE;
            all_close &= close;
            let verdict = if close { "" } else { " (off)" };
            let line = format!(
                "accuracy {model} {size} int8 mAP {int8_map:.1} AP50 {ap50:.1} against float {:+.1}{verdict}, {layers}",
                int8_map - map
            );
            writeln!(std::io::stdout(), "{line}")?;
        }
    }
    Ok(if all_close { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What models are judged with.
struct Test<'a> {
    annotations: &'a Path,
    truth: &'a Annotations,
    python: &'a Path,
    options: DetectorOptions,
    view: View,
}

impl Test<'_> {
    fn detect<'f>(
        &self,
        manifest: &ModelManifest,
        files: &ModelFiles,
        frames: impl Iterator<Item = &'f Frame>,
    ) -> anyhow::Result<Vec<Result>> {
        let mut detector = TiledDetector::new(Detector::load(manifest, files, self.options)?);
        detector.set_params(&params())?;
        detector.set_view(self.view);
        detect_all(&mut detector, frames, self.truth)
    }

    /// What the model finds in 8 bits, and how many layers are: two halves of the pictures, each seen
    /// by the model that was quantized with the other.
    fn quantized(
        &self,
        manifest: &ModelManifest,
        files: &ModelFiles,
        frames: &[Frame],
        tuning: &Tuning,
    ) -> anyhow::Result<(Vec<Result>, String)> {
        let half = |odd: bool| frames.iter().skip(usize::from(odd)).step_by(2);
        let (mut results, mut layers) = (Vec::new(), Vec::new());
        for odd in [false, true] {
            let seen: Vec<_> = half(odd).collect();
            let made = quantize::quantize(manifest, files, &tuning.options(), &seen, &mut |_| {})?;
            layers.push(made.report.quantized().to_string());
            if odd {
                layers.push(format!("of {} layers in 8 bits", made.report.layers.len()));
            }
            let dir = tempfile::tempdir().context("making a folder for the quantized model")?;
            let package = package::write(dir.path(), manifest, &made)?;
            results.extend(self.detect(&package.manifest, &package.files, half(!odd))?);
        }
        Ok((results, format!("{} {}", layers[..2].join(" and "), layers[2])))
    }

    fn judge(&self, results: &[Result]) -> anyhow::Result<Scores> {
        judge(self.python, self.annotations, results)
    }
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

fn read_frames(truth: &Annotations, images: &Path) -> anyhow::Result<Vec<Frame>> {
    let read = |picture: &Picture| pictures::read(&images.join(&picture.file_name), picture.id);
    truth.images.iter().map(read).collect()
}

fn detect_all<'f>(
    detector: &mut TiledDetector,
    frames: impl Iterator<Item = &'f Frame>,
    truth: &Annotations,
) -> anyhow::Result<Vec<Result>> {
    let categories: BTreeMap<String, u64> =
        truth.categories.iter().map(|c| (c.name.replace(' ', "_"), c.id)).collect();
    let labels = detector.detector().labels().clone();
    let mut results = Vec::new();
    for frame in frames {
        let found = detector.detect(frame)?;
        for detection in &found.detections {
            // A class that the annotations do not know cannot be judged.
            let label = labels.name(detection.class);
            let Some(&category_id) = categories.get(label) else { continue };
            let (width, height) = (frame.size.width as f32, frame.size.height as f32);
            let b = detection.bbox;
            let bbox = [b.x * width, b.y * height, b.w * width, b.h * height];
            results.push(Result { image_id: frame.seq, category_id, bbox, score: detection.score });
        }
    }
    Ok(results)
}

/// What pycocotools says, in percent.
struct Scores {
    map: f64,
    ap50: f64,
    /// mAP of objects below 32 × 32 pixels.
    small: f64,
    /// A line for every class.
    classes: Vec<String>,
}

impl Scores {
    /// Of what [`JUDGE`] prints: a line of three numbers, then one a class.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let of_all: Vec<f64> = lines.next()?.iter().filter_map(|word| word.parse().ok()).collect();
        let &[map, ap50, small] = of_all.as_slice() else { return None };
        let class = |words: Vec<&str>| match words[..] {
            [name, map, ap50, objects] => {
                Some(format!("class {name} mAP {map} AP50 {ap50} objects {objects}"))
            }
            _ => None,
        };
        Some(Self { map, ap50, small, classes: lines.map(class).collect::<Option<_>>()? })
    }
}

fn judge(python: &Path, annotations: &Path, results: &[Result]) -> anyhow::Result<Scores> {
    ensure!(!results.is_empty(), "nothing at all was found");
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
    Scores::read(&text).with_context(|| {
        format!("{} answered {text:?} instead of three numbers and the classes", python.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judge_says_a_line_of_all_and_one_for_every_class() {
        let scores = Scores::read("26.800 44.100 8.500\nperson 40.000 60.500 17\n").unwrap();
        assert_eq!((scores.map, scores.ap50, scores.small), (26.8, 44.1, 8.5));
        assert_eq!(scores.classes, ["class person mAP 40.000 AP50 60.500 objects 17"]);
        for short in ["", "26.8 44.1", "26.8 44.1 8.5\nperson"] {
            assert!(Scores::read(short).is_none(), "{short:?}");
        }
    }
}
