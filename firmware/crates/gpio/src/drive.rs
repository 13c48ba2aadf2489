//! Whether an output is on (pure). Whatever drives it has an end of its own: a pulse its time, an event
//! the longest time that one may last. Only the owner's word has none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ulid::Ulid;

/// A pulse over the API, beside those of actions, which go by their names.
const API: &str = "";

/// One output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drive {
    initial: bool,
    /// The owner's word.
    set: Option<bool>,
    /// Until when, by action.
    pulses: BTreeMap<String, Instant>,
    /// Events that last, by action; `None`: one that drives no more.
    holds: BTreeMap<(String, Ulid), Option<Instant>>,
}

impl Drive {
    /// An output that nothing drives.
    pub(crate) fn new(initial: bool) -> Self {
        Self { initial, ..Self::default() }
    }

    /// Whether it is active, as of the last [`tick`](Self::tick).
    pub(crate) fn active(&self) -> bool {
        let driven = !self.pulses.is_empty() || self.holds.values().any(Option::is_some);
        if driven { !self.initial } else { self.set.unwrap_or(self.initial) }
    }

    /// The owner's word: from now on, and what drives it now drives it no more.
    pub(crate) fn set(&mut self, active: bool) {
        self.set = Some(active);
        self.pulses.clear();
        self.holds.values_mut().for_each(|until| *until = None);
    }

    /// A pulse of the owner's.
    pub(crate) fn pulse_once(&mut self, now: Instant, length: Duration) {
        self.pulse(API, now, length);
    }

    /// A pulse of `action`; one that is under way is prolonged.
    pub(crate) fn pulse(&mut self, action: &str, now: Instant, length: Duration) {
        let until = self.pulses.entry(action.to_owned()).or_insert(now);
        *until = (*until).max(now + length);
    }

    /// The event `id` lasts and fits `action`: it drives for at most `longest` from the first time on.
    pub(crate) fn hold(&mut self, action: &str, id: Ulid, now: Instant, longest: Duration) {
        self.holds.entry((action.to_owned(), id)).or_insert(Some(now + longest));
    }

    /// The event `id` drives by `action` no more: it ended, or does not fit any more.
    pub(crate) fn release(&mut self, action: &str, id: Ulid) {
        self.holds.remove(&(action.to_owned(), id));
    }

    /// Only these events last.
    pub(crate) fn keep_only(&mut self, lasting: &BTreeSet<Ulid>) {
        self.holds.retain(|(_, id), _| lasting.contains(id));
    }

    /// Only these actions there are.
    pub(crate) fn keep_actions(&mut self, known: &BTreeSet<&str>) {
        self.pulses.retain(|action, _| action == API || known.contains(action.as_str()));
        self.holds.retain(|(action, _), _| known.contains(action.as_str()));
    }

    /// Ends what has had its time.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.pulses.retain(|_, until| *until > now);
        for until in self.holds.values_mut() {
            *until = until.filter(|until| *until > now);
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pulses.values().copied().chain(self.holds.values().filter_map(|until| *until)).min()
    }

    /// Names of the actions that drive it.
    pub(crate) fn driven_by(&self) -> Vec<String> {
        let holding = self.holds.iter().filter(|(_, until)| until.is_some());
        let holding = holding.map(|((action, _), _)| action);
        let all: BTreeSet<_> =
            self.pulses.keys().filter(|action| *action != API).chain(holding).collect();
        all.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pulse_ends_by_itself_and_another_one_prolongs_it() {
        let start = Instant::now();
        let mut lamp = Drive::new(false);
        lamp.pulse("bell", start, SECOND);
        assert!(lamp.active());
        assert_eq!(lamp.driven_by(), ["bell"]);
        lamp.pulse("bell", start + SECOND / 2, SECOND);
        assert_eq!(lamp.due(), Some(start + SECOND * 3 / 2));
        lamp.tick(start + SECOND);
        assert!(lamp.active());
        lamp.tick(start + SECOND * 3 / 2);
        assert!(!lamp.active());
        assert_eq!(lamp.due(), None);
    }

    #[test]
    fn it_follows_all_events_that_last_and_none_for_longer_than_it_may() {
        let start = Instant::now();
        let mut lamp = Drive::new(true);
        let (one, other) = (Ulid::from(1), Ulid::from(2));
        lamp.hold("car", one, start, 10 * SECOND);
        lamp.hold("car", other, start + SECOND, 10 * SECOND);
        assert!(!lamp.active(), "driven is what it is not by itself");
        lamp.release("car", one);
        lamp.tick(start + SECOND);
        assert!(!lamp.active());
        lamp.tick(start + 11 * SECOND);
        assert!(lamp.active(), "it had its time");
        lamp.hold("car", other, start + 12 * SECOND, 10 * SECOND);
        assert!(lamp.active(), "the same event has no second time");
        lamp.release("car", other);
        lamp.hold("car", other, start + 13 * SECOND, 10 * SECOND);
        assert!(!lamp.active(), "a new one has");
    }

    #[test]
    fn the_owners_word_ends_what_drives_and_holds_until_something_new_does() {
        let start = Instant::now();
        let mut siren = Drive::new(false);
        let (seen, next) = (Ulid::from(1), Ulid::from(2));
        siren.hold("alarm", seen, start, 60 * SECOND);
        siren.pulse_once(start, 60 * SECOND);
        siren.set(false);
        assert!(!siren.active());
        siren.hold("alarm", seen, start + SECOND, 60 * SECOND);
        assert!(!siren.active(), "an event that was silenced stays silent");
        siren.hold("alarm", next, start + SECOND, 60 * SECOND);
        assert!(siren.active());
        siren.keep_only(&BTreeSet::new());
        assert!(!siren.active());
        siren.set(true);
        siren.pulse("alarm", start, SECOND);
        siren.tick(start + SECOND);
        assert!(siren.active(), "it goes back to what the owner said");
    }

    #[test]
    fn what_an_action_drove_ends_with_the_action() {
        let start = Instant::now();
        let mut lamp = Drive::new(false);
        lamp.hold("car", Ulid::from(1), start, SECOND);
        lamp.pulse("bell", start, SECOND);
        lamp.pulse_once(start, SECOND);
        lamp.keep_actions(&["bell"].into());
        assert_eq!(lamp.driven_by(), ["bell"]);
        lamp.keep_actions(&BTreeSet::new());
        assert!(lamp.active(), "a pulse of the owner's is of no action");
    }
}
