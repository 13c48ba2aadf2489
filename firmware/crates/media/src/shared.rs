//! What the threads of one camera share. No lock here is held while anything waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::slot::Slot;
use config::{CameraConfig, ImageControls, OverlayConfig};
use domain::{Frame, PrivacyMask, Size};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::event::{EncoderRung, MediaEvent};
use crate::fanout::EncodedFanout;
use crate::image;
use crate::masks::{Masks, Stencil};
use crate::overlay::OverlayHandle;
use crate::overlay::hook::{colorimetry, with_canvas};
use crate::plan::v4l2_controls;
use crate::stats::Counters;
use crate::timeline::Timeline;
use scene::Truth;

/// Frames of the generated street whose truth is remembered: 10 s at 30 frames per second.
const TRUTHS: usize = 300;

/// The encoder of the pipeline that runs now.
pub(crate) struct LiveEncoder {
    pub(crate) rung: EncoderRung,
    pub(crate) element: gst::Element,
    /// Frames between key frames, needed to state the controls of a V4L2 encoder anew.
    pub(crate) key_frame_period: u32,
}

/// A raw frame with everything drawn on it.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) buffer: gst::Buffer,
    pub(crate) info: gst_video::VideoInfo,
}

impl Picture {
    /// The same under `masks`; `None`: they cannot be painted on it.
    fn masked(&self, masks: &Masks) -> Option<Self> {
        // The encoder may still read this one.
        let mut buffer = self.buffer.copy_deep().ok()?;
        let size = Size::new(self.info.width(), self.info.height());
        let stencil = Stencil::new(masks, size);
        let painted = with_canvas(buffer.get_mut()?, &self.info, |canvas| {
            stencil.paint(canvas, colorimetry(&self.info).full_range);
        });
        painted.then(|| Self { buffer, info: self.info.clone() })
    }
}

pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) timeline: Timeline,
    pub(crate) frames: Slot<Frame>,
    pub(crate) fanout: EncodedFanout,
    pub(crate) overlay: OverlayHandle,
    pub(crate) overlay_config: Mutex<OverlayConfig>,
    /// What nobody gets to see. Where `picture` is locked as well, that comes first.
    masks: Mutex<Masks>,
    image: Mutex<ImageControls>,
    /// What pictures come from, while there is a pipeline.
    pub(crate) source: Mutex<Option<gst::Element>>,
    pub(crate) bitrate_kbps: AtomicU32,
    pub(crate) encoder: Mutex<Option<LiveEncoder>>,
    picture: Mutex<Option<Picture>>,
    /// Presentation time and truth of the newest generated frames, oldest first.
    pub(crate) truths: Mutex<VecDeque<(Duration, Vec<Truth>)>>,
    pub(crate) events: Mutex<Sender<MediaEvent>>,
    stop: Mutex<bool>,
    stopped: Condvar,
}

impl Shared {
    pub(crate) fn new(
        frames: Slot<Frame>,
        camera: &CameraConfig,
        events: Sender<MediaEvent>,
    ) -> Self {
        Self {
            counters: Counters::default(),
            timeline: Timeline::default(),
            frames,
            fanout: EncodedFanout::default(),
            overlay: OverlayHandle::default(),
            overlay_config: Mutex::new(camera.overlay),
            masks: Mutex::new(camera.masks.as_slice().into()),
            image: Mutex::new(camera.image.controls.clone()),
            source: Mutex::default(),
            bitrate_kbps: AtomicU32::new(camera.encoder.bitrate_kbps),
            encoder: Mutex::default(),
            picture: Mutex::default(),
            truths: Mutex::default(),
            events: Mutex::new(events),
            stop: Mutex::new(false),
            stopped: Condvar::new(),
        }
    }

    /// Tells `event` to whoever listens; nobody has to.
    pub(crate) fn tell(&self, event: MediaEvent) {
        let _ = lock(&self.events).send(event);
    }

    pub(crate) fn ask_to_stop(&self) {
        *lock(&self.stop) = true;
        self.stopped.notify_all();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *lock(&self.stop)
    }

