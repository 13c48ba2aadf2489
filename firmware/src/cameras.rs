//! The cameras: one supervised process and one task each, met over the link.
//!
//! | module | owns |
//! |---|---|
//! | [`roster`] | which cameras there are: they come and go |
//! | [`server`] | the socket that camera processes are connected to |
//! | [`task`] | one camera: its process, its link, its status, requests to it |
//! | [`spec`] | how a camera's process is run |
//! | [`open`] | requests that wait for a camera's answer |
//! | [`news`] | what is followed as it happens: tracks, statistics |
//! | [`health`] | when a camera process has to be replaced (pure) |
//!
//! Channels: connections go from the server to the task of the camera that said hello; status and
//! statistics go out on a `watch`; requests come in on an `mpsc` with a `oneshot` each; what
//! happened goes to the [`crate::recorder`].

mod health;
pub(crate) mod news;
mod open;
mod roster;
mod server;
mod spec;
mod task;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use api::capabilities::CameraCapabilities;
use api::live::LiveTopic;
use api::status::{CameraStats, CameraStatus, StageTimes};
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use control::ports::LiveSource;
use link::CameraOrder;
use supervise::Supervisor;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::recorder::Recorder;
use crate::units::Units;
use roster::Roster;
use server::Doors;

use news::CameraNews;
pub(crate) use roster::Cameras;
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
    /// How often each stage of its frames took how long, since its process started.
    pub(crate) times: Vec<StageTimes>,
    /// What it can do; `None` until its first pipeline ran.
    pub(crate) capabilities: Option<Box<CameraCapabilities>>,
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
    /// Replace the process, for the reason `reason`.
    Restart { reason: String, answer: Answer<()> },
    /// The camera is no more: its process ends its events, and its task ends.
    End { answer: Answer<()> },
    /// Make the next frame a key frame; a camera that is not up begins with one anyway.
    KeyFrame,
    /// Look whether somebody follows the tracks; the task looks by itself too, but later.
    Watch,
}

/// The front of one camera; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct CameraHandle {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<CameraView>>,
    news: Arc<CameraNews>,
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

    /// Replaces its process in order, for the reason `reason`; answers when that is under way.
    pub(crate) async fn restart(&self, reason: &str) -> Result<(), CameraError> {
        let reason = reason.to_owned();
        self.ask(|answer| Request::Restart { reason, answer }).await
    }

    /// Ends it for good.
    async fn end(&self) -> Result<(), CameraError> {
        self.ask(|answer| Request::End { answer }).await
    }

    /// Makes the next frame a key frame, for someone who begins to watch.
    pub(crate) async fn key_frame(&self) {
        // A camera that is being stopped has no next frame.
        let _ = self.requests.send(Request::KeyFrame).await;
    }

    /// The newest of `topic`, from now on; `None` where that is not of a camera.
    pub(crate) fn follow(&self, topic: LiveTopic) -> Option<LiveSource> {
        let newest = self.news.follow(topic);
        // A full queue is looked through soon.
        let _ = self.requests.try_send(Request::Watch);
        newest
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, CameraError> {
        let gone = || CameraError::new(ErrorKind::Unavailable, "the camera is being stopped");
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
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
    surroundings: Surroundings,
    shutdown: &Shutdown,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Cameras> {
    let doors = Doors::default();
    let (known, shown) = watch::channel(Arc::default());
    let (asking, asked) = mpsc::channel(REQUESTS);
    let latencies = surroundings.latencies.clone();
    let mut roster = Roster {
        known,
        asked,
        doors: doors.clone(),
        socket: server.path().to_owned(),
        surroundings,
        shutdown: shutdown.clone(),
        tasks: JoinSet::new(),
    };
    orders.into_iter().for_each(|order| roster.start(order));
    server.spawn(doors, shutdown.clone(), tasks).context("serving the link to the cameras")?;
    tasks.spawn(roster.run());
    Ok(Cameras { known: shown, roster: asking, latencies })
}
