//! Times counted by length, since the process started: what a histogram of Prometheus is made of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the lengths; what is longer than all counts beyond them. From what drawing on a frame
/// takes to what a broker may take.
pub const BOUNDS: [Duration; 15] = [
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// Numbers of times: one for each bound, and one beyond.
pub const COUNTS: usize = BOUNDS.len() + 1;

/// How many times were how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Times up to each of [`BOUNDS`] and above the one before; the last: above all.
    pub counts: [u64; COUNTS],
    /// All times together.
    pub sum: Duration,
}

impl Counted {
    /// Counts a time.
    pub fn add(&mut self, time: Duration) {
        self.counts[place(time)] += 1;
        self.sum = self.sum.saturating_add(time);
    }
}

fn place(time: Duration) -> usize {
    BOUNDS.partition_point(|bound| *bound < time)
}

/// The same for threads that must not wait for each other: a time costs two additions.
#[derive(Debug, Default)]
pub struct SharedCounted {
    counts: [AtomicU64; COUNTS],
    sum_ns: AtomicU64,
}

impl SharedCounted {
    /// Counts a time.
    pub fn add(&self, time: Duration) {
        self.counts[place(time)].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was counted; a time that comes meanwhile may be in one number and not yet in the other.
    pub fn read(&self) -> Counted {
        Counted {
            counts: self.counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_up_to_the_first_bound_that_it_does_not_exceed() {
        let (mut own, shared) = (Counted::default(), SharedCounted::default());
        let times =
            [Duration::ZERO, BOUNDS[0], BOUNDS[0] + Duration::from_nanos(1), BOUNDS[14] * 2];
        for time in times {
            own.add(time);
            shared.add(time);
        }
        let mut expected = [0; COUNTS];
        (expected[0], expected[1], expected[15]) = (2, 1, 1);
        assert_eq!(own.counts, expected);
        assert_eq!(own.sum, times.iter().sum());
        assert_eq!(shared.read(), own);
    }

    #[test]
    fn the_bounds_grow() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
