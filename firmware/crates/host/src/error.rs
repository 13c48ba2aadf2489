//! What can go wrong when something is done to the machine.

use std::io;
use std::path::PathBuf;

use base::error::{ErrorKind, Kind};

/// Why the machine is not as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The agent cannot be asked.
    #[error("asking the host agent at {}", socket.display())]
    Agent {
        /// Its socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The agent was asked and could not do it.
    #[error("the host agent: {0}")]
    Failed(String),
    /// A file cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program of the system's failed.
    #[error("`{command}` {reason}")]
    Command {
        /// The command line.
        command: String,
        /// What it said, or how it ended.
        reason: String,
    },
}

impl Kind for HostError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Agent { .. } => ErrorKind::Unavailable,
            Self::Failed(_) | Self::Read { .. } | Self::Write { .. } | Self::Command { .. } => {
                ErrorKind::FailedPrecondition
            }
        }
    }
}
