//! Draws on the frames that pass a pad: privacy masks first, then the overlay. A frame that masks cannot
//! be drawn on does not pass. Runs on the encoder's streaming thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Size;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use jiff::tz::TimeZone;

use super::canvas::Canvas;
use super::paint::{FrameTime, Painter};
use super::palette::Colorimetry;
use crate::masks::{Masks, Stencil};
use crate::probe::{OnFrame, Pass};
use crate::shared::{Picture, Shared, lock};
use crate::stats::nanos;
use crate::timeline::Timeline;

/// Draws on passing frames, keeps the newest for snapshots, and keeps the key frame interval.
pub(crate) struct OverlayHook {
    shared: Arc<Shared>,
    base_time: Duration,
    key_interval: Duration,
    /// When a key frame was last asked for, as presentation time.
    key_asked: Duration,
    painter: Option<(gst_video::VideoInfo, Painter)>,
    stencil: Option<Stencil>,
    pool: Option<(gst_video::VideoInfo, gst::BufferPool)>,
}

impl OverlayHook {
    pub(crate) fn new(shared: &Arc<Shared>, base_time: Duration, key_interval: Duration) -> Self {
        Self {
            shared: Arc::clone(shared),
            base_time,
            key_interval,
            key_asked: Duration::ZERO,
            painter: None,
            stencil: None,
            pool: None,
        }
    }

    /// Paints `masks`; whether that could be done.
    fn mask(
        &mut self,
        masks: &Masks,
        buffer: &mut gst::Buffer,
        info: &gst_video::VideoInfo,
    ) -> bool {
        if masks.is_empty() {
            return true;
        }
        let began = Instant::now();
        self.make_writable(buffer, info);
        let size = Size::new(info.width(), info.height());
        let stencil = Stencil::of(&mut self.stencil, masks, size);
        let painted = with_canvas(buffer.make_mut(), info, |canvas| {
            stencil.paint(canvas, colorimetry(info).full_range);
        });
        self.shared.counters.overlay_nanos.add_time(began.elapsed());
        painted
    }

    fn draw(&mut self, buffer: &mut gst::Buffer, info: &gst_video::VideoInfo, time: Duration) {
        let scene = self.shared.overlay.get();
        let config = *lock(&self.shared.overlay_config);
        if !Painter::draws(&scene, &config) {
            return;
        }
        let began = Instant::now();
        if self.painter.as_ref().is_none_or(|(known, _)| known != info) {
            let height = i32::try_from(info.height()).unwrap_or(i32::MAX);
            let painter = Painter::new(height, colorimetry(info), TimeZone::system());
            self.painter = Some((info.clone(), painter));
        }
        let frame_time = FrameTime {
            pts: self.shared.timeline.pts(self.base_time, time),
            wall: base::clock::wall_at(Timeline::captured(self.base_time, time)),
        };
        self.make_writable(buffer, info);
        let Some((_, painter)) = self.painter.as_mut() else { return };
        with_canvas(buffer.make_mut(), info, |canvas| {
            painter.paint(canvas, &scene, &config, frame_time);
        });
        let took = began.elapsed();
        self.shared.counters.overlay_nanos.add_time(took);
        self.shared.counters.overlay_times.add(took);
        self.shared.counters.overlay_max_nanos.raise_to(nanos(took));
    }

    /// Puts a copy in the place of a frame that someone else still reads: a software decoder
    /// predicts later frames from it. The copy's memory comes from a pool, because fresh memory
    /// costs more than the copying.
    fn make_writable(&mut self, buffer: &mut gst::Buffer, info: &gst_video::VideoInfo) {
        let memory_is_ours = buffer.is_all_memory_writable();
        if buffer.is_writable() && memory_is_ours {
            return;
        }
        self.shared.counters.overlay_copies.add(1);
        if self.pool.as_ref().is_none_or(|(known, _)| known != info) {
            self.close_pool();
            self.pool = new_pool(info).map(|pool| (info.clone(), pool));
        }
        let pool = self.pool.as_ref();
        let Some(mut copy) = pool.and_then(|(_, pool)| pool.acquire_buffer(None).ok()) else {
            return;
        };
        let Some(target) = copy.get_mut() else { return };
        let copied = {
            let from = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info);
            let to = gst_video::VideoFrameRef::from_buffer_ref_writable(target, info);
            from.and_then(|from| to.and_then(|mut to| from.copy(&mut to)))
        };
        let parts = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
        if copied.and_then(|()| buffer.copy_into(target, parts, ..)).is_ok() {
            *buffer = copy;
        }
    }

    fn close_pool(&mut self) {
        if let Some((_, pool)) = self.pool.take() {
            // Fails only for a pool that was never active.
            let _ = pool.set_active(false);
        }
    }

    /// A source slower than the plan thought would stretch an interval that is counted in frames.
    fn keep_key_interval(&mut self, pts: Duration) {
        let last = Duration::from_nanos(self.shared.counters.last_key.get()).max(self.key_asked);
        if pts.saturating_sub(last) >= self.key_interval {
            self.key_asked = pts;
            self.shared.key_frame();
        }
    }
}

