//! Rates and latencies of a camera, for its statistics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::status::{CameraStats, Quantiles, StageTimes};
use base::histogram::Counted;
use base::latency::Window;
use media::Stats;

/// Measurements kept per latency.
const WINDOW: usize = 256;

/// What the detector's thread measures.
#[derive(Debug)]
pub(crate) struct VisionMeter {
    /// Frames that went through the detector.
    pub(crate) inferred: u64,
    /// Frames that a newer one replaced before the detector was free.
    pub(crate) skipped: u64,
    /// Frames that the motion gate passed over.
    pub(crate) gated: u64,
    /// Objects tracked now.
    pub(crate) tracks: u32,
    /// The network's own time.
    pub(crate) infer: Window,
    /// Making the network's input.
    pub(crate) preprocess: Window,
    /// Decoding the network's output.
    pub(crate) postprocess: Window,
    /// Making tracks of boxes.
    pub(crate) track: Window,
    /// From sensor to tap.
    pub(crate) sensor_to_tap: Window,
    /// From tap to inference done.
    pub(crate) tap_to_inferred: Window,
    /// Whole detector calls since the governor looked.
    pub(crate) calls: Vec<Duration>,
}

impl VisionMeter {
    /// Takes the time of a whole detector call.
    pub(crate) fn call(&mut self, time: Duration) {
        // Nobody looks where the governor is switched off, or hangs in a sensor.
        if self.calls.len() < WINDOW {
            self.calls.push(time);
        }
    }

    /// Frames that are dealt with: one without anything new is not missed.
    pub(crate) fn done(&self) -> u64 {
        self.inferred + self.gated
    }
}

/// The meter of the detector's thread, and of those who read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMeter(Arc<Mutex<VisionMeter>>);

impl SharedMeter {
    /// The meter, alone.
    pub(crate) fn lock(&self) -> MutexGuard<'_, VisionMeter> {
        // A panic cannot leave the counters in a state that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for VisionMeter {
    fn default() -> Self {
        let window = || Window::new(WINDOW);
        Self {
            inferred: 0,
            skipped: 0,
            gated: 0,
            tracks: 0,
            infer: window(),
            preprocess: window(),
            postprocess: window(),
            track: window(),
            sensor_to_tap: window(),
            tap_to_inferred: window(),
            calls: Vec::new(),
        }
    }
}

/// Turns counters into statistics; keeps the counters of the last call for the rates.
#[derive(Debug)]
pub(crate) struct Meter {
    taken: Duration,
    media: Stats,
    inferred: u64,
    overlay: Window,
    rates: Rates,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    fps: f32,
    bitrate_kbps: f32,
    infer_fps: f32,
}

/// Rates are measured over at least this time.
const RATE_OVER: Duration = Duration::from_millis(950);

impl Meter {
    /// A meter that starts at `now` of the monotonic clock.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            taken: now,
            media: Stats::default(),
            inferred: 0,
            overlay: Window::new(WINDOW),
            rates: Rates::default(),
        }
    }

    /// The statistics at `now`.
    pub(crate) fn stats(
        &mut self,
        now: Duration,
        media: &Stats,
        vision: &VisionMeter,
    ) -> CameraStats {
        let passed = now.saturating_sub(self.taken);
        if passed >= RATE_OVER {
            self.measure(passed, media, vision.inferred);
            self.taken = now;
        }
        let age = media.last_frame.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        CameraStats {
            frames: media.frames,
            fps: self.rates.fps,
            encoded_frames: media.encoded,
            bitrate_kbps: self.rates.bitrate_kbps,
            inferred_frames: vision.inferred,
            infer_fps: self.rates.infer_fps,
            skipped_frames: vision.skipped,
            gated_frames: vision.gated,
            tracks: vision.tracks,
            infer: quantiles(&vision.infer),
            preprocess: quantiles(&vision.preprocess),
            postprocess: quantiles(&vision.postprocess),
            overlay: quantiles(&self.overlay),
            sensor_to_tap: quantiles(&vision.sensor_to_tap),
            tap_to_inferred: quantiles(&vision.tap_to_inferred),
            last_frame_age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            unpublished_frames: media.publish_dropped,
        }
    }

    /// Takes the rates over the `passed` time and makes this the start of the next measurement.
    fn measure(&mut self, passed: Duration, media: &Stats, inferred: u64) {
        let per_second = |now: u64, before: u64| {
            // Counts of one second are far below what f32 holds exactly.
            now.saturating_sub(before) as f32 / passed.as_secs_f32()
        };
        self.rates = Rates {
            fps: per_second(media.frames, self.media.frames),
            bitrate_kbps: per_second(media.encoded_bytes, self.media.encoded_bytes) * 8.0 / 1000.0,
            infer_fps: per_second(inferred, self.inferred),
        };
        let drawn =
            u32::try_from(media.frames.saturating_sub(self.media.frames)).unwrap_or(u32::MAX);
        if let Some(mean) =
            media.overlay_time.saturating_sub(self.media.overlay_time).checked_div(drawn)
        {
            self.overlay.record(mean);
        }
        self.media = media.clone();
        self.inferred = inferred;
    }
}

