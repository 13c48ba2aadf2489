//! Why nothing was sent or fetched: one sentence, without what secrets the address may hold.

use std::net::IpAddr;

use base::error::{ErrorKind, Kind};

/// Why nothing was sent or fetched.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The address is not one that may be named.
    #[error("{0}")]
    Address(String),
    /// The address leads to a machine that may not be reached.
    #[error("{host} leads to {address}, {why}")]
    Refused {
        /// The name, or the address itself.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// Why not, such as `which is this device itself`.
        why: &'static str,
    },
    /// Nobody answered as hoped.
    #[error("{host} cannot be asked")]
    Failed {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// An answer that is no success.
    #[error("{host} answers with status {status}")]
    Status {
        /// The name.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is longer than it may be.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong {
        /// The name.
        host: String,
        /// The most.
        limit: u64,
    },
    /// The answer broke off.
    #[error("the answer of {host} broke off")]
    BrokeOff {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was fetched could not be kept.
    #[error("what {host} sends cannot be kept")]
    Keep {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Whoever asked does not want it any more.
    #[error("stopped")]
    Stopped,
}

impl EgressError {
    /// What went wrong with a request to `host` by an agent of [`crate::Egress::agent`]; a refusal of ours
    /// as what it is.
    pub fn of(host: &str, error: ureq::Error) -> Self {
        let host = host.to_owned();
        match error {
            ureq::Error::StatusCode(status) => Self::Status { host, status },
            ureq::Error::Other(ours) => match ours.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Failed { host, source: Box::new(ureq::Error::Other(other)) },
            },
            error => Self::Failed { host, source: Box::new(error) },
        }
    }
}

impl Kind for EgressError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Address(_) | Self::Refused { .. } | Self::TooLong { .. } => {
                ErrorKind::InvalidArgument
            }
            Self::Failed { .. } | Self::Status { .. } | Self::BrokeOff { .. } => {
                ErrorKind::Unavailable
            }
            Self::Keep { .. } => ErrorKind::ResourceExhausted,
            Self::Stopped => ErrorKind::Aborted,
        }
    }
}
