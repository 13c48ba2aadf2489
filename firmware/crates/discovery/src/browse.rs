//! A client asks who is there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mdns_sd::{ResolvedService, ServiceEvent};

use crate::{DiscoveryError, NODE, Network, SCHEME, SERVICE};

/// A device that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name for people.
    pub name: String,
    /// Its id, which stays when its name changes; empty when it told none.
    pub node: String,
    /// Its host name, such as `edgecam-0a1b2c.local`.
    pub host: String,
    /// `http` or `https`.
    pub scheme: String,
    /// TCP port of the API.
    pub port: u16,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
}

impl Found {
    /// Where the API is.
    pub fn url(&self) -> String {
        let Self { scheme, host, port, .. } = self;
        match (scheme.as_str(), port) {
            ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
            _ => format!("{scheme}://{host}:{port}"),
        }
    }

    fn of(service: &ResolvedService) -> Self {
        let text = |key| service.txt_properties.get_property_val_str(key).unwrap_or_default();
        let mut addresses: Vec<_> = service.addresses.iter().map(|ip| ip.to_ip_addr()).collect();
        addresses.sort_by_key(|ip| (ip.is_ipv6(), *ip));
        addresses.dedup();
        let scheme = if text(SCHEME) == "https" { "https" } else { "http" };
        let instance = service.fullname.strip_suffix(SERVICE).unwrap_or(&service.fullname);
        Self {
            name: unescaped(instance.trim_end_matches('.')),
            node: text(NODE).to_owned(),
            host: service.host.trim_end_matches('.').to_owned(),
            scheme: scheme.to_owned(),
            port: service.port,
            addresses,
        }
    }
}

/// Who answers on `network` within `time`, ordered by name; ends
/// early when `enough` says so. Blocks.
///
/// # Errors
/// When the thread or its sockets cannot be had.
pub fn browse(
    network: Network,
    time: Duration,
    mut enough: impl FnMut(&Found) -> bool,
) -> Result<Vec<Found>, DiscoveryError> {
    let daemon = network.daemon()?;
    let events = daemon.browse(SERVICE).map_err(network.error())?;
    let end = Instant::now() + time;
    let mut found = BTreeMap::new();
    while let Ok(event) = events.recv_deadline(end) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let one = Found::of(&service);
                let enough = enough(&one);
                found.insert(service.fullname.clone(), one);
                if enough {
                    break;
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => _ = found.remove(&name),
            _ => {}
        }
    }
    let _ = daemon.shutdown();
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by(|a, b| (&a.name, &a.node).cmp(&(&b.name, &b.node)));
    Ok(found)
}

/// A label as it was before dots and backslashes in it were escaped (RFC 6763, section 4.3).
fn unescaped(label: &str) -> String {
    let mut plain = String::with_capacity(label.len());
    let mut letters = label.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    plain
}
