//! What can go wrong, each with its way out.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::error::{ErrorKind, Kind};

/// Why someone is not let in, or a change is not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccessError {
    /// Name or password is wrong. Which, is not said.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// The claim code is wrong.
    #[error("the code is wrong; the device shows it on its console, and edgecamd in its log")]
    WrongCode,
    /// Too many wrong tries.
    #[error("too many wrong tries; try again in {} s", .0.as_secs().max(1))]
    Locked(Duration),
    /// Too many hashes are computed already.
    #[error("too many sign in at once; try again in a moment")]
    Busy,
    /// The device has an owner.
    #[error("the device has an owner already; sign in, or ask an admin for a user")]
    Claimed,
    /// The device has no owner.
    #[error(
        "the device has no owner yet: POST its code with a name and a password to \
         /api/v1/setup/claim; the code is on its console"
    )]
    NotClaimed,
    /// A field is wrong.
    #[error("{pointer}: {reason}")]
    Invalid {
        /// JSON pointer into what was sent.
        pointer: &'static str,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// There is no such user or token.
    #[error("there is no {what} \"{name}\"")]
    NotFound {
        /// `user` or `token`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The change would leave nobody who can change things.
    #[error("{0} is the only admin who sees all cameras; make another one first")]
    LastAdmin(String),
    /// There are as many as there may be.
    #[error("there are {max} {what} already; delete one first")]
    TooMany {
        /// `users`, `tokens`.
        what: &'static str,
        /// Most that there may be.
        max: usize,
    },
    /// One may not give away what one does not have.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The file cannot be read as what it is.
    #[error(
        "{path} is damaged ({reason}): nobody can sign in. Put a good copy in its place, or run \
         `edgecamd reset-access` on the device and claim it anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written; nothing was changed")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
}

impl Kind for AccessError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongPassword | Self::WrongCode => ErrorKind::Unauthenticated,
            Self::Locked(_) | Self::Busy => ErrorKind::ResourceExhausted,
            Self::Claimed | Self::LastAdmin(_) | Self::TooMany { .. } => {
                ErrorKind::FailedPrecondition
            }
            Self::NotClaimed | Self::Forbidden(_) => ErrorKind::PermissionDenied,
            Self::Invalid { .. } => ErrorKind::InvalidArgument,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Damaged { .. } | Self::Store { .. } => ErrorKind::Unavailable,
        }
    }
}
