//! What is known about a child process. Values only.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known about a child process, published on a `watch` channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildStatus {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Its process id; `None` while there is no process.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// How its last process ended; `None` when none has.
    pub last_exit: Option<LastExit>,
    /// Why it is not well, in a sentence; `None` once it is well again.
    pub last_error: Option<String>,
    /// When its process started; `None` while there is no process.
    pub started_at: Option<Timestamp>,
}

impl ChildStatus {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            phase: Phase::Starting,
            pid: None,
            restarts: 0,
            last_exit: None,
            last_error: None,
            started_at: None,
        }
    }

    /// Whether its process is up and well.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }
}

/// Where a child is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its process is coming up: with heartbeats, none has come yet.
    Starting,
    /// Its process is up and well.
    Running,
    /// It was asked to end, or killed, and has not ended yet.
    Stopping,
    /// It ended, and is started again at that time.
    BackingOff {
        /// When.
        until: Timestamp,
    },
    /// It was stopped on demand, or ended and is not to be started again.
    Stopped,
    /// It cannot be started until a person mends the cause, which `last_error` tells.
    Failed {
        /// When it is tried all the same; `None`: never.
        retry_at: Option<Timestamp>,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It is gone, but how is not known.
    Unknown,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match nix::sys::signal::Signal::try_from(number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// How the last process of a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastExit {
    /// How.
    pub exit: Exit,
    /// Why EdgeCam ended it; `None`: it ended by itself, or someone else ended it.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for LastExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{} ({reason})", self.exit),
            None => self.exit.fmt(f),
        }
    }
}

/// What stopping a child came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// There was no process.
    WasNotRunning,
    /// It followed the polite request.
    Politely,
    /// It was killed when its grace was over.
    Killed,
    /// It does not even die when killed: it hangs in the kernel, most likely in a driver.
    Stuck,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(Exit::Code(3).to_string(), "exited with code 3");
        assert_eq!(Exit::Signal(9).to_string(), "killed by SIGKILL");
        assert_eq!(Exit::Signal(64).to_string(), "killed by signal 64");
        let reason = Some("no heartbeat for 5.0 s".to_owned());
        let last = LastExit { exit: Exit::Signal(9), reason, at: Timestamp::UNIX_EPOCH };
        assert_eq!(last.to_string(), "killed by SIGKILL (no heartbeat for 5.0 s)");
    }
}
