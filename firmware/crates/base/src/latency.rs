//! Quantiles of the newest measurements of one duration.

use std::collections::VecDeque;
use std::time::Duration;

use crate::histogram::Counted;

/// The newest measurements of one duration; all of them, counted.
#[derive(Clone, Debug)]
pub struct Window {
    samples: VecDeque<Duration>,
    capacity: usize,
    counted: Counted,
}

/// What a [`Window`] holds, in three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of the measurements are not above.
    pub p50: Duration,
    /// 95 of 100 are not above.
    pub p95: Duration,
    /// The largest.
    pub max: Duration,
}

impl Window {
    /// A window over the newest `capacity` measurements, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let samples = VecDeque::with_capacity(capacity);
        Self { samples, capacity, counted: Counted::default() }
    }

    /// Takes a measurement; the oldest goes when the window is full.
    pub fn record(&mut self, sample: Duration) {
        if self.samples.len() == self.capacity {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.counted.add(sample);
    }

    /// All measurements ever, counted.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Quantiles (nearest rank) of what is in the window; all zero when it is empty.
    pub fn quantiles(&self) -> Quantiles {
        let mut sorted: Vec<_> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        let Some(&max) = sorted.last() else { return Quantiles::default() };
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        Quantiles { p50: rank(50), p95: rank(95), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut window = Window::new(100);
        (1..=100).for_each(|n| window.record(millis(n)));
        let expected = Quantiles { p50: millis(50), p95: millis(95), max: millis(100) };
        assert_eq!(window.quantiles(), expected);
    }

    #[test]
    fn old_measurements_are_forgotten() {
        let mut window = Window::new(2);
        [900, 1, 3].map(millis).into_iter().for_each(|sample| window.record(sample));
        assert_eq!(window.counted().counts.iter().sum::<u64>(), 3, "but were counted");
        assert_eq!(
            window.quantiles(),
            Quantiles { p50: millis(1), p95: millis(3), max: millis(3) }
        );
    }

    #[test]
    fn an_empty_window_is_all_zero() {
        assert_eq!(Window::new(4).quantiles(), Quantiles::default());
    }
}
