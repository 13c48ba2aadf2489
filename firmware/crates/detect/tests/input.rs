//! The network's input is to the bit what a plain reading of its definition gives, one value at a
//! time, whatever the frame's format and size and the part of it; and what ncnn's own functions make
//! of the same pixels.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::time::Duration;

use api::manifest::{ChannelOrder, Fit, ModelInput};
use domain::frame::{Matrix, Range};
use domain::{BBox, Colours, Frame, PixelFormat, Size};
use edgecam_detect::manifest;
use edgecam_detect::preprocess::{Placement, Preprocessor};
use ncnn::{Mat, PixelOrder};
use proptest::prelude::*;

fn model(fit: Fit, channels: ChannelOrder) -> ModelInput {
    let input = manifest::built_in()[0].input.clone();
    ModelInput { width: 96, height: 64, fit, channels, ..input }
}

/// A frame of noise.
fn frame(format: PixelFormat, size: Size, colours: Colours, seed: u32) -> Frame {
    let mut state = seed | 1;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 16) as u8
    });
    let data = noise.take(format.bytes(size)).collect();
    let (seq, zero, source_size) = (0, Duration::ZERO, size);
    Frame { seq, pts: zero, captured: zero, tapped: zero, size, source_size, format, colours, data }
}

/// The samples before and after a place, and the weights of both, in 2048ths.
fn place(start: f64, length: f64, place: usize, places: u32, samples: usize) -> [(usize, i32); 2] {
    let at = (start + (place as f64 + 0.5) * (length / f64::from(places)) - 0.5) as f32;
    let (first, share) = match at.floor() {
        before if before < 0.0 => (0, 0.0),
        before if before as usize >= samples - 1 => (samples.max(2) - 2, 1.0),
        before => (before as usize, at - before),
    };
    let weight = |share: f32| (share * 2048.0 + 0.5) as i32;
    [(first, weight(1.0 - share)), ((first + 1).min(samples - 1), weight(share))]
}

/// Sample `kind` at column `x`, row `y` of the plane that it lies in.
fn sample(frame: &Frame, kind: usize, x: usize, y: usize) -> i32 {
    let (w, h) = (frame.size.width as usize, frame.size.height as usize);
    let (half, half_rows) = (w.div_ceil(2), h.div_ceil(2));
    let at = match (frame.format, kind) {
        (PixelFormat::Rgb | PixelFormat::Bgr, kind) => 3 * (y * w + x) + kind,
        (_, 0) => y * w + x,
        (PixelFormat::Nv12, kind) => w * h + 2 * (y * half + x) + kind - 1,
        (_, kind) => w * h + (kind - 1) * half * half_rows + y * half + x,
    };
    frame.data[at].into()
}

/// Sample `kind` at place `x`, `y` of the picture in the input.
fn scaled(frame: &Frame, placed: &Placement, kind: usize, (x, y): (usize, usize)) -> i32 {
    let packed = matches!(frame.format, PixelFormat::Rgb | PixelFormat::Bgr);
    let divisor = if packed || kind == 0 { 1 } else { 2 };
    let axis = |n, places, side: u32, start: f32, length: f32| {
        let pixels = |share: f32| f64::from(share) * f64::from(side) / f64::from(divisor);
        place(pixels(start), pixels(length), n, places, side.div_ceil(divisor) as usize)
    };
    let region = placed.region;
    let columns = axis(x, placed.scaled.width, frame.size.width, region.x, region.w);
    let rows = axis(y, placed.scaled.height, frame.size.height, region.y, region.h);
    let along = |row| {
        let [(before, w0), (after, w1)] = columns;
        // A plane of one column has only that one.
        let last = frame.size.width.div_ceil(divisor) as usize - 1;
        (sample(frame, kind, before.min(last), row) * w0 + sample(frame, kind, after, row) * w1)
            >> 4
    };
    let [(above, w0), (below, w1)] = rows;
    (((along(above) * w0) >> 16) + ((along(below) * w1) >> 16) + 2) >> 2
}

/// Red, green and blue as sums of the three samples, with what is added.
fn matrix(frame: &Frame) -> [([f64; 3], f64); 3] {
    let (r, g, b) = (([1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.0], 0.0), ([0.0, 0.0, 1.0], 0.0));
    let (kr, kb) = match frame.colours.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, luma, chroma) = match frame.colours.range {
        Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        Range::Full => (0.0, 1.0, 1.0),
    };
    let (rv, bu) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
    let kg = 1.0 - kr - kb;
    let sum = |u: f64, v: f64| ([luma, u, v], -black * luma - 128.0 * (u + v));
    match frame.format {
        PixelFormat::Rgb => [r, g, b],
        PixelFormat::Bgr => [b, g, r],
        _ => [sum(0.0, rv), sum(-bu * kb / kg, -rv * kr / kg), sum(bu, 0.0)],
    }
}

/// The value of `channel` at column `x`, row `y` of the input.
fn value(
    frame: &Frame,
    model: &ModelInput,
    placed: &Placement,
    channel: usize,
    x: u32,
    y: u32,
) -> f32 {
    let (mean, norm) = (f64::from(model.mean[channel]), f64::from(model.norm[channel]));
    let bounds = [((0.0 - mean) * norm) as f32, ((255.0 - mean) * norm) as f32];
    let (Some(x), Some(y)) = (x.checked_sub(placed.left), y.checked_sub(placed.top)) else {
        return bounds[0];
    };
    if x >= placed.scaled.width || y >= placed.scaled.height {
        return bounds[0];
    }
    let colour = if model.channels == ChannelOrder::Rgb { channel } else { 2 - channel };
    let (factors, added) = matrix(frame)[colour];
    let at = (x as usize, y as usize);
    let part = |kind: usize| scaled(frame, placed, kind, at) as f32 * (factors[kind] * norm) as f32;
    (part(0) + part(1) + part(2) + ((added - mean) * norm) as f32).clamp(bounds[0], bounds[1])
}

