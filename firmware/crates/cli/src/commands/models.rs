//! `models`: those of the detector.

use hyper::Method;
use serde_json::{Value, json};

use super::say;
use crate::args::Models;
use crate::client::Client;
use crate::error::CliError;
use crate::show;

/// Lists them, or changes which there are.
pub(super) async fn models(client: &Client, what: Option<Models>) -> Result<(), CliError> {
    match what.unwrap_or(Models::List) {
        Models::List => list(client).await,
        Models::Activate { name } => {
            let patch = json!({ "detector": { "model": name } });
            client.ask(Method::PATCH, "settings", Some(&patch)).await?;
            say(&format!("{name} detects from now on"))
        }
        Models::Delete { name } => {
            client.ask(Method::DELETE, &format!("models/{name}"), None).await?;
            say(&format!("{name} is removed"))
        }
    }
}

async fn list(client: &Client) -> Result<(), CliError> {
    let models = client.get("models").await?;
    let row = |model: &Value| {
        let text = |field: &str| model[field].as_str().unwrap_or_default().to_owned();
        let size = format!("{}x{}", model["width"], model["height"]);
        let state = match (model["installed"] == true, model["active"] == true) {
            (_, true) => "in use",
            (true, _) => "installed",
            _ => "not on the device",
        };
        [text("name"), size, state.to_owned(), text("licence")]
    };
    let rows: Vec<_> = models.as_array().into_iter().flatten().map(row).collect();
    say(&show::table(["NAME", "INPUT", "STATE", "LICENCE"], &rows))
}
