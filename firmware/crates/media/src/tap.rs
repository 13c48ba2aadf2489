//! Small RGB frames for the detector, into the latest-wins slot.
//!
//! The tap looks at frames in passing and scales them right there, on the streaming thread, with
//! GStreamer's own converter (well under a millisecond at 768×432). A `tee` with a queue would
//! keep a second reference to each frame while the overlay wants to draw on it, which costs a copy
//! of the whole frame. Nobody is ever waited for: the slot takes the frame whether or not the last
//! one was fetched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::slot::Slot;
use domain::{Colours, Frame, PixelFormat, Size};
use gstreamer as gst;
use gstreamer_video as gst_video;

use crate::plan::TapFit;
use crate::probe::OnFrame;
use crate::shared::Shared;
use crate::timeline::Timeline;

/// Scales passing frames into the slot.
pub(crate) struct Tap {
    fit: TapFit,
    slot: Slot<Frame>,
    shared: Arc<Shared>,
    base_time: Duration,
    /// Size of the picture where the frames are already scaled by the camera.
    source_size: Option<Size>,
    scaler: Option<Scaler>,
    /// Storage of a frame that nobody took, to be used again.
    spare: Vec<u8>,
}

struct Scaler {
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
    converter: gst_video::VideoConverter,
    out: gst::Buffer,
}

impl Tap {
    pub(crate) fn new(fit: TapFit, shared: &Arc<Shared>, base_time: Duration) -> Self {
        Self {
            fit,
            slot: shared.frames.clone(),
            shared: Arc::clone(shared),
            base_time,
            source_size: None,
            scaler: None,
            spare: Vec::new(),
        }
    }

    /// For frames that the camera has scaled from a picture of `size`.
    pub(crate) fn of_scaled(mut self, size: Size) -> Self {
        self.source_size = Some(size);
        self
    }

    /// Scales and hands over one frame.
    pub(crate) fn take(
        &mut self,
        buffer: &gst::BufferRef,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) {
        let began = Instant::now();
        let Some(frame) = self.convert(buffer, info, time) else { return };
        if let Some(old) = self.slot.put(frame) {
            self.spare = old.data;
        }
        self.shared.counters.tap_nanos.add_time(began.elapsed());
    }

    fn convert(
        &mut self,
        buffer: &gst::BufferRef,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) -> Option<Frame> {
        let picture = Size::new(info.width(), info.height());
        let size = self.fit.size_for(picture);
        if self.scaler.as_ref().is_none_or(|scaler| scaler.from != *info) {
            self.scaler = Scaler::new(info, size);
        }
        let data = self.scaler.as_mut()?.scale(buffer, std::mem::take(&mut self.spare))?;
        Some(Frame {
            seq: self.shared.counters.tapped.add(1),
            pts: self.shared.timeline.pts(self.base_time, time),
            captured: Timeline::captured(self.base_time, time),
            tapped: base::clock::monotonic(),
            size,
            source_size: self.source_size.unwrap_or(picture),
            format: PixelFormat::Rgb,
            colours: Colours::default(),
            data,
        })
    }
}

impl OnFrame for Tap {
    fn frame(&mut self, buffer: &mut gst::Buffer, info: &gst_video::VideoInfo, time: Duration) {
        self.take(buffer, info, time);
    }
}

impl Scaler {
    fn new(from: &gst_video::VideoInfo, size: Size) -> Option<Self> {
        let to =
            gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, size.width, size.height)
                // The converter refuses pictures that differ in these.
                .fps(from.fps())
                .interlace_mode(from.interlace_mode())
                .build()
                .ok()?;
        let mut config = gst_video::VideoConverterConfig::new();
        // Plain bilinear, as detectors are trained and measured with. Averaging over all pixels
        // that fall into one costs twice to six times as much (768×432: 0.74 instead of 0.35 ms).
        config.set_resampler_method(gst_video::VideoResamplerMethod::Linear);
        config.set_resampler_taps(2);
        // At this size nobody sees how chroma was interpolated.
        config.set_chroma_mode(gst_video::VideoChromaMode::None);
        config.set_dither_method(gst_video::VideoDitherMethod::None);
        let converter = gst_video::VideoConverter::new(from, &to, Some(config)).ok()?;
        let out = gst::Buffer::with_size(to.size()).ok()?;
        Some(Self { from: from.clone(), to, converter, out })
    }

    /// The scaled picture with packed rows, in `storage`.
    fn scale(&mut self, buffer: &gst::BufferRef, mut storage: Vec<u8>) -> Option<Vec<u8>> {
        let input = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &self.from).ok()?;
        let out = self.out.get_mut()?;
        let mut output = gst_video::VideoFrameRef::from_buffer_ref_writable(out, &self.to).ok()?;
        self.converter.frame_ref(&input, &mut output);
        let stride = usize::try_from(self.to.stride()[0]).ok()?;
        let row_bytes = self.to.width() as usize * 3;
        storage.clear();
        for row in output.plane_data(0).ok()?.chunks(stride).take(self.to.height() as usize) {
            storage.extend_from_slice(row.get(..row_bytes)?);
        }
        Some(storage)
    }
}
