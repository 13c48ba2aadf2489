//! The network and the time of the machine, where EdgeCam manages them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Secret;

/// The machine's network. What is not named here stays as the image has it: addresses by DHCP on every
/// wired interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Country whose rules for radio hold for Wi-Fi: two upper case letters (ISO 3166-1), such as `DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi_country: Option<String>,
    /// Interfaces by the names that the kernel gives them, such as `end0` or `wlan0`.
    pub interfaces: BTreeMap<String, InterfaceSettings>,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InterfaceSettings {
    /// Whether addresses are asked for by DHCP and taken from routers. Default: true, unless `addresses`
    /// are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// Fixed addresses with the length of their network's prefix, such as `192.168.1.20/24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<String>>,
    /// Routers to other networks, at most one for IPv4 and one for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateways: Option<Vec<String>>,
    /// Name servers. Default: those that DHCP names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Vec<String>>,
    /// The wireless network that it joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi: Option<WifiSettings>,
}

/// A wireless network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WifiSettings {
    /// Its name, 1 to 32 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// Its password (WPA2 or WPA3), 8 to 63 printable ASCII characters; absent for an open network.
    /// Written, never read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(write_only, value_type = Option<String>)]
    pub password: Option<Secret>,
    /// Whether it does not tell its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
}

/// The machine's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeSettings {
    /// Time zone (IANA), such as `Europe/Berlin`: of schedules and of the time on the picture. Default:
    /// the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// NTP servers, at most eight. Default: the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<String>>,
}
