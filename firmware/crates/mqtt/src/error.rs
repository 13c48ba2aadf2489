//! What can go wrong on the way to the broker, each with its way out. Never carries a secret.

use std::path::PathBuf;
use std::time::Duration;

use base::error::{ErrorKind, Kind};

use crate::window::WindowError;

/// Why there is no connection to the broker, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MqttError {
    /// The broker's URL says neither `mqtt` nor `mqtts`, or names no host.
    #[error("the broker address `{0}` is not of the form mqtt://host or mqtts://host")]
    Address(String),
    /// A certificate or key cannot be read.
    #[error("{what} cannot be read from {}", path.display())]
    ReadPem {
        /// What was to be read.
        what: &'static str,
        /// From where.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file with certificates has none.
    #[error("{} has no certificate in it", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system has no authorities to check the broker's certificate against.
    #[error("the system has no certificate authorities; install them or set `mqtt.ca_file`")]
    NoSystemRoots,
    /// Certificates and key do not fit together, or to TLS.
    #[error("the certificates for the broker cannot be used")]
    Tls(#[source] rustls::Error),
    /// The broker refused the session.
    #[error(
        "the broker refused the user name or password; check `mqtt.username` and \
             `mqtt.password`"
    )]
    Refused,
    /// The broker does not let us in for another reason.
    #[error("the broker refused the session ({0})")]
    RefusedOtherwise(&'static str),
    /// The connection could not be made, or broke.
    #[error("the connection to the broker at {address} failed: {cause}")]
    Connection {
        /// Where.
        address: String,
        /// Why. Not a `source`: rumqttc's errors repeat their sources in their own words.
        cause: Box<rumqttc::ConnectionError>,
    },
    /// Something was sent and nothing was acknowledged for too long.
    #[error("the broker at {address} has acknowledged nothing for {} s", patience.as_secs())]
    NotAcknowledged {
        /// Where.
        address: String,
        /// For how long.
        patience: Duration,
    },
    /// What the client says and what was given to it do not fit.
    #[error("the session with the broker is confused")]
    Confused(#[source] WindowError),
    /// The client took no more packets although the window had room.
    #[error("the MQTT client takes no packets")]
    ClientFull,
    /// The client waits for a packet id that is in use.
    #[error("the MQTT client ran out of packet ids")]
    PacketIds,
}

impl Kind for MqttError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Address(_) => ErrorKind::InvalidArgument,
            Self::ReadPem { .. }
            | Self::NoCertificate { .. }
            | Self::NoSystemRoots
            | Self::Tls(_) => ErrorKind::FailedPrecondition,
            Self::Refused => ErrorKind::Unauthenticated,
            Self::RefusedOtherwise(_) | Self::Connection { .. } => ErrorKind::Unavailable,
            Self::NotAcknowledged { .. } => ErrorKind::DeadlineExceeded,
            Self::Confused(_) | Self::ClientFull | Self::PacketIds => ErrorKind::Internal,
        }
    }
}
