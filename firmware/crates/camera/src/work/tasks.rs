//! The tasks: one try of a model, one picture, a measurement, a model in 8-bit integers.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use api::manifest::ModelManifest;
use api::models::{BenchmarkRow, Inference, InferredObject};
use detect::benchmark::{Measured, measure};
use detect::preprocess::Preprocessor;
use detect::quantize::{Options, Progress, Quantizer, Stage, package};
use detect::{Detector, DetectorOptions, Error, ModelFiles, locate};
use domain::{BBox, Colours, DetectionParams, Frame, PixelFormat, Size};
use link::work::{FromWorker, Task, Work};

use super::{Refused, Teller, picture};

/// Whether pictures follow after the order.
pub(super) fn needs_pictures(work: &Work) -> bool {
    matches!(work.task, Task::Infer { .. } | Task::Quantize { .. })
}

/// Does `work`. Blocks.
pub(super) fn run(
    work: &Work,
    pictures: Vec<Vec<u8>>,
    teller: &Teller,
) -> Result<FromWorker, Refused> {
    match &work.task {
        Task::Try { model } => attempt(work, model),
        Task::Infer { model, min_score, max_pixels } => {
            infer(work, model, &pictures, *min_score, *max_pixels)
        }
        Task::Benchmark { models, threads, duration_ms } => {
            let each = Duration::from_millis((*duration_ms).into());
            benchmark(work, models, threads, each, teller)
        }
        Task::Quantize { model, noise_budget, into, max_pixels } => {
            let frames = frames(pictures, *max_pixels)?;
            let options = Options { noise_budget: *noise_budget, ..Options::default() };
            quantize(work, model, &options, &frames, Path::new(into), teller)
        }
    }
}

fn files(work: &Work, model: &ModelManifest) -> Result<ModelFiles, Refused> {
    let dirs: Vec<_> = work.dirs.iter().map(PathBuf::from).collect();
    locate::locate(model, &dirs).map_err(|error| Refused::input(&error))
}

fn load(work: &Work, model: &ModelManifest) -> Result<Detector, Refused> {
    let options = DetectorOptions { threads: work.threads, precision: work.precision.into() };
    let files = files(work, model)?;
    Detector::load(model, &files, options).map_err(|error| Refused::input(&error))
}

fn attempt(work: &Work, model: &ModelManifest) -> Result<FromWorker, Refused> {
    let (size, format) = (Size::new(640, 360), PixelFormat::Rgb);
    let zero = Duration::ZERO;
    let grey = Frame {
        seq: 0,
        pts: zero,
        captured: zero,
        tapped: zero,
        size,
        source_size: size,
        format,
        colours: Colours::default(),
        data: vec![128; format.bytes(size)],
    };
    load(work, model)?.detect(&grey).map_err(|error| Refused::input(&error))?;
    Ok(FromWorker::Works)
}

fn infer(
    work: &Work,
    model: &ModelManifest,
    pictures: &[Vec<u8>],
    min_score: f32,
    max_pixels: u64,
) -> Result<FromWorker, Refused> {
    let bytes = pictures.first().map_or(&[][..], Vec::as_slice);
    let frame = picture::read(bytes, max_pixels, 0).map_err(|error| Refused::input(&error))?;
    let mut detector = load(work, model)?;
    detector.set_params(&everything(min_score)).map_err(|error| Refused::input(&error))?;
    let found = detector.detect(&frame).map_err(|error| Refused::input(&error))?.clone();
    let (width, height) = (frame.size.width, frame.size.height);
    let labels = detector.labels();
    let objects = found.detections.iter().map(|one| {
        let BBox { x, y, w, h } = one.bbox;
        let (across, down) = (width as f32, height as f32);
        InferredObject {
            label: labels.name(one.class).to_owned(),
            score: one.score,
            r#box: [x, y, w, h],
            box_px: [x * across, y * down, w * across, h * down],
        }
    });
    Ok(FromWorker::Seen(Inference {
        model: model.name.clone(),
        width,
        height,
        objects: objects.collect(),
        infer_ms: (found.pre + found.infer + found.post).as_secs_f32() * 1000.0,
    }))
}

