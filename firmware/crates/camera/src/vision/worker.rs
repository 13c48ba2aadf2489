//! The loop of the thread `ec-detect`.
//!
//! It takes the newest frame when it is ready for one and never makes anyone wait for it. A model
//! that cannot be loaded is tried again: the daemon may still be fetching it. A panic costs the
//! detector, not the thread: it is loaded anew after a while, longer each time.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use api::event::ModelRef;
use api::status::DetectorStatus;
use base::clock::monotonic;
use base::slot::Taken;
use config::CameraConfig;
use detect::Found;
use domain::{Frame, Labels, MotionGate};

use super::eye::Eye;
use super::follow::Follow;
use super::{Command, Pace, Told, VisionSetup};
use crate::meter::SharedMeter;
use crate::models::ModelSource;
use crate::to_link::Seen;

/// A model that could not be loaded is tried again after this time.
const LOAD_AGAIN: Duration = Duration::from_secs(3);
/// Longest wait for a frame before commands are looked at.
const FRAME_WAIT: Duration = Duration::from_millis(100);
/// Without a frame for this time, what was tracked is gone; not before two looks could be made.
const BLIND_AFTER: Duration = Duration::from_secs(3);
/// A detector that does not look wants no frame before it says so again.
const NOT_SOON: Duration = Duration::from_secs(3600);
/// A detector that crashed is loaded anew after this time, doubled by each crash that follows.
const AFTER_CRASH: Duration = Duration::from_secs(1);
/// Doublings of that time, at most.
const MOST_DOUBLINGS: u32 = 6;
/// A detector that ran for this time is no longer under suspicion.
const PROVEN_AFTER: Duration = Duration::from_secs(120);

/// The thread and all that it holds.
pub(super) struct Worker {
    setup: VisionSetup,
    commands: Receiver<Command>,
    meter: SharedMeter,
    labels: Labels,
    eye: Option<Eye>,
    /// Tells which frames need no look; `None`: all do.
    gate: Option<MotionGate>,
    pace: Pace,
    status: DetectorStatus,
    follow: Follow,
    last_frame: Duration,
    /// Time that the last inference took.
    took: Duration,
    /// Whether the last inference failed.
    failing: bool,
    /// Crashes in a row, and when the last one was.
    crashes: (u32, Instant),
    next_load: Instant,
    /// When the model that the settings ask for is tried again beside the one in use.
    next_change: Option<Instant>,
    next_infer: Instant,
}

impl Worker {
    /// A worker that has not begun; `commands` are taken between two looks.
    pub(super) fn new(setup: VisionSetup, commands: Receiver<Command>, meter: SharedMeter) -> Self {
        let labels = setup.model.labels();
        let status = DetectorStatus {
            model: setup.model.name().to_owned(),
            labels: labels.names().to_vec(),
            ..DetectorStatus::default()
        };
        Self {
            follow: follow(&setup, &labels, &meter),
            pace: Pace { model: setup.model.name().to_owned(), ..Pace::default() },
            labels,
            eye: None,
            gate: None,
            status,
            last_frame: monotonic(),
            took: Duration::ZERO,
            failing: false,
            crashes: (0, Instant::now()),
            next_load: Instant::now(),
            next_change: None,
            next_infer: Instant::now(),
            setup,
            commands,
            meter,
        }
    }

