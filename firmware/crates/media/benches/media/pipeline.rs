//! CPU seconds per 1,000 frames of the whole pipeline at 768×432, without inference and net of
//! decoding the clip: ours, and the same built from stock elements as NanoStream has it. Each run
//! is a process of its own, as fast as it goes; both sides encode with the very same settings and
//! hand every frame to the detector: the stock side scaled, ours as it is. `cairooverlay` gets no
//! callback, so that the stock side draws nothing: in its favour.

use std::path::{Path, PathBuf};
use std::process::Command;

use base::slot::Slot;
use config::{
    CameraConfig, CameraId, DetectorConfig, EncoderConfig, EncoderLadder, Source, VideoConfig,
};
use domain::{DetectionParams, Size, TrackerParams, View};
use edgecam_media::{Board, MediaEvent, Pace, Pipeline, PipelineOptions, PipelinePlan, TapFit};
use gstreamer as gst;
use gstreamer::prelude::*;
use nix::sys::resource::{UsageWho, getrusage};
use std::time::Duration;

use crate::drawing::{busy_scene, everything};
use crate::median;

/// Which run a child process makes.
pub(crate) const CHILD: &str = "EDGECAM_BENCH_CHILD";
/// The clip that it plays.
const CLIP: &str = "EDGECAM_BENCH_CLIP";
const RUNS: usize = 5;
/// About what the clip itself has.
const KBPS: u32 = 600;
const TAP: TapFit = TapFit::Keep(Size::new(320, 320));

pub(crate) fn run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
    let clip = root.join("../shared/media/car-detection.mp4");
    if !clip.exists() {
        println!("skipped: pipeline: no clips in ../shared/media");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = four_times(&clip, &folder.path().join("long.mp4"));
    // In turn, so that a change of the machine's load meets all of them.
    let kinds = ["decode", "ours", "undrawn", "stock", "encode"];
    let mut seconds = kinds.map(|_| Vec::new());
    for _ in 0..RUNS {
        for (kind, seconds) in kinds.iter().zip(&mut seconds) {
            seconds.push(measure(kind, &clip));
        }
    }
    let [decode, ours, undrawn, stock, encode] = seconds.map(median);
    println!("decoding alone: {decode:.2} CPU s per 1,000 frames at 768x432");
    let net = |name: &str, value: f64| {
        println!(
            "{name}: {:.2} CPU s per 1,000 frames at 768x432, net of decoding",
            value - decode
        );
    };
    net("encoding alone", encode);
    net("ours", ours);
    net("ours without overlay", undrawn);
    net("stock elements (NanoStream's way)", stock);
    println!("ratio ours / stock: {:.2} (goal 0.60)", (ours - decode) / (stock - decode));
    let besides = |value: f64| value - encode;
    println!("ratio besides the encoder: {:.2}", besides(ours) / besides(stock));
}

/// The clip four times in a row, so that the start does not count for much.
fn four_times(clip: &Path, to: &Path) -> PathBuf {
    let status = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-y", "-stream_loop", "3", "-i"])
        .arg(clip)
        .args(["-an", "-c", "copy"])
        .arg(to)
        .status();
    if status.is_ok_and(|status| status.success()) { to.to_owned() } else { clip.to_owned() }
}

fn measure(kind: &str, clip: &Path) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, kind)
        .env(CLIP, clip)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{kind}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// Runs one pipeline and prints its CPU seconds per 1,000 frames.
pub(crate) fn child(kind: &str) {
    gst::init().unwrap();
    let clip = std::env::var(CLIP).unwrap();
    let frames = match kind {
        "ours" | "undrawn" => ours(Path::new(&clip), kind == "ours"),
        "stock" => stock(&clip),
        "encode" => launch(&format!("{} ! {} ! fakesink sync=false", decode(&clip), encode())),
        _ => launch(&format!("{} ! fakesink sync=false", decode(&clip))),
    };
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let total = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{}", total * 1000.0 / frames as f64);
}

fn ours(clip: &Path, draw: bool) -> u64 {
    let mut camera = camera(clip);
    if !draw {
        let off = config::Draw::Off;
        camera.overlay.boxes = off;
        camera.overlay.zones = off;
        camera.overlay.timestamp = off;
    }
    let frames = Slot::default();
    let options = PipelineOptions { publish_url: None, tap: TAP, state_dir: None, frames };
    let board = Board::detect().unwrap();
    let (handle, events) = Pipeline::start_at(&camera, &board, options, Pace::Free).unwrap();
    handle.overlay().set(busy_scene());
    while !matches!(events.recv().unwrap(), MediaEvent::Ended) {}
    let stats = handle.stats();
    assert_eq!(stats.tapped, stats.encoded);
    stats.encoded
}

fn stock(clip: &str) -> u64 {
    launch(&format!(
        "{} ! videoconvert ! tee name=t \
         t. ! queue ! videoconvert ! video/x-raw,format=BGRx ! cairooverlay ! videoconvert \
         ! video/x-raw,format=I420 ! {} ! h264parse config-interval=-1 \
         ! video/x-h264,stream-format=byte-stream,alignment=au ! fakesink sync=false \
         t. ! queue ! videoscale ! videoconvert ! video/x-raw,format=RGB,width=320,height=180 \
         ! fakesink sync=false",
        decode(clip),
        encode(),
    ))
}

fn decode(clip: &str) -> String {
    format!("filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 name=decoder")
}

/// The encoder of our own plan, word for word.
fn encode() -> String {
    let camera = camera(Path::new("any"));
    let plan = PipelinePlan::choose(&camera, &Board::detect().unwrap(), TAP, Pace::Free).unwrap();
    let encoder = plan.rungs[0].encode.iter().find(|spec| spec.name == "encoder").unwrap();
    encoder.to_string()
}

/// Runs a launch line to its end; the frames that left the decoder.
fn launch(line: &str) -> u64 {
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = std::sync::Arc::clone(&count);
    let pad = pipeline.by_name("decoder").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let bus = pipeline.bus().unwrap();
    let end = bus.timed_pop_filtered(gst::ClockTime::NONE, &kinds).unwrap();
    assert!(end.type_() == gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    count.load(std::sync::atomic::Ordering::Relaxed)
}

fn camera(clip: &Path) -> CameraConfig {
    CameraConfig {
        id: CameraId::new("bench").unwrap(),
        name: "Front door".to_owned(),
        enabled: true,
        source: Source::File { path: clip.to_owned(), looped: false },
        video: VideoConfig { size: None, fps: None },
        image: config::ImageConfig::default(),
        masks: Vec::new(),
        encoder: EncoderConfig {
            ladder: EncoderLadder::Software,
            bitrate_kbps: KBPS,
            key_frame_interval: Duration::from_secs(2),
        },
        detector: DetectorConfig {
            enabled: true,
            model: "none".to_owned(),
            threads: 1,
            prefer_int8: false,
            precision: config::Precision::Auto,
            min_interval: Duration::ZERO,
        },
        view: View::default(),
        motion: None,
        detection: DetectionParams {
            score_threshold: 0.3,
            class_thresholds: Vec::new(),
            size_thresholds: Vec::new(),
            size_caps: Vec::new(),
            large_cap: None,
            class_filters: Vec::new(),
            top_k: 200,
            iou_threshold: 0.5,
            max_detections: 20,
            min_box_area_px: 0.0,
            labels: None,
        },
        tracker: TrackerParams::default(),
        history: config::HistoryConfig::Kept,
        overlay: everything(),
        zones: Vec::new(),
        lines: Vec::new(),
        thermal: None,
        governor: None,
    }
}
