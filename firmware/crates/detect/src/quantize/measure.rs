//! How far one set of values is from another (pure).

/// Running sums over pairs of values, the exact one and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Difference {
    count: f64,
    exact: f64,
    exact_squared: f64,
    found_squared: f64,
    product: f64,
    error_squared: f64,
}

impl Difference {
    pub(super) fn add(&mut self, exact: &[f32], found: &[f32]) {
        for (&exact, &found) in exact.iter().zip(found) {
            let (exact, found) = (f64::from(exact), f64::from(found));
            self.count += 1.0;
            self.exact += exact;
            self.exact_squared += exact * exact;
            self.found_squared += found * found;
            self.product += exact * found;
            self.error_squared += (exact - found) * (exact - found);
        }
    }

    /// Signal to quantization noise in dB: the exact values' power over the error's. Infinite without
    /// error.
    pub(super) fn sqnr_db(&self) -> f64 {
        10.0 * (self.exact_squared / self.error_squared).log10()
    }

    /// Cosine of the angle between both, 1 when they point the same way.
    pub(super) fn cosine(&self) -> f64 {
        let lengths = (self.exact_squared * self.found_squared).sqrt();
        if lengths > 0.0 { self.product / lengths } else { 1.0 }
    }

    /// The error's power over that of the exact values' deviation from their mean: unlike
    /// [`Self::sqnr_db`] it is not flattered by values that are all large.
    pub(super) fn noise(&self) -> f64 {
        let variance = self.exact_squared - self.exact * self.exact / self.count.max(1.0);
        if self.error_squared == 0.0 {
            0.0
        } else {
            self.error_squared / variance.max(f64::MIN_POSITIVE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(exact: &[f32], found: &[f32]) -> Difference {
        let mut difference = Difference::default();
        difference.add(exact, found);
        difference
    }

    #[test]
    fn the_same_values_have_no_noise_and_point_the_same_way() {
        let same = difference(&[1.0, -2.0], &[1.0, -2.0]);
        assert_eq!((same.sqnr_db(), same.noise()), (f64::INFINITY, 0.0));
        assert!((same.cosine() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_error_of_a_tenth_is_20_db_down() {
        let tenth = difference(&[10.0, -10.0], &[11.0, -11.0]);
        assert!((tenth.sqnr_db() - 20.0).abs() < 1e-9);
        assert!((tenth.noise() - 0.01).abs() < 1e-12);
        assert!((tenth.cosine() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn noise_is_held_against_deviation_and_not_against_size() {
        let offset = difference(&[99.0, 101.0], &[100.0, 100.0]);
        assert!((offset.noise() - 1.0).abs() < 1e-9);
        assert!(offset.sqnr_db() > 39.0);
        assert_eq!(difference(&[1.0, 0.0], &[0.0, 1.0]).cosine(), 0.0);
    }
}
