//! Inputs and outputs of the device: their events, and the events that drive them.
//!
//! The pins stop with the cameras, before what they tell of is stored for the last time.

use std::sync::Arc;

use anyhow::Context;
use api::event::Event;
use base::shutdown::Shutdown;
use config::GpioConfig;
use control::ports::Events;
use futures::FutureExt;
use futures::future::BoxFuture;
use gpio::{GpioTask, Happenings, InputChange};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use crate::announce;
use crate::ports::{PinPort, StoredEvents};
use crate::recorder::{Record, Recorder};
use crate::settings::LiveSettings;

/// Changes of inputs that may wait for the recorder.
const CHANGES: usize = 64;

/// Starts the pins of `settings`, which go with them. `tasks` gets what has to be joined.
///
/// # Errors
/// When the settings in force are wrong, which cannot be.
pub(crate) fn start(
    settings: &LiveSettings,
    events: StoredEvents,
    recorder: Recorder,
    shutdown: &Shutdown,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<PinPort> {
    let now = config::compile(&settings.current()).context("reading the settings of pins")?;
    let (config, watched) = watch::channel(Arc::new(now.gpio));
    let (told, changes) = mpsc::channel(CHANGES);
    let (task, handle) = GpioTask::new(Box::new(gpio::open), watched, events, told);
    tasks.spawn(task.run(shutdown.clone()));
    tasks.spawn(record(changes, recorder));
    let (settings, mut shutdown) = (settings.clone(), shutdown.clone());
    tasks.spawn(async move {
        tokio::select! { () = renew(settings, config) => {}, () = shutdown.wait() => {} }
    });
    Ok(PinPort(handle))
}

/// Takes every change of settings over. What is in force was compiled before it was.
async fn renew(settings: LiveSettings, config: watch::Sender<Arc<GpioConfig>>) {
    let mut changes = settings.watch();
    while changes.changed().await.is_ok() {
        let now = changes.borrow_and_update().settings.clone();
        let Ok(new) = config::compile(&now) else { continue };
        config.send_if_modified(|old| {
            let changed = **old != new.gpio;
            if changed {
                *old = Arc::new(new.gpio);
            }
            changed
        });
    }
}

/// Makes an event of every change; ends with the pins.
async fn record(mut changes: mpsc::Receiver<InputChange>, recorder: Recorder) {
    while let Some(change) = changes.recv().await {
        let event = Box::new(announce::input(change));
        if recorder.send(Record::Event(event)).await.is_err() {
            return;
        }
    }
}

impl Happenings for StoredEvents {
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        Events::subscribe(self)
    }

    fn lasting(&self) -> BoxFuture<'_, Option<Vec<Event>>> {
        async move {
            match self.0.open_events(None).await {
                Ok(lasting) => Some(lasting),
                Err(error) => {
                    let error = base::error::chain(&error);
                    tracing::error!(error, "which events last cannot be read");
                    None
                }
            }
        }
        .boxed()
    }
}
