//! What a camera process reports, made into an event. Pure.

use std::time::Duration;

use api::event::{EventType, Kind, Phase, Severity, Timing, Zones};
use api::governor::GovernorStep;
use gpio::InputChange;
use jiff::{SignedDuration, Timestamp};
use link::{Happening, TrackBatch};
use store::{NewEvent, NewTracks};
use ulid::Ulid;

/// The wall clock and the monotonic clock, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Wall clock.
    pub(crate) wall: Timestamp,
    /// Monotonic clock.
    pub(crate) monotonic: Duration,
}

impl Now {
    /// Reads both clocks.
    pub(crate) fn read() -> Self {
        Self { wall: base::clock::wall(), monotonic: base::clock::monotonic() }
    }

    /// The wall time of a monotonic stamp, in whole milliseconds as events carry them.
    pub(crate) fn wall_of(self, stamp_ns: u64) -> Timestamp {
        let age = self.monotonic.saturating_sub(Duration::from_nanos(stamp_ns));
        let wall = self.wall - SignedDuration::try_from(age).unwrap_or_default();
        Timestamp::from_millisecond(wall.as_millisecond()).unwrap_or(wall)
    }
}

/// The event that tells of `happening` in front of `camera`.
///
/// # Errors
/// When an id is no ULID: the two processes are of different builds.
pub(crate) fn event(
    camera: &str,
    happening: Happening,
    now: Now,
) -> Result<NewEvent, ulid::DecodeError> {
    let event_type = happening.event_type;
    let (phase, kind, severity) = place(event_type);
    let ts = now.wall_of(happening.at_ns);
    let over = phase == Phase::End || is_momentary(event_type);
    Ok(NewEvent {
        id: Ulid::from_string(&happening.event_id)?,
        phase,
        event_type,
        kind,
        severity,
        camera: Some(camera.to_owned()),
        ts,
        start_ts: now.wall_of(happening.started_ns),
        end_ts: over.then_some(ts),
        object: happening.object,
        zones: happening.zones,
        line: happening.line,
        crowding: happening.crowding,
        input: None,
        end_reason: happening.end_reason,
        governor: None,
        model: happening.model,
        timing: Timing {
            sensor_ts_ns: happening.at_ns,
            tapped_ts_ns: happening.tapped_ns,
            inferred_ts_ns: happening.inferred_ns,
            sensor_to_publish_ms: None,
        },
    })
}

/// What is to be kept of what `camera` tracked.
pub(crate) fn tracks(camera: &str, batch: TrackBatch, body: Vec<u8>, now: Now) -> NewTracks {
    NewTracks {
        session: batch.session,
        camera: camera.to_owned(),
        labels: batch.labels,
        from: now.wall_of(batch.from_ns),
        to: now.wall_of(batch.to_ns),
        body,
    }
}

/// The event that tells of a step of the governor of `camera`, taken at `at_ns` of the monotonic
/// clock.
pub(crate) fn step(camera: &str, step: GovernorStep, at_ns: u64, now: Now) -> NewEvent {
    let (phase, kind, severity) = place(EventType::Governor);
    let ts = now.wall_of(at_ns);
    NewEvent {
        id: Ulid::generate(),
        phase,
        event_type: EventType::Governor,
        kind,
        severity,
        camera: Some(camera.to_owned()),
        ts,
        start_ts: ts,
        end_ts: Some(ts),
        object: None,
        zones: Zones::default(),
        line: None,
        crowding: None,
        input: None,
        end_reason: None,
        governor: Some(step),
        model: None,
        timing: Timing::default(),
    }
}

/// The event that tells of a change of an input.
pub(crate) fn input(change: InputChange) -> NewEvent {
    let InputChange { id, input, camera, at, since, ended } = change;
    let event_type = if ended.is_none() { EventType::InputOn } else { EventType::InputOff };
    let (phase, kind, severity) = place(event_type);
    NewEvent {
        id,
        phase,
        event_type,
        kind,
        severity,
        camera,
        ts: at,
        start_ts: since,
        end_ts: ended.map(|_| at),
        object: None,
        zones: Zones::default(),
        line: None,
        crowding: None,
        input: Some(input),
        end_reason: ended,
        governor: None,
        model: None,
        timing: Timing::default(),
    }
}

