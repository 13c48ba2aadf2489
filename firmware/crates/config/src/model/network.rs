//! The network and the clock of the machine, checked.

use std::fmt;
use std::net::IpAddr;

use api::settings::Secret;
use serde::{Deserialize, Serialize};

/// The machine's network: what is not named stays as the image has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Two upper case letters.
    pub wifi_country: Option<String>,
    /// The interfaces, by name.
    pub interfaces: Vec<InterfaceConfig>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceConfig {
    /// Its name: 1 to 15 lower case letters, digits and `-`.
    pub name: String,
    /// Whether addresses are asked for.
    pub dhcp: bool,
    /// Fixed addresses.
    pub addresses: Vec<Cidr>,
    /// Routers, at most one of each family.
    pub gateways: Vec<IpAddr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The wireless network that it joins.
    pub wifi: Option<WifiConfig>,
}

/// A wireless network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WifiConfig {
    /// Its name, 1 to 32 bytes.
    pub ssid: String,
    /// Its password, 8 to 63 printable ASCII characters; `None`: it is open.
    pub password: Option<Secret>,
    /// Whether it does not tell its name.
    pub hidden: bool,
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    /// The address.
    pub ip: IpAddr,
    /// The prefix's length, at most 32 or 128.
    pub prefix: u8,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// The machine's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeConfig {
    /// Name of the time zone; `None`: the machine's.
    pub zone: Option<String>,
    /// NTP servers; empty: the machine's.
    pub servers: Vec<String>,
}
