//! How long to wait before the next try to connect.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Least wait: the jitter reaches down to 0, and that would be no wait.
const LEAST: Duration = Duration::from_millis(5);

/// Doubling waits with full jitter: a uniformly random share of the doubled wait, so that many
/// boxes do not come back to a broker in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    builder: ExponentialBuilder,
    waits: ExponentialBackoff,
    max: Duration,
}

impl Backoff {
    /// Waits of up to `min`, then up to twice as long each time, but never longer than `max`.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        let builder =
            ExponentialBuilder::new().with_min_delay(min).with_max_delay(max).without_max_times();
        Self { builder, waits: builder.build(), max }
    }

    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        self.waits.next().unwrap_or(self.max).mul_f64(fastrand::f64()).max(LEAST)
    }

    /// The connection was good: begins with short waits again.
    pub(crate) fn reset(&mut self) {
        self.waits = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_begin_again_after_a_reset() {
        let (min, max) = (Duration::from_millis(250), Duration::from_secs(30));
        let mut backoff = Backoff::new(min, max);
        let mut limit = min;
        for _ in 0..50 {
            let wait = backoff.wait();
            assert!((LEAST..=limit).contains(&wait), "{wait:?} of {limit:?}");
            limit = (limit * 2).min(max);
        }
        backoff.reset();
        assert!(backoff.wait() <= min);
    }

    #[test]
    fn waits_are_spread_over_their_range() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second);
        let waits: Vec<_> = (0..200).map(|_| backoff.wait()).collect();
        let short = waits.iter().filter(|wait| **wait < second / 2).count();
        assert!((50..150).contains(&short), "{short} of 200 waits are below the middle");
    }
}
