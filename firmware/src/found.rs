//! Being found on the local network: announces where the API is, until the stop.

use base::shutdown::Shutdown;
use config::Config;
use discovery::{Announcement, Announcer, Network};

use crate::node;

/// Announces the API, if the settings say so. Without a network that carries it the device is reached
/// by its address: that is told, and nothing else fails.
pub(crate) async fn keep(config: Config, mut shutdown: Shutdown) {
    if !config.api.announce {
        return;
    }
    let (what, network) = announcement(&config);
    let announcing = tokio::task::spawn_blocking(move || Announcer::start(&what, network));
    match announcing.await {
        Ok(Ok(announcer)) => {
            shutdown.wait().await;
            // Waits for the goodbye.
            let _ = tokio::task::spawn_blocking(move || drop(announcer)).await;
        }
        Ok(Err(error)) => {
            let error = base::error::chain(&error);
            tracing::warn!(error, "the device is not announced on the local network");
        }
        // Cancelled: the daemon is on its way out.
        Err(_) => {}
    }
}

/// HTTPS where it is served, else plain HTTP, which is for this machine alone.
fn announcement(config: &Config) -> (Announcement, Network) {
    let (scheme, at) = match config.api.tls_listen {
        Some(at) => ("https", at),
        None => ("http", config.api.listen),
    };
    let only = Some(at.ip()).filter(|ip| !ip.is_unspecified());
    let what = Announcement {
        name: config.node_name.clone(),
        node: config.node_id.clone(),
        host: node::host(&config.node_id),
        scheme,
        port: at.port(),
    };
    (what, Network { only, ..Network::ALL })
}
