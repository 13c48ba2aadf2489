//! Which layers stay in floating point (pure).
//!
//! Each layer quantized alone adds some noise to the network's outputs. These noises are small and have
//! little to do with each other, so they add up: the layers with the most stay in floating point until
//! the sum of the others is within the budget.

/// What a layer's error does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// The layer.
    pub(super) layer: usize,
    /// Noise of the outputs when it alone is quantized.
    pub(super) at_outputs: f64,
}

/// The layers to quantize of `all`, quietest first, as far as `budget` goes; the rest, loudest last.
pub(super) fn within(mut all: Vec<Noise>, budget: f64) -> (Vec<Noise>, Vec<Noise>) {
    all.sort_by(|a, b| a.at_outputs.total_cmp(&b.at_outputs));
    let mut sum = 0.0;
    let fits = all.iter().take_while(|noise| {
        sum += noise.at_outputs;
        sum <= budget
    });
    let count = fits.count();
    let rest = all.split_off(count);
    (all, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noises(values: &[f64]) -> Vec<Noise> {
        let each = values.iter().enumerate();
        each.map(|(layer, &at_outputs)| Noise { layer, at_outputs }).collect()
    }

    fn layers(noises: &[Noise]) -> Vec<usize> {
        noises.iter().map(|noise| noise.layer).collect()
    }

    #[test]
    fn the_quietest_layers_are_quantized_until_the_budget_is_used_up() {
        let (quantized, kept) = within(noises(&[0.5, 0.1, 0.01, 0.2]), 0.32);
        assert_eq!((layers(&quantized), layers(&kept)), (vec![2, 1, 3], vec![0]));
    }

    #[test]
    fn a_layer_without_a_sensible_noise_is_kept() {
        let (quantized, kept) = within(noises(&[f64::NAN, 0.1, f64::INFINITY]), 1.0);
        assert_eq!((layers(&quantized), layers(&kept)), (vec![1], vec![2, 0]));
        assert!(within(noises(&[0.1]), 0.0).0.is_empty());
        assert_eq!(layers(&within(noises(&[0.1, 9.0]), f64::INFINITY).0), [0, 1]);
    }
}
