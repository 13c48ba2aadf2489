//! A frame → the network's input: colours in the right order, scaled, padded, normalised; and the way
//! back for boxes.

use api::manifest::{ChannelOrder, Fit, ModelInput};
use domain::{BBox, Frame, PixelFormat, Size};
use ncnn::{Mat, PixelOrder};

use crate::Error;
use crate::manifest::INPUT_MULTIPLE;

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
    /// BGR pixels of a frame that came as I420 or NV12.
    converted: Vec<u8>,
    /// Pixels of the part that is looked at.
    cut: Vec<u8>,
}

impl Preprocessor {
    /// A preprocessor for the input that the manifest describes.
    pub fn new(model: ModelInput) -> Self {
        Self { model, converted: Vec::new(), cut: Vec::new() }
    }

    /// The input for the part `region` of `frame`, in shares of the picture, and where it lies there.
    ///
    /// # Errors
    /// [`Error::FrameBytes`] for a buffer that is not exactly the frame, [`Error::Preprocess`] for
    /// sizes that ncnn cannot scale (a side below 2 or above 8192 pixels).
    pub fn run(&mut self, frame: &Frame, region: BBox) -> Result<(Mat, Placement), Error> {
        let Frame { format, size, .. } = *frame;
        let (expected, found) = (format.bytes(size), frame.data.len());
        if expected != found {
            return Err(Error::FrameBytes { format, size, expected, found });
        }
        let (pixels, order) = match format {
            PixelFormat::Rgb => (&frame.data, PixelOrder::Rgb),
            PixelFormat::Bgr => (&frame.data, PixelOrder::Bgr),
            PixelFormat::I420 | PixelFormat::Nv12 => {
                to_bgr(frame, &mut self.converted);
                (&self.converted, PixelOrder::Bgr)
            }
        };
        let (pixels, size, region) = cut(pixels, size, region, &mut self.cut);
        let placement = Placement::new(&self.model, region, size);
        let input = fill(&self.model, pixels, size, order, &placement);
        Ok((input.map_err(|source| Error::Preprocess { size, source })?, placement))
    }
}

fn fill(
    model: &ModelInput,
    pixels: &[u8],
    size: Size,
    order: PixelOrder,
    placement: &Placement,
) -> Result<Mat, ncnn::Error> {
    let pair = |size: Size| (size.width as usize, size.height as usize);
    let to = match model.channels {
        ChannelOrder::Rgb => PixelOrder::Rgb,
        ChannelOrder::Bgr => PixelOrder::Bgr,
    };
    let mut mat = Mat::from_pixels(pixels, pair(size), order, pair(placement.scaled), to)?;
    if placement.scaled != placement.input {
        let (left, top) = (placement.left, placement.top);
        let right = placement.input.width - placement.scaled.width - left;
        let bottom = placement.input.height - placement.scaled.height - top;
        let border = (top as usize, bottom as usize, left as usize, right as usize);
        mat = mat.with_border(border, 0.0)?;
    }
    mat.substract_mean_normalize(&model.mean, &model.norm)?;
    Ok(mat)
}

/// The pixels of `region`, brought to whole pixels, with their size and the region that they are.
fn cut<'p>(
    pixels: &'p [u8],
    size: Size,
    region: BBox,
    storage: &'p mut Vec<u8>,
) -> (&'p [u8], Size, BBox) {
    if region == BBox::WHOLE {
        return (pixels, size, region);
    }
    let region = region.clamped();
    let at = |share: f32, side: u32| (share * side as f32).round() as usize;
    let (left, right) = (at(region.x, size.width), at(region.right(), size.width));
    let (top, bottom) = (at(region.y, size.height), at(region.bottom(), size.height));
    storage.clear();
    for row in pixels.chunks_exact(size.width as usize * 3).take(bottom).skip(top) {
        storage.extend_from_slice(&row[left * 3..right * 3]);
    }
    let share = |at: usize, side: u32| at as f32 / side as f32;
    let (width, height) = (size.width, size.height);
    let region = BBox::from_corners(
        share(left, width),
        share(top, height),
        share(right, width),
        share(bottom, height),
    );
    (storage, Size::new((right - left) as u32, (bottom - top) as u32), region)
}

/// Converts an I420 or NV12 frame (BT.601, limited range, as cameras and H.264 of standard definition
/// use) to packed BGR. Each chroma sample colours its 2×2 pixels.
fn to_bgr(frame: &Frame, bgr: &mut Vec<u8>) {
    let (width, height) = (frame.size.width as usize, frame.size.height as usize);
    let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
    let (luma, chroma) = frame.data.split_at(width * height);
    let chroma_at = |x: usize, y: usize| match frame.format {
        PixelFormat::Nv12 => {
            let at = 2 * (y * half_w + x);
            (chroma[at], chroma[at + 1])
        }
        _ => (chroma[y * half_w + x], chroma[half_w * half_h + y * half_w + x]),
    };
    bgr.clear();
    bgr.reserve(width * height * 3);
    for (y, row) in luma.chunks_exact(width.max(1)).enumerate() {
        for (x, &luma) in row.iter().enumerate() {
            let (u, v) = chroma_at(x / 2, y / 2);
            bgr.extend_from_slice(&pixel(luma, u, v));
        }
    }
}

/// One pixel by the integer form of BT.601's matrix: factors × 256, rounded.
fn pixel(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (298 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
    let byte = |value: i32| ((value + 128) >> 8).clamp(0, 255) as u8;
    [byte(y + 516 * u), byte(y - 100 * u - 208 * v), byte(y + 409 * v)]
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
    fn i420_and_nv12_become_the_colours_of_bt_601() {
        // Red, by ITU-R BT.601 limited range: Y 81, U 90, V 240; 3×3 has chroma of 2×2.
        let size = Size::new(3, 3);
        let i420 = [vec![81; 9], vec![90; 4], vec![240; 4]].concat();
        let nv12 = [vec![81; 9], [90, 240].repeat(4)].concat();
        for (format, data) in [(PixelFormat::I420, i420), (PixelFormat::Nv12, nv12)] {
            let mut bgr = Vec::new();
            to_bgr(&frame(format, size, data), &mut bgr);
            assert_eq!(bgr.len(), 27);
            for pixel in bgr.chunks(3) {
                assert!(pixel[0] <= 1 && pixel[1] <= 1 && pixel[2] >= 254, "{pixel:?}");
            }
        }
        assert_eq!(pixel(16, 128, 128), [0, 0, 0]);
        assert_eq!(pixel(235, 128, 128), [255, 255, 255]);
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
        assert!(matches!(error, Error::Preprocess { .. }), "{error}");
    }
}
