//! Speed of the detector on one picture: the network per model and threads, and what stands before and
//! after it, each as a median over runs. `cargo bench -p edgecam-detect`; about 20 s. Needs
//! `../shared/models`. No bench framework: the detector times its own parts, which one cannot ask for
//! from outside.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use domain::{Colours, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, Found, ModelFiles, Precision, locate, manifest};

/// How long each line may take to measure.
const BUDGET: Duration = Duration::from_millis(1500);

fn main() -> std::io::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let dirs = ["../shared/models", "firmware/models/demo"].map(|dir| Path::new(root).join(dir));
    let mut out = std::io::stdout();
    let picture = frame(PixelFormat::Rgb, Size::new(640, 480));
    for manifest in manifest::built_in() {
        let Ok(files) = locate::locate(&manifest, &dirs) else {
            writeln!(out, "skipped: bench {}: ../shared/models is absent", manifest.name)?;
            continue;
        };
        let name = &manifest.name;
        for threads in [1, 2] {
            let runs = measure(&manifest, &files, threads, &picture);
            let inference = median(&runs, |found| found.infer);
            writeln!(out, "bench inference {name} threads {threads} median {inference} ms")?;
            if threads == 1 {
                let (pre, post) = (median(&runs, |f| f.pre), median(&runs, |f| f.post));
                writeln!(out, "bench pre-processing {name} rgb 640x480 median {pre} ms")?;
                writeln!(out, "bench post-processing {name} median {post} ms")?;
            }
        }
        if name.ends_with("plus-m_320") {
            let planes = frame(PixelFormat::Nv12, Size::new(640, 480));
            let pre = median(&measure(&manifest, &files, 1, &planes), |found| found.pre);
            writeln!(out, "bench pre-processing {name} nv12 640x480 median {pre} ms")?;
        }
    }
    Ok(())
}

/// Detections of `picture` until the budget is used up, after a few that warm caches and threads.
fn measure(
    manifest: &ModelManifest,
    files: &ModelFiles,
    threads: u32,
    picture: &Frame,
) -> Vec<Found> {
    let options = DetectorOptions { threads, precision: Precision::Half };
    let mut detector = Detector::load(manifest, files, options).expect("a model that fits");
    let mut detect = || detector.detect(picture).expect("a frame that fits").clone();
    (0..3).for_each(|_| drop(detect()));
    let start = Instant::now();
    let mut runs = vec![detect()];
    while start.elapsed() < BUDGET {
        runs.push(detect());
    }
    runs
}

/// Milliseconds with two decimals.
fn median(runs: &[Found], part: impl Fn(&Found) -> Duration) -> String {
    let mut times: Vec<_> = runs.iter().map(part).collect();
    times.sort_unstable();
    format!("{:.2}", times[times.len() / 2].as_secs_f64() * 1e3)
}

/// A picture with some structure, so that scores are not all alike.
fn frame(format: PixelFormat, size: Size) -> Frame {
    let bytes = (0..format.bytes(size)).map(|i| ((i / 3 % 251) ^ (i / 7919)) as u8);
    let zero = Duration::ZERO;
    let (seq, data) = (0, bytes.collect());
    let (source_size, colours) = (size, Colours::default());
    Frame { seq, pts: zero, captured: zero, tapped: zero, size, source_size, format, colours, data }
}