impl OnFrame for OverlayHook {
    fn frame(
        &mut self,
        buffer: &mut gst::Buffer,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) -> Pass {
        let masks = self.shared.masks();
        if !self.mask(&masks, buffer, info) {
            return Pass::Never(
                "its frames cannot be written to, so privacy masks cannot be drawn",
            );
        }
        self.shared.counters.frames.add(1);
        self.draw(buffer, info, time);
        self.keep_key_interval(self.shared.timeline.pts(self.base_time, time));
        // Drawn on already: the second reference costs no copy.
        let picture = Picture { buffer: buffer.clone(), info: info.clone() };
        self.shared.keep_picture(picture, &masks);
        Pass::Yes
    }

    fn passes_unseen(&self) -> bool {
        self.shared.masks().is_empty()
    }
}

/// Buffers of our own for frames that must be copied.
fn new_pool(info: &gst_video::VideoInfo) -> Option<gst::BufferPool> {
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let size = u32::try_from(info.size()).ok()?;
    config.set_params(Some(&info.to_caps().ok()?), size, 0, 0);
    pool.set_config(config).ok()?;
    pool.set_active(true).ok()?;
    Some(pool.upcast())
}

impl Drop for OverlayHook {
    fn drop(&mut self) {
        self.close_pool();
    }
}

pub(crate) fn colorimetry(info: &gst_video::VideoInfo) -> Colorimetry {
    let colorimetry = info.colorimetry();
    let known = match colorimetry.matrix() {
        gst_video::VideoColorMatrix::Bt601 => Colorimetry::BT601,
        _ => Colorimetry::BT709,
    };
    Colorimetry {
        full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
        ..known
    }
}

/// Calls `draw` with the planes of a frame; `false` for a format that it does not know, and for a frame
/// that cannot be written to.
pub(crate) fn with_canvas(
    buffer: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
    draw: impl FnOnce(&mut Canvas<'_>),
) -> bool {
    let Ok(mut frame) = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info) else {
        tracing::debug!("a frame cannot be written to: nothing is drawn on it");
        return false;
    };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let format = frame.format();
    let mut strides = [0; 4];
    for (to, from) in strides.iter_mut().zip(frame.plane_stride()) {
        *to = usize::try_from(*from).unwrap_or(0);
    }
    let [y, u, v, _] = frame.planes_data_mut();
    let canvas = match format {
        gst_video::VideoFormat::I420 => {
            Canvas::i420(width, height, (y, strides[0]), (u, strides[1]), (v, strides[2]))
        }
        gst_video::VideoFormat::Nv12 => {
            Canvas::nv12(width, height, (y, strides[0]), (u, strides[1]))
        }
        _ => None,
    };
    match canvas {
        Some(mut canvas) => draw(&mut canvas),
        None => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use base::slot::Slot;
    use config::CameraConfig;
    use domain::{Point, PrivacyMask};

    use super::*;
    use crate::support::scene;

    #[test]
    fn a_frame_that_masks_cannot_be_painted_on_does_not_pass() {
        gst::init().unwrap();
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)];
        let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
        let masks = vec![PrivacyMask::new(polygon).unwrap()];
        for (masks, passes) in [(masks, false), (Vec::new(), true)] {
            let camera = CameraConfig { masks, ..scene() };
            let shared = Arc::new(Shared::new(Slot::default(), &camera, mpsc::channel().0));
            let mut hook = OverlayHook::new(&shared, Duration::ZERO, Duration::MAX);
            let unknown = gst_video::VideoFormat::Yuy2;
            let info = gst_video::VideoInfo::builder(unknown, 32, 32).build().unwrap();
            let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
            let pass = hook.frame(&mut buffer, &info, Duration::ZERO);
            assert_eq!((pass == Pass::Yes, hook.passes_unseen()), (passes, passes));
            assert_eq!(shared.picture().is_some(), passes, "nor is it kept for snapshots");
        }
    }
}
