//! The thread `ec-detect`: frames → detector → tracker → rules → what happened.
//!
//! | module | owns |
//! |---|---|
//! | [`worker`] | the thread: commands, the model, the newest frame |
//! | [`eye`] | the model in use, whichever it is |
//! | [`follow`] | what becomes of found objects: tracks, rules, boxes on the picture |
//!
//! This file is the front that the rest of the process holds.

mod eye;
mod follow;
mod worker;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod site;
#[cfg(test)]
mod view_tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use api::event::Object;
use api::status::{Counts, DetectorStatus};
use base::slot::Slot;
use config::CameraConfig;
use domain::Frame;
use media::OverlayHandle;

use crate::meter::SharedMeter;
use crate::models::ModelSource;
pub(crate) use eye::{Load, from_files};
use worker::Worker;

/// What the thread has to tell.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened, in order.
    Happened(Vec<link::Happening>),
    /// Some seconds of tracks, to be kept.
    Tracks(Box<link::TrackBatch>, Vec<u8>),
    /// The objects in a picture and its time, for who looks at them now.
    Live(Vec<Object>, Duration),
    /// The counts changed.
    Counts(Counts),
    /// The detector's status changed.
    Detector(DetectorStatus),
    /// A lighter model cannot be used.
    Refused {
        /// Name of its manifest.
        model: String,
    },
}

/// What the thread works on and with.
pub(crate) struct VisionSetup {
    /// The camera.
    pub(crate) config: CameraConfig,
    /// Where the model is that the settings ask for.
    pub(crate) model: ModelSource,
    /// Where lighter ones are.
    pub(crate) lighter: Vec<ModelSource>,
    /// How a model is loaded.
    pub(crate) load: Load,
    /// Where to measure.
    pub(crate) meter: SharedMeter,
    /// Where frames come from.
    pub(crate) frames: Slot<Frame>,
    /// Where boxes are drawn.
    pub(crate) overlay: OverlayHandle,
    /// Whether somebody looks at the tracks as they are.
    pub(crate) watched: Watched,
    /// Where to tell; the thread waits while it is full.
    pub(crate) tell: tokio::sync::mpsc::Sender<Told>,
}

/// Whether somebody looks at the tracks as they are; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<AtomicBool>);

impl Watched {
    /// Somebody does, or nobody any more.
    pub(crate) fn set(&self, watched: bool) {
        self.0.store(watched, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The front of the thread; dropping it without [`Vision::stop`] leaves it to end with its frames.
#[derive(Debug)]
pub(crate) struct Vision {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Command {
    Apply(Box<CameraConfig>, Vec<ModelSource>),
    Pace(Pace),
    Stop,
}

/// How hard the detector works: what the governor leaves of the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    /// Least time between the starts of two inferences; the settings' own holds as well.
    pub(crate) min_interval: Duration,
    /// Name of the model.
    pub(crate) model: String,
    /// Whether nothing is detected.
    pub(crate) paused: bool,
}

impl Vision {
    /// Starts the thread.
    pub(crate) fn start(setup: VisionSetup) -> io::Result<Self> {
        let (commands, received) = channel();
        let meter = setup.meter.clone();
        let worker = Worker::new(setup, received, meter);
        let thread = base::thread::spawn("ec-detect", move || worker.run())?;
        Ok(Self { commands, thread })
    }

    /// Takes over a configuration that differs in live fields only, and the lighter models there
    /// are now.
    pub(crate) fn apply(&self, config: CameraConfig, lighter: Vec<ModelSource>) {
        // A thread that is gone is on its way out: the process stops.
        let _ = self.commands.send(Command::Apply(Box::new(config), lighter));
    }

    /// Works at another pace from the next frame on.
    pub(crate) fn set_pace(&self, pace: Pace) {
        let _ = self.commands.send(Command::Pace(pace));
    }

    /// Ends what is tracked, tells it, and ends the thread. Blocks for at most one inference.
    pub(crate) fn stop(self) {
        let _ = self.commands.send(Command::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the detector's thread panicked");
        }
    }
}
