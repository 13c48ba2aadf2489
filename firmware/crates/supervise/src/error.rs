//! What can go wrong when a child process is started.

use std::io;
use std::path::PathBuf;

use base::error::{ErrorKind, Kind};

/// Why a child process, or the supervisor itself, could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The program is not there.
    #[error(
        "the program {} does not exist: install it or set its path in the settings", program.display()
    )]
    ProgramMissing {
        /// The program looked for.
        program: PathBuf,
    },
    /// The program is there but is no executable file.
    #[error("{} cannot be executed: it must be a file with the execute permission", program.display())]
    ProgramNotExecutable {
        /// The program.
        program: PathBuf,
    },
    /// The folder that the program should run in is not there.
    #[error("the working directory {} does not exist", cwd.display())]
    CwdMissing {
        /// The folder.
        cwd: PathBuf,
    },
    /// The socket that the child is to be connected to does not answer.
    #[error("connecting the child to {}", socket.display())]
    Input {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The child's unit did not start it.
    #[error("starting the unit behind {}", socket.display())]
    Unit {
        /// The unit's socket.
        socket: PathBuf,
        /// What the system or the unit said.
        #[source]
        source: io::Error,
    },
    /// The system refused a new process.
    #[error("starting {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The new process could not be watched.
    #[error("watching process {pid}")]
    Watch {
        /// Its process id.
        pid: u32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The thread that starts processes could not be started.
    #[error("starting the thread that starts processes")]
    Thread(#[source] io::Error),
    /// The thread that starts processes has ended.
    #[error("the supervisor has ended: no process can be started any more")]
    Ended,
}

impl Kind for SuperviseError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ProgramMissing { .. } | Self::CwdMissing { .. } => ErrorKind::NotFound,
            Self::ProgramNotExecutable { .. } => ErrorKind::FailedPrecondition,
            Self::Spawn { .. } | Self::Watch { .. } | Self::Thread(_) => {
                ErrorKind::ResourceExhausted
            }
            Self::Input { .. } | Self::Unit { .. } | Self::Ended => ErrorKind::Unavailable,
        }
    }
}

impl SuperviseError {
    /// Whether only a person can mend this, so that trying often is of no use.
    pub(crate) fn needs_a_person(&self) -> bool {
        matches!(
            self,
            Self::ProgramMissing { .. }
                | Self::ProgramNotExecutable { .. }
                | Self::CwdMissing { .. }
        )
    }
}
