//! Which events an action is about (pure).

use api::event::{Event, Phase};
use config::{EventMatch, GpioActionConfig, GpioReaction};

/// What an announcement means to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing.
    None,
    /// A pulse.
    Pulse(std::time::Duration),
    /// Its event lasts and fits: for at most so long.
    Hold(std::time::Duration),
    /// Its event ended, or does not fit any more.
    Release,
}

/// What `event` means to `action`.
pub(crate) fn meaning(action: &GpioActionConfig, event: &Event) -> Meaning {
    let fits = fits(&action.events, event);
    let over = event.phase == Phase::End || event.end_ts.is_some();
    match &action.reaction {
        GpioReaction::Pulse { length, phases } if fits && phases.contains(&event.phase) => {
            Meaning::Pulse(*length)
        }
        GpioReaction::Pulse { .. } => Meaning::None,
        GpioReaction::Follow { longest } if fits && !over => Meaning::Hold(*longest),
        GpioReaction::Follow { .. } => Meaning::Release,
    }
}

/// Whether `event` is one of those that `wanted` is about; an empty list lets all through.
fn fits(wanted: &EventMatch, event: &Event) -> bool {
    let one_of = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
    };
    (wanted.kinds.is_empty() || wanted.kinds.contains(&event.kind))
        && one_of(&wanted.cameras, event.camera.as_deref())
        && one_of(&wanted.labels, event.label())
        && (wanted.zones.is_empty()
            || event.zones.concerned().any(|zone| wanted.zones.contains(zone)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::event::{EventType, InputState, Kind, Object, SCHEMA, Severity, Timing, Zones};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn event(phase: Phase) -> Event {
        Event {
            schema: SCHEMA.into(),
            id: ulid::Ulid::from(1),
            seq: 1,
            boot_id: "b".into(),
            replayed: false,
            phase,
            event_type: EventType::ObjectNew,
            kind: Kind::Object,
            severity: Severity::Detection,
            node: "n".into(),
            camera: Some("front".into()),
            ts: jiff::Timestamp::UNIX_EPOCH,
            start_ts: jiff::Timestamp::UNIX_EPOCH,
            end_ts: None,
            object: Some(Object {
                track_id: ulid::Ulid::from(2),
                label: "car".into(),
                score: 0.5,
                top_score: 0.5,
                r#box: [0.0; 4],
                stationary: false,
                velocity: [0.0; 2],
                age_ms: 0,
            }),
            zones: Zones { current: vec!["drive".into()], ..Zones::default() },
            line: None,
            governor: None,
            crowding: None,
            input: None,
            end_reason: None,
            model: None,
            timing: Timing::default(),
        }
    }

    fn action(events: EventMatch, reaction: GpioReaction) -> GpioActionConfig {
        GpioActionConfig { name: "a".into(), pin: "lamp".into(), events, reaction }
    }

    #[test]
    fn an_empty_filter_lets_all_through_and_each_other_only_its_own() {
        let list = |one: &str| vec![one.to_owned()];
        let any = EventMatch::default();
        let car = event(Phase::New);
        assert!(fits(&any, &car));
        for (wanted, fit) in [
            (EventMatch { kinds: vec![Kind::Object], ..any.clone() }, true),
            (EventMatch { kinds: vec![Kind::Zone], ..any.clone() }, false),
            (EventMatch { cameras: list("front"), ..any.clone() }, true),
            (EventMatch { cameras: list("yard"), ..any.clone() }, false),
            (EventMatch { labels: list("car"), ..any.clone() }, true),
            (EventMatch { labels: list("person"), ..any.clone() }, false),
            (EventMatch { zones: list("drive"), ..any.clone() }, true),
            (EventMatch { zones: list("door"), ..any.clone() }, false),
        ] {
            assert_eq!(fits(&wanted, &car), fit, "{wanted:?}");
        }
        let input = InputState { label: "doorbell".into(), ..InputState::default() };
        let bell = Event { camera: None, object: None, input: Some(input), ..event(Phase::New) };
        assert!(fits(&EventMatch { labels: list("doorbell"), ..any.clone() }, &bell));
        assert!(!fits(&EventMatch { cameras: list("front"), ..any }, &bell));
    }

    #[test]
    fn an_action_that_follows_lets_go_at_the_end_and_when_the_event_fits_no_more() {
        let in_drive = EventMatch { zones: vec!["drive".into()], ..EventMatch::default() };
        let follow = action(in_drive, GpioReaction::Follow { longest: LONG });
        assert_eq!(meaning(&follow, &event(Phase::New)), Meaning::Hold(LONG));
        assert_eq!(meaning(&follow, &event(Phase::Update)), Meaning::Hold(LONG));
        assert_eq!(meaning(&follow, &event(Phase::End)), Meaning::Release);
        let gone = Event { zones: Zones::default(), ..event(Phase::Update) };
        assert_eq!(meaning(&follow, &gone), Meaning::Release);
        let momentary = Event { end_ts: Some(jiff::Timestamp::UNIX_EPOCH), ..event(Phase::New) };
        assert_eq!(meaning(&follow, &momentary), Meaning::Release, "it is over as it is told");
    }

    #[test]
    fn a_pulse_is_given_for_the_phases_that_were_asked_for() {
        let pulse = GpioReaction::Pulse { length: LONG, phases: vec![Phase::End] };
        let pulse = action(EventMatch::default(), pulse);
        assert_eq!(meaning(&pulse, &event(Phase::New)), Meaning::None);
        assert_eq!(meaning(&pulse, &event(Phase::End)), Meaning::Pulse(LONG));
    }
}
