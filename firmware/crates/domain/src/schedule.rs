//! Weekly time windows in local time: when a zone or line is in force.
//!
//! Local time comes in as data: the minute of the week that the clock on the wall shows, or for the
//! past a [`LocalClock`]. A window is asked for by what that clock shows and nothing is counted, so
//! a change to or from daylight saving time shifts no window: one that begins in the hour that is
//! left out begins with the hour after, one in the hour that comes twice is in force twice.

use std::time::Duration;

const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;
const MINUTE_MS: i128 = 60_000;

/// A minute of the week of the local clock: 0 is Monday 00:00, 10079 is Sunday 23:59.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeekMinute(u16);

impl WeekMinute {
    /// The minute `minute` of the day (0..1440) on `day` (0 is Monday, 6 Sunday); what is beyond a
    /// day or a week counts on into the next.
    pub const fn new(day: u16, minute: u16) -> Self {
        Self((day % 7 * DAY + minute % WEEK) % WEEK)
    }

    /// Minutes since Monday 00:00, 0..10080.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The minute `minutes` later, in the week after where the week is over.
    pub const fn plus(self, minutes: u16) -> Self {
        Self((self.0 + minutes % WEEK) % WEEK)
    }
}

/// Weekly time windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// From (included) to (excluded), in order, neither touching nor wrapping.
    windows: Vec<(u16, u16)>,
}

impl Schedule {
    /// A schedule of windows, each from a minute on for so many minutes; they may overlap and go
    /// over the end of the week. Without any it is never in force.
    pub fn new(windows: impl IntoIterator<Item = (WeekMinute, u16)>) -> Self {
        let mut parts = Vec::new();
        for (WeekMinute(from), minutes) in windows {
            let to = from + minutes.min(WEEK);
            parts.push((from, to.min(WEEK)));
            if to > WEEK {
                parts.push((0, to - WEEK));
            }
        }
        parts.retain(|(from, to)| from < to);
        parts.sort_unstable();
        let mut windows: Vec<(u16, u16)> = Vec::new();
        for (from, to) in parts {
            match windows.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => windows.push((from, to)),
            }
        }
        Self { windows }
    }

    /// Whether it is in force at `minute`.
    pub fn is_active(&self, minute: WeekMinute) -> bool {
        self.windows.iter().any(|&(from, to)| (from..to).contains(&minute.0))
    }
}

/// The local clock over some span of the past, as data: which minute of the week it showed when.
/// Times are those of the history that it belongs to, since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalClock {
    /// Seconds ahead of UTC before any of `changes`.
    first_offset_s: i32,
    /// From when on it was how many seconds ahead of UTC, in order.
    changes: Vec<(Duration, i32)>,
}

impl LocalClock {
    /// A clock that is `first_offset_s` seconds ahead of UTC, and from each time in `changes` on so
    /// many as stand there.
    pub fn new(first_offset_s: i32, mut changes: Vec<(Duration, i32)>) -> Self {
        changes.sort_by_key(|&(at, _)| at);
        Self { first_offset_s, changes }
    }

    /// A clock that shows UTC.
    pub fn utc() -> Self {
        Self::new(0, Vec::new())
    }

    /// The minute that it showed `at`.
    pub fn at(&self, at: Duration) -> WeekMinute {
        let passed = self.changes.partition_point(|&(from, _)| from <= at);
        let offset = passed.checked_sub(1).map_or(self.first_offset_s, |i| self.changes[i].1);
        // The Unix epoch was a Thursday.
        let epoch = i128::from(3 * DAY) * MINUTE_MS;
        let local = at.as_millis() as i128 + i128::from(offset) * 1000 + epoch;
        let minute = (local.div_euclid(MINUTE_MS)).rem_euclid(i128::from(WEEK));
        WeekMinute(u16::try_from(minute).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_first_minute_and_not_its_last() {
        let office = Schedule::new([(WeekMinute::new(0, 7 * 60), 12 * 60)]);
        assert!(!office.is_active(WeekMinute::new(0, 7 * 60 - 1)));
        assert!(office.is_active(WeekMinute::new(0, 7 * 60)));
        assert!(office.is_active(WeekMinute::new(0, 19 * 60 - 1)));
        assert!(!office.is_active(WeekMinute::new(0, 19 * 60)));
        assert!(!office.is_active(WeekMinute::new(1, 8 * 60)));
    }

    #[test]
    fn a_window_goes_on_over_midnight_and_over_the_end_of_the_week() {
        let nights = Schedule::new([(WeekMinute::new(6, 22 * 60), 4 * 60)]);
        assert!(nights.is_active(WeekMinute::new(6, DAY - 1)));
        assert!(nights.is_active(WeekMinute::new(0, 0)));
        assert!(!nights.is_active(WeekMinute::new(0, 2 * 60)));
        assert!(!nights.is_active(WeekMinute::new(6, 0)));
    }

    #[test]
    fn schedules_of_the_same_minutes_are_the_same() {
        let two = Schedule::new([
            (WeekMinute::new(2, 60), 60),
            (WeekMinute::new(2, 30), 45),
            (WeekMinute::new(4, 0), 0),
        ]);
        assert_eq!(two, Schedule::new([(WeekMinute::new(2, 30), 90)]));
        let whole = Schedule::new([(WeekMinute::new(3, 0), u16::MAX)]);
        assert!((0..WEEK).all(|minute| whole.is_active(WeekMinute(minute))));
        assert!((0..WEEK).all(|minute| !Schedule::default().is_active(WeekMinute(minute))));
    }

    #[test]
    fn the_local_clock_is_the_one_on_the_wall() {
        // Thursday 2026-10-22 12:30 UTC.
        let at = Duration::from_secs(1_792_672_200);
        assert_eq!(LocalClock::utc().at(at), WeekMinute::new(3, 12 * 60 + 30));
        let west = LocalClock::new(-13 * 3600, Vec::new());
        assert_eq!(west.at(at), WeekMinute::new(2, 23 * 60 + 30));
    }

    #[test]
    fn the_hour_that_comes_twice_is_shown_twice() {
        // Berlin, 2026-10-25 01:00 UTC: from +2 h to +1 h.
        let change = Duration::from_secs(1_792_890_000);
        let berlin = LocalClock::new(7200, vec![(change, 3600)]);
        let minute = Duration::from_secs(60);
        assert_eq!(berlin.at(change - minute), WeekMinute::new(6, 2 * 60 + 59));
        assert_eq!(berlin.at(change), WeekMinute::new(6, 2 * 60));
        assert_eq!(berlin.at(change + 60 * minute), WeekMinute::new(6, 3 * 60));
    }
}
