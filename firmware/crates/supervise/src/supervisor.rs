//! The supervisor: owns the spawning thread and the tasks of all children.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::error::SuperviseError;
use crate::handle::{COMMANDS, ChildHandle, Pulse};
use crate::spawner::{Launcher, Spawner};
use crate::spec::ChildSpec;
use crate::status::ChildStatus;
use crate::task::ChildTask;

/// Keeps child processes running. Clones share one spawning thread and one set of children; when
/// the last clone is dropped, all children are stopped.
#[derive(Clone, Debug)]
#[must_use = "children are stopped when their supervisor is dropped"]
pub struct Supervisor {
    pub(crate) spawner: Spawner,
    pub(crate) tasks: TaskTracker,
    /// Told once: every child stops, none is started any more.
    pub(crate) end: watch::Sender<bool>,
}

impl Supervisor {
    /// Starts the spawning thread `ec-spawn`; no child yet.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(launcher: Launcher) -> Result<Self, SuperviseError> {
        let (end, _) = watch::channel(false);
        Ok(Self { spawner: Spawner::start(launcher)?, tasks: TaskTracker::new(), end })
    }

    /// Starts a child and keeps it running until it is stopped, its last handle is dropped or the
    /// supervisor is shut down. Returns at once; the handle's status tells what came of it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn(&self, spec: ChildSpec) -> ChildHandle {
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (publish, status) = watch::channel(ChildStatus::new(&spec.name));
        let pulse = Arc::new(Pulse::default());
        let task = ChildTask::new(
            spec,
            self.spawner.clone(),
            requests,
            publish,
            Arc::clone(&pulse),
            self.end.subscribe(),
        );
        self.tasks.spawn(task.run());
        ChildHandle { commands, status, pulse }
    }

    /// Stops all children at the same time, each with its own grace, and waits until they are
    /// gone. What is spawned afterwards stops at once.
    pub async fn shutdown(&self) {
        self.end.send_replace(true);
        self.tasks.close();
        self.tasks.wait().await;
        self.spawner.end().await;
    }
}
