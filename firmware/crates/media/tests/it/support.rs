//! Cameras to start, clips to play, and waiting for what must come.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use base::slot::{Slot, Taken};
use config::{
    CameraConfig, CameraId, DetectorConfig, Draw, EncoderConfig, EncoderLadder, OverlayConfig,
    Source, VideoConfig,
};
use domain::{DetectionParams, Frame, Size, TrackerParams, View};
use edgecam_media::{
    Board, MediaEvent, Pipeline, PipelineHandle, PipelineOptions, Running, TapFit,
};
use url::Url;

/// Longer than anything takes on a busy machine; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A camera with this source, the rest plain.
pub(crate) fn camera(source: Source) -> CameraConfig {
    CameraConfig {
        id: CameraId::new("test").unwrap(),
        name: "Test camera".to_owned(),
        enabled: true,
        source,
        video: VideoConfig { size: None, fps: None },
        image: config::ImageConfig::default(),
        masks: Vec::new(),
        encoder: EncoderConfig {
            ladder: EncoderLadder::Full,
            bitrate_kbps: 1000,
            key_frame_interval: Duration::from_secs(2),
        },
        detector: DetectorConfig {
            enabled: true,
            model: "any".to_owned(),
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
        overlay: OverlayConfig {
            boxes: Draw::On,
            labels: Draw::On,
            zones: Draw::On,
            timestamp: Draw::On,
            max_age: Duration::from_secs(1),
        },
        zones: Vec::new(),
        lines: Vec::new(),
        thermal: None,
        governor: None,
    }
}

/// A small, quick scene.
pub(crate) fn scene() -> CameraConfig {
    let mut camera = camera(Source::Scene { seed: 7 });
    camera.video = VideoConfig { size: Some(Size::new(640, 360)), fps: Some(25) };
    camera
}

/// A pipeline and what it tells.
pub(crate) struct Started {
    pub(crate) handle: PipelineHandle,
    pub(crate) events: Receiver<MediaEvent>,
    pub(crate) frames: Slot<Frame>,
}

/// Starts `camera` on this machine.
pub(crate) fn start(camera: &CameraConfig) -> Started {
    start_with(camera, None, None)
}

/// Starts `camera`, publishing and remembering there.
pub(crate) fn start_with(
    camera: &CameraConfig,
    publish: Option<Url>,
    state: Option<&Path>,
) -> Started {
    start_on(camera, &Board::detect().unwrap(), publish, state)
}

/// Starts `camera` on `board`.
pub(crate) fn start_on(
    camera: &CameraConfig,
    board: &Board,
    publish_url: Option<Url>,
    state: Option<&Path>,
) -> Started {
    let frames = Slot::default();
    let options = PipelineOptions {
        publish_url,
        tap: TapFit::Keep(Size::new(320, 320)),
        state_dir: state.map(Path::to_owned),
        frames: frames.clone(),
    };
    let (handle, events) = Pipeline::start(camera, board, options).unwrap();
    Started { handle, events, frames }
}

impl Started {
    /// The next event that `wanted` makes something of.
    pub(crate) fn event<T>(&self, wanted: impl Fn(&MediaEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => match wanted(&event) {
                    Some(value) => return value,
                    None => seen.push(event),
                },
                Err(error) => panic!("{error}; seen: {seen:?}; {:?}", self.handle.stats()),
            }
        }
    }

    /// Waits until key frames come out.
    pub(crate) fn running(&self) -> Running {
        self.event(|event| match event {
            MediaEvent::Running(running) => Some(running.clone()),
            _ => None,
        })
    }

    /// The next frame for the detector.
    pub(crate) fn frame(&self) -> Frame {
        match self.frames.take(PATIENCE) {
            Taken::Value(frame) => frame,
            other => panic!("no frame: {other:?}; {:?}", self.handle.stats()),
        }
    }
}

/// Waits until `done`.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A clip of the data beside the project; says that `test` is skipped where there is none.
pub(crate) fn clip(test: &str, name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
    let path = root.join("../shared/media").join(name);
    skip_unless(test, path.exists().then_some(path), "no clips in ../shared/media")
}

/// `value`; where it is none, says that `test` is skipped and why.
pub(crate) fn skip_unless<T>(test: &str, value: Option<T>, why: &str) -> Option<T> {
    if value.is_none() {
        #[allow(clippy::print_stderr, reason = "the summary of the tests looks for it")]
        {
            drop(writeln!(std::io::stderr(), "skipped: {test}: {why}"));
        }
    }
    value
}