/// Whatever has a score of at least `min_score`.
fn everything(min_score: f32) -> DetectionParams {
    DetectionParams {
        score_threshold: min_score,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 1000,
        iou_threshold: 0.6,
        max_detections: 100,
        min_box_area_px: 0.0,
        labels: None,
    }
}

fn benchmark(
    work: &Work,
    models: &[ModelManifest],
    threads: &[u32],
    each: Duration,
    teller: &Teller,
) -> Result<FromWorker, Refused> {
    let all = models.len() * threads.len();
    let mut rows = Vec::with_capacity(all);
    for model in models {
        let files = files(work, model)?;
        for &threads in threads {
            let stage = format!("{}, threads: {threads}", model.name);
            teller.progress(rows.len() as f32 / all as f32, stage);
            let options = DetectorOptions { threads, precision: work.precision.into() };
            let measured = measure(model, &files, options, each);
            rows.push(row(measured.map_err(|error| Refused::input(&error))?));
        }
    }
    Ok(FromWorker::Measured { rows })
}

fn row(measured: Measured) -> BenchmarkRow {
    BenchmarkRow {
        model: measured.model,
        width: measured.width,
        height: measured.height,
        precision: measured.precision,
        threads: measured.threads,
        median_ms: measured.p50_ms,
        p95_ms: measured.p95_ms,
        cpu_ms: measured.cpu_ms,
        coco_map: measured.coco_map,
    }
}

fn frames(pictures: Vec<Vec<u8>>, max_pixels: u64) -> Result<Vec<Frame>, Refused> {
    let read = |(seq, bytes): (u64, Vec<u8>)| picture::read(&bytes, max_pixels, seq);
    let frames = (0..).zip(pictures).map(read);
    frames.collect::<Result<_, _>>().map_err(|error| Refused::input(&error))
}

fn quantize(
    work: &Work,
    model: &ModelManifest,
    options: &Options,
    frames: &[Frame],
    into: &Path,
    teller: &Teller,
) -> Result<FromWorker, Refused> {
    let refused = |error: Error| Refused::input(&error);
    let network = package::read(model, &files(work, model)?).map_err(refused)?;
    let mut preprocessor = Preprocessor::new(model.input.clone());
    let mut inputs = Vec::with_capacity(frames.len());
    for frame in frames {
        let (input, _) = preprocessor.run(frame, BBox::WHOLE).map_err(|e| Refused::input(&e))?;
        inputs.push(input.try_clone().map_err(|error| Refused::input(&error))?);
    }
    let outputs = package::outputs(model);
    let job = Quantizer {
        network: &network,
        options: &Options { threads: work.threads, ..options.clone() },
        outputs: &outputs,
        progress: &mut |progress| tell(teller, progress),
        // The process is killed.
        cancel: &AtomicBool::new(false),
    };
    let made = job.run(&inputs).map_err(|error| Refused::input(&error))?;
    let written = package::write(into, model, &made).map_err(refused)?;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(FromWorker::Made {
        manifest: Box::new(written.manifest),
        noise: made.report.noise,
        int8_layers: count(made.report.quantized()),
        layers: count(made.report.layers.len()),
        float_bytes: made.report.float_bytes as u64,
        int8_bytes: made.report.int8_bytes as u64,
        pictures: count(frames.len()),
    })
}

/// Shares of the whole that the stages begin and end at: measured of a model with 80 layers, nearly all of
/// the time goes into what each layer costs.
fn tell(teller: &Teller, Progress { stage, done, of }: Progress) {
    let (from, to, what) = match stage {
        Stage::Ranges => (0.0, 0.05, "ranges, picture"),
        Stage::Histograms => (0.05, 0.1, "histograms, picture"),
        Stage::Layers => (0.1, 0.9, "what each layer costs, layer"),
        Stage::Model => (0.9, 1.0, "the whole model, attempt"),
    };
    let share = from + (to - from) * done as f32 / of.max(1) as f32;
    teller.progress(share, format!("{what} {done} of {of}"));
}
