//! The loop of the thread `ec-detect`.
//!
//! It takes the newest frame when it is ready for one and never makes anyone wait for it. A model
//! that cannot be loaded is tried again: the daemon may still be fetching it.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::event::ModelRef;
use api::status::DetectorStatus;
use base::clock::monotonic;
use base::slot::Taken;
use config::CameraConfig;
use detect::{Detector, Found};
use domain::Frame;

use super::follow::Follow;
use super::{Command, Told, VisionSetup, lock};
use crate::meter::VisionMeter;
use crate::thermal::{Heat, Thermometer};
use crate::to_link::Seen;

/// A model that could not be loaded is tried again after this time.
const LOAD_AGAIN: Duration = Duration::from_secs(3);
/// Longest wait for a frame before commands are looked at.
const FRAME_WAIT: Duration = Duration::from_millis(100);
/// Without a frame for this time, what was tracked is gone.
const BLIND_AFTER: Duration = Duration::from_secs(3);
/// How long the detector stays away from its work before it looks at the temperature again.
const COOLING: Duration = Duration::from_secs(1);

/// The thread and all that it holds.
pub(super) struct Worker {
    setup: VisionSetup,
    commands: Receiver<Command>,
    meter: Arc<Mutex<VisionMeter>>,
    thermometer: Thermometer,
    detector: Option<Detector>,
    status: DetectorStatus,
    follow: Follow,
    last_frame: Duration,
    /// Time that the last inference took.
    took: Duration,
    /// Whether the last inference failed.
    failing: bool,
    next_load: Instant,
    next_infer: Instant,
}

impl Worker {
    /// A worker that has not begun; `commands` are taken between two looks.
    pub(super) fn new(
        setup: VisionSetup,
        commands: Receiver<Command>,
        meter: Arc<Mutex<VisionMeter>>,
    ) -> Self {
        let config = &setup.config;
        let labels = setup.model.labels();
        let status = DetectorStatus {
            model: setup.model.name().to_owned(),
            labels: labels.names().to_vec(),
            ..DetectorStatus::default()
        };
        Self {
            thermometer: Thermometer::new(config.thermal.clone()),
            follow: Follow::new(
                config,
                labels,
                setup.overlay.clone(),
                setup.tell.clone(),
                Arc::clone(&meter),
            ),
            detector: None,
            status,
            last_frame: monotonic(),
            took: Duration::ZERO,
            failing: false,
            next_load: Instant::now(),
            next_infer: Instant::now(),
            setup,
            commands,
            meter,
        }
    }

    /// Works until told to stop, then ends what is tracked.
    pub(super) fn run(mut self) {
        while self.obey() {
            if !self.setup.config.detector.enabled {
                self.rest();
            } else if self.detector.is_none() {
                self.load();
            } else {
                self.look();
            }
        }
        self.finish();
    }

