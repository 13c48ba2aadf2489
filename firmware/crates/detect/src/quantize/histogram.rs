//! How large the values of a blob are: a histogram of magnitudes.

/// Bins of a histogram. 2,048 as in Migacz's method: 16 for each of the 128 levels.
pub const BINS: usize = 2048;

/// Magnitudes of a blob's values over all pictures. Zeros are not counted: they are exact at any
/// scale, and where a ReLU makes most of them they would hide the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    largest: f32,
    counts: Vec<u64>,
}

impl Histogram {
    /// An empty histogram from 0 to `largest`, which must be positive and finite.
    pub fn new(largest: f32) -> Self {
        Self { largest, counts: vec![0; BINS] }
    }

    /// Counts `values`; those above the largest fall into the last bin.
    pub fn add(&mut self, values: &[f32]) {
        let bins_per_unit = BINS as f32 / self.largest;
        for value in values.iter().filter(|&&value| value != 0.0) {
            let bin = (value.abs() * bins_per_unit) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// Magnitude where the last bin ends.
    pub fn largest(&self) -> f32 {
        self.largest
    }

    /// Values counted in each bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Magnitude where bin `bin` begins.
    pub fn edge(&self, bin: usize) -> f32 {
        self.largest * bin as f32 / BINS as f32
    }
}

/// The largest magnitude of `values`; NaN when one of them is.
pub fn largest(values: &[f32]) -> f32 {
    values.iter().fold(
        0.0,
        |most: f32, value| {
            if value.is_nan() || value.abs() > most { value.abs() } else { most }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bins_of_their_magnitudes_and_zeros_into_none() {
        let mut histogram = Histogram::new(2048.0);
        histogram.add(&[0.0, 0.5, -0.25, 1.0, -2047.5, 2048.0, 9999.0]);
        assert_eq!(histogram.counts()[..3], [2, 1, 0]);
        assert_eq!(histogram.counts()[BINS - 1], 3);
        assert_eq!(histogram.counts().iter().sum::<u64>(), 6);
        assert_eq!((histogram.edge(0), histogram.edge(3)), (0.0, 3.0));
    }

    #[test]
    fn the_largest_magnitude_is_found_and_a_nan_is_not_hidden() {
        assert_eq!(largest(&[1.0, -3.0, 2.0]), 3.0);
        assert_eq!(largest(&[]), 0.0);
        assert!(largest(&[f32::NAN]).is_nan());
        assert_eq!(largest(&[1.0, f32::INFINITY]), f32::INFINITY);
    }
}