    /// Works until told to stop, then ends what is tracked.
    pub(super) fn run(mut self) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            self.recover(&*panic);
        }
        self.follow.go_blind(monotonic());
    }

    fn work(&mut self) {
        while self.obey() {
            if self.is_at_rest() {
                self.rest();
            } else if self.eye.is_none() {
                self.load();
            } else {
                self.change_again();
                self.look();
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        !self.setup.config.detector.enabled || self.pace.paused
    }

    /// Nothing that was in the middle of something is used again: the model goes, and what was
    /// tracked ends.
    fn recover(&mut self, panic: &(dyn Any + Send)) {
        self.eye = None;
        let crashed = Instant::now();
        let (before, last) = self.crashes;
        let in_row = if crashed - last > PROVEN_AFTER { 1 } else { before + 1 };
        self.crashes = (in_row, crashed);
        let pause = AFTER_CRASH * 2u32.pow((in_row - 1).min(MOST_DOUBLINGS));
        self.next_load = crashed + pause;
        let ended = catch_unwind(AssertUnwindSafe(|| self.follow.go_blind(monotonic())));
        if ended.is_err() {
            self.follow = follow(&self.setup, &self.labels, &self.meter);
        }
        let error = format!(
            "the detector crashed ({}): it is started again after {} s",
            message(panic),
            pause.as_secs()
        );
        tracing::error!(error, "the stream goes on without detection");
        self.tell_status(|status| {
            status.running = false;
            status.crashes += 1;
            status.error = Some(error);
        });
    }

    /// Takes commands until the next inference is due; `false` when told to stop.
    fn obey(&mut self) -> bool {
        loop {
            let looks = !self.is_at_rest() && self.eye.is_some();
            let due = if looks { self.next_infer } else { Instant::now() + NOT_SOON };
            self.setup.frames.want_at(due);
            let wait = self.next_infer.saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(wait) {
                Ok(Command::Apply(config, lighter)) => self.apply(*config, lighter),
                Ok(Command::Pace(pace)) => self.take_pace(pace),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    fn apply(&mut self, config: CameraConfig, lighter: Vec<ModelSource>) {
        self.follow.apply(&config);
        (self.setup.config, self.setup.lighter) = (config, lighter);
        self.set_params();
    }

    /// Takes over what the governor says. Another model is loaded beside the one in use, which
    /// stays where the other cannot be.
    fn take_pace(&mut self, pace: Pace) {
        let same = pace.model == self.pace.model;
        self.pace = pace;
        let in_use = self.eye.as_ref().map(|eye| &eye.model().name);
        if in_use.is_none_or(|name| *name == self.pace.model) {
            if self.next_change.take().is_some() {
                self.tell_status(|status| status.error = None);
            }
        } else if !same || self.next_change.is_none() {
            self.change();
        }
    }

    /// Loads the model that is wanted beside the one in use. The one that the settings ask for is not
    /// refused: it is tried again after a while.
    fn change(&mut self) {
        match self.open() {
            Ok(eye) => self.put_in(eye),
            Err(error) if self.wants_lighter() => self.refuse(&error),
            Err(error) => {
                if self.next_change.is_none() {
                    tracing::warn!(error, "the model cannot be loaded: a lighter one stays in use");
                }
                self.next_change = Some(Instant::now() + LOAD_AGAIN);
                self.tell_status(|status| status.error = Some(error));
            }
        }
    }

    fn change_again(&mut self) {
        if self.next_change.is_some_and(|at| Instant::now() >= at) {
            self.change();
        }
    }

    /// Gives the detector its view and its parameters; ones that do not fit the model are told and
    /// leave the old ones in force. What was looked at before is to be looked at again.
    fn set_params(&mut self) {
        let Some(eye) = &mut self.eye else { return };
        let view = self.setup.config.view;
        self.gate = self.setup.config.motion.map(|motion| MotionGate::new(motion, view.region));
        eye.set_view(view);
        let error = eye.set_params(&self.setup.config.detection).err();
        self.tell_status(|status| status.error = error.map(|e| base::error::chain(&e)));
    }

    fn rest(&mut self) {
        self.go_blind(monotonic());
        // What is looked at after the rest is to be of then.
        if let Taken::Value(frame) = self.setup.frames.take(Duration::ZERO) {
            self.setup.frames.give_back(frame);
        }
        let enabled = self.setup.config.detector.enabled;
        self.tell_status(|status| {
            status.running = false;
            if !enabled {
                status.error = None;
            }
        });
        self.wait(FRAME_WAIT);
    }

    /// The model that is wanted: the one that the settings ask for, or a lighter one.
    fn wanted(&self) -> &ModelSource {
        let lighter = self.setup.lighter.iter().find(|model| model.name() == self.pace.model);
        lighter.unwrap_or(&self.setup.model)
    }

    fn wants_lighter(&self) -> bool {
        self.wanted().name() != self.setup.model.name()
    }

    /// Loads the model that is wanted.
    fn open(&self) -> Result<Eye, String> {
        let model = self.wanted();
        let look = (self.setup.load)(model, &self.setup.config.detector)
            .map_err(|error| base::error::chain(&error))?;
        let mut eye = Eye::new(look, model, &self.labels);
        // The model that the settings ask for is used in any case, and the misfit told.
        let fits = eye.set_params(&self.setup.config.detection);
        match fits {
            Err(error) if model.name() != self.setup.model.name() => {
                Err(base::error::chain(&error))
            }
            _ => Ok(eye),
        }
    }

    fn put_in(&mut self, eye: Eye) {
        self.tell_status(|status| {
            status.running = true;
            status.model.clone_from(&eye.model().name);
            status.sha256.clone_from(&eye.model().sha256);
            status.error = None;
        });
        self.next_change = None;
        self.eye = Some(eye);
        self.set_params();
    }

    /// A lighter model cannot be used: the governor does without it.
    fn refuse(&mut self, error: &str) {
        let model = std::mem::replace(&mut self.pace.model, self.setup.model.name().to_owned());
        tracing::warn!(model, error, "a lighter model cannot be used");
        self.follow.tell(Told::Refused { model });
    }

    fn load(&mut self) {
        if Instant::now() < self.next_load {
            self.wait(FRAME_WAIT);
            return;
        }
        self.next_load = Instant::now() + LOAD_AGAIN;
        match self.open() {
            Ok(eye) => self.put_in(eye),
            Err(error) if self.wants_lighter() => {
                self.refuse(&error);
                self.next_load = Instant::now();
            }
            Err(error) => {
                if self.status.error.as_ref() != Some(&error) {
                    tracing::warn!(error, "no detector yet: the stream goes on without");
                }
                self.tell_status(|status| status.error = Some(error));
            }
        }
    }

    /// Takes the newest frame and looks at it.
    fn look(&mut self) {
        self.tell_status(|status| status.running = true);
        match self.setup.frames.take(FRAME_WAIT) {
            Taken::Value(frame) => {
                self.infer(&frame);
                self.setup.frames.give_back(frame);
            }
            Taken::TimedOut => self.go_blind_when_late(),
            Taken::Closed => self.wait(FRAME_WAIT),
        }
    }

    fn infer(&mut self, frame: &Frame) {
        let interval = self.interval();
        let Some(eye) = &mut self.eye else { return };
        let began = Instant::now();
        self.next_infer = began + interval;
        let mut model = eye.model().clone();
        let still = self.gate.as_mut().is_some_and(|gate| gate.is_still(frame));
        if still && self.follow.is_settled() {
            self.pass_over(frame, model);
            return;
        }
        self.setup.frames.want_at(began + self.took.max(interval));
        let found = eye.detect(frame);
        self.took = began.elapsed();
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let sentence = base::error::chain(&error);
                self.failing = true;
                self.tell_status(|status| status.error = Some(sentence));
                self.forget_look();
                self.go_blind_when_late();
                return;
            }
        };
        if let Some(gate) = &mut self.gate {
            gate.looked();
        }
        let inferred = monotonic();
        self.last_frame = inferred;
        measure(&self.meter, self.setup.frames.overwritten(), frame, found, inferred);
        model.infer_ms = found.infer.as_secs_f32() * 1000.0;
        let seen = Seen { tapped: frame.tapped, inferred, model };
        self.follow.step(frame, &found.detections, seen);
        if std::mem::take(&mut self.failing) {
            self.tell_status(|status| status.error = None);
        }
    }

    /// Carries on over a frame that shows nothing new: it is neither looked at nor missed.
    fn pass_over(&mut self, frame: &Frame, model: ModelRef) {
        let now = monotonic();
        self.last_frame = now;
        let mut meter = self.meter.lock();
        meter.gated += 1;
        meter.skipped = self.setup.frames.overwritten();
        drop(meter);
        self.follow.hold(frame, Seen { tapped: frame.tapped, inferred: now, model });
    }

    fn go_blind_when_late(&mut self) {
        let now = monotonic();
        if now.saturating_sub(self.last_frame) > blind_after(self.interval()) {
            self.go_blind(now);
        }
    }

    fn go_blind(&mut self, now: Duration) {
        self.forget_look();
        self.follow.go_blind(now);
    }

    /// The next frame is looked at, whatever it shows.
    fn forget_look(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.forget();
        }
    }

    /// Least time between the starts of two inferences.
    fn interval(&self) -> Duration {
        self.setup.config.detector.min_interval.max(self.pace.min_interval)
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

/// For how long nothing is seen between two looks at most, where they are `interval` apart.
fn blind_after(interval: Duration) -> Duration {
    BLIND_AFTER.max(2 * interval)
}

fn follow(setup: &VisionSetup, labels: &Labels, meter: &SharedMeter) -> Follow {
    let (overlay, tell) = (setup.overlay.clone(), setup.tell.clone());
    let watched = setup.watched.clone();
    Follow::new(&setup.config, labels.clone(), overlay, tell, meter.clone(), watched)
}

fn measure(meter: &SharedMeter, skipped: u64, frame: &Frame, found: &Found, inferred: Duration) {
    let mut meter = meter.lock();
    meter.inferred += 1;
    meter.skipped = skipped;
    meter.infer.record(found.infer);
    meter.preprocess.record(found.pre);
    meter.postprocess.record(found.post);
    meter.call(found.pre + found.infer + found.post);
    meter.sensor_to_tap.record(frame.tapped.saturating_sub(frame.captured));
    meter.tap_to_inferred.record(inferred.saturating_sub(frame.tapped));
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_that_looks_rarely_does_not_take_its_pauses_for_blindness() {
        assert_eq!(blind_after(Duration::from_millis(100)), BLIND_AFTER);
        assert_eq!(blind_after(Duration::from_secs(10)), Duration::from_secs(20));
    }
}
