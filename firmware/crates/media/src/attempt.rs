//! One pipeline from its start to its end, and the judgement of what ended it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::Size;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::blame::{Blame, Place};
use crate::build::{self, Built, SourceBin};
use crate::clip::{CLIP_END, Loop};
use crate::error::MediaError;
use crate::event::{Capabilities, EncoderRung, MediaEvent, Running};
use crate::fanout::EncodedFrame;
use crate::feed::{self, Feed};
use crate::image;
use crate::overlay::hook::OverlayHook;
use crate::plan::{PipelinePlan, RungPlan, SourceKind};
use crate::probe;
use crate::shared::{LiveEncoder, Shared, lock};
use crate::stats::nanos;
use crate::stop::tear_down;
use crate::tap::Tap;
use crate::timeline::{Timeline, clock_time, duration};

/// How often the pipeline is looked after when its bus is silent.
const TICK: Duration = Duration::from_millis(50);
/// An encoder that gets frames must give a key frame, and later anything at all, within this time.
const ENCODER_PATIENCE: Duration = Duration::from_secs(3);
/// A source must give its first frame, and later any, within these times. Opening a camera and
/// probing its modes takes seconds.
const SOURCE_PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));
/// Head start of a paced source, so that its first frame is not late: about the time that opening
/// a clip takes.
const HEAD_START: Duration = Duration::from_millis(200);

/// Why a pipeline came to its end.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It was asked to.
    Stopped,
    /// The clip is over.
    Ended,
    /// The source gives no picture; it may come back.
    SourceLost(String),
    /// The source will never give a picture.
    SourceUnusable(String),
    /// The encoder does not encode.
    RungFailed(String),
}

/// What one attempt works on.
pub(crate) struct Attempt<'a> {
    pub(crate) plan: &'a PipelinePlan,
    pub(crate) rung: &'a RungPlan,
    pub(crate) rung_reason: String,
    /// All rungs, best first, with what is wrong with them.
    pub(crate) encoders: Vec<(EncoderRung, Option<String>)>,
    /// Whether another rung could be tried after this one.
    pub(crate) more_rungs: bool,
    pub(crate) blame: &'a Blame,
    pub(crate) key_interval: Duration,
    /// The same in frames, as the plan counts them.
    pub(crate) key_frame_period: u32,
    pub(crate) shared: &'a Arc<Shared>,
}

/// A pipeline that plays.
struct Playing {
    built: Built,
    passes: Option<Loop>,
    feeder: Option<JoinHandle<()>>,
}

/// What the watch over a pipeline remembers.
struct Watch {
    frames: (u64, Instant),
    encoded: (u64, Instant),
    keys_before: u64,
    frames_before: u64,
    running: bool,
}

