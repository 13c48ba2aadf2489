//! Settings of what a camera looks at and what counts as found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A demand on boxes below a share of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeThreshold {
    /// Holds for boxes whose area is below this share of the picture, 0..=1.
    pub below_area: f32,
    /// Least score of such a box, 0..=1.
    pub min_score: f32,
}

/// A cap on boxes below a share of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeCap {
    /// Holds for boxes whose area is below this share of the picture, 0..=1.
    pub below_area: f32,
    /// Most such boxes of one class in a frame, 0..=300.
    pub max_per_class: u32,
}

/// Demands on the boxes of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassFilter {
    /// Most boxes of the class in a frame, the best by score, 1..=300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_count: Option<u32>,
    /// Least area, a share of the picture, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_area: Option<f32>,
    /// Least width divided by height, in pixels, 0..=100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_aspect: Option<f32>,
    /// Greatest width divided by height, in pixels, 0..=100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_aspect: Option<f32>,
}

/// In how many looks the detector sees the picture. Each costs the time of an inference; a smaller part
/// in one look shows smaller objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tiling {
    /// One look.
    Off,
    /// Two overlapping halves along the longer side.
    Two,
    /// The halves, and the whole for what is larger than a half.
    TwoAndWhole,
}

/// What counts as found. All fields are live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionSettings {
    /// Whether this camera detects at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Most inferences per second, 0.1..=60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fps: Option<f32>,
    /// The part of the picture that is looked at, as `[x, y, width, height]`: shares of the picture,
    /// inside it, each side at least 0.05. A smaller part shows smaller objects. A camera with a
    /// `libcamera` source has to start again where this or `tiling` begins or ends to ask for less than
    /// the whole in one look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<[f32; 4]>,
    /// In how many looks that part is seen: for objects that are too small for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiling: Option<Tiling>,
    /// Whether a frame that shows nothing new against the one last looked at is passed over. Objects that
    /// stand are taken to be there still; while one is not found, or not sure yet, every frame is looked
    /// at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion_gate: Option<bool>,
    /// With the motion gate, a frame is looked at in any case once the last look is this long ago, in
    /// seconds, 0.1..=60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion_refresh_s: Option<f32>,
    /// Least score of a box, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_threshold: Option<f32>,
    /// Least score by label, 0..=1; replaces `score_threshold` for these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_thresholds: Option<BTreeMap<String, f32>>,
    /// Higher least scores for small boxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_thresholds: Option<Vec<SizeThreshold>>,
    /// Most boxes of a class by size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_caps: Option<Vec<SizeCap>>,
    /// Most boxes of a class that are larger than all of `size_caps`, 0..=300; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_cap: Option<u32>,
    /// Demands on single classes, by label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_filters: Option<BTreeMap<String, ClassFilter>>,
    /// Candidates by score that go into suppression, 1..=10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Overlap (IoU) from which the weaker of two boxes of a class goes, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iou_threshold: Option<f32>,
    /// Most boxes of a frame, 1..=300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_detections: Option<u32>,
    /// Smaller boxes are dropped; in square pixels of the source picture, 0..=1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_box_area_px: Option<f32>,
    /// Labels that are looked for; empty for all that the model knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}
