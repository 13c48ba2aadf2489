//! Counters of a pipeline, kept over rebuilds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::histogram::{Counted, SharedCounted};

/// Counters since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Frames that reached the overlay.
    pub frames: u64,
    /// Frames that passed the tap.
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
    /// Total time spent copying frames for the detector.
    pub tap_time: Duration,
    /// Times spent drawing on a frame.
    pub overlay_times: Counted,
    /// Times from the capture of a frame to its coming out of the encoder.
    pub encoded_times: Counted,
    /// Encoded frames handed to the media server.
    pub published: u64,
    /// Encoded frames that a taker was too slow for.
    pub publish_dropped: u64,
    /// Times that the source was opened again after a failure.
    pub source_restarts: u64,
    /// Times that a clip began again.
    pub loops: u64,
}

/// The counters behind [`Stats`]; each has one writer, readers see some recent state.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) frames: Counter,
    pub(crate) tapped: Counter,
    pub(crate) encoded: Counter,
    pub(crate) key_frames: Counter,
    pub(crate) encoded_bytes: Counter,
    /// Nanoseconds on the monotonic clock; 0: none yet.
    pub(crate) last_frame: Counter,
    /// Nanoseconds of `Frame::pts` of the last key frame.
    pub(crate) last_key: Counter,
    pub(crate) overlay_nanos: Counter,
    pub(crate) overlay_max_nanos: Counter,
    pub(crate) overlay_copies: Counter,
    pub(crate) tap_nanos: Counter,
    pub(crate) overlay_times: SharedCounted,
    pub(crate) encoded_times: SharedCounted,
    pub(crate) published: Counter,
    pub(crate) publish_dropped: Counter,
    pub(crate) source_restarts: Counter,
    pub(crate) loops: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let nanos = |counter: &Counter| Duration::from_nanos(counter.get());
        let last_frame = nanos(&self.last_frame);
        Stats {
            frames: self.frames.get(),
            tapped: self.tapped.get(),
            encoded: self.encoded.get(),
            key_frames: self.key_frames.get(),
            encoded_bytes: self.encoded_bytes.get(),
            last_frame: (!last_frame.is_zero()).then_some(last_frame),
            overlay_time: nanos(&self.overlay_nanos),
            overlay_max: nanos(&self.overlay_max_nanos),
            overlay_copies: self.overlay_copies.get(),
            tap_time: nanos(&self.tap_nanos),
            overlay_times: self.overlay_times.read(),
            encoded_times: self.encoded_times.read(),
            published: self.published.get(),
            publish_dropped: self.publish_dropped.get(),
            source_restarts: self.source_restarts.get(),
            loops: self.loops.get(),
        }
    }
}

/// A number that threads share.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds, and gives what it was.
    pub(crate) fn add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, Ordering::Relaxed)
    }

    pub(crate) fn add_time(&self, time: Duration) {
        self.add(nanos(time));
    }

    pub(crate) fn raise_to(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

/// Nanoseconds of `time`, as counters hold them.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
