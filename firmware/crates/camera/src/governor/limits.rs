//! Limits, readings, and how the ones stand to the others. Pure.

use std::time::Duration;

use api::governor::StepReason;

/// A step up needs this much room below the highest temperature, K.
pub(crate) const ROOM_C: f32 = 3.0;
/// Only this close to the highest temperature does it matter where the temperature is heading, K:
/// far from it a slope is weather, or noise.
const APPROACH_C: f32 = 3.0;
/// Largest share of wanted inferences that may be missed.
pub(crate) const MAX_MISSED: f32 = 0.25;
/// A step up needs a share of missed inferences below this.
const CALM_MISSED: f32 = 0.1;
/// A step up needs an event latency below this share of its limit.
const CALM_LATENCY: f32 = 0.7;

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Highest temperature, and the one at which detection pauses, °C; `None`: not watched.
    pub(crate) heat: Option<Heat>,
    /// Longest time from the tap to the store.
    pub(crate) event_latency: Duration,
    /// Time that a step down has to act before the next.
    pub(crate) settle: Duration,
    /// Time that all must be calm before a step up; also the least time between two changes of
    /// direction.
    pub(crate) calm: Duration,
}

/// Limits of the temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heat {
    /// Highest temperature, °C.
    pub(crate) max_c: f32,
    /// From here on detection pauses, °C.
    pub(crate) critical_c: f32,
}

/// What is seen; `None` where there is nothing (or not enough) to see.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Temperature, and where it is heading.
    pub(crate) temperature: Option<Temperature>,
    /// Whether the board's firmware slows the processor down.
    pub(crate) throttled: Option<bool>,
    /// Time of one detector call, 95 of 100 are below.
    pub(crate) detector: Option<Duration>,
    /// Share of the wanted inferences that were not made, 0..=1.
    pub(crate) missed: Option<f32>,
    /// From the tap to the store, 95 of 100 are below.
    pub(crate) event_latency: Option<Duration>,
}

/// A temperature and its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Temperature {
    /// °C.
    pub(crate) celsius: f32,
    /// K/s.
    pub(crate) slope: f32,
}

impl Temperature {
    /// The temperature after `time` if it goes on like this, °C.
    fn after(self, time: Duration) -> f32 {
        self.celsius + self.slope * time.as_secs_f32()
    }
}

/// A limit that is not held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Excess {
    /// Which.
    pub(crate) reason: StepReason,
    /// What was read, in the unit of `limit`.
    pub(crate) reading: Option<f32>,
    /// The limit.
    pub(crate) limit: Option<f32>,
    /// Both in a sentence.
    pub(crate) sentence: String,
}

impl Limits {
    /// The first limit that is not held, the most pressing first. `interval` is the time between
    /// two inferences now.
    pub(crate) fn excess(&self, readings: &Readings, interval: Duration) -> Option<Excess> {
        let heat = || self.heat_excess(readings.temperature?);
        let throttled = || {
            readings.throttled?.then(|| Excess {
                reason: StepReason::Throttled,
                reading: None,
                limit: None,
                sentence: "the board's firmware slows the processor down".into(),
            })
        };
        let detector = || {
            let (took, most) = (millis(readings.detector?), millis(interval));
            let sentence =
                format!("an inference takes {took:.0} ms, and there are {most:.0} ms for it");
            (took > most).then(|| Excess::of(StepReason::DetectorTime, took, most, sentence))
        };
        let missed = || {
            let missed = readings.missed?;
            let sentence = format!("{:.0} % of the wanted inferences were missed", missed * 100.0);
            (missed > MAX_MISSED)
                .then(|| Excess::of(StepReason::QueueDrops, missed, MAX_MISSED, sentence))
        };
        let latency = || {
            let (took, most) = (millis(readings.event_latency?), millis(self.event_latency));
            let sentence =
                format!("events are stored after {took:.0} ms, the limit is {most:.0} ms");
            (took > most).then(|| Excess::of(StepReason::EventLatency, took, most, sentence))
        };
        heat().or_else(throttled).or_else(detector).or_else(missed).or_else(latency)
    }

    /// Too hot, or about to be within the time that a step takes to act.
    fn heat_excess(&self, temperature: Temperature) -> Option<Excess> {
        let heat = self.heat?;
        let (celsius, max) = (temperature.celsius, heat.max_c);
        if celsius >= heat.critical_c {
            let critical = heat.critical_c;
            let sentence = format!("{celsius:.1} °C, and {critical:.0} °C is critical");
            return Some(Excess::of(StepReason::Critical, celsius, critical, sentence));
        }
        let soon = temperature.after(self.settle);
        if !(soon > max && celsius > max - APPROACH_C) {
            return None;
        }
        let sentence = if celsius > max {
            format!("{celsius:.1} °C, the limit is {max:.0} °C")
        } else {
            format!("{celsius:.1} °C and rising, the limit is {max:.0} °C")
        };
        Some(Excess::of(StepReason::Temperature, celsius, max, sentence))
    }

