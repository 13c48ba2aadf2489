//! A JPEG or PNG of a stranger → a frame, within limits that hold before memory is taken.

use std::io::Cursor;
use std::time::Duration;

use domain::{Colours, Frame, PixelFormat, Size};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};

/// Longest side in pixels.
const MAX_SIDE: u32 = 16_384;
/// Bytes of working memory for each pixel.
const BYTES: u64 = 8;

/// Why a picture is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("the picture is neither JPEG nor PNG")]
    Format,
    #[error("the picture has {0} million pixels, more than {1} million")]
    TooLarge(u64, u64),
    #[error("the picture cannot be read")]
    Damaged(#[source] ImageError),
}

/// The frame that is in `bytes`, of at most `max_pixels`.
pub(crate) fn read(bytes: &[u8], max_pixels: u64, seq: u64) -> Result<Frame, PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::Format)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
        return Err(PictureError::Format);
    }
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let (width, height) = reader().into_dimensions().map_err(PictureError::Damaged)?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(PictureError::TooLarge(pixels.div_ceil(1_000_000), max_pixels / 1_000_000));
    }
    let mut reader = reader();
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(max_pixels * BYTES);
    reader.limits(limits);
    reader.decode().map(|picture| frame(picture, seq)).map_err(PictureError::Damaged)
}

fn frame(picture: DynamicImage, seq: u64) -> Frame {
    let pixels = picture.into_rgb8();
    let size = Size::new(pixels.width(), pixels.height());
    let zero = Duration::ZERO;
    Frame {
        seq,
        pts: zero,
        captured: zero,
        tapped: zero,
        size,
        source_size: size,
        format: PixelFormat::Rgb,
        colours: Colours::default(),
        data: pixels.into_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_is_read_up_to_its_most_pixels() {
        let frame = read(&png(40, 20), 800, 3).unwrap();
        assert_eq!((frame.size, frame.seq, frame.data.len()), (Size::new(40, 20), 3, 2400));
        assert!(matches!(read(&png(40, 21), 800, 0), Err(PictureError::TooLarge(..))));
    }

    #[test]
    fn what_is_no_picture_or_half_of_one_is_refused() {
        assert!(matches!(read(b"GIF89a\0\0", 800, 0), Err(PictureError::Format)));
        assert!(matches!(read(b"", 800, 0), Err(PictureError::Format)));
        let whole = png(20, 20);
        let half = read(&whole[..whole.len() / 2], 800, 0);
        assert!(matches!(half, Err(PictureError::Damaged(_))), "{half:?}");
        // Says that it is a hundred million pixels and is a few bytes.
        let mut bomb = whole.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        assert!(read(&bomb, 25_000_000, 0).is_err());
    }
}
