//! The cameras: one supervised process and one task each, met over the link.
//!
//! | module | owns |
//! |---|---|
//! | [`server`] | the socket that camera processes are connected to |
//! | [`task`] | one camera: its process, its link, its status, requests to it |
//! | [`spec`] | how a camera's process is run |
//! | [`open`] | requests that wait for a camera's answer |
//! | [`health`] | when a camera process has to be replaced (pure) |
//!
//! Channels: connections go from the server to the task of the camera that said hello; status and
//! statistics go out on a `watch`; requests come in on an `mpsc` with a `oneshot` each; what
//! happened goes to the [`crate::recorder`].

mod health;
mod open;
mod server;
mod spec;
mod task;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use api::status::{CameraStats, CameraStatus};
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use link::CameraOrder;
use supervise::Supervisor;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::recorder::{Latencies, Recorder};
use crate::units::Units;

pub(crate) use server::LinkServer;

/// Requests to a camera that may wait.
const REQUESTS: usize = 16;

/// What is known about a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CameraView {
    /// Its status.
    pub(crate) status: CameraStatus,
    /// Its newest statistics.
    pub(crate) stats: CameraStats,
}

/// Why a camera did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct CameraError {
    /// What kind of failure.
    pub(crate) kind: ErrorKind,
    /// What went wrong.
    pub(crate) detail: String,
}

impl CameraError {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

type Answer<T> = oneshot::Sender<Result<T, CameraError>>;

/// What a camera can be asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// A JPEG of the newest frame.
    Snapshot { quality: u8, answer: Answer<Vec<u8>> },
    /// Take over an order that differs in live fields only.
    Apply { order: Box<CameraOrder>, answer: Answer<()> },
    /// Take over an order that names another model, or other reasons for it: a process with the old
    /// model is replaced.
    Renew { order: Box<CameraOrder>, answer: Answer<()> },
    /// Take over any order: the process is replaced, started or stopped, as the order says.
    Rebuild { order: Box<CameraOrder>, reason: String, answer: Answer<()> },
    /// Make the next frame a key frame; a camera that is not up begins with one anyway.
    KeyFrame,
}

/// The front of one camera; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CameraHandle {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<CameraView>>,
}

impl CameraHandle {
    /// What is known about it now.
    pub(crate) fn view(&self) -> Arc<CameraView> {
        self.view.borrow().clone()
    }

    /// The same as it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<CameraView>> {
        self.view.clone()
    }

    /// A JPEG of the newest frame, at `quality` 1..=100.
    pub(crate) async fn snapshot(&self, quality: u8) -> Result<Vec<u8>, CameraError> {
        self.ask(|answer| Request::Snapshot { quality, answer }).await
    }

    /// Takes over an order that differs in live fields only.
    pub(crate) async fn apply(&self, order: CameraOrder) -> Result<(), CameraError> {
        self.ask(|answer| Request::Apply { order: Box::new(order), answer }).await
    }

    /// Takes over an order that names another model, or other reasons for it.
    pub(crate) async fn renew(&self, order: CameraOrder) -> Result<(), CameraError> {
        self.ask(|answer| Request::Renew { order: Box::new(order), answer }).await
    }

    /// Takes over any order, for the reason `reason`: the process is replaced, started or stopped.
    pub(crate) async fn rebuild(
        &self,
        order: CameraOrder,
        reason: &str,
    ) -> Result<(), CameraError> {
        let reason = reason.to_owned();
        self.ask(|answer| Request::Rebuild { order: Box::new(order), reason, answer }).await
    }

    /// Makes the next frame a key frame, for someone who begins to watch.
    pub(crate) async fn key_frame(&self) {
        // A camera that is being stopped has no next frame.
        let _ = self.requests.send(Request::KeyFrame).await;
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, CameraError> {
        let gone = || CameraError::new(ErrorKind::Unavailable, "the camera is being stopped");
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// All cameras.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cameras(BTreeMap<String, CameraHandle>);

impl Cameras {
    /// The camera `id`.
    pub(crate) fn get(&self, id: &str) -> Option<&CameraHandle> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &CameraHandle)> {
        self.0.iter().map(|(id, handle)| (id.as_str(), handle))
    }
}

#[cfg(test)]
impl Cameras {
    /// Cameras without tasks: what each is asked comes out of its receiver.
    pub(crate) fn without_tasks<const N: usize>(
        ids: [&str; N],
    ) -> (Self, [mpsc::Receiver<Request>; N]) {
        let mut cameras = BTreeMap::new();
        let asked = ids.map(|id| {
            let (requests, asked) = mpsc::channel(REQUESTS);
            let (_, view) = watch::channel(Arc::default());
            cameras.insert(id.to_owned(), CameraHandle { requests, view });
            asked
        });
        (Self(cameras), asked)
    }
}

/// What the cameras need from the daemon.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Starts and watches their processes.
    pub(crate) supervisor: Supervisor,
    /// Stores what they report.
    pub(crate) recorder: Recorder,
    /// How long that took, for their governors.
    pub(crate) latencies: Latencies,
    /// The `edgecam-camera` binary.
    pub(crate) program: PathBuf,
    /// The units that they run in.
    pub(crate) units: Units,
}

/// Starts a task (and, when enabled, a process) per order. `tasks` gets what has to be joined.
///
/// # Errors
/// When the link's socket cannot be made.
pub(crate) fn start(
    orders: Vec<CameraOrder>,
    server: LinkServer,
    surroundings: &Surroundings,
    shutdown: &Shutdown,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Cameras> {
    let mut doors = BTreeMap::new();
    let mut cameras = BTreeMap::new();
    let socket = server.path().to_owned();
    for order in orders {
        let id = order.camera.clone();
        let (door, connections) = mpsc::channel(1);
        let (requests, asked) = mpsc::channel(REQUESTS);
        let inputs = task::Inputs { connections, requests: asked, shutdown: shutdown.clone() };
        let (task, view) = task::CameraTask::new(order, &socket, surroundings, inputs);
        tasks.spawn(task.run());
        doors.insert(id.clone(), door);
        cameras.insert(id, CameraHandle { requests, view });
    }
    server.spawn(doors, shutdown.clone(), tasks).context("serving the link to the cameras")?;
    Ok(Cameras(cameras))
}
