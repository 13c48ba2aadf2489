//! Speed of the detector: what stands before and after the network against ncnn's own way, the whole
//! call against the bare network, and both against NanoStream's options. Number formats are compared
//! by the bench `formats`. `cargo bench -p edgecam-detect --bench detector`; about 80 s. Needs `../shared/models`.
//!
//! All sides of a comparison run in turn, so that a change of the machine's load meets all of them.
//! With one thread, times are that thread's time on the processor; each number is a median. No bench
//! framework: none runs several things in turn.

mod sides;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use domain::{Colours, Frame, PixelFormat, Size};
use edgecam_detect::{Detector, DetectorOptions, ModelFiles, locate, manifest};
use rustix::time::{ClockId, clock_gettime};

use sides::{Bare, NcnnInput, OurInput, nanostream, stock};

/// How long each comparison may take to measure.
const BUDGET: Duration = Duration::from_millis(4000);
/// What most cameras give.
const VIDEO: Size = Size::new(1280, 720);
/// What cameras gave once, and a fitting load for ncnn's way.
const SMALL: Size = Size::new(640, 480);

fn main() -> std::io::Result<()> {
    // `cargo test --benches` runs this too, and wants no measurement.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let shared = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/models"));
    let mut out = std::io::stdout();
    for manifest in manifest::built_in() {
        let Ok(files) = locate::locate(&manifest, std::slice::from_ref(&shared)) else {
            writeln!(out, "skipped: bench {}: ../shared/models is absent", manifest.name)?;
            continue;
        };
        pre_processing(&manifest)?;
        detecting(&manifest, &files)?;
        threads(&manifest, &files)?;
    }
    Ok(())
}

/// A frame → the network's input, ours against ncnn's.
fn pre_processing(manifest: &ModelManifest) -> std::io::Result<()> {
    let name = &manifest.name;
    let mut out = std::io::stdout();
    for size in [SMALL, VIDEO] {
        let formats = [PixelFormat::Rgb, PixelFormat::I420, PixelFormat::Nv12];
        let frames = formats.map(|format| frame(format, size));
        let mut inputs = frames.each_ref().map(|frame| OurInput::new(manifest, frame));
        let [rgb, i420, nv12] = &mut inputs;
        let ncnn = NcnnInput::new(manifest, &frames[0]);
        let [rgb, i420, nv12, ncnn] =
            in_turn([&mut || rgb.make(), &mut || i420.make(), &mut || nv12.make(), &mut || {
                drop(ncnn.make());
            }]);
        for (format, time) in [("rgb", rgb), ("i420", i420), ("nv12", nv12)] {
            writeln!(out, "bench pre-processing {name} {format} {size} median {} ms", ms(time))?;
        }
        writeln!(out, "bench pre-processing-by-ncnn {name} rgb {size} median {} ms", ms(ncnn))?;
        let ratio = ratio(i420, ncnn);
        writeln!(out, "bench ratio pre-processing {name} i420 {size} / by ncnn: {ratio}")?;
    }
    Ok(())
}

/// The whole call, its parts, and what others need for the network alone.
fn detecting(manifest: &ModelManifest, files: &ModelFiles) -> std::io::Result<()> {
    let name = &manifest.name;
    let (video, rgb) = (frame(PixelFormat::I420, VIDEO), frame(PixelFormat::Rgb, VIDEO));
    let options = DetectorOptions::default();
    let mut detector = Detector::load(manifest, files, options).expect("a model that fits");
    let mut pre = OurInput::new(manifest, &video);
    let input = || NcnnInput::new(manifest, &rgb).make();
    let bare = Bare::new(manifest, files, &stock(1, options.precision), input());
    let theirs = Bare::new(manifest, files, &nanostream(), input());
    // GStreamer scales its frames; that is not counted.
    let scaled = frame(PixelFormat::Rgb, Size::new(manifest.input.width, manifest.input.height));
    let their_input = NcnnInput::new(manifest, &scaled);
    let mut posts = Vec::new();
    let [pre, detect, bare, theirs, their_input] = in_turn([
        &mut || pre.make(),
        &mut || posts.push(detector.detect(&video).expect("a frame that fits").post),
        &mut || bare.run(),
        &mut || theirs.run(),
        &mut || {
            their_input.make();
        },
    ]);
    let post = median(&mut posts);
    let mut out = std::io::stdout();
    writeln!(out, "bench post-processing {name} median {} ms", ms(post))?;
    writeln!(out, "bench detect {name} i420 {VIDEO} median {} ms", ms(detect))?;
    writeln!(out, "bench bare-extractor {name} median {} ms", ms(bare))?;
    writeln!(out, "bench nanostream-options {name} median {} ms", ms(theirs))?;
    let precision = options.precision.resolved();
    let percent = 100.0 * (pre + post).as_secs_f64() / bare.as_secs_f64();
    for line in [
        format!("pre + post / network ({precision}): {percent:.1} % (goal 8 %)"),
        format!("detect / bare extractor ({precision}): {} (goal 1.08)", ratio(detect, bare)),
        format!(
            "network ({precision}) / with NanoStream's options: {} (goal 0.70)",
            ratio(bare, theirs)
        ),
        format!(
            "detect ({precision}) / input and network with NanoStream's options: {}",
            ratio(detect, their_input + theirs)
        ),
    ] {
        writeln!(out, "bench ratio {name} {line}")?;
    }
    Ok(())
}

/// The network within a call, in time on the wall: with two threads there is no other.
fn threads(manifest: &ModelManifest, files: &ModelFiles) -> std::io::Result<()> {
    let name = &manifest.name;
    let small = frame(PixelFormat::Rgb, SMALL);
    for threads in [1, 2] {
        let options = DetectorOptions { threads, ..DetectorOptions::default() };
        let mut detector = Detector::load(manifest, files, options).expect("a model that fits");
        let start = Instant::now();
        let mut times = Vec::new();
        while start.elapsed() < BUDGET / 2 || times.is_empty() {
            times.push(detector.detect(&small).expect("a frame that fits").infer);
        }
        let inference = ms(median(&mut times));
        let line = format!("bench inference {name} threads {threads} median {inference} ms");
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

/// Runs the sides in turn until the budget is used up, after a few rounds that warm caches; the median
/// of each one's time on the processor.
fn in_turn<const N: usize>(mut sides: [&mut dyn FnMut(); N]) -> [Duration; N] {
    const WARM: usize = 3;
    let mut times = [const { Vec::new() }; N];
    let start = Instant::now();
    while start.elapsed() < BUDGET || times[0].len() < 2 * WARM {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let before = processor_time();
            side();
            times.push(processor_time() - before);
        }
    }
    times.each_mut().map(|times| median(&mut times[WARM..]))
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn ratio(ours: Duration, theirs: Duration) -> String {
    format!("{:.2}", ours.as_secs_f64() / theirs.as_secs_f64())
}

/// A picture with some structure, so that scores are not all alike.
fn frame(format: PixelFormat, size: Size) -> Frame {
    let bytes = (0..format.bytes(size)).map(|i| ((i / 3 % 251) ^ (i / 7919)) as u8);
    let zero = Duration::ZERO;
    let (seq, data) = (0, bytes.collect());
    let (source_size, colours) = (size, Colours::default());
    Frame { seq, pts: zero, captured: zero, tapped: zero, size, source_size, format, colours, data }
}
