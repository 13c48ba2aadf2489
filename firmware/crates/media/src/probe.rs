//! Looks at the raw frames that pass a pad, with their format and their running time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::timeline::duration;

/// What looks at frames. Called from a streaming thread: must not wait.
pub(crate) trait OnFrame: Send + 'static {
    /// A frame passes, or does not: see [`Pass`]. `buffer` may be drawn on or replaced.
    fn frame(
        &mut self,
        buffer: &mut gst::Buffer,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) -> Pass;

    /// Whether a frame passes whose format or time nobody knows, so that it cannot be looked at.
    fn passes_unseen(&self) -> bool {
        true
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It goes on.
    Yes,
    /// It must not be seen, and so the pipeline ends, for this reason.
    Never(&'static str),
}

struct State<H> {
    handler: H,
    info: Option<gst_video::VideoInfo>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    refused: bool,
}

/// Shows every frame that leaves or enters by `pad` to `handler`.
pub(crate) fn attach(pad: &gst::Pad, handler: impl OnFrame) {
    let state = Mutex::new(State { handler, info: None, segment: None, refused: false });
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, move |pad, probe| {
        // A panic in a handler poisons the lock; the frames after it are shown to it all the same.
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = match probe.data.as_mut() {
            Some(gst::PadProbeData::Event(event)) => {
                state.event(event);
                true
            }
            Some(gst::PadProbeData::Buffer(buffer)) => state.buffer(buffer, pad),
            _ => true,
        };
        if passes { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Drop }
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

    /// Whether the frame goes on.
    fn buffer(&mut self, buffer: &mut gst::Buffer, pad: &gst::Pad) -> bool {
        let time = self.segment.as_ref().and_then(|segment| segment.to_running_time(buffer.pts()));
        let (Some(info), Some(time)) = (&self.info, time) else {
            return self.handler.passes_unseen();
        };
        match self.handler.frame(buffer, info, duration(time)) {
            Pass::Yes => true,
            Pass::Never(reason) => {
                // Once is enough: it ends the pipeline.
                if !std::mem::replace(&mut self.refused, true)
                    && let Some(element) = pad.parent_element()
                {
                    gst::element_error!(element, gst::StreamError::Format, ("{reason}"));
                }
                false
            }
        }
    }
}
