//! Number formats side by side: a model in 32-bit floats, in 16-bit ones where the CPU has them, and in
//! 8-bit integers, by threads, with the bytes of its files. `cargo bench -p edgecam-detect --bench
//! formats`; some minutes, most of them for quantizing. Needs `../shared`. The formats take turns, so
//! that what disturbs the machine disturbs all of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use api::manifest::{LabelSet, ModelLabels, ModelManifest};
use domain::{BBox, Colours, Frame, PixelFormat, Size};
use edgecam_detect::preprocess::Preprocessor;
use edgecam_detect::quantize::{Options, Quantizer, package};
use edgecam_detect::{Detector, DetectorOptions, ModelFiles, Precision, locate, manifest};

/// How long the formats of a model may take turns, by number of threads.
const BUDGET: Duration = Duration::from_secs(5);
/// Pictures to quantize with: which layers stay in floating point decides the speed.
const PICTURES: usize = 24;

fn main() -> std::io::Result<()> {
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared"));
    let mut out = std::io::stdout();
    let frames = frames(&shared.join("coco-tiny/val2017"));
    let dir = tempfile::tempdir()?;
    for float in manifest::built_in() {
        let files = locate::locate(&float, &[shared.join("models")]);
        let of_coco = float.labels == ModelLabels::Set(LabelSet::Coco80);
        let (Ok(files), true, false) = (files, of_coco, frames.is_empty()) else {
            let reason = "no COCO model, or ../shared is absent";
            writeln!(out, "skipped: bench formats {}: {reason}", float.name)?;
            continue;
        };
        let int8 = quantized(dir.path(), &float, &files, &frames);
        let formats = formats((&float, &files), (&int8.manifest, &int8.files));
        for threads in [1, 2] {
            let times = take_turns(&formats, threads, &frames[0]);
            let mut float_ms = f64::INFINITY;
            for (format, Times { median, best }) in formats.iter().zip(&times) {
                let bytes = bytes(format.files);
                let (name, what) = (&float.name, format.what);
                writeln!(
                    out,
                    "bench formats {name} {what} threads {threads} median {median:.2} ms, best {best:.2} ms, {bytes} bytes"
                )?;
                if what != INT8 {
                    float_ms = float_ms.min(*best);
                }
            }
            let int8_ms = times.last().map_or(f64::NAN, |times| times.best);
            let name = &float.name;
            let verdict = if int8_ms > float_ms { "int8 is SLOWER" } else { "int8 is faster" };
            writeln!(
                out,
                "bench formats {name} threads {threads}: {verdict} here: {:.2} of the best float's time",
                int8_ms / float_ms
            )?;
        }
    }
    Ok(())
}

const INT8: &str = "int8";

struct Format<'a> {
    what: &'static str,
    manifest: &'a ModelManifest,
    files: &'a ModelFiles,
    precision: Precision,
}

/// The formats that this CPU has; 8 bits last.
fn formats<'a>(
    float: (&'a ModelManifest, &'a ModelFiles),
    int8: (&'a ModelManifest, &'a ModelFiles),
) -> Vec<Format<'a>> {
    let format = |what, (manifest, files): (&'a _, &'a _), precision| Format {
        what,
        manifest,
        files,
        precision,
    };
    let mut formats = vec![format("fp32", float, Precision::Full)];
    // Elsewhere ncnn computes in 32 bits without a word.
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("fp16") {
        formats.push(format("fp16", float, Precision::Half));
    }
    formats.push(format("bf16", float, Precision::Bfloat));
    formats.push(format(INT8, int8, Precision::Half));
    formats
}

/// Time of the network, in ms. The best says what the format can do where others disturb the machine.
struct Times {
    median: f64,
    best: f64,
}

/// Times of the network in each format.
fn take_turns(formats: &[Format<'_>], threads: u32, frame: &Frame) -> Vec<Times> {
    let load = |format: &Format<'_>| {
        let options = DetectorOptions { threads, precision: format.precision };
        Detector::load(format.manifest, format.files, options).expect("a model that fits")
    };
    let mut detectors: Vec<_> = formats.iter().map(load).collect();
    let mut times = vec![Vec::new(); formats.len()];
    let start = Instant::now();
    for turn in 0.. {
        if start.elapsed() > BUDGET && turn > 5 {
            break;
        }
        for (detector, times) in detectors.iter_mut().zip(&mut times) {
            let infer = detector.detect(frame).expect("a frame that fits").infer;
            // The first turns warm caches and threads.
            if turn > 2 {
                times.push(infer);
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        let ms = |at: usize| times[at].as_secs_f64() * 1e3;
        Times { median: ms(times.len() / 2), best: ms(0) }
    };
    times.iter_mut().map(median).collect()
}

fn quantized(
    dir: &Path,
    float: &ModelManifest,
    files: &ModelFiles,
    frames: &[Frame],
) -> package::Package {
    let network = package::read(float, files).expect("a model that can be quantized");
    let mut preprocessor = Preprocessor::new(float.input.clone());
    let mut input = |frame: &Frame| {
        let input = preprocessor.run(frame, BBox::WHOLE).expect("a frame that fits").0;
        input.try_clone().expect("memory")
    };
    let inputs: Vec<_> = frames.iter().map(&mut input).collect();
    let outputs = package::outputs(float);
    let job = Quantizer {
        network: &network,
        options: &Options::default(),
        outputs: &outputs,
        progress: &mut |_| {},
        cancel: &AtomicBool::new(false),
    };
    let made = job.run(&inputs).expect("a quantized model");
    package::write(dir, float, &made).expect("a model that loads")
}

fn bytes(files: &ModelFiles) -> u64 {
    [&files.param, &files.bin]
        .map(|path| std::fs::metadata(path).map_or(0, |m| m.len()))
        .iter()
        .sum()
}

/// The first pictures of `folder`; none where it is absent.
fn frames(folder: &Path) -> Vec<Frame> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let frame = |path: &PathBuf| {
        let pixels = image::open(path).expect("a picture").into_rgb8();
        let (size, zero) = (Size::new(pixels.width(), pixels.height()), Duration::ZERO);
        Frame {
            seq: 0,
            pts: zero,
            captured: zero,
            tapped: zero,
            size,
            source_size: size,
            format: PixelFormat::Rgb,
            colours: Colours::default(),
            data: pixels.into_raw(),
        }
    };
    paths.iter().take(PICTURES).map(frame).collect()
}
