//! A frame → the network's input: colours in the right order, scaled, padded, normalised; and the way
//! back for boxes.

use api::manifest::{Fit, ModelInput};
use domain::{BBox, Frame, PixelFormat, Size};
use ncnn::Mat;

use crate::Error;
use crate::colour::{self, Channel};
use crate::manifest::INPUT_MULTIPLE;
use crate::resample::{Plane, Sampler, Span};

/// Channels of every input.
const CHANNELS: usize = 3;

/// Where a part of a picture lies in the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// The part, in shares of the picture.
    pub region: BBox,
    /// Size of the scaled picture.
    pub scaled: Size,
    /// Size of the whole input.
    pub input: Size,
    /// Columns of padding on the left.
    pub left: u32,
    /// Rows of padding at the top.
    pub top: u32,
}

impl Placement {
    /// Where the part `region` of a picture lies in the input that the manifest describes; the part
    /// is `size` pixels large.
    ///
    /// Letterbox: the longer side fills the input's, the other is scaled alike and rounded down, and
    /// both are padded to multiples of 32, the odd pixel at the end; as the ncnn examples of NanoDet
    /// do it.
    pub fn new(model: &ModelInput, region: BBox, size: Size) -> Self {
        let most = Size::new(model.width, model.height);
        if model.fit == Fit::Stretch {
            return Self { region, scaled: most, input: most, left: 0, top: 0 };
        }
        let along = |n: u32, scale_to: u32, scale_from: u32| {
            let scaled = u64::from(n) * u64::from(scale_to) / u64::from(scale_from.max(1));
            u32::try_from(scaled).unwrap_or(u32::MAX).max(2)
        };
        let wide = u64::from(size.width) * u64::from(most.height)
            >= u64::from(size.height) * u64::from(most.width);
        let scaled = match wide {
            true => Size::new(most.width, along(size.height, most.width, size.width)),
            false => Size::new(along(size.width, most.height, size.height), most.height),
        };
        let input = Size::new(
            scaled.width.next_multiple_of(INPUT_MULTIPLE),
            scaled.height.next_multiple_of(INPUT_MULTIPLE),
        );
        let left = (input.width - scaled.width) / 2;
        let top = (input.height - scaled.height) / 2;
        Self { region, scaled, input, left, top }
    }

    /// Corners in pixels of the input (left, top, right, bottom) → a box in shares of the whole
    /// picture, cut off at the part's edges.
    pub fn to_picture(&self, corners: [f32; 4]) -> BBox {
        let x = |x: f32| (x - self.left as f32) / self.scaled.width as f32;
        let y = |y: f32| (y - self.top as f32) / self.scaled.height as f32;
        let [left, top, right, bottom] = corners;
        let part = BBox::from_corners(x(left), y(top), x(right), y(bottom)).clamped();
        let whole = self.region;
        BBox::new(
            whole.x + part.x * whole.w,
            whole.y + part.y * whole.h,
            part.w * whole.w,
            part.h * whole.h,
        )
    }
}

/// Makes inputs of frames; keeps its working memory from frame to frame.
#[derive(Debug)]
pub struct Preprocessor {
    model: ModelInput,
    /// One input of each size that was needed: a letterbox has as many as there are regions' shapes.
    inputs: Vec<Mat>,
    /// One for each plane of a frame.
    samplers: [Sampler; 3],
    /// A row of each kind of samples.
    rows: [Vec<u8>; CHANNELS],
}

impl Preprocessor {
    /// A preprocessor for the input that the manifest describes.
    pub fn new(model: ModelInput) -> Self {
        let (samplers, rows) = Default::default();
        Self { model, inputs: Vec::new(), samplers, rows }
    }

    /// The input for the part `region` of `frame`, in shares of the picture, and where it lies there:
    /// scaled, padded with black and normalised in one pass, without a picture in between.
    ///
    /// # Errors
    /// [`Error::FrameBytes`] for a buffer that is not exactly the frame, [`Error::Region`] when
    /// nothing of the frame lies in the region, [`Error::Preprocess`] when there is no memory.
    pub fn run(&mut self, frame: &Frame, region: BBox) -> Result<(&Mat, Placement), Error> {
        let Frame { format, size, .. } = *frame;
        let (expected, found) = (format.bytes(size), frame.data.len());
        if expected != found {
            return Err(Error::FrameBytes { format, size, expected, found });
        }
        let part = Part::of(size, region).ok_or(Error::Region { size, region })?;
        let placement = Placement::new(&self.model, part.region, part.size);
        let input =
            self.input(placement.input).map_err(|source| Error::Preprocess { size, source })?;
        self.fill(input, frame, &part, &placement);
        Ok((&self.inputs[input], placement))
    }

