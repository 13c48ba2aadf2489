//! Which cameras there are: a task that starts and forgets them while everything runs.
//!
//! It owns the tasks of the cameras and ends when the last of them has, so that whoever stops it has
//! heard what they saw.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base::error::ErrorKind;
use base::shutdown::Shutdown;
use link::CameraOrder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::news::CameraNews;
use super::server::Doors;
use super::task::{CameraTask, Inputs};
use super::{CameraError, CameraHandle, REQUESTS, Surroundings};
use crate::latencies::Latencies;

/// Cameras by id.
pub(crate) type Known = BTreeMap<String, CameraHandle>;

/// What the roster is asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// A camera comes.
    Start { order: Box<CameraOrder>, done: oneshot::Sender<()> },
    /// A camera is nobody's any more; its task goes on until it is told to end.
    Forget { camera: String, done: oneshot::Sender<()> },
}

/// All cameras; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Cameras {
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) roster: mpsc::Sender<Ask>,
    pub(super) latencies: Latencies,
}

impl Cameras {
    /// The camera `id`.
    pub(crate) fn get(&self, id: &str) -> Option<CameraHandle> {
        self.known.borrow().get(id).cloned()
    }

    /// All of them, by id, as they are now.
    pub(crate) fn all(&self) -> Arc<Known> {
        self.known.borrow().clone()
    }

    /// The same as they come and go.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Known>> {
        self.known.clone()
    }

    /// How long their events take.
    pub(crate) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Starts a camera that is not there yet.
    pub(crate) async fn start(&self, order: CameraOrder) -> Result<(), CameraError> {
        self.ask(|done| Ask::Start { order: Box::new(order), done }).await
    }

    /// Ends the camera `id`: when this answers, it has told all that it saw and has no process.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), CameraError> {
        let Some(handle) = self.get(id) else { return Ok(()) };
        let camera = id.to_owned();
        self.ask(|done| Ask::Forget { camera, done }).await?;
        handle.end().await
    }

    async fn ask(&self, ask: impl FnOnce(oneshot::Sender<()>) -> Ask) -> Result<(), CameraError> {
        let gone = || CameraError::new(ErrorKind::Unavailable, "the cameras are being stopped");
        let (done, is_done) = oneshot::channel();
        self.roster.send(ask(done)).await.map_err(|_| gone())?;
        is_done.await.map_err(|_| gone())
    }
}

/// The task behind [`Cameras`].
pub(super) struct Roster {
    pub(super) known: watch::Sender<Arc<Known>>,
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) doors: Doors,
    pub(super) socket: PathBuf,
    pub(super) surroundings: Surroundings,
    pub(super) shutdown: Shutdown,
    pub(super) tasks: JoinSet<()>,
}

impl Roster {
    /// Starts a task for `order` and, when it is enabled, a process.
    pub(super) fn start(&mut self, order: CameraOrder) {
        let id = order.camera.clone();
        let (door, connections) = mpsc::channel(1);
        let (requests, asked) = mpsc::channel(REQUESTS);
        let inputs = Inputs { connections, requests: asked, shutdown: self.shutdown.clone() };
        // Before there is a process that could knock.
        self.doors.open(&id, door);
        let news = Arc::<CameraNews>::default();
        let (task, view) =
            CameraTask::new(order, &self.socket, &self.surroundings, inputs, news.clone());
        self.tasks.spawn(task.run());
        let handle = CameraHandle { requests, view, news };
        self.known.send_modify(|known| drop(Arc::make_mut(known).insert(id, handle)));
    }

    fn forget(&mut self, camera: &str) {
        self.known.send_modify(|known| drop(Arc::make_mut(known).remove(camera)));
        self.doors.close(camera);
        self.surroundings.latencies.forget(camera);
    }

    /// Runs until the stop, and until every camera has stopped.
    pub(super) async fn run(mut self) {
        // Cancel-safe: receiving, joining and waiting are.
        loop {
            tokio::select! {
                Some(ask) = self.asked.recv() => match ask {
                    Ask::Start { order, done } => {
                        self.start(*order);
                        let _ = done.send(());
                    }
                    Ask::Forget { camera, done } => {
                        self.forget(&camera);
                        let _ = done.send(());
                    }
                },
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the task of a camera panicked");
                    }
                }
                () = self.shutdown.wait() => break,
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
type Asked = mpsc::Receiver<super::Request>;
#[cfg(test)]
type Came = mpsc::UnboundedReceiver<(String, Asked)>;

#[cfg(test)]
impl Cameras {
    /// Cameras without tasks: what each is asked comes out of its receiver. More can be started, as
    /// little alive; what the last part gets is what each of them is asked.
    pub(crate) fn without_tasks<const N: usize>(ids: [&str; N]) -> (Self, [Asked; N], Came) {
        let fresh = || {
            let (requests, asked) = mpsc::channel(REQUESTS);
            let (_, view) = watch::channel(Arc::default());
            (CameraHandle { requests, view, news: Arc::default() }, asked)
        };
        let mut cameras = Known::new();
        let asked = ids.map(|id| {
            let (handle, asked) = fresh();
            cameras.insert(id.to_owned(), handle);
            asked
        });
        let (known, shown) = watch::channel(Arc::new(cameras));
        let (roster, mut asks) = mpsc::channel(1);
        let (come, came) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                match ask {
                    Ask::Start { order, done } => {
                        let (handle, asked) = fresh();
                        let id = order.camera;
                        known.send_modify(|known| {
                            drop(Arc::make_mut(known).insert(id.clone(), handle));
                        });
                        let _ = come.send((id, asked));
                        let _ = done.send(());
                    }
                    Ask::Forget { camera, done } => {
                        known.send_modify(|known| drop(Arc::make_mut(known).remove(&camera)));
                        let _ = done.send(());
                    }
                }
            }
        });
        (Self { known: shown, roster, latencies: Latencies::default() }, asked, came)
    }
}
