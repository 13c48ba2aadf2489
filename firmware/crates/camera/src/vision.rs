//! The thread `ec-detect`: frames → detector → tracker → rules → what happened.
//!
//! It takes the newest frame when it is ready for one and never makes anyone wait for it. A model
//! that cannot be loaded is tried again: the daemon may still be fetching it.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::event::ModelRef;
use api::status::{Counts, DetectorStatus};
use base::clock::monotonic;
use base::slot::{Slot, Taken};
use config::CameraConfig;
use detect::{Detector, Found};
use domain::{Frame, Labels, Rules, TrackUpdate, Tracker};
use media::{OverlayBox, OverlayHandle};

use crate::meter::VisionMeter;
use crate::models::ModelSource;
use crate::thermal::{Heat, Thermometer};
use crate::to_link::{self, Names, Seen};

/// A model that could not be loaded is tried again after this time.
const LOAD_AGAIN: Duration = Duration::from_secs(3);
/// Longest wait for a frame before commands are looked at.
const FRAME_WAIT: Duration = Duration::from_millis(100);
/// Without a frame for this time, what was tracked is gone.
const BLIND_AFTER: Duration = Duration::from_secs(3);
/// How long the detector stays away from its work before it looks at the temperature again.
const COOLING: Duration = Duration::from_secs(1);

/// What the thread has to tell.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened, in order.
    Happened(Vec<link::Happening>),
    /// The counts changed.
    Counts(Counts),
    /// The detector's status changed.
    Detector(DetectorStatus),
}

/// What the thread works on and with.
pub(crate) struct VisionSetup {
    /// The camera.
    pub(crate) config: CameraConfig,
    /// Where the model is.
    pub(crate) model: ModelSource,
    /// Where frames come from.
    pub(crate) frames: Slot<Frame>,
    /// Where boxes are drawn.
    pub(crate) overlay: OverlayHandle,
    /// Where to tell; the thread waits while it is full.
    pub(crate) tell: tokio::sync::mpsc::Sender<Told>,
}

/// The front of the thread; dropping it without [`Vision::stop`] leaves it to end with its frames.
#[derive(Debug)]
pub(crate) struct Vision {
    commands: Sender<Command>,
    meter: Arc<Mutex<VisionMeter>>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Command {
    Apply(Box<CameraConfig>),
    Stop,
}

impl Vision {
    /// Starts the thread.
    pub(crate) fn start(setup: VisionSetup) -> io::Result<Self> {
        let (commands, received) = channel();
        let meter = Arc::<Mutex<VisionMeter>>::default();
        let worker = Worker::new(setup, received, Arc::clone(&meter));
        let thread = base::thread::spawn("ec-detect", move || worker.run())?;
        Ok(Self { commands, meter, thread })
    }

    /// Takes over a configuration that differs in live fields only.
    pub(crate) fn apply(&self, config: CameraConfig) {
        // A thread that is gone has panicked; the statistics show it as a detector at rest.
        let _ = self.commands.send(Command::Apply(Box::new(config)));
    }

    /// What it measured.
    pub(crate) fn meter(&self) -> MutexGuard<'_, VisionMeter> {
        lock(&self.meter)
    }

    /// Whether the thread has died of a panic.
    pub(crate) fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends what is tracked, tells it, and ends the thread. Blocks for at most one inference.
    pub(crate) fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the detector's thread panicked");
        }
    }
}

struct Worker {
    setup: VisionSetup,
    commands: Receiver<Command>,
    meter: Arc<Mutex<VisionMeter>>,
    thermometer: Thermometer,
    detector: Option<Detector>,
    status: DetectorStatus,
    tracker: Tracker,
    rules: Rules,
    labels: Labels,
    names: Names,
    counts: Counts,
    seen: Option<Seen>,
    last_frame: Duration,
    /// Whether the last inference failed.
    failing: bool,
    next_load: Instant,
    next_infer: Instant,
}

