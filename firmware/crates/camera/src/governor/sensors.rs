//! Where readings come from: the board's files, the detector's counters, the daemon's word. Owns
//! what is believed of them; what they lead to is [`super::plan`]'s.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use config::ThermalConfig;

use super::limits::{Readings, Temperature};

/// Temperatures outside are no temperatures of a running board, °C.
const PLAUSIBLE_C: std::ops::RangeInclusive<f32> = -40.0..=150.0;
/// A reading that has been the same to the last digit for this long, although a step was taken
/// meanwhile, is of a sensor that does not measure.
const STUCK_AFTER: Duration = Duration::from_secs(300);
/// Fewer samples than this tell no quantile.
const MIN_CALLS: usize = 3;
/// Fewer wanted inferences than this tell no share.
const MIN_WANTED: f32 = 5.0;
/// A detector that does not look for a settling time through this is at rest, not late, unless so few
/// looks are wanted.
const REST: u32 = 8;
/// Events are rarer than inferences: their window is this many settling times long.
const LATENCY_WINDOW: u32 = 4;
/// Most samples that are kept of one kind.
const MOST: usize = 1024;
/// Bits of `get_throttled` that say what is so now: under-voltage, frequency capped, throttled
/// (raspberrypi/documentation, `vcgencmd get_throttled`).
const SLOWED: u32 = 0b111;

/// The board's sensors. A port: the thermal model of the tests is one too.
pub(crate) trait Sensors {
    /// Temperature in °C; `None`: there is no sensor, or what it gives is no number.
    fn celsius(&mut self) -> Option<f32>;
    /// The firmware's flags as `vcgencmd get_throttled` gives them; `None`: there are none.
    fn throttled(&mut self) -> Option<u32>;
}

/// Sensors that are files.
#[derive(Debug)]
pub(crate) struct BoardSensors(pub(crate) Option<ThermalConfig>);

impl Sensors for BoardSensors {
    fn celsius(&mut self) -> Option<f32> {
        let text = read(&self.0.as_ref()?.sensor)?;
        text.trim().parse::<f32>().ok().map(|milli| milli / 1000.0)
    }

    fn throttled(&mut self) -> Option<u32> {
        let text = read(&self.0.as_ref()?.throttled)?;
        u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    }
}

fn read(path: &PathBuf) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// What was seen since the last look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Temperature, °C.
    pub(crate) celsius: Option<f32>,
    /// The firmware's flags.
    pub(crate) throttled: Option<u32>,
    /// Times of the detector calls since the last look.
    pub(crate) calls: Vec<Duration>,
    /// Frames that were there for the detector since the start.
    pub(crate) offered: u64,
    /// Frames that it looked at, or did not need to, since the start.
    pub(crate) inferred: u64,
    /// Times from the tap to the store, of events since the last look.
    pub(crate) latencies: Vec<Duration>,
}

/// Makes readings of samples: quantiles over a settling time, a slope, and no belief in what
/// cannot be.
#[derive(Debug)]
pub(crate) struct Watch {
    window: Duration,
    newest: VecDeque<f32>,
    temperatures: VecDeque<(Duration, f32)>,
    still: Option<Still>,
    has_measured: bool,
    throttled: VecDeque<Option<u32>>,
    calls: VecDeque<(Duration, Duration)>,
    /// Of the last look: when, and the counts then.
    counted: Option<(Duration, u64, u64)>,
    looks: VecDeque<Look>,
    latencies: VecDeque<(Duration, Duration)>,
}

/// What came between two looks of the governor.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    /// Time since the look before.
    time: Duration,
    /// Frames that were there for the detector.
    offered: f32,
    /// Frames that it looked at.
    inferred: f32,
}

/// A reading that does not change.
#[derive(Clone, Copy, Debug)]
struct Still {
    celsius: f32,
    since: Duration,
    /// Where the governor stood then.
    level: usize,
    stuck: bool,
}

impl Watch {
    /// A watch that has seen nothing; `settle` is the time that a step has to act.
    pub(crate) fn new(settle: Duration) -> Self {
        Self {
            window: settle,
            newest: VecDeque::new(),
            temperatures: VecDeque::new(),
            still: None,
            has_measured: false,
            throttled: VecDeque::new(),
            calls: VecDeque::new(),
            counted: None,
            looks: VecDeque::new(),
            latencies: VecDeque::new(),
        }
    }

