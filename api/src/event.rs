//! `edgecam.event/1`: the announcement of everything that happened.
//!
//! An object's life is one event with one `id`: `new`, any number of `update`s, one `end`. Every
//! announcement has a `seq` of its own, gap-free per node. Boxes are `[x, y, w, h]` shares of the
//! picture from its top left corner; times are RFC 3339 UTC with milliseconds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::governor::GovernorStep;
use crate::status::LineTotals;

/// Value of `schema` in every event.
pub const SCHEMA: &str = "edgecam.event/1";

/// One announcement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Always `edgecam.event/1`.
    #[schema(example = "edgecam.event/1")]
    pub schema: String,
    /// The event's id, a ULID, the same from `new` to `end`.
    #[schema(value_type = String, example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")]
    pub id: Ulid,
    /// Number of the announcement on this node: grows by one each time, across restarts.
    pub seq: u64,
    /// Changes with every start of the daemon.
    pub boot_id: String,
    /// Whether it may have been announced before, or is late because the broker was away.
    pub replayed: bool,
    /// Place in the event's life.
    #[serde(rename = "type")]
    pub phase: Phase,
    /// What happened, in the words of a Home Assistant `event` entity.
    pub event_type: EventType,
    /// What the event is about.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The node.
    pub node: String,
    /// The camera; null for what happened to the device itself.
    pub camera: Option<String>,
    /// When this happened.
    #[schema(value_type = String, format = DateTime)]
    pub ts: Timestamp,
    /// When the event began.
    #[schema(value_type = String, format = DateTime)]
    pub start_ts: Timestamp,
    /// When the event ended; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_ts: Option<Timestamp>,
    /// The object; null for events without one.
    #[schema(value_type = Option<TrackedObject>)]
    pub object: Option<Object>,
    /// Zones of the object.
    pub zones: Zones,
    /// The line that was crossed; null otherwise.
    pub line: Option<LineCrossing>,
    /// The governor's step; null otherwise.
    pub governor: Option<GovernorStep>,
    /// The crowd in the zone `zones.subject`; null otherwise.
    #[serde(default)]
    pub crowding: Option<CrowdingState>,
    /// The input of the device that changed; null otherwise.
    #[serde(default)]
    pub input: Option<InputState>,
    /// Why it ended, where that is not plain; null otherwise and until then.
    #[serde(default)]
    pub end_reason: Option<EndReason>,
    /// The model that saw it; null where no model is concerned.
    pub model: Option<ModelRef>,
    /// When it passed where.
    pub timing: Timing,
}

impl Event {
    /// What it is about in one word: the object's class, or the label of the input.
    pub fn label(&self) -> Option<&str> {
        let of_input = || self.input.as_ref().map(|input| input.label.as_str());
        self.object.as_ref().map(|object| object.label.as_str()).or_else(of_input)
    }
}

/// Place in an event's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// First announcement.
    New,
    /// Something changed.
    Update,
    /// Last announcement.
    End,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// An object appeared.
    ObjectNew,
    /// An object moved on or is seen better.
    ObjectUpdate,
    /// An object left, or the camera stopped seeing.
    ObjectEnd,
    /// An object entered a zone.
    ZoneEntered,
    /// An object left a zone.
    ZoneLeft,
    /// An object stayed in a zone for the zone's loitering time.
    Loitering,
    /// An object crossed a line.
    LineCrossed,
    /// The camera's governor reduced or restored something.
    Governor,
    /// There have been too many objects in a zone for too long.
    CrowdingStarted,
    /// There no longer are.
    CrowdingEnded,
    /// An input of the device became active.
    InputOn,
    /// It no longer is.
    InputOff,
}

impl EventType {
    /// All of them, in the order in which Home Assistant is told.
    pub const ALL: [Self; 12] = [
        Self::ObjectNew,
        Self::ObjectUpdate,
        Self::ObjectEnd,
        Self::ZoneEntered,
        Self::ZoneLeft,
        Self::Loitering,
        Self::LineCrossed,
        Self::Governor,
        Self::CrowdingStarted,
        Self::CrowdingEnded,
        Self::InputOn,
        Self::InputOff,
    ];
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An object's life.
    Object,
    /// An object and a zone.
    Zone,
    /// An object that stays.
    Loitering,
    /// An object and a line.
    LineCrossing,
    /// A step of the camera's governor.
    Governor,
    /// Too many objects in a zone, from the start to the end of the episode.
    Crowding,
    /// An input of the device, from when it became active to when it no longer is.
    Input,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something that the camera did on its own.
    Notice,
    /// Something was seen, or an input of the device became active.
    Detection,
    /// A rule of the owner's fired: a zone, a line, loitering, crowding.
    Alert,
}