    /// Waits for `time`; `true` when the stop came meanwhile.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let waiting = |stop: &mut bool| !*stop;
        let (stop, _) = self
            .stopped
            .wait_timeout_while(lock(&self.stop), time, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        *stop
    }

    /// Asks the running encoder for a key frame.
    pub(crate) fn key_frame(&self) {
        let guard = lock(&self.encoder);
        let Some(pad) = guard.as_ref().and_then(|live| live.element.static_pad("src")) else {
            return;
        };
        drop(guard);
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        if !pad.send_event(event) {
            tracing::debug!("the encoder took no request for a key frame");
        }
    }

    /// Sets the encoder's target, now and for pipelines to come.
    pub(crate) fn set_bitrate(&self, kbps: u32) {
        self.bitrate_kbps.store(kbps, Ordering::Relaxed);
        if let Some(live) = lock(&self.encoder).as_ref() {
            live.set_bitrate(kbps);
        }
    }

    /// The masks of frames from now on.
    pub(crate) fn masks(&self) -> Masks {
        lock(&self.masks).clone()
    }

    /// Puts `masks` on every frame from now on, and on the picture that is kept.
    pub(crate) fn set_masks(&self, masks: &[PrivacyMask]) {
        let mut picture = lock(&self.picture);
        let mut now = lock(&self.masks);
        if **now == *masks {
            return;
        }
        *now = masks.into();
        *picture = picture.as_ref().and_then(|picture| picture.masked(&now));
    }

    /// Keeps `picture`, which was drawn on under `masks`, unless there are others by now.
    pub(crate) fn keep_picture(&self, picture: Picture, masks: &Masks) {
        let mut kept = lock(&self.picture);
        if Arc::ptr_eq(masks, &lock(&self.masks)) {
            *kept = Some(picture);
        }
    }

    /// The newest picture.
    pub(crate) fn picture(&self) -> Option<Picture> {
        lock(&self.picture).clone()
    }

    /// Keeps no picture any more.
    pub(crate) fn forget_picture(&self) {
        lock(&self.picture).take();
    }

    /// `source` gives pictures from now on, as it was told to.
    pub(crate) fn set_source(&self, source: Option<gst::Element>) {
        if let Some(source) = &source {
            image::apply(source, None, &lock(&self.image));
        }
        *lock(&self.source) = source;
    }

    /// Tells the source how to take pictures, now and for pipelines to come.
    pub(crate) fn set_image(&self, controls: &ImageControls) {
        let old = std::mem::replace(&mut *lock(&self.image), controls.clone());
        if let Some(source) = lock(&self.source).as_ref() {
            image::apply(source, Some(&old), controls);
        }
    }

    pub(crate) fn remember_truth(&self, pts: Duration, truth: Vec<Truth>) {
        let mut truths = lock(&self.truths);
        if truths.len() >= TRUTHS {
            truths.pop_front();
        }
        truths.push_back((pts, truth));
    }

    /// The truth of the frame at `pts`: the nearest, at most a millisecond off.
    pub(crate) fn truth_at(&self, pts: Duration) -> Option<Vec<Truth>> {
        let truths = lock(&self.truths);
        let (_, truth) =
            truths.iter().find(|(at, _)| at.abs_diff(pts) < Duration::from_millis(1))?;
        Some(truth.clone())
    }
}

impl LiveEncoder {
    pub(crate) fn set_bitrate(&self, kbps: u32) {
        match self.rung {
            EncoderRung::X264 => self.element.set_property("bitrate", kbps),
            EncoderRung::Openh264 => {
                self.element.set_property("bitrate", kbps.saturating_mul(1000));
            }
            EncoderRung::V4l2Dmabuf | EncoderRung::V4l2Mmap => {
                let controls = v4l2_controls(kbps, self.key_frame_period);
                self.element.set_property_from_str("extra-controls", &controls);
            }
        }
    }
}

/// Locks `mutex`. What it guards is replaced whole, so that a panic elsewhere leaves no half-change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is left of `deadline`.
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