impl Worker {
    fn new(
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
            tracker: Tracker::new(config.tracker.clone().with_alike_of(&labels)),
            rules: Rules::new(config.zones.clone(), config.lines.clone(), &labels),
            detector: None,
            status,
            labels,
            names: Names::default(),
            counts: Counts::default(),
            seen: None,
            last_frame: monotonic(),
            failing: false,
            next_load: Instant::now(),
            next_infer: Instant::now(),
            setup,
            commands,
            meter,
        }
    }

    fn run(mut self) {
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
            let wait = self.next_infer.saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(wait) {
                Ok(Command::Apply(config)) => self.apply(*config),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    fn apply(&mut self, config: CameraConfig) {
        self.tracker.set_params(config.tracker.clone().with_alike_of(&self.labels));
        self.rules.set(config.zones.clone(), config.lines.clone(), &self.labels);
        if config.thermal != self.setup.config.thermal {
            self.thermometer = Thermometer::new(config.thermal.clone());
        }
        self.setup.config = config;
        self.set_params();
        self.tell_counts();
    }

    /// Gives the detector its parameters; ones that do not fit the model are told and leave the
    /// old ones in force.
    fn set_params(&mut self) {
        let Some(detector) = &mut self.detector else { return };
        let error = detector.set_params(&self.setup.config.detection).err();
        self.tell_status(|status| status.error = error.map(|e| base::error::chain(&e)));
    }

    fn rest(&mut self) {
        self.go_blind(monotonic());
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
            self.go_blind(monotonic());
            self.wait(COOLING);
            return;
        }
        match self.setup.frames.take(FRAME_WAIT) {
            Taken::Value(frame) => self.infer(&frame),
            Taken::TimedOut => self.go_blind_when_late(),
            Taken::Closed => self.wait(FRAME_WAIT),
        }
        if let Heat::Rest { rest, .. } = heat {
            self.next_infer = self.next_infer.max(Instant::now() + rest);
        }
    }

    fn infer(&mut self, frame: &Frame) {
        let Some(detector) = &mut self.detector else { return };
        self.next_infer = Instant::now() + self.setup.config.detector.min_interval;
        let found = match detector.detect(frame) {
            Ok(found) => found,
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
        let update = self.tracker.step(frame.captured, &found.detections);
        self.draw(frame, &update);
        self.seen = Some(Seen {
            tapped: frame.tapped,
            inferred,
            model: ModelRef {
                name: self.setup.model.name().to_owned(),
                sha256: self.setup.model.sha256().to_owned(),
                infer_ms: found.infer.as_secs_f32() * 1000.0,
            },
        });
        self.tell_happenings(&update);
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

    /// Hands the boxes to the overlay, in the pipeline's time.
    fn draw(&self, frame: &Frame, update: &TrackUpdate) {
        let boxes = update.tracks.iter().map(|track| {
            let late = frame.captured.saturating_sub(track.last_seen);
            OverlayBox {
                bbox: track.bbox,
                label: self.labels.name(track.class).into(),
                score: track.score,
                track: Some(track.id),
                class: track.class.0,
                velocity: track.velocity,
                at: frame.pts.saturating_sub(late),
            }
        });
        self.setup.overlay.set_boxes(boxes.collect());
    }

    fn go_blind_when_late(&mut self) {
        let now = monotonic();
        if now.saturating_sub(self.last_frame) > BLIND_AFTER {
            self.go_blind(now);
        }
    }

    /// Ends everything that is tracked: nothing is seen any more.
    fn go_blind(&mut self, now: Duration) {
        let update = self.tracker.end_all(now);
        if !update.ended.is_empty() {
            self.setup.overlay.set_boxes(Vec::new());
            self.tell_happenings(&update);
        }
    }

    fn finish(mut self) {
        self.go_blind(monotonic());
    }

    fn tell_happenings(&mut self, update: &TrackUpdate) {
        lock(&self.meter).tracks = u32::try_from(update.tracks.len()).unwrap_or(u32::MAX);
        let happenings = self.rules.step(update);
        if let (Some(seen), false) = (&self.seen, happenings.is_empty()) {
            let names = &mut self.names;
            let told = happenings.iter().map(|h| names.happening(h, seen)).collect();
            self.tell(Told::Happened(told));
        }
        self.tell_counts();
    }

    fn tell_counts(&mut self) {
        let counts = to_link::counts(&self.rules.counts());
        if counts != self.counts {
            self.counts = counts.clone();
            self.tell(Told::Counts(counts));
        }
    }

    fn tell_status(&mut self, change: impl FnOnce(&mut DetectorStatus)) {
        let before = self.status.clone();
        change(&mut self.status);
        if self.status != before {
            self.tell(Told::Detector(self.status.clone()));
        }
    }

    fn tell(&self, told: Told) {
        // A closed channel means that the process is on its way out: nobody is left to be told.
        let _ = self.setup.tell.blocking_send(told);
    }

    /// Puts the next look off; commands are still taken meanwhile.
    fn wait(&mut self, time: Duration) {
        self.next_infer = Instant::now() + time;
    }
}

fn lock(meter: &Mutex<VisionMeter>) -> MutexGuard<'_, VisionMeter> {
    // A panic cannot leave the counters in a state that matters.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}