    /// Whether everything is held with a margin, so that the next rung up could be stood on:
    /// `room` is the time that an inference may take there, `work` what it takes there compared with
    /// now. What cannot be seen does not stand in the way.
    pub(crate) fn is_calm(&self, readings: &Readings, room: Duration, work: f32) -> bool {
        let cool = readings.temperature.zip(self.heat).is_none_or(|(temperature, heat)| {
            temperature.celsius.max(temperature.after(self.settle)) <= heat.max_c - ROOM_C
        });
        let quick = readings.detector.is_none_or(|took| millis(took) * work <= millis(room));
        let latency = readings
            .event_latency
            .is_none_or(|took| millis(took) <= millis(self.event_latency) * CALM_LATENCY);
        cool && quick
            && latency
            && readings.throttled != Some(true)
            && readings.missed.is_none_or(|missed| missed <= CALM_MISSED)
    }
}

impl Excess {
    fn of(reason: StepReason, reading: f32, limit: f32, sentence: String) -> Self {
        Self { reason, reading: Some(reading), limit: Some(limit), sentence }
    }
}

/// In milliseconds.
pub(crate) fn millis(time: Duration) -> f32 {
    time.as_secs_f32() * 1000.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn limits() -> Limits {
        Limits {
            heat: Some(Heat { max_c: 75.0, critical_c: 82.0 }),
            event_latency: Duration::from_millis(500),
            settle: Duration::from_secs(15),
            calm: Duration::from_secs(60),
        }
    }

    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(celsius: f32, slope: f32) -> Readings {
        Readings { temperature: Some(Temperature { celsius, slope }), ..Readings::default() }
    }

    fn reason(readings: Readings) -> Option<StepReason> {
        limits().excess(&readings, INTERVAL).map(|excess| excess.reason)
    }

    #[test]
    fn what_is_not_seen_neither_presses_nor_stands_in_the_way() {
        assert_eq!(reason(Readings::default()), None);
        assert!(limits().is_calm(&Readings::default(), INTERVAL, 1.0));
    }

    #[test]
    fn heat_presses_above_the_limit_and_when_heading_there() {
        assert_eq!(reason(at(75.5, 0.0)), Some(StepReason::Temperature));
        assert_eq!(reason(at(74.0, 0.1)), Some(StepReason::Temperature));
        assert_eq!(reason(at(74.0, 0.0)), None);
        assert_eq!(reason(at(60.0, 2.0)), None, "far from the limit a slope does not count");
        assert_eq!(reason(at(75.5, -0.1)), None, "it is on its way down");
        assert_eq!(reason(at(82.0, -1.0)), Some(StepReason::Critical));
    }

    #[test]
    fn a_detector_without_time_and_missed_frames_and_late_events_press() {
        let slow = Readings { detector: Some(Duration::from_millis(101)), ..Readings::default() };
        assert_eq!(reason(slow), Some(StepReason::DetectorTime));
        let missed = Readings { missed: Some(0.3), ..Readings::default() };
        assert_eq!(reason(missed), Some(StepReason::QueueDrops));
        let late =
            Readings { event_latency: Some(Duration::from_millis(501)), ..Readings::default() };
        assert_eq!(reason(late), Some(StepReason::EventLatency));
        let all = Readings { throttled: Some(true), ..slow };
        assert_eq!(reason(all), Some(StepReason::Throttled), "the most pressing first");
    }

    #[test]
    fn calm_needs_a_margin_that_holding_does_not() {
        for (held, calm) in [(at(73.0, 0.0), at(71.9, 0.0)), (at(71.9, 0.05), at(71.0, 0.05))] {
            assert_eq!(reason(held), None);
            assert!(!limits().is_calm(&held, INTERVAL, 1.0));
            assert!(limits().is_calm(&calm, INTERVAL, 1.0));
        }
    }

    #[test]
    fn a_larger_model_is_not_tried_where_it_would_not_fit() {
        let readings =
            Readings { detector: Some(Duration::from_millis(60)), ..Readings::default() };
        assert!(limits().is_calm(&readings, INTERVAL, 1.0));
        assert!(!limits().is_calm(&readings, INTERVAL, 1.69));
    }

    #[test]
    fn a_number_that_is_none_does_not_press() {
        assert_eq!(reason(at(f32::NAN, 0.0)), None);
        assert_eq!(reason(at(74.0, f32::NAN)), None);
    }
}
