//! Lets so many lines a second pass and counts the others. Pure: the time comes from outside.

use std::time::Duration;

/// Whether a line passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    Shut,
}

/// Counts lines in windows of one second. Times are monotonic.
#[derive(Debug)]
pub(crate) struct Flood {
    most: u32,
    begun: Duration,
    passed: u32,
    dropped: u64,
}

impl Flood {
    const WINDOW: Duration = Duration::from_secs(1);

    /// At most `most` lines a second pass.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, begun: Duration::ZERO, passed: 0, dropped: 0 }
    }

    /// A line comes.
    pub(crate) fn line(&mut self, now: Duration) -> Passage {
        if self.dropped == 0 && self.left(now).is_zero() {
            self.begin(now);
        }
        if self.passed < self.most {
            self.passed += 1;
            return Passage::Open;
        }
        self.dropped += 1;
        Passage::Shut
    }

    /// In what time there will be dropped lines to report.
    pub(crate) fn report_due(&self, now: Duration) -> Option<Duration> {
        (self.dropped > 0).then(|| self.left(now))
    }

    /// How many lines were dropped, once the window is over.
    pub(crate) fn report(&mut self, now: Duration) -> Option<u64> {
        self.left(now).is_zero().then(|| self.report_now(now)).flatten()
    }

    /// How many lines were dropped, window or not: for the end of the stream.
    pub(crate) fn report_now(&mut self, now: Duration) -> Option<u64> {
        let dropped = self.dropped;
        (dropped > 0).then(|| {
            self.begin(now);
            dropped
        })
    }

    fn left(&self, now: Duration) -> Duration {
        (self.begun + Self::WINDOW).saturating_sub(now)
    }

    fn begin(&mut self, now: Duration) {
        (self.begun, self.passed, self.dropped) = (now, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_secs(100);

    #[test]
    fn lines_beyond_the_limit_are_dropped_and_reported_once() {
        let mut flood = Flood::new(2);
        let passed: Vec<_> = (0..5).map(|_| flood.line(T)).collect();
        assert_eq!(passed[1], Passage::Open);
        assert_eq!(passed[2..], [Passage::Shut; 3]);
        assert_eq!((flood.report(T), flood.report_due(T)), (None, Some(Flood::WINDOW)));
        let later = T + Flood::WINDOW;
        assert_eq!((flood.report(later), flood.report(later)), (Some(3), None));
        assert_eq!((flood.line(later), flood.report_due(later)), (Passage::Open, None));
    }

    #[test]
    fn the_end_of_a_stream_does_not_swallow_the_report() {
        let mut flood = Flood::new(1);
        let _ = (flood.line(T), flood.line(T));
        assert_eq!((flood.report_now(T), flood.report_now(T)), (Some(1), None));
    }

    #[test]
    fn a_slow_child_loses_nothing() {
        let mut flood = Flood::new(1);
        for n in 0..100 {
            assert_eq!(flood.line(T + n * Flood::WINDOW), Passage::Open);
        }
        assert_eq!(flood.report_now(T * 3), None);
    }
}
