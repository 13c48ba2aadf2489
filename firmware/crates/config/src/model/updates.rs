//! Updates of the firmware, checked.

use std::time::Duration;

use api::settings::{UpdateConfirm, UpdateTransfer};
use domain::Schedule;
use url::Url;

/// Updates of the firmware.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateConfig {
    /// Where the index of releases is, with `{channel}` and `{compatible}`; see [`Self::index`].
    pub index_url: Option<String>,
    /// Which releases.
    pub channel: String,
    /// Whether the device installs what is newer by itself.
    pub automatic: bool,
    /// When it does; `None`: at any time.
    pub window: Option<Schedule>,
    /// Who says that a new system stays.
    pub confirm: UpdateConfirm,
    /// How long the owner has to say so.
    pub confirm_within: Duration,
    /// How a bundle at an address comes here.
    pub transfer: UpdateTransfer,
    /// Hosts that need not be public, in lower case; an IPv6 address without brackets.
    pub allowed_hosts: Vec<String>,
}

impl UpdateConfig {
    /// Where the index is for devices that are `compatible`; `None`: the settings name none.
    pub fn index(&self, compatible: &str) -> Option<Url> {
        let template = self.index_url.as_ref()?;
        filled(template, &self.channel, compatible)
    }

    /// Whether `url` is on a host that need not be public.
    pub fn allows(&self, url: &Url) -> bool {
        is_among(&self.allowed_hosts, url)
    }
}

/// The address that `template` makes; `None`: it makes none.
pub(crate) fn filled(template: &str, channel: &str, compatible: &str) -> Option<Url> {
    let text = template.replace("{channel}", channel).replace("{compatible}", compatible);
    Url::parse(&text).ok()
}

/// Whether the host of `url` is one of `hosts`.
pub(crate) fn is_among(hosts: &[String], url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    hosts.iter().any(|allowed| allowed == host)
}
