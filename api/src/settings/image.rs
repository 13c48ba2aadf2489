//! Settings of the picture itself: how the camera takes it, which way up it is, and what of it nobody
//! gets to see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of light white is balanced for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhiteBalance {
    /// The camera finds out.
    Auto,
    /// Light bulbs.
    Incandescent,
    /// Halogen lamps.
    Tungsten,
    /// Fluorescent tubes.
    Fluorescent,
    /// Lamps of any kind.
    Indoor,
    /// The sun.
    Daylight,
    /// A covered sky.
    Cloudy,
}

/// How the picture is taken. What is absent is left to the camera. `rotation` and `mirror` work with
/// every source, `v4l2_controls` with `/dev/video…`, all else with `libcamera`; what this camera takes
/// over stands in its capabilities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImageSettings {
    /// How far the picture is turned clockwise, in degrees: 0, 90, 180 or 270. `video.width` and
    /// `video.height` are those before. Turned by the processor, which costs time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u32>,
    /// Whether left and right change places, after turning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<bool>,
    /// Time of exposure in µs, 1..=60000000. Default: automatic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_us: Option<u32>,
    /// Analogue gain as a factor, 1..=64. Default: automatic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain: Option<f32>,
    /// What kind of light white is balanced for. Default: automatic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub white_balance: Option<WhiteBalance>,
    /// Gains of red and blue, 0 to 32 each, in place of `white_balance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour_gains: Option<[f32; 2]>,
    /// What the lens is focused on, in dioptres: 0 is far away, 2 half a metre, 0..=32. Default:
    /// the camera focuses all the time, where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens_position: Option<f32>,
    /// How much brighter than it would by itself the camera exposes, in steps of a doubling, -8..=8.
    /// Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_compensation: Option<f32>,
    /// Brightness, -1..=1. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brightness: Option<f32>,
    /// Contrast as a factor, 0..=32. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast: Option<f32>,
    /// Saturation as a factor, 0..=32; 0 is grey. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation: Option<f32>,
    /// Sharpness as a factor, 0..=16. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f32>,
    /// Controls of a V4L2 device by name, in its own numbers, as `v4l2-ctl -l` lists them, such as
    /// `backlight_compensation`. One that is taken away keeps its value until the device is plugged
    /// in anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v4l2_controls: Option<BTreeMap<String, i32>>,
}

/// An area of the picture that nobody gets to see: painted black before the picture is detected in,
/// encoded or given away as a snapshot. Live: no frame is shown without it in between.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyMaskSettings {
    /// Corners as `[x, y]`, shares of the picture, 3..=64 of them, not crossing itself.
    pub polygon: Vec<[f32; 2]>,
}
