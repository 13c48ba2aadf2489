//! The governor of a camera: what it reduces to hold its limits, why, and the step that tells of
//! it. Owns the words; when a step is taken is decided by the camera (`edgecam-camera`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the governor can reduce, in the order in which it does. The frame rate of the video is
/// not among it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dial {
    /// Inferences per second.
    DetectRate,
    /// Size of the detector's input: a smaller model of the same family.
    InputSize,
    /// A lighter model of another family.
    Model,
    /// Bit rate of the stream; for heat only.
    Bitrate,
    /// Whether anything is detected at all; at the critical temperature only.
    Detection,
}

/// Why the governor took a step.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepReason {
    /// The temperature reached the critical one.
    Critical,
    /// The temperature is above its limit, or would soon be.
    Temperature,
    /// The board's firmware slows the processor down, for heat or for want of power.
    Throttled,
    /// An inference takes longer than there is time between two.
    DetectorTime,
    /// Wanted frames were replaced by newer ones before the detector was free.
    QueueDrops,
    /// Events are stored too late after their picture.
    EventLatency,
    /// All limits were held with a margin for long enough: a step back up.
    Calm,
    /// The settings or the models at hand changed.
    Settings,
}

/// One step of the governor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GovernorStep {
    /// What was turned.
    pub dial: Dial,
    /// Where it stood, such as `10 fps`.
    pub from: String,
    /// Where it stands, such as `7.4 fps`.
    pub to: String,
    /// Why.
    pub reason: StepReason,
    /// The same with its numbers, for people.
    pub sentence: String,
    /// The reading that led to it, in the unit of `limit`; null where there is none.
    pub reading: Option<f32>,
    /// The limit that it was held against: °C, milliseconds, or a share for `queue_drops`.
    pub limit: Option<f32>,
    /// Steps below what the settings ask for, after this one; 0 for none.
    pub level: u32,
}

/// The governor of a camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GovernorStatus {
    /// Steps below what the settings ask for; 0: nothing is reduced.
    pub level: u32,
    /// The lowest level that there is: detection paused.
    pub levels: u32,
    /// What is reduced, and to what, such as `detect_rate` to `7.4 fps`.
    pub reduced: BTreeMap<Dial, String>,
    /// Why the newest step was taken; null before the first.
    pub reason: Option<StepReason>,
    /// The newest step in a sentence; null before the first.
    pub sentence: Option<String>,
    /// When it was taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// What is wrong with a sensor; null when nothing is.
    pub sensor_error: Option<String>,
    /// What it holds.
    pub limits: GovernorLimits,
    /// What it sees.
    pub readings: GovernorReadings,
    /// Steps since the camera process started, by reason.
    pub steps: BTreeMap<StepReason, u64>,
}

/// What the governor holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GovernorLimits {
    /// Highest temperature, °C; null: not watched.
    pub max_temp_c: Option<f32>,
    /// Inferences per second that are wanted.
    pub detect_fps: f32,
    /// Inferences per second below which the rate is not reduced.
    pub min_detect_fps: f32,
    /// Longest time from the tap to an event in the store (95 of 100), in milliseconds.
    pub event_latency_ms: f32,
}

/// What the governor sees; null where there is nothing to see yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GovernorReadings {
    /// Temperature, °C.
    pub temperature_c: Option<f32>,
    /// Whether the board's firmware slows the processor down.
    pub throttled: Option<bool>,
    /// Pre-processing, network and post-processing of a frame together; 95 of 100 are below, in
    /// milliseconds.
    pub detector_ms: Option<f32>,
    /// Share of the wanted inferences that were not made, 0..=1.
    pub missed: Option<f32>,
    /// From the tap to the store; 95 of 100 are below, in milliseconds.
    pub event_latency_ms: Option<f32>,
}
