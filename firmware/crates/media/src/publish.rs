//! The RTSP session with the media server: a pipeline of its own, so that a server that is absent,
//! restarting or frozen never reaches the camera's pipeline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use url::Url;

use crate::build::make;
use crate::error::MediaError;
use crate::event::MediaEvent;
use crate::fanout::{EncodedFrame, EncodedFrames};
use crate::plan::ElementSpec;
use crate::shared::{Shared, left};
use crate::stop::tear_down;
use crate::timeline::clock_time;

/// Encoded frames that may wait while the server does not read: 2 s at 30 frames per second.
const QUEUE: usize = 60;
/// First and longest wait before another try. The server is on this machine: a try is cheap, and
/// a restarted server should have its stream back at once.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A server that takes nothing for this long is as good as gone.
const STALL: Duration = Duration::from_secs(4);
/// Any but the element's own: MediaMTX answers SETUP of a client called `GStreamer…` a second late
/// (gortsplib 5.6, `server_session.go`, for a fault of the element that 97 starts did not show; it
/// would be a session that takes nothing, which is left for another one after [`STALL`]).
const USER_AGENT: &str = concat!("EdgeCam/", env!("CARGO_PKG_VERSION"));
/// How often the session is looked after when no frame comes.
const TICK: Duration = Duration::from_millis(100);

