//! What other zones and lines would have made of what a camera tracked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::settings::{LineSettings, ZoneSettings};

/// Zones and lines to try, as `PATCH /api/v1/cameras/{cam}` takes them: what is named is changed, the
/// rest stays, `null` takes one away. Nothing is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTrial {
    /// A merge patch onto the camera's zones, by id. Default: they stay.
    #[schema(value_type = BTreeMap<String, ZoneSettings>)]
    pub zones: Option<BTreeMap<String, Value>>,
    /// A merge patch onto its lines, by id. Default: they stay.
    #[schema(value_type = BTreeMap<String, LineSettings>)]
    pub lines: Option<BTreeMap<String, Value>>,
    /// From when on. Default: a day before `to`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when; at most 31 days after `from`. Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// What other zones and lines would have made of what a camera tracked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleBacktest {
    /// The camera.
    pub camera: String,
    /// From when on.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Tracks that were played.
    pub tracks: u64,
    /// Pictures that were played.
    pub pictures: u64,
    /// How often each rule fires, before and after.
    pub rules: Vec<RuleTally>,
    /// What fires, and what does not any more, in order of time: at most a thousand.
    pub events: Vec<TrialEvent>,
    /// Events beyond these.
    pub more_events: u64,
}

/// What a rule fires for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleEvent {
    /// A stay in a zone.
    Stay,
    /// A stay that is too long.
    Loitering,
    /// An episode of crowding.
    Crowding,
    /// A line is crossed inwards.
    CrossingIn,
    /// A line is crossed outwards.
    CrossingOut,
}

/// How often a rule fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleTally {
    /// Id of the zone; null for a line.
    pub zone: Option<String>,
    /// Id of the line; null for a zone.
    pub line: Option<String>,
    /// What it fires for.
    pub event: RuleEvent,
    /// Times with the settings in force.
    pub before: u64,
    /// Times with what is tried.
    pub after: u64,
}

/// Whether an event fires before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialChange {
    /// Both times.
    Kept,
    /// Only with what is tried.
    Gained,
    /// Only with the settings in force.
    Lost,
}

/// Why an event fires with one set of rules only: the first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialReason {
    /// The other has no such zone or line.
    NoRule,
    /// It does not look at this label.
    Label,
    /// It does not look at boxes of this size.
    Size,
    /// It was not in force then.
    Schedule,
    /// It lies elsewhere.
    Place,
    /// It does not look for this, or its limits are others.
    Limit,
    /// Another course of events.
    Course,
}

/// An event of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialEvent {
    /// Whether it fires before and after.
    pub change: TrialChange,
    /// Why not both; null where it is kept.
    pub because: Option<TrialReason>,
    /// Id of the zone; null for a line.
    pub zone: Option<String>,
    /// Id of the line; null for a zone.
    pub line: Option<String>,
    /// What fires.
    pub event: RuleEvent,
    /// What the object is; null for crowding.
    pub label: Option<String>,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it ends; the same where it is of one moment.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
}
