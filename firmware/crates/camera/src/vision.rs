//! The thread `ec-detect`: frames → detector → tracker → rules → what happened.
//!
//! | module | owns |
//! |---|---|
//! | [`worker`] | the thread: commands, the model, the newest frame |
//! | [`follow`] | what becomes of found objects: tracks, rules, boxes on the picture |
//!
//! This file is the front that the rest of the process holds.

mod follow;
mod worker;

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use api::status::{Counts, DetectorStatus};
use base::slot::Slot;
use config::CameraConfig;
use domain::Frame;
use media::OverlayHandle;

use crate::meter::VisionMeter;
use crate::models::ModelSource;
use worker::Worker;

/// What the thread has to tell.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened, in order.
    Happened(Vec<link::Happening>),
    /// Some seconds of tracks, to be kept.
    Tracks(Box<link::TrackBatch>, Vec<u8>),
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

fn lock(meter: &Mutex<VisionMeter>) -> MutexGuard<'_, VisionMeter> {
    // A panic cannot leave the counters in a state that matters.
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}
