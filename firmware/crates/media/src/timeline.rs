//! Times of a camera's frames over all pipelines that it has had: a pipeline that is built anew
//! starts its running time at zero, but what takes frames must see time grow.

use std::sync::OnceLock;
use std::time::Duration;

use gstreamer as gst;

/// The zero of a camera's presentation times.
#[derive(Debug, Default)]
pub(crate) struct Timeline(OnceLock<Duration>);

impl Timeline {
    /// When a buffer of `running_time` is or was due, on the machine's monotonic clock. GStreamer's
    /// system clock is that very clock, and the base time is where the running time began on it.
    pub(crate) fn captured(base_time: Duration, running_time: Duration) -> Duration {
        base_time + running_time
    }

    /// The presentation time of a buffer captured then; the first pipeline's base time is zero.
    pub(crate) fn pts(&self, base_time: Duration, running_time: Duration) -> Duration {
        let zero = *self.0.get_or_init(|| base_time);
        Self::captured(base_time, running_time).saturating_sub(zero)
    }
}

/// A [`Duration`] of a GStreamer time.
pub(crate) fn duration(time: gst::ClockTime) -> Duration {
    Duration::from_nanos(time.nseconds())
}

/// A GStreamer time of a [`Duration`].
pub(crate) fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_times_grow_over_a_pipeline_that_is_built_anew() {
        let timeline = Timeline::default();
        let second = Duration::from_secs(1);
        assert_eq!(timeline.pts(second * 100, second * 5), second * 5);
        assert_eq!(timeline.pts(second * 110, Duration::ZERO), second * 10);
    }
}
