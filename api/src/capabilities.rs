//! What a camera can do: controls of its picture, sizes, encoders; and how long its frames take.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::status::Quantiles;

/// What a camera can do, found out when its pipeline was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraCapabilities {
    /// Settings of `image`, and whether the source takes them over.
    pub controls: Vec<ImageControl>,
    /// Sizes and rates that the source offers, at most 100; empty where it takes any, or gives what it
    /// gives.
    pub modes: Vec<VideoMode>,
    /// Rungs of the encoder ladder, best first.
    pub encoders: Vec<EncoderOption>,
}

/// A setting of `image`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageControl {
    /// The setting, such as `brightness`, or `v4l2_controls.brightness`.
    #[schema(example = "brightness")]
    pub setting: String,
    /// Whether the source takes it over. A sensor may still do without: not every lens moves.
    pub supported: bool,
    /// Least value; null where it is no number.
    pub minimum: Option<f32>,
    /// Greatest value; null where it is no number.
    pub maximum: Option<f32>,
}

/// A size of the picture with its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VideoMode {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Most frames per second; null where the source does not say.
    pub max_fps: Option<f32>,
}

/// A rung of the encoder ladder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EncoderOption {
    /// Its name.
    #[schema(example = "x264")]
    pub name: String,
    /// Whether it is in use.
    pub in_use: bool,
    /// Why it cannot be used; null where it can.
    pub trouble: Option<String>,
}

/// How long it takes from hop to hop, of the newest measurements; each hop has those of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CameraLatency {
    /// From the sensor to the detector's tap, of frames.
    pub sensor_to_tap: Quantiles,
    /// From the tap to the end of inference, of frames.
    pub tap_to_inferred: Quantiles,
    /// From the end of inference to the store, of events.
    pub inferred_to_stored: Quantiles,
    /// From the store to the broker's word that it has it, of events; while the broker is away, they
    /// wait.
    pub stored_to_published: Quantiles,
    /// From the sensor to the store, of events.
    pub sensor_to_stored: Quantiles,
}
