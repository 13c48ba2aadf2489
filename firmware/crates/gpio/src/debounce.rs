//! When an input has changed (pure): once it has held still for a while at another level than before.

use std::time::{Duration, Instant};

/// One input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debounce {
    hold: Duration,
    active: bool,
    /// The first and the newest edge since it was last still.
    moving: Option<(Instant, Instant)>,
}

impl Debounce {
    /// An input that is still, and has to be for `hold`.
    pub(crate) fn new(hold: Duration, active: bool) -> Self {
        Self { hold, active, moving: None }
    }

    /// Whether it is active, by the last time it was still.
    pub(crate) fn active(&self) -> bool {
        self.active
    }

    /// Its level changed.
    pub(crate) fn edge(&mut self, now: Instant) {
        let first = self.moving.map_or(now, |(first, _)| first);
        self.moving = Some((first, now));
    }

    /// When there is something to [`settle`](Self::settle), if no edge comes before.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.moving.map(|(_, newest)| newest + self.hold)
    }

    /// Takes over what it is, if it has been still for long enough; answers when that began, if it is a
    /// change.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        is_active: impl FnOnce() -> bool,
    ) -> Option<Instant> {
        let (first, _) = self.moving.filter(|_| self.due().is_some_and(|due| due <= now))?;
        self.moving = None;
        let before = std::mem::replace(&mut self.active, is_active());
        (before != self.active).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_millis(50);

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_contact_that_bounces_changes_once_and_at_its_first_edge() {
        let start = Instant::now();
        let mut input = Debounce::new(HOLD, false);
        for ms in [0, 3, 7, 40] {
            input.edge(after(start, ms));
            assert_eq!(input.settle(after(start, ms), || true), None);
        }
        assert_eq!(input.due(), Some(after(start, 90)));
        assert_eq!(input.settle(after(start, 89), || true), None, "not still for long enough");
        assert_eq!(input.settle(after(start, 90), || true), Some(start));
        assert!(input.active());
        assert_eq!(input.due(), None);
    }

    #[test]
    fn a_glitch_that_goes_back_is_no_change() {
        let start = Instant::now();
        let mut input = Debounce::new(HOLD, true);
        input.edge(start);
        input.edge(after(start, 5));
        assert_eq!(input.settle(after(start, 55), || true), None);
        assert!(input.active());
        assert_eq!(input.due(), None);
    }
}
