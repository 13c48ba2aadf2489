//! GStreamer: plan, build, run, tap, overlay. The only crate that sees it.
//!
//! | module | owns |
//! |---|---|
//! | [`board`] | which machine this is, and which GStreamer elements it has |
//! | [`plan`] | a camera's configuration and a board → the elements to make (pure) |
//! | `build` | a plan → a GStreamer pipeline, element by element |
//! | `run` | the pipeline's life: states, retries, encoder rungs |
//! | [`ladder`] | which encoder rungs failed here before, kept over restarts |
//! | `tap` | frames for the detector into the latest-wins slot |
//! | `image` | what a source is told about taking pictures |
//! | [`masks`] | privacy masks on pictures |
//! | [`overlay`] | what is drawn on the picture, in place on its planes |
//! | [`fanout`] | encoded frames to any number of takers |
//! | `publish` | one taker: the RTSP session with the media server |
//! | `snapshot` | the newest picture as JPEG |
//!
//! Threads: `ec-media` (the pipeline's life, its bus), `ec-publish` (the RTSP session), `ec-scene`
//! (the generated source), and GStreamer's own streaming threads.
//!
//! Invariants: the tap never blocks; the video branch never waits for whoever takes frames, nor
//! for the media server; no frame passes without its privacy masks; a source or a server that comes back is found again; a stop ends within
//! [`STOP_DEADLINE`] even when an element hangs.

#[cfg(test)]
extern crate self as edgecam_media;
#[cfg(test)]
#[path = "../tests/it/support.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests from outside")]
mod support;

mod attempt;
mod blame;
pub mod board;
mod build;
mod clip;
pub mod error;
pub mod event;
pub mod fanout;
mod feed;
pub mod handle;
mod image;
pub mod ladder;
pub mod masks;
pub mod overlay;
pub mod plan;
mod probe;
mod publish;
mod run;
mod shared;
mod snapshot;
pub mod stats;
mod stop;
mod tap;
mod timeline;

pub use board::{Board, BoardKind};
pub use error::MediaError;
pub use event::{Capabilities, EncoderRung, ImageControl, MediaEvent, Running, VideoMode};
pub use fanout::{EncodedFanout, EncodedFrame, EncodedFrames};
pub use handle::{Pipeline, PipelineHandle, PipelineOptions, STOP_DEADLINE};
pub use overlay::{OverlayBox, OverlayHandle, OverlayScene};
pub use plan::{Pace, PipelinePlan, TapFit};
pub use scene::Truth;
pub use stats::Stats;
