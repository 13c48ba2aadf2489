//! A picture in memory with its format and its times.

use std::time::Duration;

use crate::geometry::Size;

/// How the bytes of a [`Frame`] are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// 3 bytes a pixel: red, green, blue; rows packed.
    Rgb,
    /// 3 bytes a pixel: blue, green, red; rows packed.
    Bgr,
    /// A full luma plane, then U and V planes of half width and height; rows packed.
    I420,
    /// A full luma plane, then one plane of interleaved U and V pairs at half size; rows packed.
    Nv12,
}

impl PixelFormat {
    /// Bytes that a packed picture of `size` takes.
    pub fn bytes(self, size: Size) -> usize {
        let (w, h) = (size.width as usize, size.height as usize);
        match self {
            Self::Rgb | Self::Bgr => w * h * 3,
            Self::I420 | Self::Nv12 => w * h + 2 * w.div_ceil(2) * h.div_ceil(2),
        }
    }
}

/// The matrix by which luma and chroma were made of red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, and what nobody says otherwise of.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Which bytes black and white are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// Luma 16..=235, chroma 16..=240: video.
    #[default]
    Limited,
    /// 0..=255: JPEG, some USB cameras.
    Full,
}

/// What the bytes of a picture in luma and chroma mean; of no meaning for RGB and BGR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colours {
    /// The matrix.
    pub matrix: Matrix,
    /// The range.
    pub range: Range,
}

/// One picture on its way from the tap to the detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Number of the frame since its source started; grows by one a frame that the tap saw.
    pub seq: u64,
    /// Presentation time in the running time of its pipeline: what the overlay compares boxes with.
    pub pts: Duration,
    /// When the sensor (or the source element) made it, on the machine's monotonic clock.
    pub captured: Duration,
    /// When the tap took it, on the machine's monotonic clock.
    pub tapped: Duration,
    /// Size of this picture.
    pub size: Size,
    /// Size of the picture that this one was scaled from: what pixel areas refer to.
    pub source_size: Size,
    /// Format of `data`.
    pub format: PixelFormat,
    /// Colours that the bytes of an I420 or NV12 picture stand for.
    pub colours: Colours,
    /// The pixels, `format.bytes(size)` of them, rows packed.
    pub data: Vec<u8>,
}