/// A tracked object at the time of the announcement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TrackedObject)]
pub struct Object {
    /// The track's id, a ULID.
    #[schema(value_type = String)]
    pub track_id: Ulid,
    /// Its class.
    #[schema(example = "car")]
    pub label: String,
    /// Score of the newest box, 0..=1.
    pub score: f32,
    /// Best score so far, 0..=1.
    pub top_score: f32,
    /// `[x, y, w, h]`, shares of the picture.
    #[schema(value_type = Vec<f32>, min_items = 4, max_items = 4)]
    pub r#box: [f32; 4],
    /// Whether it stands still.
    pub stationary: bool,
    /// Shares of the picture per second, right and down.
    #[schema(value_type = Vec<f32>, min_items = 2, max_items = 2)]
    pub velocity: [f32; 2],
    /// Time since it was first seen, in milliseconds.
    pub age_ms: u64,
}

/// What [`Object`] is called in the API's document, where `Object` means any object.
pub type TrackedObject = Object;

/// Zones of an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Zones {
    /// Zones that it is in.
    pub current: Vec<String>,
    /// Zones that it has been in, in the order of entry.
    pub entered: Vec<String>,
    /// Time spent per zone, in milliseconds.
    pub dwell_ms: BTreeMap<String, u64>,
    /// The zone that this announcement is about; null for other kinds.
    pub subject: Option<String>,
}

impl Zones {
    /// Those that the announcement concerns: where the object is, and what it is about.
    pub fn concerned(&self) -> impl Iterator<Item = &String> {
        self.current.iter().chain(&self.subject)
    }
}

/// Which way a line was crossed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From left to right, walking along the line.
    In,
    /// From right to left.
    Out,
}

/// A crossing of a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineCrossing {
    /// The line.
    pub id: String,
    /// Which way.
    pub direction: Direction,
    /// Crossings of this line into `in` since the camera process started, this one included.
    pub total_in: u64,
    /// The same for `out`.
    pub total_out: u64,
    /// The same by label, for each that ever crossed.
    #[serde(default)]
    pub labels: BTreeMap<String, LineTotals>,
}

/// A crowd in a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrowdingState {
    /// Objects in the zone now.
    pub count: u32,
    /// Most objects at a time in this episode so far.
    pub peak: u32,
    /// The limit that the zone was above when the episode began.
    pub limit: u32,
}

/// An input of the device (GPIO).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputState {
    /// Name of the pin in the settings.
    #[schema(example = "bell")]
    pub pin: String,
    /// Number of the pin (BCM), 0..=27.
    #[schema(example = 17)]
    pub number: u8,
    /// What it means: the pin's `label`, by default its name.
    #[schema(example = "doorbell")]
    pub label: String,
    /// Whether it is active.
    pub active: bool,
}

/// Why a stay in a zone, or another event that lasts, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The object walked out, or is no longer one that the zone looks at; the crowd is gone.
    Over,
    /// The object itself ended.
    ObjectEnded,
    /// The zone's schedule is over.
    ScheduleEnded,
    /// The zone was moved or taken away, or no longer looks for this.
    RuleChanged,
    /// The camera sees nothing any more: its detector is off or stopping.
    Unseen,
    /// The camera's process was gone.
    CameraGone,
    /// The daemon had been gone.
    DaemonRestarted,
}

/// The model that saw an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelRef {
    /// Name of its manifest.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Time of the inference, in milliseconds.
    pub infer_ms: f32,
}

/// When the picture that caused an announcement passed where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timing {
    /// When the sensor made it, on the machine's monotonic clock, in nanoseconds.
    pub sensor_ts_ns: u64,
    /// When the detector's tap took it, same clock.
    pub tapped_ts_ns: u64,
    /// When its inference was done, same clock.
    pub inferred_ts_ns: u64,
    /// From sensor to publishing over MQTT; null in replayed announcements.
    pub sensor_to_publish_ms: Option<f32>,
}
