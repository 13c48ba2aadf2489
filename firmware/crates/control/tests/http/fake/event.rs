//! Announcements that tests make.

use api::event::{Event, EventType, Kind, Object, Phase, SCHEMA, Severity, Timing, Zones};

pub(super) fn event(seq: u64, camera: &str, label: &str) -> Event {
    let ts = "2026-07-01T12:00:00Z".parse().unwrap();
    Event {
        schema: SCHEMA.into(),
        // Two announcements share an event.
        id: ulid::Ulid::from(u128::from(seq / 2)),
        seq,
        boot_id: "boot".into(),
        replayed: false,
        phase: if seq.is_multiple_of(2) { Phase::New } else { Phase::End },
        event_type: if seq.is_multiple_of(2) { EventType::ObjectNew } else { EventType::ObjectEnd },
        kind: Kind::Object,
        severity: Severity::Detection,
        node: "ec-1".into(),
        camera: Some(camera.into()),
        ts,
        start_ts: ts,
        end_ts: None,
        object: Some(Object {
            track_id: ulid::Ulid::from(u128::from(seq / 2)),
            label: label.into(),
            score: 0.5,
            top_score: 0.5,
            r#box: [0.1, 0.1, 0.2, 0.2],
            stationary: false,
            velocity: [0.0, 0.0],
            age_ms: 0,
        }),
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing::default(),
    }
}
