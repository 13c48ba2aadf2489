//! The thread `ec-governor`: looks, takes a step when the plan says so, and tells what the camera
//! is to run on.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::governor::{GovernorLimits, GovernorReadings, GovernorStatus, GovernorStep};
use base::clock::monotonic;
use base::slot::Slot;
use config::CameraConfig;
use domain::Frame;

use super::ladder::{Candidate, Ladder, Setting, Wish};
use super::limits::{Heat, Limits, Readings, millis};
use super::plan::Governor;
use super::sensors::{BoardSensors, Sample, Sensors, Watch};
use crate::meter::SharedMeter;

/// Looks within one settling time.
const LOOKS: u32 = 5;
/// Longest and shortest time between two looks.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(100));
/// Without a step, the status is told in this time: its readings go on.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// A look takes no longer, unless a sensor hangs.
const STOPS_WITHIN: Duration = Duration::from_millis(500);

/// What the thread has to tell.
#[derive(Clone, Debug)]
pub(crate) struct Governed {
    /// What the camera is to run on.
    pub(crate) setting: Setting,
    /// Name of the model in `setting`.
    pub(crate) model: String,
    /// The step that led there, and when it was taken on the monotonic clock; `None`: no step.
    pub(crate) step: Option<(GovernorStep, Duration)>,
    /// The governor; `None`: switched off.
    pub(crate) status: Option<GovernorStatus>,
}

/// What the thread works on and with.
pub(crate) struct GovernorSetup {
    /// The camera.
    pub(crate) config: CameraConfig,
    /// The models at hand; first the one that the settings ask for.
    pub(crate) models: Vec<Candidate>,
    /// What the detector's thread measures.
    pub(crate) meter: SharedMeter,
    /// Where its frames come from; it counts those that nobody takes.
    pub(crate) frames: Slot<Frame>,
    /// Where to tell.
    pub(crate) tell: tokio::sync::mpsc::UnboundedSender<Governed>,
}

/// The front of the thread.
#[derive(Debug)]
pub(crate) struct Governing {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
    /// Closed at the thread's end.
    ended: Receiver<()>,
}

#[derive(Debug)]
enum Command {
    Apply(Box<CameraConfig>, Vec<Candidate>),
    Stored(Vec<Duration>),
    Refuse(String),
    Stop,
}

impl Governing {
    /// Starts the thread.
    pub(crate) fn start(setup: GovernorSetup) -> io::Result<Self> {
        let (commands, received) = channel();
        let (done, ended) = channel::<()>();
        let thread = base::thread::spawn("ec-governor", move || {
            // Dropped at the end, also by a panic: that is the word.
            let _done = done;
            Loop::new(setup).run(&received);
        })?;
        Ok(Self { commands, thread, ended })
    }

    /// Takes over a configuration that differs in live fields only, and the models there are now;
    /// first the one that it asks for.
    pub(crate) fn apply(&self, config: CameraConfig, models: Vec<Candidate>) {
        self.send(Command::Apply(Box::new(config), models));
    }

    /// Tells how long events took from the tap to the store.
    pub(crate) fn stored(&self, latencies: Vec<Duration>) {
        self.send(Command::Stored(latencies));
    }

    /// The model called `name` cannot be used: its rungs go.
    pub(crate) fn refuse(&self, name: String) {
        self.send(Command::Refuse(name));
    }

    fn send(&self, command: Command) {
        // A thread that is gone has panicked, which its end reports.
        let _ = self.commands.send(command);
    }

    /// Ends the thread. One that hangs in a sensor is left to the end of the process.
    pub(crate) fn stop(self) {
        self.send(Command::Stop);
        if self.ended.recv_timeout(STOPS_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the governor's thread hangs, most likely in a sensor");
        } else if self.thread.join().is_err() {
            tracing::error!("the governor's thread panicked");
        }
    }
}

struct Loop {
    setup: GovernorSetup,
    sensors: BoardSensors,
    watch: Watch,
    governor: Option<Governor>,
    latencies: Vec<Duration>,
    newest: Option<GovernorStep>,
    status: GovernorStatus,
    told: Instant,
}

impl Loop {
    fn new(setup: GovernorSetup) -> Self {
        let governor = limits(&setup.config)
            .map(|limits| Governor::new(Ladder::new(wish(&setup)), limits, monotonic()));
        let watch = Watch::new(settle(&setup.config));
        Self {
            sensors: BoardSensors(setup.config.thermal.clone()),
            watch,
            governor,
            latencies: Vec::new(),
            newest: None,
            status: GovernorStatus::default(),
            told: Instant::now(),
            setup,
        }
    }

