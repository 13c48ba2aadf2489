//! Settings of zones and lines: where they are, whom they look at, when, and what for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An area of the picture. Objects are in it when the middle of their lower edge is. Live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZoneSettings {
    /// Corners as `[x, y]`, shares of the picture, 3..=64 of them, not crossing itself.
    pub polygon: Vec<[f32; 2]>,
    /// Labels that count; empty for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Boxes below this share of the picture do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_area: Option<f32>,
    /// Boxes above this share of the picture do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_area: Option<f32>,
    /// Boxes that are lower than this share of the picture's height do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_height: Option<f32>,
    /// When it is in force, in local time: `mon-fri 07:00-19:00`, `sat 22:00-02:00`,
    /// `daily 00:00-24:00`; at most 64. Empty for always. Outside of it the zone is silent: whoever
    /// is in it leaves with `end_reason` `schedule_ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<String>>,
    /// When it is crowded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crowding: Option<CrowdingSettings>,
    /// Seconds after which staying is loitering, 0..=86400; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loitering_s: Option<f32>,
    /// Frames in a row that it takes to be in, or out, 1..=30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inertia: Option<u32>,
}

/// When a zone is crowded. Live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrowdingSettings {
    /// More objects than this are a crowd, 0..=1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_than: Option<u32>,
    /// Seconds that there must be a crowd before crowding starts, 0..=86400. Default: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_s: Option<f32>,
    /// Seconds that there must be none before crowding ends, 0..=86400. Default: as `after_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear_after_s: Option<f32>,
}

/// A line that is watched for crossings. Walking from `from` to `to`, a crossing from left to
/// right is `in`. Live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LineSettings {
    /// One end as `[x, y]`, shares of the picture.
    pub from: [f32; 2],
    /// The other end.
    pub to: [f32; 2],
    /// Labels that count; empty for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Boxes below this share of the picture do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_area: Option<f32>,
    /// Boxes above this share of the picture do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_area: Option<f32>,
    /// Boxes that are lower than this share of the picture's height do not count, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_height: Option<f32>,
    /// When it is in force, as for zones. Outside of it no crossing is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<String>>,
}
