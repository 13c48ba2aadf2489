//! Weights → 8-bit integers with a scale a channel (pure).

/// Largest magnitude of an 8-bit weight or activation: symmetric, so -128 is not used.
pub(super) const LARGEST: f32 = 127.0;
/// Largest magnitude of a weight where ncnn may take Winograd's algorithm, whose sums of transformed
/// weights would not fit otherwise: 6 bits, as ncnn's own tools use them.
pub(super) const LARGEST_WINOGRAD: f32 = 31.0;

/// Weights in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    /// One a channel (or group): 8-bit weight = weight × scale.
    pub(super) scales: Vec<f32>,
    /// In the order of the weights.
    pub(super) values: Vec<i8>,
    /// The bias, corrected, where there is one.
    pub(super) bias: Option<Vec<f32>>,
}

/// `weights`, in `channels` runs of the same length, rounded so that the largest of each run becomes
/// `largest`. A run of zeros has scale 1.
pub(super) fn to_int8(weights: &[f32], channels: usize, largest: f32) -> Weights {
    let run = weights.len() / channels.max(1);
    let scale = |run: &[f32]| match super::histogram::largest(run) {
        most if most > 0.0 && (largest / most).is_finite() => largest / most,
        _ => 1.0,
    };
    let scales: Vec<f32> = weights.chunks(run.max(1)).map(scale).collect();
    let values = weights
        .chunks(run.max(1))
        .zip(&scales)
        .flat_map(|(run, &scale)| run.iter().map(move |weight| round(weight * scale, largest)));
    Weights { values: values.collect(), scales, bias: None }
}

/// What has to be added to each output's bias, so that rounding the weights leaves the output's mean
/// where it was: what was rounded off times the mean of what it is multiplied with, on the
/// calibration's pictures. M. Nagel et al., "Data-Free Quantization Through Weight Equalization and
/// Bias Correction", ICCV 2019, section 4.2, with measured means. The border, where a kernel hangs
/// over, is taken for the inside.
///
/// `shape` is outputs, inputs of a group and the kernel's sides; `means` are the input channels'.
/// `None` where there are not as many as it takes.
pub(super) fn bias_shift(
    exact: &[f32],
    rounded: &Weights,
    shape: [usize; 4],
    means: &[f32],
) -> Option<Vec<f32>> {
    let [outputs, inputs, rows, columns] = shape;
    let groups = means.len() / inputs.max(1);
    if groups == 0 || groups * inputs != means.len() || outputs % groups != 0 {
        return None;
    }
    let run = exact.len() / rounded.scales.len().max(1);
    let lost = |at: usize| {
        f64::from(exact[at]) - f64::from(rounded.values[at]) / f64::from(rounded.scales[at / run])
    };
    let kernel = rows * columns;
    let shift = |output: usize| {
        let first = output / (outputs / groups) * inputs;
        let of = |input: usize| {
            let start = (output * inputs + input) * kernel;
            (start..start + kernel).map(lost).sum::<f64>() * f64::from(means[first + input])
        };
        (0..inputs).map(of).sum::<f64>() as f32
    };
    Some((0..outputs).map(shift).collect())
}

/// To the nearest, halves away from zero, as ncnn rounds.
fn round(value: f32, largest: f32) -> i8 {
    value.round().clamp(-largest, largest) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_uses_the_whole_range() {
        let weights = to_int8(&[0.5, -1.0, 0.25, 0.0, 0.0, 100.0], 2, LARGEST);
        assert_eq!(weights.scales, [127.0, 1.27]);
        assert_eq!(weights.values, [64, -127, 32, 0, 0, 127]);
    }

    #[test]
    fn a_channel_of_zeros_has_a_scale_that_can_be_divided_by() {
        assert_eq!(to_int8(&[0.0; 4], 2, LARGEST).scales, [1.0, 1.0]);
        assert_eq!(to_int8(&[f32::MIN_POSITIVE / 2.0], 1, LARGEST).scales, [1.0]);
    }

    #[test]
    fn the_bias_takes_up_what_rounding_takes_from_the_mean() {
        // Two outputs of two inputs with kernels of 1x1. 10 becomes 127; 0.1 becomes 1.27, rounded to
        // 1, so 0.27/12.7 of input 1, whose mean is 2, is lost. The second output is exact.
        let exact = [10.0, 0.1, 127.0, 1.0];
        let rounded = to_int8(&exact, 2, LARGEST);
        let shift = bias_shift(&exact, &rounded, [2, 2, 1, 1], &[5.0, 2.0]).unwrap();
        assert!((shift[0] - 2.0 * 0.27 / 12.7).abs() < 1e-5, "{shift:?}");
        assert_eq!(shift[1], 0.0);
        assert_eq!(bias_shift(&exact, &rounded, [2, 2, 1, 1], &[5.0, 2.0, 1.0]), None);
    }

    #[test]
    fn each_group_has_means_of_its_own() {
        let exact = [10.0, 0.1, 10.0, 0.1];
        let rounded = to_int8(&exact, 2, LARGEST);
        let shift = bias_shift(&exact, &rounded, [2, 1, 1, 2], &[1.0, 3.0]).unwrap();
        assert!((shift[1] - 3.0 * shift[0]).abs() < 1e-6 && shift[0] > 0.02, "{shift:?}");
    }

    #[test]
    fn weights_for_winograd_have_6_bits() {
        assert_eq!(to_int8(&[1.0, -0.5], 1, LARGEST_WINOGRAD).values, [31, -16]);
    }
}
