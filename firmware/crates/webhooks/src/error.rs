//! What can go wrong, each with its way out. Never carries a secret.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use api::problem::FieldProblem;
use base::error::{ErrorKind, Kind};
use store::StoreError;

/// Why something was not done with a webhook.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebhookError {
    /// Fields are wrong.
    #[error("a field is wrong; nothing was changed")]
    Invalid(Vec<FieldProblem>),
    /// There is no such webhook.
    #[error("there is no webhook \"{0}\"; /api/v1/webhooks lists them")]
    NotFound(String),
    /// There are as many as there may be.
    #[error("there are {0} webhooks already; delete one first")]
    TooMany(usize),
    /// The file cannot be read as what it is.
    #[error(
        "{} cannot be used ({reason}): nothing is posted. Put a good copy in its place, or take it \
         away and make the webhooks anew, then start the daemon again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{} cannot be written; nothing was changed", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// The event store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

impl Kind for WebhookError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::TooMany(_) => ErrorKind::FailedPrecondition,
            Self::Damaged { .. } | Self::Write { .. } | Self::Stopping => ErrorKind::Unavailable,
            Self::Store(error) => error.kind(),
        }
    }
}