    /// Takes commands until the next inference is due; `false` when told to stop.
    fn obey(&mut self) -> bool {
        loop {
            self.setup.frames.want_at(self.next_infer);
            let wait = self.next_infer.saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(wait) {
                Ok(Command::Apply(config)) => self.apply(*config),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    fn apply(&mut self, config: CameraConfig) {
        self.follow.apply(&config);
        if config.thermal != self.setup.config.thermal {
            self.thermometer = Thermometer::new(config.thermal.clone());
        }
        self.setup.config = config;
        self.set_params();
    }

    /// Gives the detector its parameters; ones that do not fit the model are told and leave the
    /// old ones in force.
    fn set_params(&mut self) {
        let Some(detector) = &mut self.detector else { return };
        let error = detector.set_params(&self.setup.config.detection).err();
        self.tell_status(|status| status.error = error.map(|e| base::error::chain(&e)));
    }

    fn rest(&mut self) {
        self.follow.go_blind(monotonic());
        self.tell_status(|status| {
            status.running = false;
            status.error = None;
            status.throttled = None;
        });
        self.wait(FRAME_WAIT);
    }

    fn load(&mut self) {
        if Instant::now() < self.next_load {
            self.wait(FRAME_WAIT);
            return;
        }
        self.next_load = Instant::now() + LOAD_AGAIN;
        match self.setup.model.load(self.setup.config.detector.threads) {
            Ok(detector) => {
                self.detector = Some(detector);
                let sha256 = self.setup.model.sha256().to_owned();
                self.tell_status(|status| {
                    status.running = true;
                    status.sha256 = sha256;
                    status.error = None;
                });
                self.set_params();
            }
            Err(error) => {
                let sentence = base::error::chain(&error);
                if self.status.error.as_ref() != Some(&sentence) {
                    tracing::warn!(error = sentence, "no detector yet: the stream goes on without");
                }
                self.tell_status(|status| status.error = Some(sentence));
            }
        }
    }

    /// Takes the newest frame and looks at it, unless it is too hot.
    fn look(&mut self) {
        let heat = self.thermometer.heat(Instant::now());
        let resting = matches!(heat, Heat::Pause { .. });
        self.tell_status(|status| {
            status.throttled = heat.sentence();
            status.running = !resting;
        });
        if resting {
            self.follow.go_blind(monotonic());
            self.wait(COOLING);
            return;
        }
        match self.setup.frames.take(FRAME_WAIT) {
            Taken::Value(frame) => {
                self.infer(&frame);
                self.setup.frames.give_back(frame);
            }
            Taken::TimedOut => self.go_blind_when_late(),
            Taken::Closed => self.wait(FRAME_WAIT),
        }
        if let Heat::Rest { rest, .. } = heat {
            self.next_infer = self.next_infer.max(Instant::now() + rest);
        }
    }

    fn infer(&mut self, frame: &Frame) {
        let Some(detector) = &mut self.detector else { return };
        let began = Instant::now();
        let min_interval = self.setup.config.detector.min_interval;
        self.next_infer = began + min_interval;
        self.setup.frames.want_at(began + self.took.max(min_interval));
        let found = detector.detect(frame);
        self.took = began.elapsed();
        let found = match found {
            Ok(found) => found.clone(),
            Err(error) => {
                let sentence = base::error::chain(&error);
                self.failing = true;
                self.tell_status(|status| status.error = Some(sentence));
                self.go_blind_when_late();
                return;
            }
        };
        if std::mem::take(&mut self.failing) {
            self.tell_status(|status| status.error = None);
        }
        let inferred = monotonic();
        self.last_frame = inferred;
        self.measure(frame, &found, inferred);
        let seen = Seen {
            tapped: frame.tapped,
            inferred,
            model: ModelRef {
                name: self.setup.model.name().to_owned(),
                sha256: self.setup.model.sha256().to_owned(),
                infer_ms: found.infer.as_secs_f32() * 1000.0,
            },
        };
        self.follow.step(frame, &found.detections, seen);
    }

    fn measure(&self, frame: &Frame, found: &Found, inferred: Duration) {
        let mut meter = lock(&self.meter);
        meter.inferred += 1;
        meter.skipped = self.setup.frames.overwritten();
        meter.infer.record(found.infer);
        meter.preprocess.record(found.pre);
        meter.postprocess.record(found.post);
        meter.sensor_to_tap.record(frame.tapped.saturating_sub(frame.captured));
        meter.tap_to_inferred.record(inferred.saturating_sub(frame.tapped));
    }

    fn go_blind_when_late(&mut self) {
        let now = monotonic();
        if now.saturating_sub(self.last_frame) > BLIND_AFTER {
            self.follow.go_blind(now);
        }
    }

    fn finish(mut self) {
        self.follow.go_blind(monotonic());
    }

    fn tell_status(&mut self, change: impl FnOnce(&mut DetectorStatus)) {
        let before = self.status.clone();
        change(&mut self.status);
        if self.status != before {
            self.follow.tell(Told::Detector(self.status.clone()));
        }
    }

    /// Puts the next look off; commands are still taken meanwhile.
    fn wait(&mut self, time: Duration) {
        self.next_infer = Instant::now() + time;
    }
}