/// How often each stage took how long.
pub(crate) fn times(media: &Stats, vision: &VisionMeter) -> Vec<StageTimes> {
    let stages = [
        ("capture_to_encoded", &media.encoded_times),
        ("overlay", &media.overlay_times),
        ("sensor_to_tap", vision.sensor_to_tap.counted()),
        ("preprocess", vision.preprocess.counted()),
        ("infer", vision.infer.counted()),
        ("postprocess", vision.postprocess.counted()),
        ("tap_to_inferred", vision.tap_to_inferred.counted()),
        ("track", vision.track.counted()),
    ];
    let times = |(stage, counted): (&str, &Counted)| StageTimes {
        stage: stage.to_owned(),
        counts: counted.counts.to_vec(),
        sum_s: counted.sum.as_secs_f64(),
    };
    stages.map(times).into()
}

fn quantiles(window: &Window) -> Quantiles {
    let millis = |time: Duration| time.as_secs_f32() * 1000.0;
    let quantiles = window.quantiles();
    Quantiles {
        p50_ms: millis(quantiles.p50),
        p95_ms: millis(quantiles.p95),
        max_ms: millis(quantiles.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_taken_over_the_time_that_passed() {
        let mut meter = Meter::new(Duration::ZERO);
        let media = Stats { frames: 60, encoded_bytes: 250_000, ..Stats::default() };
        let vision = VisionMeter { inferred: 10, ..VisionMeter::default() };
        let stats = meter.stats(Duration::from_secs(2), &media, &vision);
        assert_eq!((stats.fps, stats.bitrate_kbps, stats.infer_fps), (30.0, 1000.0, 5.0));
    }

    #[test]
    fn statistics_asked_for_often_keep_the_rates_of_the_last_whole_measurement() {
        let mut meter = Meter::new(Duration::ZERO);
        let vision = VisionMeter::default();
        let at = |frames| Stats { frames, ..Stats::default() };
        let first = meter.stats(Duration::from_secs(1), &at(30), &vision);
        let second = meter.stats(Duration::from_millis(1100), &at(31), &vision);
        assert_eq!((first.fps, second.fps), (30.0, 30.0));
        assert_eq!(second.frames, 31);
    }

    #[test]
    fn a_frame_that_was_passed_over_is_neither_an_inference_nor_missed() {
        let mut meter = Meter::new(Duration::ZERO);
        let vision = VisionMeter { inferred: 1, gated: 19, skipped: 40, ..VisionMeter::default() };
        assert_eq!(vision.done(), 20);
        let stats = meter.stats(Duration::from_secs(2), &Stats::default(), &vision);
        assert_eq!((stats.gated_frames, stats.skipped_frames, stats.infer_fps), (19, 40, 0.5));
    }

    #[test]
    fn the_age_of_the_newest_frame_is_told() {
        let mut meter = Meter::new(Duration::ZERO);
        let media = Stats { last_frame: Some(Duration::from_secs(3)), ..Stats::default() };
        let stats = meter.stats(Duration::from_secs(5), &media, &VisionMeter::default());
        assert_eq!(stats.last_frame_age_ms, 2000);
    }
}
