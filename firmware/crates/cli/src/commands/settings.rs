//! `set`, `confirm`: settings are changed, and kept.

use hyper::Method;
use serde_json::Value;

use super::say;
use crate::args::SetArgs;
use crate::assign;
use crate::client::Client;
use crate::error::CliError;

/// Changes settings, all together or none.
pub(super) async fn set(client: &Client, set: &SetArgs) -> Result<(), CliError> {
    let patch = assign::patch(&set.assignments)?;
    let mut path = format!("settings?dry_run={}", set.dry_run);
    if let Some(seconds) = set.confirm_within {
        path.push_str(&format!("&confirm_within={seconds}"));
    }
    let change = client.ask(Method::PATCH, &path, Some(&patch)).await?;
    tell(&change, set.dry_run)
}

/// Says what came of a change.
pub(super) fn tell(change: &Value, dry_run: bool) -> Result<(), CliError> {
    for one in change["changes"].as_array().into_iter().flatten() {
        let pointer = one["pointer"].as_str().unwrap_or_default();
        say(&format!("{pointer}: {} → {}  ({})", one["before"], one["after"], word(&one["cost"])))?;
    }
    say(&match word(&change["status"]) {
        "unchanged" => "nothing changes".to_owned(),
        "applying" => "the device starts again to take it over".to_owned(),
        "pending_confirmation" => format!(
            "in force; taken back at {} unless `edgecam confirm` comes",
            word(&change["confirm_by"])
        ),
        _ if dry_run => "nothing was changed: this was a dry run".to_owned(),
        status => format!("{status}, revision {}", change["revision"]),
    })
}

/// Keeps what waits for it.
pub(super) async fn confirm(client: &Client) -> Result<(), CliError> {
    client.ask(Method::POST, "settings/confirm", None).await?;
    say("the settings stay")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
