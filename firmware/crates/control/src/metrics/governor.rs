//! What the governors of the cameras did, as metrics.

use std::fmt;

use api::governor::{Dial, GovernorStatus, StepReason};
use prometheus_client::registry::Unit;

use super::{Labels, Page, Scrape, flag};

impl Scrape {
    /// The families of the governors; a camera whose governor is switched off is in none.
    pub(super) fn governors(&self, page: &mut Page<'_>) -> fmt::Result {
        let help = "Steps of its governor below what the settings ask for.";
        let levels = self.per_governor(|governor| vec![(Vec::new(), governor.level.into())]);
        page.gauge("camera_governor_level", help, None, levels)?;
        let help = "Whether its governor reduces this.";
        let reduced = self.per_governor(|governor| {
            DIALS.map(|(dial, word)| {
                (vec![("dial", word.to_owned())], flag(governor.reduced.contains_key(&dial)))
            })
        });
        page.gauge("camera_governor_reduced", help, None, reduced)?;
        let help = "Steps of its governor, by what led to them.";
        let steps = self.per_governor(|governor| {
            REASONS.map(|(reason, word)| {
                let steps = governor.steps.get(&reason).copied().unwrap_or_default();
                (vec![("reason", word.to_owned())], steps)
            })
        });
        page.counter("camera_governor_steps", help, steps)?;
        let help = "From the tap to an event in the store; 95 of 100 are below.";
        let latency = self.per_governor(|governor| {
            let latency = governor.readings.event_latency_ms;
            latency.map(|ms| (Vec::new(), f64::from(ms) / 1000.0))
        });
        page.gauge("camera_event_latency", help, Some(&Unit::Seconds), latency)
    }

    fn per_governor<T, R: IntoIterator<Item = (Labels, T)>>(
        &self,
        rows: impl Fn(&GovernorStatus) -> R,
    ) -> Vec<(Labels, T)> {
        let governors = self.cameras.iter().filter_map(|camera| {
            Some((&camera.status.id, camera.status.detector.governor.as_ref()?))
        });
        governors
            .flat_map(|(camera, governor)| {
                rows(governor).into_iter().map(move |(more, value)| {
                    let mut labels = vec![("camera", camera.clone())];
                    labels.extend(more);
                    (labels, value)
                })
            })
            .collect()
    }
}

const DIALS: [(Dial, &str); 5] = [
    (Dial::DetectRate, "detect_rate"),
    (Dial::InputSize, "input_size"),
    (Dial::Model, "model"),
    (Dial::Bitrate, "bitrate"),
    (Dial::Detection, "detection"),
];

const REASONS: [(StepReason, &str); 8] = [
    (StepReason::Critical, "critical"),
    (StepReason::Temperature, "temperature"),
    (StepReason::Throttled, "throttled"),
    (StepReason::DetectorTime, "detector_time"),
    (StepReason::QueueDrops, "queue_drops"),
    (StepReason::EventLatency, "event_latency"),
    (StepReason::Calm, "calm"),
    (StepReason::Settings, "settings"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use api::status::{CameraStatus, DetectorStatus};

    use super::super::CameraScrape;

    #[test]
    fn the_words_are_those_of_the_api() {
        for (dial, word) in DIALS {
            assert_eq!(serde_json::to_value(dial).unwrap(), word);
        }
        for (reason, word) in REASONS {
            assert_eq!(serde_json::to_value(reason).unwrap(), word);
        }
    }

    #[test]
    fn a_governor_that_reduces_is_seen_with_its_reasons() {
        let governor = GovernorStatus {
            level: 2,
            reduced: [(Dial::DetectRate, "5.5 fps".to_owned())].into(),
            steps: [(StepReason::Temperature, 2)].into(),
            ..GovernorStatus::default()
        };
        let of = |id: &str, governor| CameraStatus {
            id: id.into(),
            detector: DetectorStatus { governor, ..DetectorStatus::default() },
            ..CameraStatus::default()
        };
        let camera = |status| CameraScrape { status, ..CameraScrape::default() };
        let cameras = vec![camera(of("front", Some(Box::new(governor)))), camera(of("yard", None))];
        let scrape = Scrape { ready: true, cameras, ..Scrape::default() };
        let page = scrape.page().unwrap();
        for line in [
            r#"edgecam_camera_governor_level{camera="front"} 2.0"#,
            r#"edgecam_camera_governor_reduced{camera="front",dial="detect_rate"} 1.0"#,
            r#"edgecam_camera_governor_reduced{camera="front",dial="bitrate"} 0.0"#,
            r#"edgecam_camera_governor_steps_total{camera="front",reason="temperature"} 2"#,
            r#"edgecam_camera_governor_steps_total{camera="front",reason="calm"} 0"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
        }
        assert!(!page.contains(r#"governor_level{camera="yard"}"#));
    }
}