impl Attempt<'_> {
    /// Builds, plays and watches one pipeline until something ends it.
    pub(crate) fn run(&self) -> Outcome {
        let built = match build::pipeline(self.rung, self.plan.low_res.as_ref()) {
            Ok(built) => built,
            Err(error) => return self.not_built(&error),
        };
        let mut playing = match self.play(built) {
            Ok(playing) => playing,
            Err(error) => return Outcome::SourceUnusable(base::error::chain(&error)),
        };
        let outcome = self.watch(&mut playing);
        lock(&self.shared.encoder).take();
        self.shared.set_source(None);
        tear_down(&playing.built.pipeline);
        if let Some(feeder) = playing.feeder.take() {
            // The pipeline that it fed is down: it ends with its current frame.
            let _ = feeder.join();
        }
        outcome
    }

    fn not_built(&self, error: &MediaError) -> Outcome {
        let culprit = match error {
            MediaError::MissingElement { element, .. } => element.as_str(),
            MediaError::Property { element, .. } => element.as_str(),
            MediaError::Link { from, .. } => from.as_str(),
            _ => "",
        };
        let of_encoder =
            |spec: &&crate::plan::ElementSpec| spec.factory == culprit || spec.name == culprit;
        let reason = base::error::chain(error);
        if self.rung.encode.iter().any(|spec| of_encoder(&spec)) {
            Outcome::RungFailed(reason)
        } else {
            Outcome::SourceUnusable(reason)
        }
    }

    fn play(&self, mut built: Built) -> Result<Playing, MediaError> {
        let shared = self.shared;
        let clock = gst::SystemClock::obtain();
        built.pipeline.use_clock(Some(&clock));
        // The base time is ours, so that the probes know it before the first frame.
        built.pipeline.set_start_time(gst::ClockTime::NONE);
        let lead = if self.rung.pace.is_some() { HEAD_START } else { Duration::ZERO };
        let base_time = duration(clock.time()) + lead;
        built.pipeline.set_base_time(clock_time(base_time));
        self.attach(&built, base_time);
        shared.set_source(built.source.bin.by_name("source"));
        let source = built.source.share();
        let passes = match self.plan.source {
            SourceKind::Clip { looped: true } => Some(Loop::new(&built, source, &self.rung.source)),
            _ => None,
        };
        let feeder = match (self.plan.source, built.source.feed.take()) {
            (SourceKind::Scene { seed, size, fps }, Some(entry)) => {
                Some(feed::start(Feed { seed, size, fps }, entry, shared, base_time)?)
            }
            _ => None,
        };
        let live = LiveEncoder {
            rung: self.rung.rung,
            element: built.encoder.clone(),
            key_frame_period: self.key_frame_period,
        };
        live.set_bitrate(shared.bitrate_kbps.load(std::sync::atomic::Ordering::Relaxed));
        *lock(&shared.encoder) = Some(live);
        // A failure is told on the bus as well, with its reason.
        let _ = built.pipeline.set_state(gst::State::Playing);
        Ok(Playing { built, passes, feeder })
    }

    fn attach(&self, built: &Built, base_time: Duration) {
        let shared = self.shared;
        let tap = Tap::new(shared, base_time);
        match &built.source.low_res {
            None => probe::attach(&built.raw_pad, tap),
            Some(sink) => attach_low_res(sink, tap, &built.raw_pad),
        }
        let hook = OverlayHook::new(shared, base_time, self.key_interval);
        probe::attach(&built.overlay_pad, hook);
        collect(&built.encoded, shared, base_time);
    }

    fn watch(&self, playing: &mut Playing) -> Outcome {
        let Some(bus) = playing.built.pipeline.bus() else {
            return Outcome::SourceUnusable("GStreamer gave a pipeline without a bus".to_owned());
        };
        let mut watch = Watch::new(self.shared);
        loop {
            if self.shared.is_stopping() {
                return Outcome::Stopped;
            }
            if let Some(message) = bus.timed_pop(clock_time(TICK))
                && let Some(outcome) = self.judge(&message, playing, &watch)
            {
                return outcome;
            }
            if let Some(outcome) = watch.check(self) {
                return outcome;
            }
            if !watch.running && watch.has_key_frame(self.shared) {
                watch.running = true;
                self.tell_running(&playing.built);
            }
            // The first pass is under way: there is time to make the next one ready.
            if watch.running
                && let Some(passes) = &mut playing.passes
                && let Err(error) = passes.prepare(&playing.built.pipeline)
            {
                return Outcome::SourceLost(base::error::chain(&error));
            }
        }
    }

    fn judge(
        &self,
        message: &gst::Message,
        playing: &mut Playing,
        watch: &Watch,
    ) -> Option<Outcome> {
        use gst::MessageView;
        match message.view() {
            // Only a clip is over at its end; a camera that hangs up is expected back.
            MessageView::Eos(_) => Some(match self.plan.source {
                SourceKind::Clip { .. } => Outcome::Ended,
                SourceKind::Scene { .. } | SourceKind::Live => self.blame.hung_up(),
            }),
            MessageView::Application(note) if note.structure()?.name() == CLIP_END => {
                self.turn(playing)
            }
            MessageView::Error(error) => {
                let place = self.place(error);
                let had_frames = self.shared.counters.frames.get() > watch.frames_before;
                Some(self.blame.error(error, place, had_frames))
            }
            MessageView::Warning(warning) => {
                let element = warning.src().map(|src| src.name().to_string());
                tracing::warn!(element, warning = %warning.error(), "warning from GStreamer");
                None
            }
            MessageView::Latency(_) => {
                let _ = playing.built.pipeline.recalculate_latency();
                None
            }
            _ => None,
        }
    }

    /// Where in the pipeline the fault lies. Frames that do not fit the encoder are refused
    /// upstream of it: while another rung is there to try, that is the rung's fault.
    fn place(&self, error: &gst::message::Error) -> Place {
        let name = error.src().map(|src| src.name().to_string()).unwrap_or_default();
        let debug = error.debug().unwrap_or_default();
        let misfit = self.more_rungs && debug.contains("not-negotiated");
        let of_encoder = self.rung.encode.iter().any(|spec| spec.name == name);
        if of_encoder || misfit { Place::Encoder } else { Place::Source }
    }

    fn turn(&self, playing: &mut Playing) -> Option<Outcome> {
        match playing.passes.as_mut()?.turn(&playing.built) {
            Ok(true) => {
                self.shared.counters.loops.add(1);
                None
            }
            Ok(false) => Some(self.blame.no_picture_in_it()),
            Err(error) => Some(Outcome::SourceLost(base::error::chain(&error))),
        }
    }

    fn capabilities(&self, built: &Built) -> Capabilities {
        let source = built.source.bin.by_name("source");
        Capabilities {
            controls: image::controls(source.as_ref()),
            modes: image::modes(source.as_ref()),
            encoders: self.encoders.clone(),
        }
    }

    fn tell_running(&self, built: &Built) {
        let caps = built.overlay_pad.current_caps();
        let info = caps.and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let size = info.as_ref().map_or(Size::new(0, 0), |i| Size::new(i.width(), i.height()));
        let fps = info
            .as_ref()
            .map_or(0.0, |i| f64::from(i.fps().numer()) / f64::from(i.fps().denom().max(1)));
        tracing::info!(rung = %self.rung.rung, %size, fps, "the camera runs");
        self.shared.tell(MediaEvent::Running(Running {
            description: self.rung.to_string(),
            rung: self.rung.rung,
            rung_reason: self.rung_reason.clone(),
            size,
            fps,
            capabilities: self.capabilities(built),
        }));
    }
}