fn any_format() -> impl Strategy<Value = PixelFormat> {
    let all = [PixelFormat::Rgb, PixelFormat::Bgr, PixelFormat::I420, PixelFormat::Nv12];
    prop::sample::select(all.to_vec())
}

fn any_colours() -> impl Strategy<Value = Colours> {
    let matrices = prop::sample::select(vec![Matrix::Bt601, Matrix::Bt709]);
    let ranges = prop::sample::select(vec![Range::Limited, Range::Full]);
    (matrices, ranges).prop_map(|(matrix, range)| Colours { matrix, range })
}

/// The whole picture, or a part that may reach out of it.
fn any_region() -> impl Strategy<Value = BBox> {
    let part = (-0.2f32..0.8, -0.2f32..0.8, 0.21f32..1.0, 0.21f32..1.0);
    prop_oneof![Just(BBox::WHOLE), part.prop_map(|(x, y, w, h)| BBox::new(x, y, w, h))]
}

fn any_model() -> impl Strategy<Value = ModelInput> {
    let fits = prop::sample::select(vec![Fit::Stretch, Fit::Letterbox]);
    let orders = prop::sample::select(vec![ChannelOrder::Rgb, ChannelOrder::Bgr]);
    (fits, orders).prop_map(|(fit, order)| model(fit, order))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_is_what_its_definition_says_to_the_bit(
        model in any_model(), format in any_format(), colours in any_colours(), region in any_region(),
        width in 1u32..200, height in 1u32..150, seed: u32,
    ) {
        let frame = frame(format, Size::new(width, height), colours, seed);
        let mut preprocessor = Preprocessor::new(model.clone());
        // What an earlier frame left behind must not show.
        let white = Frame { data: vec![255; frame.data.len()], ..frame.clone() };
        preprocessor.run(&white, BBox::WHOLE).unwrap();
        let (input, placed) = preprocessor.run(&frame, region).unwrap();
        for channel in 0..3 {
            let values = input.channel(channel);
            for y in 0..placed.input.height {
                for x in 0..placed.input.width {
                    let found = values[(y * placed.input.width + x) as usize];
                    let expected = value(&frame, &model, &placed, channel, x, y);
                    prop_assert_eq!(found.to_bits(), expected.to_bits(),
                        "channel {} at {}, {}: {} instead of {}", channel, x, y, found, expected);
                }
            }
        }
    }

    #[test]
    fn pixels_become_what_ncnn_makes_of_them(
        model in any_model(), bgr: bool, width in 2u32..200, height in 2u32..150, seed: u32,
    ) {
        let format = if bgr { PixelFormat::Bgr } else { PixelFormat::Rgb };
        let frame = frame(format, Size::new(width, height), Colours::default(), seed);
        let mut preprocessor = Preprocessor::new(model.clone());
        let (input, placed) = preprocessor.run(&frame, BBox::WHOLE).unwrap();
        let expected = by_ncnn(&frame, &model, &placed);
        for channel in 0..3 {
            for (found, expected) in input.channel(channel).iter().zip(expected.channel(channel)) {
                // ncnn normalises in steps of another order, some of them fused.
                prop_assert!((found - expected).abs() < 2e-6, "{} instead of {}", found, expected);
            }
        }
    }
}

fn by_ncnn(frame: &Frame, model: &ModelInput, placed: &Placement) -> Mat {
    let pair = |size: Size| (size.width as usize, size.height as usize);
    let from = if frame.format == PixelFormat::Bgr { PixelOrder::Bgr } else { PixelOrder::Rgb };
    let to = if model.channels == ChannelOrder::Bgr { PixelOrder::Bgr } else { PixelOrder::Rgb };
    let mat =
        Mat::from_pixels(&frame.data, pair(frame.size), from, pair(placed.scaled), to).unwrap();
    let (left, top) = (placed.left as usize, placed.top as usize);
    let right = placed.input.width as usize - left - placed.scaled.width as usize;
    let bottom = placed.input.height as usize - top - placed.scaled.height as usize;
    let mut mat = mat.with_border((top, bottom, left, right), 0.0).unwrap();
    mat.substract_mean_normalize(&model.mean, &model.norm).unwrap();
    mat
}

#[test]
fn every_matrix_and_range_gives_the_colours_that_it_stands_for() {
    let (limited, full) = (Range::Limited, Range::Full);
    // Luma, U and V of pure red, by ITU-R BT.601 and BT.709.
    for (matrix, range, red) in [
        (Matrix::Bt601, limited, [81, 90, 240]),
        (Matrix::Bt601, full, [76, 85, 255]),
        (Matrix::Bt709, limited, [63, 102, 240]),
        (Matrix::Bt709, full, [54, 99, 255]),
    ] {
        let mut model = model(Fit::Stretch, ChannelOrder::Rgb);
        (model.mean, model.norm) = ([0.0; 3], [1.0; 3]);
        let [y, u, v] = red;
        let data = [vec![y; 9], vec![u; 4], vec![v; 4]].concat();
        let size = Size::new(3, 3);
        let frame = Frame { data, ..frame(PixelFormat::I420, size, Colours { matrix, range }, 1) };
        let mut preprocessor = Preprocessor::new(model);
        let (input, _) = preprocessor.run(&frame, BBox::WHOLE).unwrap();
        let rgb = [0, 1, 2].map(|channel| input.channel(channel)[0]);
        assert!(rgb[0] > 252.0 && rgb[1] < 2.5 && rgb[2] < 2.5, "{matrix:?} {range:?}: {rgb:?}");
    }
}
