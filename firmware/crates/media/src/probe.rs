//! Looks at the raw frames that pass a pad, with their format and their running time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::timeline::duration;

/// What looks at frames. Called from a streaming thread: must not wait.
pub(crate) trait OnFrame: Send + 'static {
    /// A frame passes. `buffer` may be drawn on or replaced.
    fn frame(&mut self, buffer: &mut gst::Buffer, info: &gst_video::VideoInfo, time: Duration);
}

struct State<H> {
    handler: H,
    info: Option<gst_video::VideoInfo>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
}

/// Shows every frame that leaves or enters by `pad` to `handler`.
pub(crate) fn attach(pad: &gst::Pad, handler: impl OnFrame) {
    let state = Mutex::new(State { handler, info: None, segment: None });
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, move |_, probe| {
        // A panic in a handler poisons the lock; the frames after it still pass.
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match probe.data.as_mut() {
            Some(gst::PadProbeData::Event(event)) => state.event(event),
            Some(gst::PadProbeData::Buffer(buffer)) => state.buffer(buffer),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

impl<H: OnFrame> State<H> {
    fn event(&mut self, event: &gst::EventRef) {
        match event.view() {
            gst::EventView::Caps(caps) => {
                self.info = gst_video::VideoInfo::from_caps(caps.caps()).ok();
            }
            gst::EventView::Segment(segment) => {
                self.segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
            }
            _ => {}
        }
    }

    fn buffer(&mut self, buffer: &mut gst::Buffer) {
        let (Some(info), Some(segment)) = (&self.info, &self.segment) else { return };
        let Some(time) = segment.to_running_time(buffer.pts()) else { return };
        self.handler.frame(buffer, info, duration(time));
    }
}