    fn run(mut self, commands: &Receiver<Command>) {
        self.tell(None);
        let mut next = Instant::now();
        loop {
            match commands.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Command::Apply(config, models)) => self.apply(*config, models),
                Ok(Command::Stored(latencies)) => self.latencies.extend(latencies),
                Ok(Command::Refuse(model)) => self.refuse(&model),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    next = Instant::now() + look_every(settle(&self.setup.config));
                }
            }
        }
    }

    fn look(&mut self) {
        let sample = self.sample();
        let Some(governor) = &mut self.governor else { return };
        let now = monotonic();
        self.watch.take(now, governor.level(), sample);
        let readings = self.watch.readings(governor.setting().fps);
        let step = governor.step(now, &readings);
        if step.is_some() {
            self.watch.restart();
        }
        self.status.readings = shown(&readings);
        if step.is_some() || self.told.elapsed() >= TELL_EVERY {
            self.tell(step);
        }
    }

    fn sample(&mut self) -> Sample {
        let (celsius, throttled) = (self.sensors.celsius(), self.sensors.throttled());
        let mut meter = self.setup.meter.lock();
        Sample {
            celsius,
            throttled,
            calls: std::mem::take(&mut meter.calls),
            offered: self.setup.frames.overwritten() + meter.done(),
            inferred: meter.done(),
            latencies: std::mem::take(&mut self.latencies),
        }
    }

    fn apply(&mut self, config: CameraConfig, models: Vec<Candidate>) {
        if settle(&config) != settle(&self.setup.config) {
            self.watch = Watch::new(settle(&config));
        }
        self.sensors = BoardSensors(config.thermal.clone());
        (self.setup.config, self.setup.models) = (config, models);
        self.set();
    }

    fn refuse(&mut self, model: &str) {
        // The model that the settings ask for stays, whatever is wrong with it: its error is told.
        let asked = self.setup.models.first().map(|first| first.name.clone());
        self.setup.models.retain(|m| m.name != model || Some(&m.name) == asked.as_ref());
        self.set();
    }

    /// Puts the configuration and the models at hand in force.
    fn set(&mut self) {
        let ladder = Ladder::new(wish(&self.setup));
        let step = match (&mut self.governor, limits(&self.setup.config)) {
            (Some(governor), Some(limits)) => governor.set(ladder, limits),
            (governor, Some(limits)) => {
                *governor = Some(Governor::new(ladder, limits, monotonic()));
                None
            }
            (governor, None) => {
                *governor = None;
                None
            }
        };
        self.tell(step);
    }

    fn tell(&mut self, step: Option<GovernorStep>) {
        if let Some(step) = &step {
            tracing::info!(level = step.level, reason = step.sentence, "governor");
            self.status.since = Some(base::clock::wall());
            self.newest = Some(step.clone());
        }
        self.told = Instant::now();
        let top = || Ladder::new(wish(&self.setup));
        let (setting, model) = match &self.governor {
            Some(governor) => (governor.setting(), governor.ladder().model(governor.level())),
            None => (top().rung(0).setting, top().model(0)),
        };
        let governed = Governed {
            setting,
            model,
            step: step.map(|step| (step, monotonic())),
            status: self.status(),
        };
        // A closed channel means that the process is on its way out.
        let _ = self.setup.tell.send(governed);
    }

    fn status(&mut self) -> Option<GovernorStatus> {
        let governor = self.governor.as_ref()?;
        let count = |level: usize| u32::try_from(level).unwrap_or(u32::MAX);
        let top = governor.ladder().rung(0).setting;
        self.status = GovernorStatus {
            level: count(governor.level()),
            levels: count(governor.ladder().lowest()),
            reduced: governor.ladder().reduced(governor.level()).collect(),
            reason: self.newest.as_ref().map(|step| step.reason),
            sentence: self.newest.as_ref().map(|step| step.sentence.clone()),
            since: self.status.since,
            sensor_error: self.watch.sensor_error(),
            limits: GovernorLimits {
                max_temp_c: governor.limits().heat.map(|heat| heat.max_c),
                detect_fps: top.fps,
                min_detect_fps: wish(&self.setup).min_fps,
                event_latency_ms: millis(governor.limits().event_latency),
            },
            readings: self.status.readings,
            steps: governor.steps().clone(),
        };
        Some(self.status.clone())
    }
}

fn shown(readings: &Readings) -> GovernorReadings {
    GovernorReadings {
        temperature_c: readings.temperature.map(|temperature| temperature.celsius),
        throttled: readings.throttled,
        detector_ms: readings.detector.map(millis),
        missed: readings.missed,
        event_latency_ms: readings.event_latency.map(millis),
    }
}

/// `None`: the governor is switched off.
fn limits(config: &CameraConfig) -> Option<Limits> {
    let governor = config.governor.as_ref()?;
    let heat = config.thermal.as_ref();
    Some(Limits {
        heat: heat.map(|heat| Heat { max_c: heat.max_temp_c, critical_c: heat.critical_c }),
        event_latency: governor.event_latency,
        settle: governor.settle,
        calm: governor.calm,
    })
}

fn wish(setup: &GovernorSetup) -> Wish {
    let fps = 1.0 / setup.config.detector.min_interval.as_secs_f32();
    let governor = setup.config.governor.as_ref();
    Wish {
        fps,
        min_fps: governor.map_or(fps, |governor| governor.min_detect_fps.min(fps)),
        bitrate_kbps: setup.config.encoder.bitrate_kbps,
        min_bitrate_kbps: governor.map_or(0, |governor| governor.min_bitrate_kbps),
        models: setup.models.clone(),
    }
}

fn settle(config: &CameraConfig) -> Duration {
    config.governor.as_ref().map_or(LOOK_EVERY.0, |governor| governor.settle)
}

fn look_every(settle: Duration) -> Duration {
    (settle / LOOKS).clamp(LOOK_EVERY.1, LOOK_EVERY.0)
}