    /// Which of the inputs has this size.
    fn input(&mut self, size: Size) -> Result<usize, ncnn::Error> {
        let (width, height) = (size.width as usize, size.height as usize);
        let fits = |mat: &Mat| (mat.width(), mat.height()) == (width, height);
        if let Some(input) = self.inputs.iter().position(fits) {
            return Ok(input);
        }
        self.inputs.push(Mat::filled(width, height, CHANNELS, 0.0)?);
        Ok(self.inputs.len() - 1)
    }

    fn fill(&mut self, input: usize, frame: &Frame, part: &Part, placement: &Placement) {
        let channels = Channel::all(&self.model, frame.format, frame.colours);
        let (width, height) = (placement.scaled.width as usize, placement.scaled.height as usize);
        let (left, top) = (placement.left as usize, placement.top as usize);
        let whole = placement.input.width as usize;
        let mut outs = self.inputs[input].channels_mut::<CHANNELS>();
        for (out, channel) in outs.iter_mut().zip(&channels) {
            pad(out, whole, (left, top), (width, height), channel.black);
        }
        self.rows.iter_mut().for_each(|row| row.resize(width, 0));
        let layers = layers(frame, part, (width, height));
        for (layer, sampler) in layers.iter().flatten().zip(&mut self.samplers) {
            sampler.lay(layer.columns, width, &layer.plane);
        }
        for y in 0..height {
            let mut rows = self.rows.as_mut_slice();
            for (layer, sampler) in layers.iter().flatten().zip(&mut self.samplers) {
                let (these, others) = rows.split_at_mut(layer.plane.kinds);
                sampler.row(&layer.plane, layer.lines, y, these);
                rows = others;
            }
            let start = (top + y) * whole + left;
            let rows = self.rows.each_ref().map(Vec::as_slice);
            colour::row(&channels, rows, outs.each_mut().map(|out| &mut out[start..start + width]));
        }
    }
}

/// The part of a frame that is looked at, in pixels.
struct Part {
    /// As shares of the frame, inside it.
    region: BBox,
    /// Rounded: what decides on the shape of the input.
    size: Size,
    columns: [f64; 2],
    lines: [f64; 2],
}

impl Part {
    /// `None` where it has nothing of the frame.
    fn of(size: Size, region: BBox) -> Option<Self> {
        let region = region.clamped();
        let pixels = |share: f32, side: u32| f64::from(share) * f64::from(side);
        let columns = [pixels(region.x, size.width), pixels(region.w, size.width)];
        let lines = [pixels(region.y, size.height), pixels(region.h, size.height)];
        let side = |[_, length]: [f64; 2]| (length.round() as u32).max(1);
        let part = Self { region, size: Size::new(side(columns), side(lines)), columns, lines };
        (columns[1] > 0.0 && lines[1] > 0.0).then_some(part)
    }

    /// The part as `places` columns.
    fn columns(&self, places: usize) -> Span {
        Span { start: self.columns[0], step: self.columns[1] / places as f64 }
    }

    /// The part as `places` rows.
    fn lines(&self, places: usize) -> Span {
        Span { start: self.lines[0], step: self.lines[1] / places as f64 }
    }
}

/// A plane of a frame, and the places of the part on it.
struct Layer<'a> {
    plane: Plane<'a>,
    columns: Span,
    lines: Span,
}

/// The planes of `frame`, whose buffer must have the right length, with `width` × `height` places over
/// the part. Chroma lies in the middle of its four pixels.
fn layers<'a>(
    frame: &'a Frame,
    part: &Part,
    (width, height): (usize, usize),
) -> [Option<Layer<'a>>; 3] {
    let (columns, rows) = (frame.size.width as usize, frame.size.height as usize);
    let (half, half_rows) = (columns.div_ceil(2), rows.div_ceil(2));
    let (along, down) = (part.columns(width), part.lines(height));
    let whole = |kinds| {
        let plane = Plane { data: &frame.data, columns, rows, kinds };
        Some(Layer { plane, columns: along, lines: down })
    };
    let chroma = |skipped: usize, kinds| {
        let data = &frame.data[columns * rows + skipped..];
        let plane = Plane { data, columns: half, rows: half_rows, kinds };
        Some(Layer { plane, columns: along.halved(), lines: down.halved() })
    };
    match frame.format {
        PixelFormat::Rgb | PixelFormat::Bgr => [whole(3), None, None],
        PixelFormat::Nv12 => [whole(1), chroma(0, 2), None],
        PixelFormat::I420 => [whole(1), chroma(0, 1), chroma(half * half_rows, 1)],
    }
}

