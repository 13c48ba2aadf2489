//! What a frame's samples become in the network's input: colour matrix, channel order, mean and norm
//! in one step. Pure.

use api::manifest::{ChannelOrder, ModelInput};
use domain::frame::{Matrix, Range};
use domain::{Colours, PixelFormat};

/// One channel of the input as a sum of three samples, cut off where bytes end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Channel {
    /// Factors of the samples.
    factors: [f32; 3],
    /// Added.
    offset: f32,
    /// Black, as the network has it.
    pub(crate) black: f32,
    /// Where bytes end: black or full intensity, whichever is less, and the other.
    least: f32,
    most: f32,
}

impl Channel {
    /// The channels of `model`'s input from samples of `format`: red, green and blue in the frame's
    /// order, or luma, U and V.
    pub(crate) fn all(model: &ModelInput, format: PixelFormat, colours: Colours) -> [Self; 3] {
        // What red, green and blue are made of, in bytes.
        let rgb = match format {
            PixelFormat::Rgb => [one(0), one(1), one(2)],
            PixelFormat::Bgr => [one(2), one(1), one(0)],
            PixelFormat::I420 | PixelFormat::Nv12 => from_luma_and_chroma(colours),
        };
        [0, 1, 2].map(|channel| {
            let colour = if model.channels == ChannelOrder::Rgb { channel } else { 2 - channel };
            Self::normalised(rgb[colour], model.mean[channel], model.norm[channel])
        })
    }

    fn normalised(([a, b, c], offset): Sum, mean: f32, norm: f32) -> Self {
        let (mean, norm) = (f64::from(mean), f64::from(norm));
        let (black, full) = ((-mean * norm) as f32, ((255.0 - mean) * norm) as f32);
        Self {
            factors: [a, b, c].map(|factor| (factor * norm) as f32),
            offset: ((offset - mean) * norm) as f32,
            black,
            least: black.min(full),
            most: black.max(full),
        }
    }

    /// The channel's value for three samples.
    #[inline(always)]
    fn of(&self, [a, b, c]: [f32; 3]) -> f32 {
        let [fa, fb, fc] = self.factors;
        let value = a * fa + b * fb + c * fc + self.offset;
        let value = if value > self.least { value } else { self.least };
        if value < self.most { value } else { self.most }
    }
}

/// Fills a row of each channel from three rows of samples.
pub(crate) fn row(channels: &[Channel; 3], [a, b, c]: [&[u8]; 3], outs: [&mut [f32]; 3]) {
    let [x, y, z] = channels;
    let [xs, ys, zs] = outs;
    let outs = xs.iter_mut().zip(ys).zip(zs);
    let samples = a.iter().zip(b).zip(c);
    ncnn::cpu::widest(|| {
        for (((x_out, y_out), z_out), ((&a, &b), &c)) in outs.zip(samples) {
            let samples = [a, b, c].map(|sample| i32::from(sample) as f32);
            *x_out = x.of(samples);
            *y_out = y.of(samples);
            *z_out = z.of(samples);
        }
    });
}

/// Factors of three samples, and what is added.
type Sum = ([f64; 3], f64);

fn one(sample: usize) -> Sum {
    ([0, 1, 2].map(|n| if n == sample { 1.0 } else { 0.0 }), 0.0)
}

/// Red, green and blue from luma, U and V (ITU-R BT.601 and BT.709, section 3, solved for them).
fn from_luma_and_chroma(colours: Colours) -> [Sum; 3] {
    let (red, blue) = match colours.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let green = 1.0 - red - blue;
    let (black, luma, chroma) = match colours.range {
        Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        Range::Full => (0.0, 1.0, 1.0),
    };
    let (from_v, from_u) = (2.0 * (1.0 - red) * chroma, 2.0 * (1.0 - blue) * chroma);
    let sum = |u: f64, v: f64| ([luma, u, v], -black * luma - 128.0 * (u + v));
    [sum(0.0, from_v), sum(-from_u * blue / green, -from_v * red / green), sum(from_u, 0.0)]
}
