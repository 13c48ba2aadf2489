//! The cloneable front of a supervised child: status, heartbeats, restart, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::spec::ChildSpec;
use crate::status::{ChildStatus, Stopped};

/// How many commands may wait for a child's task; senders wait beyond that.
pub(crate) const COMMANDS: usize = 8;

/// What a child's task can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    Restart { how: Restart, reason: String, spec: Option<Box<ChildSpec>> },
    Stop { done: oneshot::Sender<Stopped> },
}

/// How a running child is made to end before it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Asked first, killed when its grace is over.
    Politely,
    /// Killed at once: for a child that hangs, which would not follow a request.
    AtOnce,
}

/// The front of a supervised child; cheap to clone. When the last clone is dropped, the child is
/// stopped.
#[derive(Clone, Debug)]
#[must_use = "a child is stopped when its last handle is dropped"]
pub struct ChildHandle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) status: watch::Receiver<ChildStatus>,
    pub(crate) pulse: Arc<Pulse>,
}

impl ChildHandle {
    /// The child's name.
    pub fn name(&self) -> String {
        self.status.borrow().name.clone()
    }

    /// What is known about the child now.
    pub fn status(&self) -> ChildStatus {
        self.status.borrow().clone()
    }

    /// The child's status as it changes.
    pub fn watch(&self) -> watch::Receiver<ChildStatus> {
        self.status.clone()
    }

    /// Tells that the child is well. Never waits; call it as often as is convenient.
    pub fn heartbeat(&self) {
        self.pulse.beat(base::clock::monotonic());
    }

    /// As [`Self::heartbeat`], but only when the child's process still is `pid`: for signs of life
    /// that may have been under way when the process was replaced.
    pub fn heartbeat_of(&self, pid: u32) {
        if self.pulse.pid.load(Ordering::Acquire) == pid {
            self.heartbeat();
        }
    }

    /// Ends the child's process and starts it again at once, whatever its phase (a stopped child
    /// is started). The reason goes to the log and into the status.
    pub async fn restart(&self, how: Restart, reason: impl Into<String>) {
        self.send_restart(how, reason.into(), None).await;
    }

    /// As [`Self::restart`], with a new specification. Its name stays.
    pub async fn replace(&self, spec: ChildSpec, how: Restart, reason: impl Into<String>) {
        self.send_restart(how, reason.into(), Some(Box::new(spec))).await;
    }

    /// Stops the child for good: waits until its process is gone and its group is killed. Only
    /// [`Self::restart`] starts it again.
    pub async fn stop(&self) -> Stopped {
        let (done, stopped) = oneshot::channel();
        // A task that is gone has stopped its child.
        if self.commands.send(Command::Stop { done }).await.is_err() {
            return Stopped::WasNotRunning;
        }
        stopped.await.unwrap_or(Stopped::WasNotRunning)
    }

    async fn send_restart(&self, how: Restart, reason: String, spec: Option<Box<ChildSpec>>) {
        // A task that is gone belongs to a supervisor that was shut down: nothing to restart.
        let _ = self.commands.send(Command::Restart { how, reason, spec }).await;
    }
}

/// Signs of life of the current process, written by whoever sees them, read by the child's task.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Monotonic nanoseconds of the newest heartbeat.
    last: AtomicU64,
    /// Whether the current process has had one.
    any: AtomicBool,
    /// Process id of the current process, 0 for none.
    pid: AtomicU32,
    /// Told at the first heartbeat of a process.
    pub(crate) first: Notify,
}

impl Pulse {
    /// A new process, or none (0): no heartbeat has come.
    pub(crate) fn reset(&self, pid: u32) {
        self.any.store(false, Ordering::Release);
        self.pid.store(pid, Ordering::Release);
    }

    fn beat(&self, now: Duration) {
        // The boot's age in nanoseconds fits u64 for 584 years.
        self.last.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Release);
        if !self.any.swap(true, Ordering::AcqRel) {
            self.first.notify_one();
        }
    }

    /// The newest heartbeat of the current process.
    pub(crate) fn last(&self) -> Option<Duration> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| Duration::from_nanos(self.last.load(Ordering::Acquire)))
    }
}
