//! Picture files → frames.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use domain::{Colours, Frame, PixelFormat, Size};

/// The JPEG or PNG file `path` as a frame of number `seq`.
pub(crate) fn read(path: &Path, seq: u64) -> anyhow::Result<Frame> {
    let picture = image::open(path).with_context(|| format!("reading {}", path.display()))?;
    let pixels = picture.into_rgb8();
    let size = Size::new(pixels.width(), pixels.height());
    Ok(Frame {
        seq,
        pts: Duration::ZERO,
        captured: Duration::ZERO,
        tapped: Duration::ZERO,
        size,
        source_size: size,
        format: PixelFormat::Rgb,
        colours: Colours::default(),
        data: pixels.into_raw(),
    })
}
