//! One live process: its end seen by pidfd, signals through pidfd, its group killed before it is
//! waited for (while it is not, its ids cannot belong to anyone else). Where it is a unit's, the line to
//! the unit stands for all of that.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::error::SuperviseError;
use crate::handle::Restart;
use crate::spawner::{Hold, Spawned, Spawner};
use crate::spec::{StopPolicy, StopSignal};
use crate::status::{Exit, Stopped};
use crate::streams::Ours;
use crate::unit;

/// A killed process that is not gone after this hangs in the kernel.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// A process of a child. Dropping it kills its group.
#[derive(Debug)]
pub(crate) struct Process {
    hold: Hold,
    pid: Pid,
    watched: AsyncFd<OwnedFd>,
    ends: Ours,
    spawner: Spawner,
    ended: Option<Exit>,
}

impl Process {
    pub(crate) fn new(spawned: Spawned, spawner: Spawner) -> Result<Self, SuperviseError> {
        let Spawned { hold, pid, watched, ends } = spawned;
        #[expect(
            deprecated,
            reason = "its successor is unsafe because the type inside could change its descriptor \
                      at will; an OwnedFd cannot"
        )]
        let watched = AsyncFd::new(watched);
        match watched {
            Ok(watched) => Ok(Self { hold, pid, watched, ends, spawner, ended: None }),
            Err(source) => {
                if let Hold::Own(mut child) = hold {
                    let _ = kill_process_group(pid, Signal::KILL);
                    let _ = child.wait();
                    spawner.gone(pid);
                }
                Err(SuperviseError::Watch { pid: pid.as_raw_pid().unsigned_abs(), source })
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// What it listens to; `None` when taken before, or when it listens to nothing of ours.
    pub(crate) fn take_input(&mut self) -> Option<OwnedFd> {
        self.ends.input.take()
    }

    /// Its standard output; `None` when taken before.
    pub(crate) fn take_output(&mut self) -> Option<OwnedFd> {
        self.ends.output.take()
    }

    /// Its standard error; `None` when taken before.
    pub(crate) fn take_errors(&mut self) -> Option<OwnedFd> {
        self.ends.errors.take()
    }

    /// Waits for its end and cleans up after it. Cancel-safe.
    pub(crate) async fn exited(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.try_reap() {
                return exit;
            }
            // An error means that the runtime is shutting down.
            let Ok(mut ready) = self.watched.readable().await else { return Exit::Unknown };
            // A wake-up without cause; a pidfd whose process has ended stays readable.
            if !self.has_ended() {
                ready.clear_ready();
            }
        }
    }

    /// Its end, if it has ended; cleans up after it then.
    pub(crate) fn try_reap(&mut self) -> Option<Exit> {
        if self.ended.is_none() && self.has_ended() {
            self.ended = match &mut self.hold {
                Hold::Own(child) => reap(child, self.pid, &self.spawner),
                Hold::Unit => Some(unit::exit(self.watched.get_ref())),
            };
        }
        self.ended
    }

    fn has_ended(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(self.watched.get_ref(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Makes it end. `None`: it does not even die when killed.
    pub(crate) async fn terminate(
        &mut self,
        how: Restart,
        policy: StopPolicy,
    ) -> (Stopped, Option<Exit>) {
        if how == Restart::Politely {
            self.ask(policy.signal);
            if let Ok(exit) = timeout(policy.grace, self.exited()).await {
                return (Stopped::Politely, Some(exit));
            }
        }
        self.kill();
        match timeout(STUCK_AFTER, self.exited()).await {
            Ok(exit) => (Stopped::Killed, Some(exit)),
            Err(_) => (Stopped::Stuck, None),
        }
    }

    fn ask(&self, signal: StopSignal) {
        let signal = match signal {
            StopSignal::Terminate => Signal::TERM,
            StopSignal::Interrupt => Signal::INT,
        };
        // One that was stopped (SIGSTOP) could not follow.
        for signal in [signal, Signal::CONT] {
            self.send(signal);
        }
    }

    fn kill(&self) {
        self.send(Signal::KILL);
        if let Hold::Own(_) = self.hold {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// An error means that it is gone.
    fn send(&self, signal: Signal) {
        match self.hold {
            Hold::Own(_) => _ = pidfd_send_signal(self.watched.get_ref(), signal),
            Hold::Unit => unit::signal(self.watched.get_ref(), signal),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.try_reap().is_none() {
            self.kill();
        }
    }
}

/// Kills what is left of an ended process's group and takes its exit status; `None` when it has
/// not ended.
fn reap(child: &mut Child, pid: Pid, spawner: &Spawner) -> Option<Exit> {
    // The process is not waited for, so its group's id cannot have gone to others.
    let _ = kill_process_group(pid, Signal::KILL);
    let exit = match child.try_wait() {
        Ok(Some(status)) => Exit::from(status),
        Ok(None) => return None,
        Err(error) => {
            unknown_end(child.id(), &error);
            Exit::Unknown
        }
    };
    spawner.gone(pid);
    Some(exit)
}

fn unknown_end(pid: u32, error: &io::Error) {
    tracing::warn!(pid, %error, "a process ended, but not how");
}
