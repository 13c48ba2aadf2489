//! Where to cut a blob's values off, so that 8 bits serve the rest best (pure).
//!
//! A blob's values become `round(value · 127 / threshold)`, cut off at ±127. A small threshold gives
//! the common values fine steps and flattens the rare large ones; the methods differ in what they
//! hold against what.

use super::QuantizeError;
use super::histogram::{BINS, Histogram};

/// Levels of a magnitude in 8 bits with a sign, zero included.
const LEVELS: usize = 128;

/// How the threshold of activations is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// The distribution of magnitudes loses the least information, as Kullback–Leibler divergence:
    /// S. Migacz, "8-bit Inference with TensorRT", GTC 2017.
    Kl,
    /// This share of the values that are not zero, in percent, lies below the threshold: above 50, up
    /// to 100.
    Percentile(f64),
    /// The largest value seen: nothing is cut off.
    MinMax,
    /// The least mean squared error, rounding and cutting off together.
    Mse,
}

impl Method {
    /// The threshold for `histogram`: positive, at most its largest value.
    pub fn threshold(self, histogram: &Histogram) -> f32 {
        match self {
            Self::Kl => kl(histogram),
            Self::Percentile(percent) => percentile(histogram, percent),
            Self::MinMax => histogram.largest(),
            Self::Mse => mse(histogram),
        }
    }

    /// Whether its number is inside its range.
    ///
    /// # Errors
    /// [`QuantizeError::Option`].
    pub fn check(self) -> Result<(), QuantizeError> {
        match self {
            Self::Percentile(value) if !(value > 50.0 && value <= 100.0) => {
                Err(QuantizeError::Option { what: "percentile", value, range: "50..=100" })
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kl => f.write_str("kl"),
            Self::Percentile(percent) => write!(f, "percentile {percent}"),
            Self::MinMax => f.write_str("min-max"),
            Self::Mse => f.write_str("mse"),
        }
    }
}

fn kl(histogram: &Histogram) -> f32 {
    let counts: Vec<f64> = histogram.counts().iter().map(|&n| n as f64).collect();
    let best = (LEVELS..=BINS).map(|kept| (kept, divergence(&counts, kept)));
    let best = best.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(BINS, |(kept, _)| kept);
    histogram.edge(best)
}

/// Kullback–Leibler divergence between the first `kept` of `counts`, which the rest is added to the
/// last of, and what 128 levels leave of them. Infinite where a bin has something and its level
/// nothing.
///
/// # Panics
/// When `kept` is not within 1..=`counts.len()`.
pub fn divergence(counts: &[f64], kept: usize) -> f64 {
    let (inside, outside) = counts.split_at(kept);
    let cut_off: f64 = outside.iter().sum();
    let total = inside.iter().sum::<f64>() + cut_off;
    let inside_total: f64 = inside.iter().sum();
    if inside_total == 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    for level in 0..LEVELS.min(kept) {
        let range = level * kept / LEVELS.min(kept)..(level + 1) * kept / LEVELS.min(kept);
        let bins = &inside[range.clone()];
        // A level's count is spread evenly over the bins that had something.
        let filled = bins.iter().filter(|&&n| n > 0.0).count();
        let spread = bins.iter().sum::<f64>() / filled.max(1) as f64 / inside_total;
        for (&n, bin) in bins.iter().zip(range) {
            let all = n + if bin + 1 == kept { cut_off } else { 0.0 };
            let left = if n > 0.0 { spread } else { 0.0 };
            if all > 0.0 {
                sum += all / total * (all / total / left).ln();
            }
        }
    }
    sum
}

fn percentile(histogram: &Histogram, percent: f64) -> f32 {
    let total: u64 = histogram.counts().iter().sum();
    let wanted = total as f64 * percent / 100.0;
    let mut below = 0;
    let bin = histogram.counts().iter().position(|&n| {
        below += n;
        below as f64 >= wanted
    });
    histogram.edge(bin.unwrap_or(BINS - 1) + 1)
}

fn mse(histogram: &Histogram) -> f32 {
    let error = |kept: usize| {
        let threshold = histogram.edge(kept);
        let step = threshold / (LEVELS - 1) as f32;
        let each = histogram.counts().iter().enumerate().filter(|(_, n)| **n > 0);
        each.map(|(bin, &n)| {
            let middle = (histogram.edge(bin) + histogram.edge(bin + 1)) / 2.0;
            let lost = if middle > threshold {
                (middle - threshold).powi(2)
            } else {
                // Evenly spread inside a step, whatever the bin's middle would round to.
                step * step / 12.0
            };
            f64::from(lost) * n as f64
        })
        .sum::<f64>()
    };
    let best = (LEVELS..=BINS).step_by(8).map(|kept| (kept, error(kept)));
    let best = best.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(BINS, |(kept, _)| kept);
    histogram.edge(best)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::new(super::super::histogram::largest(values));
        histogram.add(values);
        histogram
    }

