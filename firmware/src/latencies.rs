//! How long events take from hop to hop, by camera: from the picture to the store, and to the broker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::capabilities::CameraLatency;
use api::status::{CameraStats, Quantiles, StageTimes};
use base::latency::Window;
use store::NewEvent;

/// Most times from the tap to the store that wait for a camera's governor.
const WAITING: usize = 64;
/// The newest measurements of a hop that count.
const WINDOW: usize = 256;

/// What was measured; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Arc<Mutex<HashMap<String, OfCamera>>>);

#[derive(Debug)]
struct OfCamera {
    /// From the tap to the store in milliseconds, until its task takes them.
    waiting: Vec<f32>,
    inferred_to_stored: Window,
    sensor_to_stored: Window,
    stored_to_published: Window,
}

impl Default for OfCamera {
    fn default() -> Self {
        let window = || Window::new(WINDOW);
        Self {
            waiting: Vec::new(),
            inferred_to_stored: window(),
            sensor_to_stored: window(),
            stored_to_published: window(),
        }
    }
}

impl Latencies {
    /// Times of `camera` from the tap to the store since the last call, in milliseconds.
    pub(crate) fn take(&self, camera: &str) -> Vec<f32> {
        self.lock().get_mut(camera).map(|of| std::mem::take(&mut of.waiting)).unwrap_or_default()
    }

    /// Takes the latencies of `events`, stored at `now` of the monotonic clock. Those that no picture
    /// caused have none: they are of the camera itself, or tell that nothing was seen any more.
    pub(crate) fn stored(&self, events: &[NewEvent], now: Duration) {
        let mut all = self.lock();
        for event in events {
            let timing = &event.timing;
            let since = |stamp_ns: u64| now.saturating_sub(Duration::from_nanos(stamp_ns));
            if timing.tapped_ts_ns == 0 || timing.sensor_ts_ns > timing.tapped_ts_ns {
                continue;
            }
            let Some(camera) = event.camera.clone() else { continue };
            let of_camera = all.entry(camera).or_default();
            if of_camera.waiting.len() < WAITING {
                of_camera.waiting.push(since(timing.tapped_ts_ns).as_secs_f32() * 1000.0);
            }
            of_camera.inferred_to_stored.record(since(timing.inferred_ts_ns));
            of_camera.sensor_to_stored.record(since(timing.sensor_ts_ns));
        }
    }

    /// The broker has an event of `camera` that was stored `took` ago.
    pub(crate) fn published(&self, camera: &str, took: Duration) {
        // One that is removed meanwhile is not remembered again.
        if let Some(of_camera) = self.lock().get_mut(camera) {
            of_camera.stored_to_published.record(took);
        }
    }

    /// All of `camera`, whose frames have `stats`.
    pub(crate) fn of(&self, camera: &str, stats: &CameraStats) -> CameraLatency {
        let all = self.lock();
        let of_events = |window: fn(&OfCamera) -> &Window| {
            all.get(camera).map(|of| quantiles(window(of))).unwrap_or_default()
        };
        CameraLatency {
            sensor_to_tap: stats.sensor_to_tap,
            tap_to_inferred: stats.tap_to_inferred,
            inferred_to_stored: of_events(|of| &of.inferred_to_stored),
            stored_to_published: of_events(|of| &of.stored_to_published),
            sensor_to_stored: of_events(|of| &of.sensor_to_stored),
        }
    }

    /// How often each hop of events of `camera` took how long, since the daemon started.
    pub(crate) fn times(&self, camera: &str) -> Vec<StageTimes> {
        let all = self.lock();
        let Some(of) = all.get(camera) else { return Vec::new() };
        let hops = [
            ("inferred_to_stored", &of.inferred_to_stored),
            ("sensor_to_stored", &of.sensor_to_stored),
            ("stored_to_published", &of.stored_to_published),
        ];
        let times = |(hop, window): (&str, &Window)| StageTimes {
            stage: hop.to_owned(),
            counts: window.counted().counts.to_vec(),
            sum_s: window.counted().sum.as_secs_f64(),
        };
        hops.map(times).into()
    }

    /// Forgets `camera`: one that comes under its name is another one.
    pub(crate) fn forget(&self, camera: &str) {
        self.lock().remove(camera);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OfCamera>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn quantiles(window: &Window) -> Quantiles {
    let base::latency::Quantiles { p50, p95, max } = window.quantiles();
    let [p50_ms, p95_ms, max_ms] = [p50, p95, max].map(|time| time.as_secs_f32() * 1000.0);
    Quantiles { p50_ms, p95_ms, max_ms }
}

#[cfg(test)]
mod tests {
    use api::governor::{Dial, GovernorStep, StepReason};

    use super::*;
    use crate::announce::Now;

    fn event(sensor_ms: u64, tapped_ms: u64, inferred_ms: u64) -> NewEvent {
        let step = GovernorStep {
            dial: Dial::DetectRate,
            from: String::new(),
            to: String::new(),
            reason: StepReason::Calm,
            sentence: String::new(),
            reading: None,
            limit: None,
            level: 0,
        };
        let mut event = crate::announce::step("front", step, 0, Now::read());
        let timing = &mut event.timing;
        timing.sensor_ts_ns = sensor_ms * 1_000_000;
        timing.tapped_ts_ns = tapped_ms * 1_000_000;
        timing.inferred_ts_ns = inferred_ms * 1_000_000;
        event
    }

    #[test]
    fn only_events_that_a_picture_caused_have_a_latency() {
        let latencies = Latencies::default();
        let (of_picture, of_the_camera) = (event(1, 2, 4), event(0, 0, 0));
        let nothing_seen_any_more = event(9, 2, 4);
        let events = [of_picture, of_the_camera, nothing_seen_any_more];
        latencies.stored(&events, Duration::from_millis(12));
        assert_eq!(latencies.take("front"), [10.0]);
        assert_eq!(latencies.take("front"), Vec::<f32>::new(), "each is taken once");
        latencies.published("front", Duration::from_millis(3));
        let told = latencies.of("front", &CameraStats::default());
        assert_eq!((told.inferred_to_stored.p50_ms, told.sensor_to_stored.max_ms), (8.0, 11.0));
        assert_eq!(told.stored_to_published.p95_ms, 3.0);
        latencies.forget("front");
        latencies.published("front", Duration::from_millis(3));
        let told = latencies.of("front", &CameraStats::default());
        assert_eq!(told, CameraLatency::default());
    }
}
