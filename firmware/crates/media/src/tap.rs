//! Frames for the detector, as they are, into the latest-wins slot.
//!
//! The tap looks at frames in passing and copies their planes right there, on the streaming thread.
//! A `tee` with a queue would keep a second reference to each frame while the overlay wants to draw
//! on it, which costs such a copy as well. Frames are not scaled here: the detector scales in the same
//! pass that makes the network's input, only those that it takes, and from the whole picture where
//! it looks at parts. Nobody is ever waited for: a frame that another will replace before it is
//! wanted is passed over, any other goes into the slot whether or not the last one was fetched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::slot::Slot;
use domain::frame::{Matrix, Range};
use domain::{Colours, Frame, PixelFormat, Size};
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::masks::Stencil;
use crate::probe::{OnFrame, Pass};
use crate::shared::Shared;
use crate::timeline::Timeline;

/// Copies passing frames into the slot.
pub(crate) struct Tap {
    slot: Slot<Frame>,
    shared: Arc<Shared>,
    base_time: Duration,
    /// Size of the picture where the frames are already scaled by the camera.
    source_size: Option<Size>,
    converter: Option<Converter>,
    /// Storage of a frame that nobody took, to be used again.
    spare: Option<Vec<u8>>,
    /// Where privacy masks lie on the frames.
    stencil: Option<Stencil>,
    /// Running time of the frame before.
    last: Option<Duration>,
}

/// Makes I420 of what the detector does not read.
struct Converter {
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
    converter: gst_video::VideoConverter,
    out: gst::Buffer,
}

impl Tap {
    pub(crate) fn new(shared: &Arc<Shared>, base_time: Duration) -> Self {
        Self {
            slot: shared.frames.clone(),
            shared: Arc::clone(shared),
            base_time,
            source_size: None,
            converter: None,
            spare: None,
            stencil: None,
            last: None,
        }
    }

    /// For frames that the camera has scaled from a picture of `size`.
    pub(crate) fn of_scaled(mut self, size: Size) -> Self {
        self.source_size = Some(size);
        self
    }

    /// Hands over one frame, if it is wanted.
    pub(crate) fn take(
        &mut self,
        buffer: &gst::BufferRef,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) {
        let began = Instant::now();
        let seq = self.shared.counters.tapped.add(1);
        let interval = self.last.replace(time).map_or(Duration::ZERO, |last| time.abs_diff(last));
        if !self.slot.wants(interval) {
            return;
        }
        let Some(frame) = self.copy(buffer, info, time, seq) else { return };
        if let Some(old) = self.slot.put(frame) {
            self.spare = Some(old.data);
        }
        self.shared.counters.tap_nanos.add_time(began.elapsed());
    }

    fn copy(
        &mut self,
        buffer: &gst::BufferRef,
        info: &gst_video::VideoInfo,
        time: Duration,
        seq: u64,
    ) -> Option<Frame> {
        let size = Size::new(info.width(), info.height());
        let mut data = self.spare.take().or_else(|| self.slot.spent().map(|frame| frame.data));
        let data = data.get_or_insert_default();
        data.clear();
        let (format, colours) = match format(info) {
            Some(format) => {
                let frame =
                    gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
                pack(&frame, format, data)?;
                (format, colours(info))
            }
            None => {
                if self.converter.as_ref().is_none_or(|converter| converter.from != *info) {
                    self.converter = Converter::new(info);
                }
                let converter = self.converter.as_mut()?;
                converter.convert(buffer, data)?;
                (PixelFormat::I420, colours(&converter.to))
            }
        };
        let mut frame = Frame {
            seq,
            pts: self.shared.timeline.pts(self.base_time, time),
            captured: Timeline::captured(self.base_time, time),
            tapped: base::clock::monotonic(),
            size,
            source_size: self.source_size.unwrap_or(size),
            format,
            colours,
            data: std::mem::take(data),
        };
        let masks = self.shared.masks();
        if !masks.is_empty() {
            Stencil::of(&mut self.stencil, &masks, size).paint_frame(&mut frame)?;
        }
        Some(frame)
    }
}

impl OnFrame for Tap {
    fn frame(
        &mut self,
        buffer: &mut gst::Buffer,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) -> Pass {
        self.take(buffer, info, time);
        Pass::Yes
    }
}

