//! The front of a camera's pipeline: start it, ask it, change it, stop it.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::slot::Slot;
use config::{CameraConfig, ImageControls, OverlayConfig};
use domain::{Frame, PrivacyMask};
use url::Url;

use crate::fanout::EncodedFanout;
use crate::ladder::LadderFile;
use crate::plan::{Pace, PipelinePlan, TapFit};
use crate::run::Runner;
use crate::shared::{Shared, left, lock};
use crate::snapshot;
use crate::stats::Stats;
use crate::{Board, MediaError, MediaEvent, OverlayHandle, Truth, publish};

/// A stop ends within this time, whatever an element does.
pub const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// What a pipeline needs besides the camera's configuration.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Where the stream is published by RTSP; `None`: nowhere.
    pub publish_url: Option<Url>,
    /// Which frames the detector needs.
    pub tap: TapFit,
    /// The camera's folder for state: the memory of failed encoder rungs. `None`: no memory.
    pub state_dir: Option<PathBuf>,
    /// Where frames for the detector go, the newest winning. Closed when the pipeline stops.
    pub frames: Slot<Frame>,
}

/// Starts pipelines.
#[derive(Debug)]
pub struct Pipeline;

/// A running pipeline; clones share it. Dropping the last one stops it.
#[derive(Clone)]
pub struct PipelineHandle(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<Thread>>,
}

/// A thread and the word that it is at its end.
struct Thread {
    name: &'static str,
    handle: JoinHandle<()>,
    ended: Receiver<()>,
}

impl Pipeline {
    /// Plans the pipeline and starts it. A source that does not answer is no error here: it is told
    /// as [`MediaEvent::Waiting`] and tried again. Events queue without limit; they are rare.
    ///
    /// # Errors
    /// When the plan cannot be made on this board, or a thread cannot be started.
    pub fn start(
        config: &CameraConfig,
        board: &Board,
        options: PipelineOptions,
    ) -> Result<(PipelineHandle, Receiver<MediaEvent>), MediaError> {
        Self::start_at(config, board, options, Pace::RealTime)
    }

    /// As [`start`](Self::start), at another pace: for measurements.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(
        config: &CameraConfig,
        board: &Board,
        options: PipelineOptions,
        pace: Pace,
    ) -> Result<(PipelineHandle, Receiver<MediaEvent>), MediaError> {
        gstreamer::init().map_err(MediaError::Init)?;
        let plan = PipelinePlan::choose(config, board, options.tap, pace)?;
        let (sender, events) = mpsc::channel();
        let shared = Arc::new(Shared::new(options.frames, config, sender));
        shared.overlay.set_marks(&config.name, &config.zones, &config.lines);
        let ladder = LadderFile::open(options.state_dir.as_deref());
        let runner = Runner::new(plan, config, ladder, Arc::clone(&shared));
        let inner = Inner { shared: Arc::clone(&shared), threads: Mutex::default() };
        // From here on an early return drops the handle, which stops what has been started.
        let handle = PipelineHandle(Arc::new(inner));
        handle.spawn("ec-media", move || runner.run())?;
        if let Some(url) = options.publish_url {
            handle.spawn("ec-publish", move || publish::run(&url, &shared))?;
        }
        Ok((handle, events))
    }
}

impl PipelineHandle {
    fn spawn(
        &self,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), MediaError> {
        let (done, ended) = mpsc::channel::<()>();
        let thread = base::thread::spawn(name, move || {
            // Dropped at the end, also by a panic: that is the word.
            let _done = done;
            run();
        });
        let handle = thread.map_err(|error| MediaError::Thread(name, error))?;
        lock(&self.0.threads).push(Thread { name, handle, ended });
        Ok(())
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        self.0.shared.counters.read()
    }

    /// The newest picture, as the viewer sees it, as JPEG of `quality` 1..=100. Takes tens of
    /// milliseconds of the calling thread, nothing of the stream's.
    ///
    /// # Errors
    /// When there is no picture yet.
    pub fn snapshot(&self, quality: u8) -> Result<Vec<u8>, MediaError> {
        let picture = self.0.shared.picture().ok_or(MediaError::NoPicture)?;
        snapshot::jpeg(&picture, quality)
    }

    /// Changes the encoder's target from the next frame on, without a break.
    pub fn set_bitrate(&self, kbps: u32) {
        self.0.shared.set_bitrate(kbps);
    }

    /// Changes what is drawn from the next frame on.
    pub fn set_overlay_config(&self, config: OverlayConfig) {
        *lock(&self.0.shared.overlay_config) = config;
    }

    /// Puts `masks` on every frame from the next one on, and on the newest picture: when this returns,
    /// nothing comes out any more without them but what the encoder has already.
    pub fn set_masks(&self, masks: &[PrivacyMask]) {
        self.0.shared.set_masks(masks);
    }

    /// Tells the source how to take pictures. What it has no control for is left out.
    pub fn set_image(&self, controls: &ImageControls) {
        self.0.shared.set_image(controls);
    }

    /// Asks the encoder for a key frame.
    pub fn key_frame(&self) {
        self.0.shared.key_frame();
    }

    /// Says what to draw.
    pub fn overlay(&self) -> &OverlayHandle {
        &self.0.shared.overlay
    }

    /// Where encoded frames can be had.
    pub fn encoded(&self) -> &EncodedFanout {
        &self.0.shared.fanout
    }

    /// The encoder at work, for tests that break it.
    #[cfg(test)]
    pub(crate) fn encoder(&self) -> Option<gstreamer::Element> {
        lock(&self.0.shared.encoder).as_ref().map(|live| live.element.clone())
    }

    /// What the generated street showed in the frame with this `Frame::pts`; `None` for another
    /// source or a frame longer ago than 10 s.
    pub fn truth_at(&self, pts: Duration) -> Option<Vec<Truth>> {
        self.0.shared.truth_at(pts)
    }

    /// Stops the pipeline and waits for its end, at most [`STOP_DEADLINE`]. Repeated calls return.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Inner {
    fn stop(&self) {
        self.shared.ask_to_stop();
        let deadline = Instant::now() + STOP_DEADLINE;
        for Thread { name, handle, ended } in std::mem::take(&mut *lock(&self.threads)) {
            // Nothing is ever sent: what comes is the end of the thread, or the deadline.
            match ended.recv_timeout(left(deadline)) {
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    tracing::warn!(name, "a thread does not stop: left behind");
                }
                _ if handle.join().is_err() => tracing::error!(name, "a thread ended by a panic"),
                _ => {}
            }
        }
        self.shared.frames.close();
        self.shared.forget_picture();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for PipelineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
