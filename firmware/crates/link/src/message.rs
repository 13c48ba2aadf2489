//! What `edgecamd` and a camera process say to each other.

use api::capabilities::CameraCapabilities;
use api::event::{CrowdingState, EndReason, EventType, LineCrossing, ModelRef, Object, Zones};
use api::governor::GovernorStep;
use api::manifest::ModelManifest;
use api::settings::{CameraSettings, DetectorSettings, GovernorSettings, ThermalSettings};
use api::status::{CameraPhase, CameraStats, Counts, DetectorStatus, PipelineStatus, StageTimes};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Version of the messages; both sides come from one build, so any difference is refused.
pub const PROTOCOL: u32 = 4;

/// All that a camera process is to do. The settings are complete (every layer merged) and
/// compiled again by the camera process with the code that `edgecamd` used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraOrder {
    /// The camera's id.
    pub camera: String,
    /// The camera's own settings.
    pub settings: CameraSettings,
    /// What holds for all detectors.
    pub detector: DetectorSettings,
    /// Heat.
    pub thermal: ThermalSettings,
    /// The governor.
    pub governor: GovernorSettings,
    /// Where to publish, `rtsp://…`; null when there is no media server.
    pub publish_url: Option<String>,
    /// The model that the detector is to run.
    pub model: ModelManifest,
    /// Models at hand that the governor may fall back to, by input area from large to small.
    pub lighter: Vec<ModelManifest>,
    /// Why that is not the one that the settings choose, in one sentence; null where it is.
    pub model_note: Option<String>,
    /// Folders with model files, looked through in this order.
    pub model_dirs: Vec<String>,
    /// Folder for the camera's own state (the encoder ladder's memory).
    pub state_dir: String,
}

/// From `edgecamd` to a camera process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCamera {
    /// The first message: what to do.
    Configure(Box<CameraOrder>),
    /// A change of settings: applied live if all that changed can be, else refused with the
    /// fields that need a restart. Answered by [`FromCamera::Applied`].
    Apply {
        /// Goes back in the answer.
        request: u64,
        /// The whole new order.
        order: Box<CameraOrder>,
    },
    /// A JPEG of the newest frame. Answered by [`FromCamera::Snapshot`].
    Snapshot {
        /// Goes back in the answer.
        request: u64,
        /// JPEG quality, 1..=100.
        quality: u8,
    },
    /// Make the next frame a key frame.
    KeyFrame,
    /// Events were stored: how long that took from the tap.
    Stored {
        /// In milliseconds, one for each event.
        latencies_ms: Vec<f32>,
    },
    /// Whether somebody looks at the tracks as they are: only then [`FromCamera::Live`] is sent.
    Watch {
        /// Whether they do.
        tracks: bool,
    },
    /// End all open events and leave.
    Stop,
}

/// From a camera process to `edgecamd`. A message can carry a blob of bytes beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromCamera {
    /// The first message.
    Hello {
        /// [`PROTOCOL`] of the camera process.
        protocol: u32,
        /// Version of the product that it was built from.
        version: String,
        /// The camera's id.
        camera: String,
        /// Its process id.
        pid: u32,
    },
    /// Where it is, and what it is made of; on every change.
    State {
        /// Phase.
        phase: CameraPhase,
        /// What stands in the way.
        error: Option<String>,
        /// What the pipeline was built of.
        pipeline: Option<PipelineStatus>,
        /// The detector.
        detector: Box<DetectorStatus>,
        /// What the camera can do; null until its pipeline runs.
        capabilities: Option<Box<CameraCapabilities>>,
    },
    /// Counters and rates, twice a second; also the sign of life of the process.
    Stats {
        /// Counters and rates.
        stats: Box<CameraStats>,
        /// How often each stage took how long.
        times: Vec<StageTimes>,
    },
    /// What is in the picture; on every change.
    Counts(Counts),
    /// Something happened; in order, to be stored before it is announced.
    Happened(Box<Happening>),
    /// Some seconds of what was tracked, to be kept; the blob is a stretch as
    /// `domain::history::encode` writes it. At most ten seconds, and as soon as nothing is tracked any
    /// more: that much is lost with a process that is killed.
    Tracks(Box<TrackBatch>),
    /// The objects in a picture that the detector looked at, while [`ToCamera::Watch`] says so. Left
    /// out where the link is slow: it is of no worth later.
    Live {
        /// The objects, by id.
        objects: Vec<Object>,
        /// Time of the picture, on the machine's monotonic clock, in nanoseconds.
        at_ns: u64,
    },
    /// The governor took a step; to be stored before it is announced.
    Governed {
        /// The step.
        step: Box<GovernorStep>,
        /// When, on the machine's monotonic clock, in nanoseconds.
        at_ns: u64,
    },
    /// Answer to [`ToCamera::Apply`].
    Applied {
        /// From the question.
        request: u64,
        /// Fields (JSON pointers inside the camera) that need a restart; empty: all is applied.
        needs_restart: Vec<String>,
        /// Why nothing was applied; null when it was.
        error: Option<String>,
    },
    /// Answer to [`ToCamera::Snapshot`]; the JPEG is the blob.
    Snapshot {
        /// From the question.
        request: u64,
        /// Why there is none; null when there is.
        error: Option<String>,
    },
}

/// What a batch of tracks is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackBatch {
    /// The session in which the tracks are numbered; see [`track_id`].
    pub session: Ulid,
    /// Time of the first step, on the machine's monotonic clock, in nanoseconds.
    pub from_ns: u64,
    /// Time of the last step, same clock.
    pub to_ns: u64,
    /// Names of the classes, in the order of their numbers.
    pub labels: Vec<String>,
}

/// The id of a track for the world, made from the session that it was numbered in: no two sessions
/// share a ULID's random part, so no two tracks do.
pub fn track_id(session: Ulid, number: u64) -> Ulid {
    Ulid::from(u128::from(session).wrapping_add(number.into()))
}

/// Something that happened in front of a camera. `edgecamd` makes an announcement of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// What.
    pub event_type: EventType,
    /// The event's id (ULID); for an object's life the same from start to end.
    pub event_id: String,
    /// When, on the machine's monotonic clock, in nanoseconds: the time of the picture.
    pub at_ns: u64,
    /// When the event began, same clock.
    pub started_ns: u64,
    /// The object, its box within the picture; null where this concerns none alone.
    pub object: Option<Object>,
    /// Its zones, and the one that this is about.
    pub zones: Zones,
    /// The line that was crossed.
    pub line: Option<LineCrossing>,
    /// The crowd.
    pub crowding: Option<CrowdingState>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// The model that saw it.
    pub model: Option<ModelRef>,
    /// When the tap took the picture, in nanoseconds of the monotonic clock.
    pub tapped_ns: u64,
    /// When its inference was done, same clock.
    pub inferred_ns: u64,
}