impl Watch {
    fn new(shared: &Shared) -> Self {
        let (now, counters) = (Instant::now(), &shared.counters);
        Self {
            frames: (counters.frames.get(), now),
            encoded: (counters.encoded.get(), now),
            keys_before: counters.key_frames.get(),
            frames_before: counters.frames.get(),
            running: false,
        }
    }

    fn has_key_frame(&self, shared: &Shared) -> bool {
        shared.counters.key_frames.get() > self.keys_before
    }

    /// Looks whether frames still go in and come out.
    fn check(&mut self, attempt: &Attempt<'_>) -> Option<Outcome> {
        let (now, counters) = (Instant::now(), &attempt.shared.counters);
        let frames = counters.frames.get();
        let first_frame = self.frames.0 == self.frames_before;
        if frames != self.frames.0 {
            self.frames = (frames, now);
            if first_frame {
                // Only now has the encoder something to encode.
                self.encoded.1 = now;
            }
        }
        let encoded = counters.encoded.get();
        if encoded != self.encoded.0 && (self.running || self.has_key_frame(attempt.shared)) {
            self.encoded = (encoded, now);
        }
        let had_frames = frames != self.frames_before;
        let patience = if had_frames { SOURCE_PATIENCE.1 } else { SOURCE_PATIENCE.0 };
        if now.duration_since(self.frames.1) > patience {
            return Some(attempt.blame.silent(patience));
        }
        // As long as frames go in.
        let fed = now.duration_since(self.frames.1) < ENCODER_PATIENCE / 2;
        if had_frames && fed && now.duration_since(self.encoded.1) > ENCODER_PATIENCE {
            let what = if self.running { "frame" } else { "key frame" };
            let seconds = ENCODER_PATIENCE.as_secs();
            return Some(Outcome::RungFailed(format!("no {what} in {seconds} s")));
        }
        None
    }
}

impl SourceBin {
    /// Another reference to the same bin.
    fn share(&self) -> Self {
        Self {
            bin: self.bin.clone(),
            pad: self.pad.clone(),
            low_res: self.low_res.clone(),
            feed: None,
        }
    }
}

/// Taps the small frames that the camera gives beside the picture at `main`.
fn attach_low_res(sink: &gst_app::AppSink, tap: Tap, main: &gst::Pad) {
    let main = main.downgrade();
    let mut tap = Some(tap);
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let main_caps = main.upgrade().and_then(|pad| pad.current_caps());
        let picture = main_caps.and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let info = sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
        let (Some(picture), Some(info)) = (picture, info) else { return Ok(gst::FlowSuccess::Ok) };
        if let (Some(buffer), Some(time)) = (sample.buffer(), running_time(&sample)) {
            let of = Size::new(picture.width(), picture.height());
            let mut scaled = tap.take().map(|tap| tap.of_scaled(of));
            if let Some(tap) = &mut scaled {
                tap.take(buffer, &info, time);
            }
            tap = scaled;
        }
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
}

/// Counts encoded frames and hands them out.
fn collect(sink: &gst_app::AppSink, shared: &Arc<Shared>, base_time: Duration) {
    let shared = Arc::clone(shared);
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let Some(time) = running_time(&sample) else { return Ok(gst::FlowSuccess::Ok) };
        let counters = &shared.counters;
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        counters.encoded.add(1);
        counters.encoded_bytes.add(buffer.size() as u64);
        let (now, captured) = (base::clock::monotonic(), Timeline::captured(base_time, time));
        counters.last_frame.set(nanos(now));
        counters.encoded_times.add(now.saturating_sub(captured));
        if key {
            counters.key_frames.add(1);
            counters.last_key.set(nanos(shared.timeline.pts(base_time, time)));
        }
        shared.fanout.push(&EncodedFrame { data: buffer, caps, key, captured });
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
}

fn running_time(sample: &gst::Sample) -> Option<Duration> {
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(sample.buffer()?.pts()).map(duration)
}