/// Publishes until the stop.
pub(crate) fn run(url: &Url, shared: &Arc<Shared>) {
    let mut backoff = BACKOFF.0;
    let mut complaint = Complaint::default();
    while !shared.is_stopping() {
        let (began, mut published) = (Instant::now(), false);
        let reason = match session(url, shared, &mut published) {
            Ok(()) => return,
            Err(reason) => reason,
        };
        if began.elapsed() > BACKOFF.1 * 2 {
            backoff = BACKOFF.0;
        }
        if complaint.is_news(&reason, published) {
            tracing::warn!(reason, "the stream is not published");
            shared.tell(MediaEvent::PublishWaiting { reason });
        }
        if shared.wait(backoff) {
            return;
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// What was told last of why nothing is published.
#[derive(Debug, Default)]
struct Complaint(String);

impl Complaint {
    /// Whether it is to be told that a session ended for `reason`: a failed try for a reason that was
    /// told before is no news, the end of what was `published` always is.
    fn is_news(&mut self, reason: &str, published: bool) -> bool {
        let news = published || self.0 != reason;
        reason.clone_into(&mut self.0);
        news
    }
}

/// One session; `Ok` at the stop, else why it ended. Says in `published` whether the server took it.
fn session(url: &Url, shared: &Arc<Shared>, published: &mut bool) -> Result<(), String> {
    let frames = shared.fanout.subscribe(QUEUE);
    shared.key_frame();
    let Some(first) = first_frame(&frames, shared) else { return Ok(()) };
    let session = Session::open(url, &first).map_err(|error| base::error::chain(&error))?;
    let outcome = session.carry(first, &frames, shared, published);
    shared.counters.publish_dropped.add(frames.dropped());
    outcome
}

fn first_frame(frames: &EncodedFrames, shared: &Shared) -> Option<EncodedFrame> {
    while !shared.is_stopping() {
        if let Some(frame) = frames.next(TICK) {
            return Some(frame);
        }
    }
    None
}

struct Session {
    pipeline: gst::Pipeline,
    feed: gst_app::AppSrc,
    sink: gst::Bin,
    bus: gst::Bus,
    base_time: Duration,
}

impl Session {
    fn open(url: &Url, first: &EncodedFrame) -> Result<Self, MediaError> {
        let feed = make(
            &ElementSpec::new("appsrc", "feed")
                .with("format", "time")
                .with("is-live", true)
                .with("max-buffers", QUEUE)
                .with("max-bytes", 0)
                .with("caps", &first.caps),
        )?;
        let parse = make(&ElementSpec::new("h264parse", "parse").with("config-interval", -1))?;
        let sink = make(
            &ElementSpec::new("rtspclientsink", "publish")
                .with("location", url)
                .with("protocols", "tcp")
                .with("latency", 0)
                .with("user-agent", USER_AGENT)
                .with("tcp-timeout", STALL.as_micros()),
        )?;
        let pipeline = gst::Pipeline::new();
        let elements = [&feed, &parse, &sink];
        let link_error = |_| MediaError::Link { from: "feed".into(), to: "publish".into() };
        pipeline.add_many(elements).map_err(link_error)?;
        gst::Element::link_many(elements).map_err(link_error)?;
        let clock = gst::SystemClock::obtain();
        pipeline.use_clock(Some(&clock));
        pipeline.set_start_time(gst::ClockTime::NONE);
        // The first frame is due now, whenever it was captured.
        let base_time = first.captured;
        pipeline.set_base_time(clock_time(base_time));
        let bus = pipeline.bus().ok_or(MediaError::NotRunning)?;
        let feed = feed.downcast().map_err(|_| MediaError::NotRunning)?;
        let sink = sink.downcast().map_err(|_| MediaError::NotRunning)?;
        Ok(Self { pipeline, feed, sink, bus, base_time })
    }

    fn carry(
        &self,
        first: EncodedFrame,
        frames: &EncodedFrames,
        shared: &Shared,
        published: &mut bool,
    ) -> Result<(), String> {
        // An error of the start is told on the bus too, with more words.
        let _ = self.pipeline.set_state(gst::State::Playing);
        let mut next = Some(first);
        let mut stall = Instant::now() + STALL;
        while !shared.is_stopping() {
            if let Some(frame) = next {
                self.push(frame)?;
                shared.counters.published.add(1);
            }
            self.check_bus()?;
            let waiting = self.feed.property::<u64>("current-level-buffers");
            if !*published && self.is_recording() {
                *published = true;
                tracing::info!("the stream is published");
                shared.tell(MediaEvent::Publishing);
            }
            if *published && waiting < QUEUE as u64 / 2 {
                stall = Instant::now() + STALL;
            }
            if left(stall).is_zero() {
                return Err(format!("the media server takes nothing for {} s", STALL.as_secs()));
            }
            next = frames.next(TICK);
        }
        Ok(())
    }

    fn push(&self, frame: EncodedFrame) -> Result<(), String> {
        let mut data = frame.data;
        let time = clock_time(frame.captured.saturating_sub(self.base_time));
        // Only the head is copied: the bytes stay shared with the other takers.
        let buffer = data.make_mut();
        buffer.set_pts(time);
        buffer.set_dts(gst::ClockTime::NONE);
        match self.feed.push_buffer(data) {
            Ok(_) => Ok(()),
            // The reason is on the bus.
            Err(_) => self.check_bus().and(Err("the session ended".to_owned())),
        }
    }

    fn check_bus(&self) -> Result<(), String> {
        use gst::MessageView;
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
        match self.bus.pop_filtered(&kinds).as_ref().map(|message| message.view()) {
            None => Ok(()),
            Some(MessageView::Error(error)) => {
                Err(format!("the media server does not take the stream: {}", error.error()))
            }
            Some(_) => Err("the media server ended the session".to_owned()),
        }
    }

    /// Whether the server has agreed to record. The sink itself plays long before; the bin inside
    /// it plays only after the answer to RECORD.
    fn is_recording(&self) -> bool {
        self.sink.children().iter().any(|inner| inner.current_state() == gst::State::Playing)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        tear_down(&self.pipeline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_told_also_for_the_reason_told_before_and_each_failed_try_once() {
        let mut complaint = Complaint::default();
        let tries = [
            ("refused", false),
            ("refused", false),
            ("refused", true),
            ("refused", false),
            ("frozen", false),
            ("refused", false),
        ];
        let told = tries.map(|(reason, published)| complaint.is_news(reason, published));
        assert_eq!(told, [true, false, true, false, true, true]);
    }
}
