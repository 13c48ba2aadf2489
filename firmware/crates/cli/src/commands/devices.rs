//! `discover`: who is on the local network.

use std::time::Duration;

use discovery::{Found, Network};

use super::say;
use crate::error::CliError;
use crate::show;

/// Lists the devices that answer within `seconds`.
pub(super) async fn discover(seconds: u64) -> Result<(), CliError> {
    let found = browse(Duration::from_secs(seconds), |_| false).await?;
    if found.is_empty() {
        return say("no device answered; is it on, and on this network?");
    }
    let rows: Vec<_> = found
        .iter()
        .map(|one| {
            let addresses: Vec<_> = one.addresses.iter().map(ToString::to_string).collect();
            [one.name.clone(), one.node.clone(), one.url(), addresses.join(", ")]
        })
        .collect();
    say(&show::table(["NAME", "ID", "URL", "ADDRESSES"], &rows))
}

/// Who answers within `time`, or until one is `enough`.
pub(super) async fn browse(
    time: Duration,
    enough: impl FnMut(&Found) -> bool + Send + 'static,
) -> Result<Vec<Found>, CliError> {
    let asking = move || discovery::browse(Network::ALL, time, enough);
    let asked = tokio::task::spawn_blocking(asking).await;
    Ok(asked.map_err(std::io::Error::other)??)
}
