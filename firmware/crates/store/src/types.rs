//! What goes into the store and what comes out of it.

use std::path::PathBuf;
use std::time::Duration;

use api::event::{
    CrowdingState, EndReason, Event, EventType, InputState, Kind, LineCrossing, ModelRef, Object,
    Phase, SCHEMA, Severity, Timing, Zones,
};
use api::governor::GovernorStep;
use api::webhooks::WebhookDelivery;
use jiff::Timestamp;
use ulid::Ulid;

/// Where the store lives and how much it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Folder of the database; made when it is not there.
    pub dir: PathBuf,
    /// Stable id of this device, written into every event.
    pub node: String,
    /// Most events that are kept; beyond it the oldest that do not wait for the broker go.
    pub events_max: u64,
    /// Whether events wait for a broker.
    pub outbox: OutboxPolicy,
    /// How much of what was tracked is kept.
    pub tracks: TrackLimits,
}

/// How much of what was tracked is kept: what is beyond either limit goes, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackLimits {
    /// Most bytes; 0: nothing is kept.
    pub max_bytes: u64,
    /// Greatest age, by the wall clock.
    pub max_age: Duration,
}

/// Whether events wait for a broker, and how many may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxPolicy {
    /// MQTT is switched off: nothing waits. Events that waited before are kept waiting.
    Off,
    /// Events wait until acknowledged; beyond `max_events` the oldest are dropped and counted.
    Keep {
        /// Most events that wait.
        max_events: u64,
    },
}

/// Something that happened, before the store gives it its `seq`, boot id and node.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The event's id, the same from `new` to `end`.
    pub id: Ulid,
    /// Place in the event's life.
    pub phase: Phase,
    /// What happened.
    pub event_type: EventType,
    /// What the event is about.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The camera; `None`: it happened to the device itself.
    pub camera: Option<String>,
    /// When this happened.
    pub ts: Timestamp,
    /// When the event began.
    pub start_ts: Timestamp,
    /// When the event ended. One without, in any phase but `end`, is open: its camera or
    /// [`crate::StoreHandle::close_open`] ends it.
    pub end_ts: Option<Timestamp>,
    /// The object.
    pub object: Option<Object>,
    /// Zones of the object.
    pub zones: Zones,
    /// The line that was crossed.
    pub line: Option<LineCrossing>,
    /// The governor's step.
    pub governor: Option<GovernorStep>,
    /// The crowd.
    pub crowding: Option<CrowdingState>,
    /// The input.
    pub input: Option<InputState>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// The model that saw it.
    pub model: Option<ModelRef>,
    /// When it passed where; `sensor_to_publish_ms` is not stored.
    pub timing: Timing,
}

impl NewEvent {
    pub(crate) fn to_event(&self, seq: u64, node: &str, boot_id: &str) -> Event {
        let new = self.clone();
        Event {
            schema: SCHEMA.to_owned(),
            id: new.id,
            seq,
            boot_id: boot_id.to_owned(),
            replayed: false,
            phase: new.phase,
            event_type: new.event_type,
            kind: new.kind,
            severity: new.severity,
            node: node.to_owned(),
            camera: new.camera,
            ts: in_ms(new.ts),
            start_ts: in_ms(new.start_ts),
            end_ts: new.end_ts.map(in_ms),
            object: new.object,
            zones: new.zones,
            line: new.line,
            governor: new.governor,
            crowding: new.crowding,
            input: new.input,
            end_reason: new.end_reason,
            model: new.model,
            timing: Timing { sensor_to_publish_ms: None, ..new.timing },
        }
    }
}

/// Announcements tell times in milliseconds.
fn in_ms(ts: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(ts.as_millisecond()).unwrap_or(ts)
}

/// The proof that an event is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The announcement's number.
    pub seq: u64,
}

/// An announcement that waits for the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// The announcement.
    pub event: Event,
    /// When it was stored, on the machine's monotonic clock; to be compared with now only when
    /// [`Event::boot_id`] is of this start of the daemon.
    pub stored_at: Duration,
}

/// How much waits for the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Announcements that wait.
    pub pending: u64,
    /// The oldest of them.
    pub oldest_seq: Option<u64>,
    /// Announcements that were dropped unannounced because too many waited, since the database
    /// was made.
    pub dropped_total: u64,
}

/// How large what waits for the broker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxExtent {
    /// Bytes of all waiting announcements, as JSON.
    pub bytes: u64,
    /// When the oldest of them was stored; `None`: none waits.
    pub oldest_at: Option<Timestamp>,
}

/// What is to be kept of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookNote {
    /// What became of a delivery; the newest hundred of a webhook are kept.
    Delivery {
        /// The webhook.
        hook: Ulid,
        /// The delivery, in place of what was kept of its `seq`.
        delivery: Box<WebhookDelivery>,
        /// The webhook has come up to here with it; `None`: it has come no further.
        up_to: Option<u64>,
    },
    /// The webhook has come up to here.
    Cursor {
        /// The webhook.
        hook: Ulid,
        /// The announcement.
        seq: u64,
    },
    /// The webhook is gone: nothing of it is kept.
    Forget {
        /// The webhook.
        hook: Ulid,
    },
    /// There are no other webhooks than these.
    KeepOnly {
        /// The webhooks.
        hooks: Vec<Ulid>,
    },
}

