//! Who may come in, and under which names: opens the users and the certificate of the data folder.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::access::Access;
use anyhow::Context;
use config::Config;
use control::Certificates;

use crate::node;

/// The environment variable with the file that shows the claim code as well: on the appliance one on the
/// boot partition, which every computer reads.
const CLAIM_FILE: &str = "EDGECAM_CLAIM_FILE";

/// Users, tokens and sessions, and the certificate where HTTPS is served.
///
/// # Errors
/// When the data folder cannot be written.
pub(crate) fn open(config: &Config) -> anyhow::Result<(Access, Option<Certificates>)> {
    let folder = &config.data.dir;
    // No setting: whoever may change those must not write files anywhere.
    let shown = std::env::var_os(CLAIM_FILE).map(PathBuf::from);
    let access = Access::open(folder, shown.as_deref());
    let access = access.context("opening the users of this device")?;
    let certificates = match config.api.tls_listen {
        Some(_) => {
            let addresses = ["127.0.0.1", "::1"].map(str::to_owned);
            let names = own_name(config).into_iter().chain(names(config)).chain(addresses);
            let opened = Certificates::open(folder, names.collect());
            Some(opened.context("opening the certificate of this device")?)
        }
        None => None,
    };
    Ok((access, certificates))
}

/// Names that this device answers to, in lower case.
pub(crate) fn names(config: &Config) -> BTreeSet<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let own =
        [config.node_id.clone(), node::host(&config.node_id), host.trim().to_ascii_lowercase()];
    let own = own.into_iter().filter(|name| !name.is_empty());
    let own = own.flat_map(|name| [format!("{name}.local"), name]);
    own.chain(["localhost".to_owned()]).chain(config.api.hosts.iter().cloned()).collect()
}

/// The name under which the device is to be found, for its certificate: the owner's own, or the node's.
fn own_name(config: &Config) -> Option<String> {
    let own = config.api.hosts.first().cloned();
    own.or_else(|| Some(format!("{}.local", node::host(&config.node_id))))
}

/// Where the API is found from elsewhere, or on this machine when it listens nowhere else.
pub(crate) fn url(config: &Config) -> String {
    let near = || format!("http://{}", config.api.listen);
    let Some(secure) = config.api.tls_listen.filter(|at| !at.ip().is_loopback()) else {
        return near();
    };
    let host = if secure.ip().is_unspecified() {
        own_name(config).unwrap_or_default()
    } else {
        let ip = secure.ip();
        if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
    };
    match secure.port() {
        443 => format!("https://{host}"),
        port => format!("https://{host}:{port}"),
    }
}

/// Forgets all users, so that the device can be claimed anew.
///
/// # Errors
/// When the data folder cannot be written.
pub(crate) fn reset(config: &Config) -> anyhow::Result<()> {
    Access::reset(&config.data.dir).context("forgetting the users of this device")
}
