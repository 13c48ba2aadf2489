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
    /// The pixels, `format.bytes(size)` of them, rows packed.
    pub data: Vec<u8>,
}