    /// Takes a sample; `level` is where the governor stands.
    pub(crate) fn take(&mut self, now: Duration, level: usize, sample: Sample) {
        self.take_temperature(now, level, sample.celsius);
        self.throttled.push_back(sample.throttled);
        keep(&mut self.throttled, 2);
        self.calls.extend(sample.calls.into_iter().map(|call| (now, call)));
        self.count(now, sample.offered, sample.inferred);
        self.latencies.extend(sample.latencies.into_iter().map(|latency| (now, latency)));
        let old = |at: Duration, window| now.saturating_sub(at) > window;
        while self.calls.len() > MIN_CALLS && old(self.calls[0].0, self.window) {
            self.calls.pop_front();
        }
        while self.looks.front().is_some_and(|look| old(look.at, self.window)) {
            self.looks.pop_front();
        }
        while self.latencies.front().is_some_and(|l| old(l.0, self.window * LATENCY_WINDOW)) {
            self.latencies.pop_front();
        }
        keep(&mut self.calls, MOST);
        keep(&mut self.looks, MOST);
        keep(&mut self.latencies, MOST);
    }

    fn count(&mut self, now: Duration, offered: u64, inferred: u64) {
        let before = self.counted.replace((now, offered, inferred));
        let Some((at, offered_before, inferred_before)) = before else { return };
        self.looks.push_back(Look {
            at: now,
            time: now.saturating_sub(at),
            offered: offered.saturating_sub(offered_before) as f32,
            inferred: inferred.saturating_sub(inferred_before) as f32,
        });
    }

    fn take_temperature(&mut self, now: Duration, level: usize, celsius: Option<f32>) {
        let celsius = celsius.filter(|celsius| PLAUSIBLE_C.contains(celsius));
        let Some(celsius) = celsius else {
            // A sensor that came back begins anew.
            self.newest.clear();
            self.temperatures.clear();
            self.still = None;
            return;
        };
        self.has_measured = true;
        match &mut self.still {
            Some(still) if still.celsius.to_bits() == celsius.to_bits() => {
                still.stuck |=
                    level != still.level && now.saturating_sub(still.since) > STUCK_AFTER;
            }
            still => *still = Some(Still { celsius, since: now, level, stuck: false }),
        }
        self.newest.push_back(celsius);
        keep(&mut self.newest, 3);
        self.temperatures.push_back((now, median(self.newest.make_contiguous())));
        while now.saturating_sub(self.temperatures[0].0) > self.window {
            self.temperatures.pop_front();
        }
        keep(&mut self.temperatures, MOST);
    }

    /// Forgets what was measured before a step: it tells nothing of what comes after.
    pub(crate) fn restart(&mut self) {
        self.calls.clear();
        self.looks.clear();
        self.latencies.clear();
    }

    /// What is to be believed, where `fps` inferences per second are wanted.
    pub(crate) fn readings(&self, fps: f32) -> Readings {
        let times = |samples: &VecDeque<(Duration, Duration)>| {
            p95(samples.iter().map(|(_, time)| *time).collect())
        };
        Readings {
            temperature: self.temperature(),
            throttled: self.slowed(),
            detector: times(&self.calls),
            missed: self.missed(fps),
            event_latency: times(&self.latencies),
        }
    }

    /// What is wrong with the sensor of the temperature.
    pub(crate) fn sensor_error(&self) -> Option<String> {
        match self.still {
            Some(Still { celsius, stuck: true, .. }) => Some(format!(
                "the temperature sensor shows {celsius:.1} °C whatever the board does: it is not \
                 believed"
            )),
            None if self.has_measured => {
                Some("the temperature sensor gives no temperature any more".to_owned())
            }
            _ => None,
        }
    }

    fn temperature(&self) -> Option<Temperature> {
        if self.still.is_none_or(|still| still.stuck) {
            return None;
        }
        // The first reading alone may be a wild one.
        let &(_, celsius) = self.temperatures.back().filter(|_| self.newest.len() > 1)?;
        Some(Temperature { celsius, slope: slope(&self.temperatures) })
    }

    /// One look in which the processor was slowed down is not yet a state.
    fn slowed(&self) -> Option<bool> {
        let flags = self.throttled.iter().copied().collect::<Option<Vec<_>>>()?;
        (!flags.is_empty()).then(|| flags.len() > 1 && flags.iter().all(|f| f & SLOWED != 0))
    }

    /// Counted look by look from where the detector was last at rest: what was there meanwhile was not
    /// missed for want of time. `None` until it has been at work for half a window.
    fn missed(&self, fps: f32) -> Option<f32> {
        let rest = (self.window / REST).as_secs_f32().max(2.0 / fps);
        let (mut idle, mut from, mut until) = (0.0, 0, 0);
        for (at, look) in self.looks.iter().enumerate() {
            if look.inferred > 0.0 {
                (idle, until) = (0.0, at + 1);
            } else {
                idle += look.time.as_secs_f32();
            }
            if idle > rest {
                from = at + 1;
            }
        }
        // The look in which it began is not whole.
        let work = self.looks.range(from.min(until)..until);
        let work = work.skip_while(|look| look.inferred == 0.0).skip(1);
        let (time, wanted, inferred) = work.fold((0.0, 0.0, 0.0), |sum, look| {
            let seconds = look.time.as_secs_f32();
            let wanted = (fps * seconds).min(look.offered);
            (sum.0 + seconds, sum.1 + wanted, sum.2 + look.inferred)
        });
        let is_told = time >= self.window.as_secs_f32() / 2.0 && wanted >= MIN_WANTED;
        is_told.then(|| (1.0 - inferred / wanted).clamp(0.0, 1.0))
    }
}