/// How far a webhook has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookProgress {
    /// The announcement up to which it has come; `None`: it is not known here.
    pub cursor: Option<u64>,
    /// What became of its last deliveries, newest first.
    pub newest: Vec<WebhookDelivery>,
}

/// Which end of the list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By growing `seq`: to follow.
    #[default]
    OldestFirst,
    /// By falling `seq`: to look back.
    NewestFirst,
}

/// Which announcements; every filter that is `None` lets all through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Only those with a greater `seq`.
    pub after_seq: Option<u64>,
    /// Only those with a smaller `seq`: the next page when the newest come first.
    pub before_seq: Option<u64>,
    /// Only those of these cameras.
    pub cameras: Option<Vec<String>>,
    /// Only those of this camera.
    pub camera: Option<String>,
    /// Only those of an object or an input with this label.
    pub label: Option<String>,
    /// Only those about this.
    pub kind: Option<Kind>,
    /// Only those in which this happened.
    pub event_type: Option<EventType>,
    /// Only those at this place in their event's life.
    pub phase: Option<Phase>,
    /// Only those about this zone, or of an object that was in it then.
    pub zone: Option<String>,
    /// Only those stored at this time or later.
    pub from: Option<Timestamp>,
    /// Only those stored before this time.
    pub to: Option<Timestamp>,
    /// Most of them; capped at [`EventQuery::MAX_LIMIT`].
    pub limit: usize,
    /// Which come first.
    pub order: Order,
}

impl EventQuery {
    /// Most announcements that one query answers.
    pub const MAX_LIMIT: usize = 1_024;
}

impl Default for EventQuery {
    fn default() -> Self {
        Self {
            after_seq: None,
            before_seq: None,
            cameras: None,
            camera: None,
            label: None,
            kind: None,
            event_type: None,
            phase: None,
            zone: None,
            from: None,
            to: None,
            limit: 100,
            order: Order::OldestFirst,
        }
    }
}

/// Events that began, counted by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountQuery {
    /// Begin of the first bucket.
    pub from: Timestamp,
    /// End of the last bucket; later ones are left out.
    pub to: Timestamp,
    /// Width of a bucket; at least a second.
    pub bucket: Duration,
    /// Only those of these cameras.
    pub cameras: Option<Vec<String>>,
    /// Only those of an object with this label.
    pub label: Option<String>,
    /// Only those about this.
    pub kind: Option<Kind>,
}

/// How many events began in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Number of the bucket, from 0.
    pub bucket: u64,
    /// The camera; `None`: of the device itself.
    pub camera: Option<String>,
    /// Label of the object or the input, where there is one.
    pub label: Option<String>,
    /// What the events are about.
    pub kind: Kind,
    /// How many.
    pub events: u64,
}

/// Why open events are ended by someone other than their camera process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The camera's process is gone: they end now.
    CameraGone,
    /// The daemon was gone: they ended, as far as anyone knows, with their newest announcement.
    DaemonRestarted,
}

/// Numbers of the oldest and the newest announcement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqBounds {
    /// The oldest that is kept; when none is, one more than `newest`.
    pub oldest: u64,
    /// The newest that was ever given; 0 before the first.
    pub newest: u64,
}

/// Some seconds of what a camera tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTracks {
    /// The session in which its tracks are numbered.
    pub session: Ulid,
    /// The camera.
    pub camera: String,
    /// Names of the classes, in the order of their numbers.
    pub labels: Vec<String>,
    /// Time of the first step.
    pub from: Timestamp,
    /// Time of the last step.
    pub to: Timestamp,
    /// The tracks; opaque here.
    pub body: Vec<u8>,
}

/// Which tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackQuery {
    /// Of these cameras; `None`: of all.
    pub cameras: Option<Vec<String>>,
    /// What ends before this is left out.
    pub from: Timestamp,
    /// What begins then or later is left out.
    pub to: Timestamp,
    /// Only those with a greater row: the next page.
    pub after_row: u64,
    /// Most of them; capped at [`TrackQuery::MAX_LIMIT`].
    pub limit: usize,
}

impl TrackQuery {
    /// Most stretches that one query answers.
    pub const MAX_LIMIT: usize = 1_024;
}

/// Some seconds of what a camera tracked, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTracks {
    /// Grows with each that is stored.
    pub row: u64,
    /// Number of the session; grows with each.
    pub session: u64,
    /// Its id.
    pub session_id: Ulid,
    /// The camera.
    pub camera: String,
    /// Names of the classes, in the order of their numbers.
    pub labels: Vec<String>,
    /// Time of the first step, in whole milliseconds.
    pub from: Timestamp,
    /// Time of the last step.
    pub to: Timestamp,
    /// The tracks as they were given.
    pub body: Vec<u8>,
}
