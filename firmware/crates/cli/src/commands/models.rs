//! `models`: those of the detector.

use std::path::Path;

use api::manifest::ModelManifest;
use hyper::Method;
use serde_json::{Value, json};

use super::{job, say};
use crate::args::Models;
use crate::client::Client;
use crate::error::CliError;
use crate::show;

/// Lists them, or changes which there are.
pub(super) async fn models(client: &Client, what: Option<Models>) -> Result<(), CliError> {
    match what.unwrap_or(Models::List) {
        Models::List => list(client).await,
        Models::Add { manifest, sha256 } if manifest.contains("://") => {
            let wanted = json!({ "manifest_url": manifest, "sha256": sha256 });
            let begun = client.ask(Method::POST, "models", Some(&wanted)).await?;
            job::ended(client, begun).await.map(drop)
        }
        Models::Add { manifest, .. } => upload(client, Path::new(&manifest)).await,
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

/// Sends the manifest at `path` and the files beside it.
async fn upload(client: &Client, path: &Path) -> Result<(), CliError> {
    let read = |path: &Path| {
        let unread = |source| CliError::File { path: path.to_owned(), what: "read", source };
        std::fs::read(path).map_err(unread)
    };
    let text = read(path)?;
    let manifest: ModelManifest = toml::from_slice(&text)
        .map_err(|source| CliError::Manifest { path: path.to_owned(), source: source.into() })?;
    let param = read(&path.with_file_name(&manifest.param.file))?;
    let bin = read(&path.with_file_name(&manifest.bin.file))?;
    let form = [("manifest", text), ("param", param), ("bin", bin)];
    let added = client.upload("models", &form).await?;
    say(&format!("{} is on the device", added["name"].as_str().unwrap_or_default()))
}