fn keep<T>(samples: &mut VecDeque<T>, most: usize) {
    samples.drain(..samples.len().saturating_sub(most));
}

/// Of two, the lower: one high reading is none yet.
fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

/// Nearest rank, but never the largest: of fewer than 20 that would be the rank, and one alone (a slow
/// write to the disk) is no state.
fn p95(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    let rank = (times.len() * 95).div_ceil(100).min(times.len().saturating_sub(1));
    (times.len() >= MIN_CALLS).then(|| times[rank - 1])
}

/// Slope of the line that fits best (least squares), K/s; 0 for too few samples to tell.
fn slope(samples: &VecDeque<(Duration, f32)>) -> f32 {
    if samples.len() < 4 {
        return 0.0;
    }
    let start = samples[0].0;
    let points = || samples.iter().map(|(at, c)| ((*at - start).as_secs_f32(), *c));
    let count = samples.len() as f32;
    let (time, celsius) = points().fold((0.0, 0.0), |(t, c), (at, value)| (t + at, c + value));
    let (time, celsius) = (time / count, celsius / count);
    let (rise, run) = points().fold((0.0, 0.0), |(rise, run), (at, value)| {
        (rise + (at - time) * (value - celsius), run + (at - time) * (at - time))
    });
    if run > 0.0 { rise / run } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);

    fn hot(celsius: f32) -> Sample {
        Sample { celsius: Some(celsius), ..Sample::default() }
    }

    /// The temperature after a look per second.
    fn after(readings: &[Option<f32>]) -> (Watch, Option<f32>) {
        let mut watch = Watch::new(SETTLE);
        for (second, celsius) in (0..).zip(readings) {
            let sample = Sample { celsius: *celsius, ..Sample::default() };
            watch.take(Duration::from_secs(second), 0, sample);
        }
        let celsius = watch.readings(10.0).temperature.map(|t| t.celsius);
        (watch, celsius)
    }

    #[test]
    fn files_are_read_as_the_kernel_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (sensor, throttled) = (path("temp"), path("get_throttled"));
        let config = ThermalConfig {
            sensor: sensor.clone(),
            throttled: throttled.clone(),
            max_temp_c: 75.0,
            critical_c: 80.0,
        };
        let mut board = BoardSensors(Some(config));
        assert_eq!((board.celsius(), board.throttled()), (None, None));
        std::fs::write(&sensor, "48312\n").unwrap();
        std::fs::write(&throttled, "50005\n").unwrap();
        assert_eq!((board.celsius(), board.throttled()), (Some(48.312), Some(0x50005)));
        std::fs::write(&sensor, "warm\n").unwrap();
        assert_eq!(board.celsius(), None);
        assert_eq!(BoardSensors(None).celsius(), None);
    }

    #[test]
    fn one_wild_reading_is_not_believed() {
        assert_eq!(after(&[Some(50.0), Some(50.5), Some(120.0)]).1, Some(50.5));
        assert_eq!(after(&[Some(50.0), Some(120.0)]).1, Some(50.0));
        assert_eq!(after(&[Some(120.0)]).1, None);
    }

    #[test]
    fn what_cannot_be_a_temperature_is_none() {
        for garbage in [f32::NAN, f32::INFINITY, -273.0, 4_000.0] {
            assert_eq!(after(&[Some(garbage)]).1, None, "{garbage}");
        }
        let (watch, celsius) = after(&[Some(50.0), None]);
        assert_eq!(celsius, None);
        assert!(watch.sensor_error().is_some_and(|error| error.contains("no temperature")));
        assert_eq!(after(&[None, None]).0.sensor_error(), None, "a board without a sensor");
    }

    #[test]
    fn a_sensor_that_never_moves_is_not_believed_once_a_step_should_have_moved_it() {
        let mut watch = Watch::new(SETTLE);
        for second in 0..400 {
            let level = usize::from(second >= 10);
            watch.take(Duration::from_secs(second), level, hot(90.0));
        }
        assert_eq!(watch.readings(10.0).temperature, None);
        assert!(watch.sensor_error().is_some());
        watch.take(Duration::from_secs(400), 1, hot(89.5));
        assert!(watch.readings(10.0).temperature.is_some(), "it moves again");
    }

    #[test]
    fn a_steady_temperature_without_steps_is_believed() {
        let mut watch = Watch::new(SETTLE);
        (0..1000).for_each(|second| watch.take(Duration::from_secs(second), 2, hot(60.0)));
        assert!(watch.readings(10.0).temperature.is_some());
    }

    #[test]
    fn the_slope_is_that_of_the_newest_settling_time() {
        let rising: Vec<_> = (0..40).map(|n| Some(50.0 + 0.2 * n as f32)).collect();
        let slope = after(&rising).0.readings(10.0).temperature.unwrap().slope;
        assert!((slope - 0.2).abs() < 0.01, "{slope}");
    }

    /// What is missed of ten a second at most, look by look: frames offered and inferred in each.
    fn missed(watch: &mut Watch, looks: &[(u64, u64)]) -> Vec<f32> {
        let (mut now, mut offered, mut inferred) = watch.counted.unwrap_or_default();
        let looks = looks.iter().filter_map(|look| {
            now += Duration::from_secs(1);
            (offered, inferred) = (offered + look.0, inferred + look.1);
            watch.take(now, 0, Sample { offered, inferred, ..Sample::default() });
            watch.readings(10.0).missed
        });
        looks.collect()
    }

    #[test]
    fn missed_inferences_are_counted_against_what_was_wanted_and_there() {
        let mut watch = Watch::new(SETTLE);
        let of_ten = missed(&mut watch, &[(30, 2); 12]);
        assert_eq!(of_ten.last().map(|missed| (missed * 10.0).round()), Some(8.0));
        assert_eq!(watch.readings(2.0).missed, Some(0.0));
        let of_slow_source = missed(&mut Watch::new(SETTLE), &[(4, 4); 12]);
        assert_eq!(of_slow_source.last(), Some(&0.0));
    }

    #[test]
    fn nothing_was_missed_before_the_source_came_or_the_detector_was_ready_or_while_it_was_off() {
        let silent = vec![(0, 0); 20];
        let loading = vec![(30, 0); 20];
        let working = vec![(30, 10); 20];
        let begins = vec![(15, 4)];
        for before in [silent, loading] {
            let looks = [&working[..], &before, &begins, &working, &before, &begins, &working];
            let told = missed(&mut Watch::new(SETTLE), &looks.concat());
            assert!(!told.is_empty() && told.iter().all(|missed| *missed == 0.0), "{told:?}");
        }
    }

    #[test]
    fn a_detector_that_stalls_again_and_again_misses_frames() {
        let told = missed(&mut Watch::new(SETTLE), &[(30, 5), (30, 0)].repeat(10));
        assert!(told.last().is_some_and(|missed| *missed > 0.7), "{told:?}");
    }

    #[test]
    fn a_detector_that_does_not_look_has_missed_nothing() {
        assert!(missed(&mut Watch::new(SETTLE), &[(30, 0); 20]).is_empty());
    }

    #[test]
    fn one_slow_write_or_call_is_no_state_and_two_are() {
        let of = |slow: usize, of: usize| {
            let mut times = vec![Duration::from_millis(20); of - slow];
            times.extend(vec![Duration::from_millis(1100); slow]);
            let mut watch = Watch::new(SETTLE);
            watch.take(
                Duration::ZERO,
                0,
                Sample { calls: times.clone(), latencies: times, ..Sample::default() },
            );
            let readings = watch.readings(10.0);
            assert_eq!(readings.detector, readings.event_latency);
            readings.event_latency.map(|time| time.as_millis())
        };
        assert_eq!(
            [of(0, 2), of(1, 3), of(1, 19), of(1, 20)],
            [None, Some(20), Some(20), Some(20)]
        );
        assert_eq!([of(2, 3), of(2, 19), of(2, 20), of(2, 40)], [1100, 1100, 1100, 20].map(Some));
    }

    #[test]
    fn the_firmware_slows_the_processor_only_when_two_looks_agree() {
        let mut watch = Watch::new(SETTLE);
        let mut take = |flags| {
            watch.take(Duration::ZERO, 0, Sample { throttled: flags, ..Sample::default() });
            watch.readings(10.0).throttled
        };
        assert_eq!(take(Some(0x4)), Some(false));
        assert_eq!(take(Some(0x4)), Some(true));
        assert_eq!(take(Some(0x50000)), Some(false), "what was so before does not count");
        assert_eq!(take(None), None);
    }

    #[test]
    fn a_restart_forgets_what_was_measured_before_a_step() {
        let mut watch = Watch::new(SETTLE);
        let calls = vec![Duration::from_millis(90); 5];
        watch.take(Duration::ZERO, 0, Sample { calls, ..hot(50.0) });
        watch.take(Duration::from_secs(1), 0, hot(50.0));
        assert_eq!(watch.readings(10.0).detector, Some(Duration::from_millis(90)));
        watch.restart();
        assert_eq!(watch.readings(10.0).detector, None);
        assert!(watch.readings(10.0).temperature.is_some());
    }
}
