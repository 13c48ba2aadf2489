//! Finding EdgeCams on the local network, and being found: DNS-SD (RFC 6763) over multicast DNS
//! (RFC 6762), so that nobody has to type an address.
//!
//! | module | owns |
//! |---|---|
//! | [`announce`] | a device says where its API is |
//! | [`browse`] | a client asks who is there |
//!
//! The daemon announces and the command line browses; both take the name of the service and the keys
//! of its text from here. The library runs a thread of its own, which ends with what it was made for.
//!
//! Invariant: what is announced tells nothing that whoever is on the network could not learn by asking
//! the device's front page: no version, no serial number, no owner.

pub mod announce;
pub mod browse;

use std::net::IpAddr;

use mdns_sd::{IfKind, ServiceDaemon};

pub use announce::{Announcement, Announcer};
pub use browse::{Found, browse};

/// The service that EdgeCams offer.
pub const SERVICE: &str = "_edgecam._tcp.local.";

/// Key of the text: how the API is reached, `http` or `https`.
const SCHEME: &str = "scheme";
/// Key of the text: the id of the device, which stays when its name changes.
const NODE: &str = "node";

/// Where multicast DNS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// UDP port: 5353 but in tests.
    pub port: u16,
    /// On the interface with this address only; `None`: on all, also those that come later.
    pub only: Option<IpAddr>,
}

impl Network {
    /// All interfaces, on the port that everybody uses.
    pub const ALL: Self = Self { port: 5353, only: None };

    fn daemon(self) -> Result<ServiceDaemon, DiscoveryError> {
        let error = |source| DiscoveryError { port: self.port, source };
        let daemon = ServiceDaemon::new_with_port(self.port).map_err(error)?;
        if let Some(ip) = self.only {
            daemon.disable_interface(IfKind::All).map_err(error)?;
            daemon.enable_interface(IfKind::Addr(ip)).map_err(error)?;
        }
        Ok(daemon)
    }

    fn error(self) -> impl Fn(mdns_sd::Error) -> DiscoveryError {
        move |source| DiscoveryError { port: self.port, source }
    }
}

/// Multicast DNS could not be used.
#[derive(Debug, thiserror::Error)]
#[error("multicast DNS on port {port}: {source}")]
pub struct DiscoveryError {
    port: u16,
    source: mdns_sd::Error,
}
