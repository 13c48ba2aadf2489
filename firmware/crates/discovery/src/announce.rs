//! A device says where its API is.

use std::fmt;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};

use crate::{DiscoveryError, NODE, Network, SCHEME, SERVICE};

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its name for people, at most 63 bytes; longer ones are cut.
    pub name: String,
    /// Its id, which stays when its name changes.
    pub node: String,
    /// Its host name without `.local`: letters, digits and dashes.
    pub host: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// TCP port of the API.
    pub port: u16,
}

/// Announces while it lives; takes it back when dropped.
pub struct Announcer {
    daemon: ServiceDaemon,
    fullname: String,
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").field("fullname", &self.fullname).finish_non_exhaustive()
    }
}

impl Announcer {
    /// Announces `what` on `network`, with the address of its one interface or all that the machine has
    /// and gets. A name that another device has already gets a number.
    ///
    /// # Errors
    /// When the thread or its sockets cannot be had. Networks that come later are taken up by itself.
    pub fn start(what: &Announcement, network: Network) -> Result<Self, DiscoveryError> {
        let error = network.error();
        let daemon = network.daemon()?;
        let text = [(NODE, what.node.as_str()), (SCHEME, what.scheme)];
        let host = format!("{}.local.", what.host);
        let addresses = network.only.map(|ip| ip.to_string()).unwrap_or_default();
        let name = cut(&what.name);
        let info = ServiceInfo::new(SERVICE, name, &host, addresses, what.port, &text[..]);
        let info = match network.only {
            Some(_) => info.map_err(&error)?,
            None => info.map_err(&error)?.enable_addr_auto(),
        };
        let fullname = info.get_fullname().to_owned();
        daemon.register(info).map_err(&error)?;
        tracing::info!(name, host, port = what.port, "announced on the local network");
        Ok(Self { daemon, fullname })
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // Waits for the goodbye to be sent; without it clients forget the device by themselves later.
        if let Ok(gone) = self.daemon.unregister(&self.fullname) {
            let _ = gone.recv_timeout(Duration::from_secs(1));
        }
        let _ = self.daemon.shutdown();
    }
}

/// A label of DNS has at most 63 bytes.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(cut("Gate"), "Gate");
        assert_eq!(cut(&"ö".repeat(40)), "ö".repeat(31));
    }
}