    /// 100,000 values spread evenly over 0..1, and one outlier.
    fn with_outlier(outlier: f32) -> Histogram {
        let mut values: Vec<f32> = (1..=100_000).map(|n| n as f32 / 100_000.0).collect();
        values.push(outlier);
        histogram(&values)
    }

    #[test]
    fn divergence_is_that_of_a_worked_example() {
        // 2 bins of (3, 1 | 4) are kept: P = (3, 1 + 4)/8, a level for each bin: Q = (3, 1)/4.
        let p: [f64; 2] = [3.0 / 8.0, 5.0 / 8.0];
        let q: [f64; 2] = [3.0 / 4.0, 1.0 / 4.0];
        let expected = p[0] * (p[0] / q[0]).ln() + p[1] * (p[1] / q[1]).ln();
        assert!((divergence(&[3.0, 1.0, 4.0], 2) - expected).abs() < 1e-12);
        assert!((expected - 0.312_75).abs() < 1e-4);
    }

    #[test]
    fn what_a_level_merges_is_spread_over_its_bins_that_had_something() {
        // 256 bins in 128 levels of two. The first level merges (4, 2) to 3 and 3; the second (6, 0)
        // stays (6, 0); the others are empty. Total 12.
        let mut counts = vec![0.0; 256];
        (counts[0], counts[1], counts[2]) = (4.0, 2.0, 6.0);
        let expected = (4.0 * (4.0f64 / 3.0).ln() + 2.0 * (2.0f64 / 3.0).ln()) / 12.0;
        assert!((divergence(&counts, 256) - expected).abs() < 1e-12);
    }

    #[test]
    fn a_cut_that_leaves_a_bin_without_a_level_is_infinitely_bad() {
        let mut counts = vec![1.0; 256];
        counts[199] = 0.0;
        assert_eq!(divergence(&counts, 200), f64::INFINITY);
        assert_eq!(divergence(&[0.0, 0.0, 1.0], 2), f64::INFINITY);
    }

    #[test]
    fn kl_cuts_a_lonely_outlier_off_mse_goes_half_way_and_min_max_stays() {
        let values = with_outlier(8.0);
        let kl = Method::Kl.threshold(&values);
        assert!((0.95..1.2).contains(&kl), "{kl}");
        let mse = Method::Mse.threshold(&values);
        assert!((1.2..6.0).contains(&mse), "{mse}");
        assert_eq!(Method::MinMax.threshold(&values), 8.0);
    }

    #[test]
    fn nothing_is_cut_off_what_is_spread_evenly() {
        let values = with_outlier(1.0);
        for method in [Method::Kl, Method::MinMax, Method::Percentile(100.0), Method::Mse] {
            assert!(method.threshold(&values) > 0.98, "{method}: {}", method.threshold(&values));
        }
    }

    #[test]
    fn a_percentile_leaves_that_share_below() {
        let values = with_outlier(1.0);
        assert!((Method::Percentile(90.0).threshold(&values) - 0.9).abs() < 1e-3);
        assert!(Method::Percentile(50.0).check().is_err());
        assert!(Method::Percentile(f64::NAN).check().is_err());
        assert!(Method::Percentile(99.99).check().is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_threshold_is_positive_and_at_most_the_largest_value(
            values in prop::collection::vec(-1e3f32..1e3, 1..50),
        ) {
            prop_assume!(values.iter().any(|&value| value.abs() > 1e-3));
            let values = histogram(&values);
            for method in [Method::Kl, Method::MinMax, Method::Percentile(99.9), Method::Mse] {
                let threshold = method.threshold(&values);
                prop_assert!(threshold > 0.0 && threshold <= values.largest(), "{method}: {threshold}");
            }
        }
    }
}
