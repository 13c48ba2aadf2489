//! The REST API: where it listens, and under which names it is reached.

use std::net::SocketAddr;

use api::settings::ApiSettings;

use crate::check::Check;
use crate::model::ApiConfig;

/// Checks the section `api`.
pub(super) fn api(check: &mut Check<'_>, settings: &ApiSettings) -> Option<ApiConfig> {
    let listen = check.listen("listen", settings.listen.as_ref());
    let tls = check.need_or("tls", settings.tls, true);
    let tls_listen = check.listen("tls_listen", settings.tls_listen.as_ref());
    if !tls && listen.is_some_and(|address| !address.ip().is_loopback()) {
        let reason = "without HTTPS (`api.tls`) it must be an address of this machine only, such as \
                      127.0.0.1:8080: passwords and pictures would go over the network in clear";
        check.wrong("listen", settings.listen.as_ref().map(|text| text as _), reason);
    }
    let hosts = hosts(check, settings.hosts.as_deref().unwrap_or_default());
    let tls_listen: Option<SocketAddr> = if tls { Some(tls_listen?) } else { None };
    let announce = check.need_or("announce", settings.announce, true);
    Some(ApiConfig { listen: listen?, tls_listen, hosts, announce })
}

fn hosts(check: &mut Check<'_>, hosts: &[String]) -> Vec<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    for (index, host) in hosts.iter().enumerate() {
        if host.is_empty() || host.len() > 253 || !host.chars().all(allowed) {
            let reason = "must be the name of a host, such as gate.example.org, without port";
            check.below("hosts").item(index).wrong("", Some(host), reason);
        }
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}
