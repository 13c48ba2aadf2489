//! Events to store, and stores to put them into.

use std::path::Path;
use std::time::Duration;

use api::event::{EventType, Kind, Object, Phase, Severity, Timing, Zones};
use edgecam_store::{
    NewEvent, OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits,
};
use ulid::Ulid;

pub(crate) fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.to_owned(),
        node: "ec-test".to_owned(),
        events_max: 100_000,
        outbox: OutboxPolicy::Keep { max_events: 100_000 },
        tracks: TrackLimits { max_bytes: 1 << 20, max_age: Duration::from_secs(86_400) },
    }
}

pub(crate) fn open(dir: &Path) -> (StoreHandle, StoreThreads) {
    Store::open(options(dir)).unwrap().spawn().unwrap()
}

pub(crate) fn event(camera: &str, phase: Phase) -> NewEvent {
    // Times are kept in milliseconds.
    let now = jiff::Timestamp::from_millisecond(base::clock::wall().as_millisecond()).unwrap();
    let monotonic = u64::try_from(base::clock::monotonic().as_nanos()).unwrap();
    NewEvent {
        id: Ulid::generate(),
        phase,
        event_type: match phase {
            Phase::New => EventType::ObjectNew,
            Phase::Update => EventType::ObjectUpdate,
            Phase::End => EventType::ObjectEnd,
        },
        kind: Kind::Object,
        severity: Severity::Detection,
        camera: Some(camera.to_owned()),
        ts: now,
        start_ts: now,
        end_ts: (phase == Phase::End).then_some(now),
        object: Some(object("car")),
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing { sensor_ts_ns: monotonic, ..Timing::default() },
    }
}

pub(crate) fn object(label: &str) -> Object {
    Object {
        track_id: Ulid::generate(),
        label: label.to_owned(),
        score: 0.81,
        top_score: 0.88,
        r#box: [0.43, 0.40, 0.11, 0.32],
        stationary: false,
        velocity: [0.03, -0.01],
        age_ms: 3_223,
    }
}

/// An event that begins and ends at once.
pub(crate) fn whole(camera: &str) -> NewEvent {
    event(camera, Phase::End)
}

pub(crate) fn seqs(events: &[api::event::Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}
