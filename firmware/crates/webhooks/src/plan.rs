//! Where to begin, what is missing, what an answer means, how long to wait. Pure.

use std::time::Duration;

use api::event::Event;
use api::resources::StreamGap;
use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};

/// An announcement that is older than this when it is posted is late.
const LATE: SignedDuration = SignedDuration::from_secs(10);

/// How far a webhook has come while it reads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// It has come up to here.
    pub(crate) seq: u64,
    /// What is missing before the next post.
    pub(crate) gap: Option<StreamGap>,
}

impl Place {
    /// Where a webhook goes on that has come up to `kept`, as far as the store knows, and does not want
    /// what came before `from`; the store has given numbers up to `newest`. A number that was never given
    /// shows that the store was lost and counts anew: then all that it has is news.
    pub(crate) fn resume(kept: Option<u64>, from: u64, newest: u64) -> Self {
        let cursor = kept.unwrap_or(from).max(from);
        if cursor <= newest {
            return Self { seq: cursor, gap: None };
        }
        match kept.filter(|kept| *kept <= newest) {
            Some(kept) => Self { seq: kept, gap: None },
            None => Self { seq: 0, gap: Some(StreamGap { after: cursor, resumes_at: 1 }) },
        }
    }

    /// The next announcement that there is has the number `seq`.
    pub(crate) fn comes_to(&mut self, seq: u64) {
        if seq > self.seq + 1 {
            let after = self.gap.map_or(self.seq, |gap| gap.after);
            self.gap = Some(StreamGap { after, resumes_at: seq });
        }
    }

    /// The announcement `seq` is passed over: nobody wants it.
    pub(crate) fn passes(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// The announcement `seq` was taken, and with it what was missing is told.
    pub(crate) fn has_posted(&mut self, seq: u64) {
        *self = Self { seq, gap: None };
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was taken.
    Taken,
    /// Nobody will ever take it there.
    Gone,
    /// Try again.
    Again,
}

/// What `status` means; `None`: nobody answered. Redirects are not followed: where they lead was not
/// agreed.
pub(crate) fn verdict(status: Option<u16>) -> Verdict {
    match status {
        Some(200..=299) => Verdict::Taken,
        Some(410) => Verdict::Gone,
        _ => Verdict::Again,
    }
}

/// How long to wait after the try number `attempts` (from 1) failed: from `least` on doubled, at most
/// `most`, of that at least the half; `share`, 0..1, says how much of the rest, so that many devices do not
/// come back in step. What the receiver asked for counts where it is longer, but no more than `most`.
pub(crate) fn wait(
    attempts: u32,
    (least, most): (Duration, Duration),
    share: f64,
    retry_after: Option<Duration>,
) -> Duration {
    let growing =
        ExponentialBuilder::new().with_min_delay(least).with_max_delay(most).without_max_times();
    let nth = usize::try_from(attempts.clamp(1, 64) - 1).unwrap_or(0);
    let whole = growing.build().nth(nth).unwrap_or(most).min(most);
    let own = whole.mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0);
    own.max(retry_after.unwrap_or_default()).min(most)
}

/// Whether `event` may have been announced before, or is late: the same as over MQTT.
pub(crate) fn is_replayed(event: &Event, attempts: u32, boot_id: &str, now: Timestamp) -> bool {
    attempts > 1 || event.boot_id != boot_id || now.duration_since(event.ts) > LATE
}

/// `webhook-id` of `event` at the webhook `hook`: the same for each try, and for no other announcement,
/// also of a store that counts anew.
pub(crate) fn message_id(hook: impl std::fmt::Display, event: &Event) -> String {
    format!("{hook}_{}_{}", event.boot_id, event.seq)
}

#[cfg(test)]
pub(crate) mod tests {
    use api::event::{EventType, Kind, Object, Phase, SCHEMA, Severity, Timing, Zones};

    use super::*;

    /// A car at the front.
    pub(crate) fn event(seq: u64) -> Event {
        let ts = Timestamp::from_second(1_782_900_000).unwrap();
        Event {
            schema: SCHEMA.into(),
            id: ulid::Ulid::from(u128::from(seq)),
            seq,
            boot_id: "4ca027".into(),
            replayed: false,
            phase: Phase::New,
            event_type: EventType::ObjectNew,
            kind: Kind::Object,
            severity: Severity::Detection,
            node: "ec-1".into(),
            camera: Some("front".into()),
            ts,
            start_ts: ts,
            end_ts: None,
            object: Some(Object {
                track_id: ulid::Ulid::from(u128::from(seq)),
                label: "car".into(),
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

    #[test]
    fn a_webhook_goes_on_where_it_was_but_never_before_what_its_owner_wants() {
        assert_eq!(Place::resume(None, 40, 50).seq, 40);
        assert_eq!(Place::resume(Some(45), 40, 50).seq, 45);
        assert_eq!(Place::resume(Some(30), 40, 50).seq, 40);
    }

    #[test]
    fn a_store_that_counts_anew_is_read_from_its_beginning_and_that_is_told_once() {
        let lost = Place::resume(Some(45), 40, 3);
        assert_eq!((lost.seq, lost.gap.unwrap().after), (0, 45));
        assert_eq!(Place::resume(None, 40, 3).seq, 0);
        // It has gone on in the new store since.
        assert_eq!(Place::resume(Some(2), 40, 3), Place { seq: 2, gap: None });
    }

    #[test]
    fn what_is_missing_is_told_with_the_next_post_even_if_others_are_passed_over_before() {
        let mut place = Place { seq: 2, gap: None };
        place.comes_to(3);
        assert_eq!(place.gap, None);
        place.passes(3);
        place.comes_to(7);
        place.passes(7);
        place.comes_to(9);
        assert_eq!(place.gap, Some(StreamGap { after: 3, resumes_at: 9 }));
        place.has_posted(9);
        assert_eq!(place, Place { seq: 9, gap: None });
    }

    #[test]
    fn only_success_is_delivered_and_only_gone_is_final() {
        for status in [200, 204, 299] {
            assert_eq!(verdict(Some(status)), Verdict::Taken);
        }
        assert_eq!(verdict(Some(410)), Verdict::Gone);
        for status in [None, Some(301), Some(307), Some(400), Some(404), Some(429), Some(500)] {
            assert_eq!(verdict(status), Verdict::Again, "{status:?}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_are_spread_over_their_upper_half() {
        let range = (Duration::from_secs(1), Duration::from_secs(300));
        let longest: Vec<_> = (1..=11).map(|n| wait(n, range, 1.0, None).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(u32::MAX, range, 0.0, None), Duration::from_secs(150));
        assert_eq!(wait(1, range, 0.0, Some(Duration::from_secs(60))), Duration::from_secs(60));
        assert_eq!(wait(1, range, 0.0, Some(Duration::from_secs(9000))), range.1);
    }

    #[test]
    fn an_announcement_is_replayed_when_it_is_tried_again_late_or_of_another_life() {
        let now = event(1).ts;
        assert!(!is_replayed(&event(1), 1, "4ca027", now));
        assert!(is_replayed(&event(1), 2, "4ca027", now));
        assert!(is_replayed(&event(1), 1, "other0", now));
        assert!(is_replayed(&event(1), 1, "4ca027", now + SignedDuration::from_secs(11)));
    }
}
