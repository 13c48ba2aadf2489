//! The newest picture as JPEG, made on the thread that asks.

use gstreamer as gst;
use gstreamer_video as gst_video;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::error::MediaError;
use crate::shared::Picture;

/// `picture` as JPEG of `quality` 1..=100.
pub(crate) fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, MediaError> {
    let failed = |what: &str| MediaError::Snapshot(what.to_owned());
    let (width, height) = (picture.info.width(), picture.info.height());
    let rgb_info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
        // The converter refuses pictures that differ in these.
        .fps(picture.info.fps())
        .interlace_mode(picture.info.interlace_mode())
        .build()
        .map_err(|_| failed("its size is odd"))?;
    let converter = gst_video::VideoConverter::new(&picture.info, &rgb_info, None)
        .map_err(|_| failed("its format is not known"))?;
    let input = gst_video::VideoFrameRef::from_buffer_ref_readable(&picture.buffer, &picture.info)
        .map_err(|_| failed("it cannot be read"))?;
    let mut rgb =
        gst::Buffer::with_size(rgb_info.size()).map_err(|_| failed("there is no memory"))?;
    let target = rgb.get_mut().ok_or_else(|| failed("its memory is shared"))?;
    let mut output = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &rgb_info)
        .map_err(|_| failed("its memory cannot be written"))?;
    converter.frame_ref(&input, &mut output);
    let stride = usize::try_from(rgb_info.stride()[0]).unwrap_or_default();
    let row = width as usize * 3;
    let pixels = output.plane_data(0).map_err(|_| failed("it has no pixels"))?;
    let packed: Vec<u8> = pixels
        .chunks(stride.max(1))
        .take(height as usize)
        .flat_map(|line| line.get(..row).unwrap_or_default())
        .copied()
        .collect();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
        .encode(&packed, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| MediaError::Snapshot(error.to_string()))?;
    Ok(bytes)
}
