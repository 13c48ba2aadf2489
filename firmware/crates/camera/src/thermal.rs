//! Heat: what a temperature means for the detector. The stream never pays for it.

use std::path::Path;
use std::time::{Duration, Instant};

use config::ThermalConfig;

/// Time between two looks at the sensor.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the temperature asks of the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Heat {
    /// Nothing.
    Fine,
    /// Rest that long after each inference.
    Rest {
        /// How long.
        rest: Duration,
        /// The temperature, °C.
        celsius: f32,
    },
    /// No inference until it is cooler.
    Pause {
        /// The temperature, °C.
        celsius: f32,
    },
}

impl Heat {
    /// What `celsius` asks for under `config`.
    fn of(config: &ThermalConfig, celsius: f32) -> Self {
        if celsius >= config.critical_c {
            Self::Pause { celsius }
        } else if celsius >= config.high_c {
            Self::Rest { rest: config.rest, celsius }
        } else {
            Self::Fine
        }
    }

    /// The sentence for the status; `None` while all is fine.
    pub(crate) fn sentence(self) -> Option<String> {
        match self {
            Self::Fine => None,
            Self::Rest { rest, celsius } => Some(format!(
                "the board is at {celsius:.0} °C: the detector rests {} ms between inferences",
                rest.as_millis()
            )),
            Self::Pause { celsius } => Some(format!(
                "the board is at {celsius:.0} °C: the detector pauses until it is cooler"
            )),
        }
    }
}

/// Looks at the sensor now and then.
#[derive(Debug)]
pub(crate) struct Thermometer {
    config: Option<ThermalConfig>,
    looked: Option<Instant>,
    heat: Heat,
}

impl Thermometer {
    /// A thermometer for `config`; `None` never finds anything hot.
    pub(crate) fn new(config: Option<ThermalConfig>) -> Self {
        Self { config, looked: None, heat: Heat::Fine }
    }

    /// What the newest look says. A board without the sensor is never hot.
    pub(crate) fn heat(&mut self, now: Instant) -> Heat {
        let due = self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY);
        if let (true, Some(config)) = (due, &self.config) {
            self.looked = Some(now);
            self.heat = celsius(&config.sensor).map_or(Heat::Fine, |c| Heat::of(config, c));
        }
        self.heat
    }
}

/// Reads a sensor that speaks in m°C.
fn celsius(sensor: &Path) -> Option<f32> {
    let text = std::fs::read_to_string(sensor).ok()?;
    text.trim().parse::<f32>().ok().map(|milli| milli / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sensor: &Path) -> ThermalConfig {
        let rest = Duration::from_millis(100);
        ThermalConfig { sensor: sensor.to_owned(), high_c: 75.0, critical_c: 80.0, rest }
    }

    #[test]
    fn a_hot_board_slows_the_detector_and_a_hotter_one_pauses_it() {
        let folder = tempfile::tempdir().unwrap();
        let sensor = folder.path().join("temp");
        let mut thermometer = Thermometer::new(Some(config(&sensor)));
        let start = Instant::now();
        let mut at = |milli: &str, seconds| {
            std::fs::write(&sensor, milli).unwrap();
            thermometer.heat(start + Duration::from_secs(seconds))
        };
        assert_eq!(at("74999\n", 0), Heat::Fine);
        assert!(matches!(at("75000\n", 10), Heat::Rest { .. }));
        assert!(matches!(at("80000\n", 20), Heat::Pause { .. }));
        assert_eq!(at("60000\n", 30), Heat::Fine);
    }

    #[test]
    fn the_sensor_is_not_read_for_every_frame() {
        let folder = tempfile::tempdir().unwrap();
        let sensor = folder.path().join("temp");
        std::fs::write(&sensor, "90000").unwrap();
        let mut thermometer = Thermometer::new(Some(config(&sensor)));
        let start = Instant::now();
        let hot = thermometer.heat(start);
        std::fs::write(&sensor, "20000").unwrap();
        assert_eq!(thermometer.heat(start + Duration::from_secs(1)), hot);
        assert_eq!(thermometer.heat(start + Duration::from_secs(6)), Heat::Fine);
    }

    #[test]
    fn a_board_without_the_sensor_is_never_hot() {
        let mut thermometer = Thermometer::new(Some(config(Path::new("/nonexistent/sensor"))));
        assert_eq!(thermometer.heat(Instant::now()), Heat::Fine);
    }
}