/// The format that the detector reads these frames in, if it does.
fn format(info: &gst_video::VideoInfo) -> Option<PixelFormat> {
    match info.format() {
        gst_video::VideoFormat::I420 => Some(PixelFormat::I420),
        gst_video::VideoFormat::Nv12 => Some(PixelFormat::Nv12),
        gst_video::VideoFormat::Rgb => Some(PixelFormat::Rgb),
        gst_video::VideoFormat::Bgr => Some(PixelFormat::Bgr),
        _ => None,
    }
}

/// What the source says of its colours; what it leaves open is taken for BT.601, limited.
fn colours(info: &gst_video::VideoInfo) -> Colours {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    let range = match colorimetry.range() {
        gst_video::VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    Colours { matrix, range }
}

/// Appends the planes of `frame` to `data`, rows packed.
fn pack(
    frame: &gst_video::VideoFrameRef<&gst::BufferRef>,
    format: PixelFormat,
    data: &mut Vec<u8>,
) -> Option<()> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (half, half_rows) = (width.div_ceil(2), height.div_ceil(2));
    let planes: &[(usize, usize)] = match format {
        PixelFormat::Rgb | PixelFormat::Bgr => &[(3 * width, height)],
        PixelFormat::Nv12 => &[(width, height), (2 * half, half_rows)],
        PixelFormat::I420 => &[(width, height), (half, half_rows), (half, half_rows)],
    };
    for (plane, &(row_bytes, rows)) in (0u32..).zip(planes) {
        let bytes = frame.plane_data(plane).ok()?;
        let stride = usize::try_from(*frame.plane_stride().get(plane as usize)?).ok()?;
        if stride == row_bytes {
            data.extend_from_slice(bytes.get(..row_bytes * rows)?);
        } else {
            for row in bytes.chunks(stride).take(rows) {
                data.extend_from_slice(row.get(..row_bytes)?);
            }
        }
    }
    Some(())
}

impl Converter {
    fn new(from: &gst_video::VideoInfo) -> Option<Self> {
        let (width, height) = (from.width(), from.height());
        let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
            // The converter refuses pictures that differ in these.
            .fps(from.fps())
            .interlace_mode(from.interlace_mode())
            .build()
            .ok()?;
        let mut config = gst_video::VideoConverterConfig::new();
        // Nobody looks at these pictures but the detector, which sees much less of them.
        config.set_chroma_mode(gst_video::VideoChromaMode::None);
        config.set_dither_method(gst_video::VideoDitherMethod::None);
        let converter = gst_video::VideoConverter::new(from, &to, Some(config)).ok()?;
        let out = gst::Buffer::with_size(to.size()).ok()?;
        Some(Self { from: from.clone(), to, converter, out })
    }

    /// Appends the picture as I420 with packed rows to `data`.
    fn convert(&mut self, buffer: &gst::BufferRef, data: &mut Vec<u8>) -> Option<()> {
        let input = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.from).ok()?;
        {
            let out = self.out.get_mut()?;
            let to = gst_video::VideoFrameRef::from_buffer_ref_writable(out, &self.to);
            self.converter.frame_ref(&input, &mut to.ok()?);
        }
        let output = gst_video::VideoFrameRef::from_buffer_ref_readable(&self.out, &self.to);
        pack(&output.ok()?, PixelFormat::I420, data)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use base::slot::Taken;
    use config::CameraConfig;
    use domain::{Point, PrivacyMask};

    use super::*;
    use crate::support::scene;

    fn tap() -> (Tap, Slot<Frame>) {
        tap_of(&scene())
    }

    fn tap_of(camera: &CameraConfig) -> (Tap, Slot<Frame>) {
        gst::init().unwrap();
        let slot = Slot::default();
        let shared = Shared::new(slot.clone(), camera, mpsc::channel().0);
        (Tap::new(&Arc::new(shared), Duration::ZERO), slot)
    }

