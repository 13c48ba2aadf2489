//! What a camera, the detector, the streams and the system are doing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::governor::GovernorStatus;

/// Where a camera process is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CameraPhase {
    /// Switched off by its settings.
    Disabled,
    /// Its process or its pipeline is coming up.
    #[default]
    Starting,
    /// Frames flow.
    Running,
    /// The source gives nothing (unreachable, unplugged, not a video); it is tried again.
    Waiting,
    /// No frame for too long: the process is being replaced.
    Stalled,
    /// A clip that does not loop has ended.
    Ended,
    /// It cannot run with these settings; trying again would not help.
    Failed,
}

/// What the pipeline was built of, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PipelineStatus {
    /// The source, without credentials.
    pub source: String,
    /// Columns of the picture.
    pub width: u32,
    /// Rows of the picture.
    pub height: u32,
    /// Nominal frames per second.
    pub fps: f32,
    /// Rung of the encoder ladder in use, such as `software-x264`.
    pub encoder: String,
    /// Why this rung.
    pub encoder_reason: String,
}

/// The detector of a camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetectorStatus {
    /// Whether it is loaded and at work.
    pub running: bool,
    /// Name of the manifest of the model that runs.
    pub model: String,
    /// Why that is not the one that `detector.model` chooses, and what to do; null where it is.
    pub note: Option<String>,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Why it is not running; null while it is.
    pub error: Option<String>,
    /// How often it crashed and was started again, since the camera process started.
    pub crashes: u32,
    /// Why it is slowed down or paused, as its governor says; null while it is not.
    pub throttled: Option<String>,
    /// What reduces it to hold which limits; null where the governor is switched off.
    pub governor: Option<Box<GovernorStatus>>,
    /// Labels of the model.
    pub labels: Vec<String>,
}

/// Quantiles of the newest measurements of one duration, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quantiles {
    /// Half are below.
    pub p50_ms: f32,
    /// 95 of 100 are below.
    pub p95_ms: f32,
    /// The largest.
    pub max_ms: f32,
}

/// Counters and rates of a camera; counters start at 0 with its process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraStats {
    /// Frames that left the source.
    pub frames: u64,
    /// Frames per second over the last second.
    pub fps: f32,
    /// Frames that were encoded.
    pub encoded_frames: u64,
    /// Bit rate of the encoded stream over the last second, in kbit/s.
    pub bitrate_kbps: f32,
    /// Frames that went through the detector.
    pub inferred_frames: u64,
    /// Inferences per second over the last seconds.
    pub infer_fps: f32,
    /// Frames that a newer one replaced before the detector was free.
    pub skipped_frames: u64,
    /// Frames that the motion gate passed over: they showed nothing new.
    pub gated_frames: u64,
    /// Objects tracked now.
    pub tracks: u32,
    /// The network's own time.
    pub infer: Quantiles,
    /// Making the network's input.
    pub preprocess: Quantiles,
    /// Decoding the network's output.
    pub postprocess: Quantiles,
    /// Drawing on one frame.
    pub overlay: Quantiles,
    /// From sensor to tap.
    pub sensor_to_tap: Quantiles,
    /// From tap to inference done.
    pub tap_to_inferred: Quantiles,
    /// Time since the newest frame, in milliseconds.
    pub last_frame_age_ms: u64,
    /// Encoded frames that the media server was too slow for.
    #[serde(default)]
    pub unpublished_frames: u64,
}

/// How often a stage took how long, since the process that measures it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageTimes {
    /// The stage, such as `infer`.
    pub stage: String,
    /// Times up to each bound of `base::histogram`, and beyond them.
    pub counts: Vec<u64>,
    /// All times together, in seconds.
    pub sum_s: f64,
}

/// What is in the picture now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Objects by label; labels that were seen before stay with 0.
    pub labels: BTreeMap<String, u32>,
    /// Zones by id.
    pub zones: BTreeMap<String, ZoneCounts>,
    /// Lines by id.
    pub lines: BTreeMap<String, LineCounts>,
}

/// What is in a zone now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneCounts {
    /// Objects by label.
    pub labels: BTreeMap<String, u32>,
}

/// Crossings of a line since its camera process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineCounts {
    /// From left to right.
    pub r#in: u64,
    /// From right to left.
    pub out: u64,
    /// The same by label, for each that ever crossed.
    pub labels: BTreeMap<String, LineTotals>,
}

/// Crossings in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineTotals {
    /// From left to right.
    pub r#in: u64,
    /// From right to left.
    pub out: u64,
}

/// One camera as the API and MQTT show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: CameraPhase,
    /// What stands in its way, with the way out; null when nothing does.
    pub error: Option<String>,
    /// Process id; null while there is none.
    pub pid: Option<u32>,
    /// How often its process was started again.
    pub restarts: u32,
    /// When its process started; null while there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// What its pipeline was built of; null until it is.
    pub pipeline: Option<PipelineStatus>,
    /// Its detector.
    pub detector: DetectorStatus,
    /// What is in the picture.
    pub counts: Counts,
}
