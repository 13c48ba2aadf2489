//! A clip that begins again at its end without a gap.
//!
//! While one pass plays, the source of the next one is made and decodes its first frame, which
//! waits. At the end the two change places, and the new one's times go on where the old one's
//! ended. So any container loops, no seek has to be exact, and nothing adds up over hours: each
//! pass starts from fresh elements at the exact end of the last frame.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::build::{Built, SourceBin, source_bin};
use crate::error::MediaError;
use crate::plan::ElementSpec;
use crate::probe::{self, OnFrame, Pass};
use crate::shared::lock;
use crate::timeline::{clock_time, duration};

/// Name of the message that a pass has ended.
pub(crate) const CLIP_END: &str = "edgecam-clip-end";

/// The passes of a looped clip.
pub(crate) struct Loop {
    specs: Vec<ElementSpec>,
    current: SourceBin,
    next: Option<Waiting>,
    end: Arc<Mutex<Duration>>,
    /// Where the current pass began.
    began: Duration,
}

/// A source whose first frame waits at its pad.
struct Waiting {
    source: SourceBin,
    block: Option<gst::PadProbeId>,
}

/// Notes when the last frame that passed ends.
struct EndOfLast {
    end: Arc<Mutex<Duration>>,
    last: Duration,
}

impl OnFrame for EndOfLast {
    fn frame(
        &mut self,
        buffer: &mut gst::Buffer,
        info: &gst_video::VideoInfo,
        time: Duration,
    ) -> Pass {
        let lasts = buffer.duration().map(duration).filter(|lasts| !lasts.is_zero());
        let nominal = || {
            let fps = info.fps();
            (fps.numer() > 0)
                .then(|| Duration::from_secs_f64(f64::from(fps.denom()) / f64::from(fps.numer())))
        };
        // A clip that says neither: as long as the frame before.
        let lasts = lasts.or_else(nominal).unwrap_or_else(|| time.saturating_sub(self.last));
        self.last = time;
        *lock(&self.end) = time + lasts;
        Pass::Yes
    }
}

impl Loop {
    /// Takes over the source of `built`, which does not play yet.
    pub(crate) fn new(built: &Built, current: SourceBin, specs: &[ElementSpec]) -> Self {
        let end = Arc::<Mutex<Duration>>::default();
        if let Some(pad) = built.after_source.static_pad("sink") {
            probe::attach(&pad, EndOfLast { end: Arc::clone(&end), last: Duration::ZERO });
        }
        announce_end(&current);
        Self { specs: specs.to_vec(), current, next: None, end, began: Duration::ZERO }
    }

    /// Makes the next pass ready, if that has not been done.
    ///
    /// # Errors
    /// When an element cannot be made any more.
    pub(crate) fn prepare(&mut self, pipeline: &gst::Pipeline) -> Result<(), MediaError> {
        if self.next.is_some() {
            return Ok(());
        }
        let source = source_bin(&self.specs, None)?;
        announce_end(&source);
        let kind = gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER;
        let block = source.pad.add_probe(kind, |_, _| gst::PadProbeReturn::Ok);
        let failed = |_| MediaError::Link { from: "the pipeline".into(), to: "the clip".into() };
        pipeline.add(&source.bin).map_err(failed)?;
        source.bin.sync_state_with_parent().map_err(failed)?;
        self.next = Some(Waiting { source, block });
        Ok(())
    }

    /// Puts the next pass in the place of the one that ended. `Ok(false)` when the last pass had
    /// not a single frame, so that another one would be in vain.
    ///
    /// # Errors
    /// When the next pass cannot be made or linked.
    pub(crate) fn turn(&mut self, built: &Built) -> Result<bool, MediaError> {
        self.prepare(&built.pipeline)?;
        let end = *lock(&self.end);
        let Some(waiting) = self.next.take().filter(|_| end > self.began) else {
            return Ok(false);
        };
        let old = std::mem::replace(&mut self.current, waiting.source);
        let failed = || MediaError::Link { from: "the clip".into(), to: "pace".into() };
        let sink = built.after_source.static_pad("sink").ok_or_else(failed)?;
        old.pad.unlink(&sink).map_err(|_| failed())?;
        let offset = clock_time(end).nseconds();
        self.current.pad.set_offset(i64::try_from(offset).unwrap_or(i64::MAX));
        self.current.pad.link(&sink).map_err(|_| failed())?;
        if let Some(block) = waiting.block {
            self.current.pad.remove_probe(block);
        }
        self.began = end;
        // It has ended: no thread of it is at work that could hold this up.
        let _ = old.bin.set_state(gst::State::Null);
        let _ = built.pipeline.remove(&old.bin);
        Ok(true)
    }
}

/// Tells the end of a pass on the bus instead of letting it through.
fn announce_end(source: &SourceBin) {
    let bin = source.bin.downgrade();
    source.pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        let is_end = probe.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
        let Some(bin) = bin.upgrade().filter(|_| is_end) else { return gst::PadProbeReturn::Ok };
        let message =
            gst::message::Application::builder(gst::Structure::new_empty(CLIP_END)).src(&bin);
        if bin.post_message(message.build()).is_err() {
            tracing::debug!("the end of a pass reached no bus: the pipeline is going down");
        }
        // Not `Drop`: GStreamer 1.22 would complain about the event that the binding has freed.
        gst::PadProbeReturn::Handled
    });
}
