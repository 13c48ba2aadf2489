//! The task that stores what the cameras report, in order, before anyone else hears of it.
//!
//! What cannot be stored (a full disk) is kept and tried again; meanwhile the queue fills, the
//! camera's link backs up and its detector slows down, and nothing that was seen is lost.

use std::time::Duration;

use base::shutdown::Shutdown;
use store::{CloseReason, NewEvent, NewTracks, StoreError, StoreHandle};
use tokio::sync::mpsc;

use crate::latencies::Latencies;

/// Records that may wait.
const QUEUE: usize = 512;
/// Most events of one transaction.
const BATCH: usize = 64;
/// A refused batch is tried again after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// Something to store.
#[derive(Debug)]
pub(crate) enum Record {
    /// An event.
    Event(Box<NewEvent>),
    /// Some seconds of what a camera tracked; not tried again, for no event may wait for it.
    Tracks(NewTracks),
    /// A camera's process is gone: its open events have ended.
    CameraGone {
        /// The camera.
        camera: String,
    },
}

/// The recorder's queue; the sender waits while it is full.
pub(crate) type Recorder = mpsc::Sender<Record>;

/// A queue and the task behind it, to be spawned. It ends when every sender is gone.
pub(crate) fn new(
    store: StoreHandle,
    latencies: Latencies,
    shutdown: Shutdown,
) -> (Recorder, impl Future<Output = ()>) {
    let (sender, queue) = mpsc::channel(QUEUE);
    (sender, run(store, queue, latencies, shutdown))
}

async fn run(
    store: StoreHandle,
    mut queue: mpsc::Receiver<Record>,
    latencies: Latencies,
    shutdown: Shutdown,
) {
    let keep = async |events: Vec<NewEvent>| {
        if keep(&store, &shutdown, &events).await {
            latencies.stored(&events, base::clock::monotonic());
        }
    };
    let mut records = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut records, BATCH).await > 0 {
        let mut events = Vec::with_capacity(records.len());
        let mut tracks = Vec::new();
        for record in records.drain(..) {
            match record {
                Record::Event(event) => events.push(*event),
                Record::Tracks(one) => tracks.push(one),
                Record::CameraGone { camera } => {
                    keep(std::mem::take(&mut events)).await;
                    close(&store, &camera).await;
                }
            }
        }
        keep(events).await;
        for one in tracks {
            keep_tracks(&store, one).await;
        }
    }
}

async fn keep_tracks(store: &StoreHandle, tracks: NewTracks) {
    let camera = tracks.camera.clone();
    if let Err(error) = store.append_tracks(tracks).await {
        let error = base::error::chain(&error);
        tracing::warn!(camera, error, "some seconds of track history are lost");
    }
}

/// Stores `events`, however often it takes, unless the daemon is stopping; whether they are stored.
async fn keep(store: &StoreHandle, shutdown: &Shutdown, events: &[NewEvent]) -> bool {
    if events.is_empty() {
        return true;
    }
    while let Err(error) = store.append_all(events.to_vec()).await {
        let text = base::error::chain(&error);
        if shutdown.is_stopping() || matches!(error, StoreError::Stopped) {
            tracing::error!(error = text, events = events.len(), "events are lost with this stop");
            return false;
        }
        tracing::error!(
            error = text,
            events = events.len(),
            "events cannot be stored: trying again"
        );
        tokio::time::sleep(AGAIN).await;
    }
    true
}

async fn close(store: &StoreHandle, camera: &str) {
    match store.close_open(Some(camera), CloseReason::CameraGone).await {
        Ok(closed) if closed.is_empty() => {}
        Ok(closed) => {
            tracing::info!(camera, events = closed.len(), "ended what its process left open");
        }
        Err(error) => {
            let error = base::error::chain(&error);
            tracing::error!(
                camera,
                error,
                "open events could not be ended: the next start ends them"
            );
        }
    }
}