/// Fills what surrounds a picture of `width` × `height` at `left`, `top` in rows of `whole`.
fn pad(
    out: &mut [f32],
    whole: usize,
    (left, top): (usize, usize),
    (width, height): (usize, usize),
    value: f32,
) {
    let (above, rest) = out.split_at_mut(top * whole);
    let (middle, below) = rest.split_at_mut(height * whole);
    above.fill(value);
    below.fill(value);
    if width < whole {
        for row in middle.chunks_exact_mut(whole) {
            row[..left].fill(value);
            row[left + width..].fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::Colours;

    use super::*;

    fn model(fit: Fit) -> ModelInput {
        let mut model = crate::manifest::built_in()[1].input.clone();
        assert_eq!((model.width, model.height), (416, 416));
        model.fit = fit;
        model
    }

    fn frame(format: PixelFormat, size: Size, data: Vec<u8>) -> Frame {
        let (seq, zero) = (0, Duration::ZERO);
        Frame {
            seq,
            pts: zero,
            captured: zero,
            tapped: zero,
            size,
            source_size: size,
            format,
            colours: Colours::default(),
            data,
        }
    }

    #[test]
    fn stretching_fills_the_whole_input() {
        let placed = Placement::new(&model(Fit::Stretch), BBox::WHOLE, Size::new(640, 480));
        assert_eq!((placed.scaled, placed.input), (Size::new(416, 416), Size::new(416, 416)));
        assert_eq!(placed.to_picture([0.0, 104.0, 208.0, 416.0]), BBox::new(0.0, 0.25, 0.5, 0.75));
    }

    #[test]
    fn a_letterbox_keeps_the_shape_and_pads_to_multiples_of_32_on_both_sides() {
        let placed = Placement::new(&model(Fit::Letterbox), BBox::WHOLE, Size::new(640, 427));
        let expected = Placement {
            region: BBox::WHOLE,
            scaled: Size::new(416, 277),
            input: Size::new(416, 288),
            left: 0,
            top: 5,
        };
        assert_eq!(placed, expected);
        let upright = Placement::new(&model(Fit::Letterbox), BBox::WHOLE, Size::new(427, 640));
        assert_eq!((upright.input, upright.left, upright.top), (Size::new(288, 416), 5, 0));
        // The picture's own corners are the box's.
        assert_eq!(placed.to_picture([0.0, 5.0, 416.0, 282.0]), BBox::new(0.0, 0.0, 1.0, 1.0));
        assert_eq!(placed.to_picture([-9.0, 0.0, 500.0, 288.0]), BBox::new(0.0, 0.0, 1.0, 1.0));
    }

    #[test]
    fn extreme_shapes_still_have_a_place() {
        for size in [Size::new(8000, 2), Size::new(2, 8000), Size::new(2, 2)] {
            let placed = Placement::new(&model(Fit::Letterbox), BBox::WHOLE, size);
            assert!(placed.scaled.width >= 2 && placed.scaled.height >= 2);
            assert!(placed.input.width <= 416 && placed.input.height <= 416);
        }
    }

    #[test]
    fn blue_is_the_first_channel_of_a_bgr_model_whatever_the_frame_is_made_of() {
        let size = Size::new(4, 4);
        let bgr = [10, 20, 200].repeat(16);
        let rgb = [200, 20, 10].repeat(16);
        let mut run = Preprocessor::new(model(Fit::Stretch));
        let mut channels = |format, data| {
            let (mat, _) = run.run(&frame(format, size, data), BBox::WHOLE).unwrap();
            [0, 1, 2].map(|c| mat.channel(c)[0])
        };
        let expected = [
            (10.0 - 103.53) * 0.017_429,
            (20.0 - 116.28) * 0.017_507,
            (200.0 - 123.675) * 0.017_125,
        ];
        for got in [channels(PixelFormat::Bgr, bgr), channels(PixelFormat::Rgb, rgb)] {
            assert!(
                got.iter().zip(&expected).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-4),
                "{got:?}"
            );
        }
    }

    #[test]
    fn the_padding_is_black_before_it_is_normalised() {
        let size = Size::new(416, 277);
        let mut run = Preprocessor::new(model(Fit::Letterbox));
        let white = frame(PixelFormat::Bgr, size, vec![255; PixelFormat::Bgr.bytes(size)]);
        let (mat, _) = run.run(&white, BBox::WHOLE).unwrap();
        assert_eq!((mat.width(), mat.height()), (416, 288));
        assert!((mat.channel(0)[0] - -103.53 * 0.017_429).abs() < 1e-4);
        assert!((mat.channel(0)[5 * 416] - (255.0 - 103.53) * 0.017_429).abs() < 1e-4);
        assert!((mat.channel(0)[282 * 416] - -103.53 * 0.017_429).abs() < 1e-4);
    }

    #[test]
    fn a_frame_whose_buffer_is_not_its_picture_is_refused_with_both_sizes() {
        let short = frame(PixelFormat::Rgb, Size::new(4, 4), vec![0; 47]);
        let error = Preprocessor::new(model(Fit::Stretch))
            .run(&short, BBox::WHOLE)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "a Rgb frame of 4x4 takes 48 bytes, not 47");
        let empty = frame(PixelFormat::Nv12, Size::new(0, 0), Vec::new());
        let error = Preprocessor::new(model(Fit::Stretch)).run(&empty, BBox::WHOLE).unwrap_err();
        assert!(matches!(error, Error::Region { .. }), "{error}");
    }
}