    fn taken(slot: &Slot<Frame>) -> Frame {
        match slot.take(Duration::ZERO) {
            Taken::Value(frame) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// A picture whose rows end in bytes that are none of it; every byte is its plane's number × 10.
    fn picture(format: gst_video::VideoFormat) -> (gst::Buffer, gst_video::VideoInfo) {
        let info = gst_video::VideoInfo::builder(format, 33, 6)
            .colorimetry(&"bt709".parse().unwrap())
            .build()
            .unwrap();
        let mut bytes = vec![255; info.size()];
        let (half, whole) = (17, 33);
        let planes: &[(usize, usize)] = match format {
            gst_video::VideoFormat::Nv12 => &[(whole, 6), (2 * half, 3)],
            gst_video::VideoFormat::I420 => &[(whole, 6), (half, 3), (half, 3)],
            _ => &[(3 * whole, 6)],
        };
        for (n, &(row, rows)) in planes.iter().enumerate() {
            for y in 0..rows {
                let start = info.offset()[n] + y * info.stride()[n] as usize;
                bytes[start..start + row].fill(10 * n as u8);
            }
        }
        (gst::Buffer::from_slice(bytes), info)
    }

    #[test]
    fn what_the_detector_reads_is_handed_over_as_it_is_with_packed_rows() {
        let (mut tap, slot) = tap();
        for (from, format) in [
            (gst_video::VideoFormat::I420, PixelFormat::I420),
            (gst_video::VideoFormat::Nv12, PixelFormat::Nv12),
            (gst_video::VideoFormat::Rgb, PixelFormat::Rgb),
            (gst_video::VideoFormat::Bgr, PixelFormat::Bgr),
        ] {
            let (buffer, info) = picture(from);
            tap.take(&buffer, &info, Duration::ZERO);
            let frame = taken(&slot);
            assert_eq!((frame.format, frame.size), (format, Size::new(33, 6)));
            assert_eq!(frame.data.len(), format.bytes(frame.size));
            assert!(!frame.data.contains(&255), "{format:?}");
            assert_eq!((frame.data[0], frame.colours.matrix), (0, Matrix::Bt709));
            slot.give_back(frame);
        }
    }

    #[test]
    fn the_detector_gets_no_pixel_that_is_masked_whatever_the_format() {
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
        let camera = CameraConfig { masks: vec![PrivacyMask::new(polygon).unwrap()], ..scene() };
        let (mut tap, slot) = tap_of(&camera);
        for (format, black) in [
            (gst_video::VideoFormat::I420, 16),
            (gst_video::VideoFormat::Nv12, 16),
            (gst_video::VideoFormat::Yuy2, 16),
            (gst_video::VideoFormat::Bgr, 0),
        ] {
            let info = gst_video::VideoInfo::builder(format, 34, 6).build().unwrap();
            let buffer = gst::Buffer::from_slice(vec![90; info.size()]);
            tap.take(&buffer, &info, Duration::ZERO);
            let frame = taken(&slot);
            assert!(frame.data[..34 * 6].iter().all(|luma| *luma == black), "{format:?}");
            assert!(!frame.data.contains(&90), "{format:?}");
            slot.give_back(frame);
        }
    }

    #[test]
    fn another_format_becomes_i420() {
        let (mut tap, slot) = tap();
        let format = gst_video::VideoFormat::Yuy2;
        let info = gst_video::VideoInfo::builder(format, 34, 6).build().unwrap();
        // Luma 100, chroma 90.
        let buffer = gst::Buffer::from_slice([100, 90].repeat(info.size() / 2));
        tap.take(&buffer, &info, Duration::ZERO);
        let frame = taken(&slot);
        assert_eq!((frame.format, frame.size), (PixelFormat::I420, Size::new(34, 6)));
        assert_eq!(frame.data, [vec![100; 34 * 6], vec![90; 2 * 17 * 3]].concat());
    }

    #[test]
    fn a_frame_that_another_replaces_before_it_is_wanted_is_counted_but_not_copied() {
        let (mut tap, slot) = tap();
        let (buffer, info) = picture(gst_video::VideoFormat::I420);
        let at = |n: u64| Duration::from_millis(33 * n);
        tap.take(&buffer, &info, at(0));
        assert_eq!(taken(&slot).seq, 0);
        slot.want_at(Instant::now() + Duration::from_secs(60));
        (1..4).for_each(|n| tap.take(&buffer, &info, at(n)));
        assert!(matches!(slot.take(Duration::ZERO), Taken::TimedOut));
        slot.want_at(Instant::now());
        tap.take(&buffer, &info, at(4));
        assert_eq!((taken(&slot).seq, slot.overwritten()), (4, 3));
    }
}