/// Where in an event's life something stands, what it is about and how much it matters.
fn place(event_type: EventType) -> (Phase, Kind, Severity) {
    match event_type {
        EventType::ObjectNew => (Phase::New, Kind::Object, Severity::Detection),
        EventType::ObjectUpdate => (Phase::Update, Kind::Object, Severity::Detection),
        EventType::ObjectEnd => (Phase::End, Kind::Object, Severity::Detection),
        EventType::ZoneEntered => (Phase::New, Kind::Zone, Severity::Alert),
        EventType::ZoneLeft => (Phase::End, Kind::Zone, Severity::Alert),
        EventType::Loitering => (Phase::New, Kind::Loitering, Severity::Alert),
        EventType::LineCrossed => (Phase::New, Kind::LineCrossing, Severity::Alert),
        EventType::Governor => (Phase::New, Kind::Governor, Severity::Notice),
        EventType::CrowdingStarted => (Phase::New, Kind::Crowding, Severity::Alert),
        EventType::CrowdingEnded => (Phase::End, Kind::Crowding, Severity::Alert),
        EventType::InputOn => (Phase::New, Kind::Input, Severity::Detection),
        EventType::InputOff => (Phase::End, Kind::Input, Severity::Detection),
    }
}

/// Whether the event is over as soon as it is told.
fn is_momentary(event_type: EventType) -> bool {
    matches!(event_type, EventType::Loitering | EventType::LineCrossed | EventType::Governor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::event::Zones;

    fn happening(event_type: EventType) -> Happening {
        Happening {
            event_type,
            event_id: Ulid::from(1).to_string(),
            at_ns: 99_000_000_000,
            started_ns: 95_000_000_000,
            object: None,
            zones: Zones { subject: Some("drive".into()), ..Zones::default() },
            line: None,
            crowding: None,
            end_reason: None,
            model: None,
            tapped_ns: 99_001_000_000,
            inferred_ns: 99_020_000_000,
        }
    }

    fn now() -> Now {
        let wall = "2026-01-05T12:00:01.2339Z".parse().unwrap();
        Now { wall, monotonic: Duration::from_secs(100) }
    }

    #[test]
    fn an_event_has_the_wall_time_of_its_picture() {
        let event = event("front", happening(EventType::ObjectUpdate), now()).unwrap();
        assert_eq!(event.ts.to_string(), "2026-01-05T12:00:00.233Z");
        assert_eq!(event.start_ts.to_string(), "2026-01-05T11:59:56.233Z");
        assert_eq!(event.end_ts, None);
    }

    #[test]
    fn the_end_and_what_lasts_a_moment_only_are_over() {
        for (event_type, over) in [
            (EventType::ObjectNew, false),
            (EventType::ObjectEnd, true),
            (EventType::ZoneEntered, false),
            (EventType::ZoneLeft, true),
            (EventType::Loitering, true),
            (EventType::LineCrossed, true),
            (EventType::CrowdingStarted, false),
            (EventType::CrowdingEnded, true),
        ] {
            let event = event("front", happening(event_type), now()).unwrap();
            assert_eq!(event.end_ts.is_some(), over, "{event_type:?}");
        }
    }

    #[test]
    fn a_step_of_the_governor_is_an_event_that_is_over() {
        let step = GovernorStep {
            dial: api::governor::Dial::DetectRate,
            from: "10 fps".into(),
            to: "7.4 fps".into(),
            reason: api::governor::StepReason::Temperature,
            sentence: "76.0 °C, the limit is 75 °C: detect rate 10 fps → 7.4 fps".into(),
            reading: Some(76.0),
            limit: Some(75.0),
            level: 1,
        };
        let event = super::step("front", step.clone(), 99_000_000_000, now());
        assert_eq!((event.kind, event.severity), (Kind::Governor, Severity::Notice));
        assert_eq!(event.end_ts, Some(event.ts));
        assert_eq!(event.ts.to_string(), "2026-01-05T12:00:00.233Z");
        assert_eq!(event.governor, Some(step));
    }

    #[test]
    fn an_id_that_is_none_is_refused() {
        let bad = Happening { event_id: "7".into(), ..happening(EventType::ObjectNew) };
        assert!(event("front", bad, now()).is_err());
    }
}
