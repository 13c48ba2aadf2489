//! What can go wrong with MediaMTX.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base::error::{ErrorKind, Kind};

/// Why no MediaMTX can be run.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// The binary that the settings name will not do. Others are not tried then.
    #[error("media_server.path = {}: {why}", path.display())]
    Configured {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// None of the places has one.
    #[error(
        "no MediaMTX {wanted} found ({tried}): run the set-up, or name one in EDGECAM_MEDIAMTX or \
         media_server.path"
    )]
    NotFound {
        /// The release wanted, such as `1.20`.
        wanted: String,
        /// Each place with what is wrong with it.
        tried: String,
    },
}

impl Kind for LocateError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Configured { .. } => ErrorKind::FailedPrecondition,
            Self::NotFound { .. } => ErrorKind::NotFound,
        }
    }
}

/// Why the configuration could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing MediaMTX's configuration {}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Kind for WriteError {
    fn kind(&self) -> ErrorKind {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ErrorKind::ResourceExhausted
            }
            _ => ErrorKind::Internal,
        }
    }
}

/// Why a question to MediaMTX has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It cannot be reached.
    #[error("reaching MediaMTX at {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("MediaMTX did not answer {request} within {limit:?}")]
    TimedOut {
        /// What was asked.
        request: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The exchange broke.
    #[error("asking MediaMTX for {request}")]
    Exchange {
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It refused.
    #[error("MediaMTX answered {request} with status {status}: {text}")]
    Refused {
        /// What was asked.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The answer is not what this release of MediaMTX gives.
    #[error("reading the answer of MediaMTX to {request}")]
    Answer {
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl ControlError {
    /// The refusal of `request` with what was said in `body`.
    pub(crate) fn refused(request: String, status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body).chars().take(200).collect();
        Self::Refused { request, status, text }
    }
}

impl Kind for ControlError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Connect { .. } | Self::Exchange { .. } => ErrorKind::Unavailable,
            Self::TimedOut { .. } => ErrorKind::DeadlineExceeded,
            Self::Refused { status: 404, .. } => ErrorKind::NotFound,
            Self::Refused { .. } => ErrorKind::FailedPrecondition,
            Self::Answer { .. } => ErrorKind::Internal,
        }
    }
}
