//! `backup`: of settings and users, made, kept here and brought back.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::prompt::secret;
use super::{say, settings};
use crate::args::Backups;
use crate::client::Client;
use crate::error::CliError;
use crate::show;

/// What is to be done with them.
pub(super) async fn backups(client: &Client, what: Backups) -> Result<(), CliError> {
    match what {
        Backups::List => list(client).await,
        Backups::Save { file, note, encrypt, without_users } => {
            let passphrase = encrypt.then(|| secret("Passphrase: ")).transpose()?;
            let wanted = json!({ "note": note, "users": !without_users, "passphrase": passphrase });
            save(client, &file, &wanted).await
        }
        Backups::Restore { file, users } => restore(client, &file, users).await,
        Backups::Delete { id } => {
            client.ask(Method::DELETE, &format!("backups/{id}"), None).await?;
            say(&format!("{id} is removed from the device"))
        }
    }
}

async fn list(client: &Client) -> Result<(), CliError> {
    let backups = client.get("backups").await?;
    let row = |backup: &Value| {
        let text = |field: &str| backup[field].as_str().unwrap_or_default().to_owned();
        let users = if backup["users"] == true { "with users" } else { "without" };
        [text("id"), text("made_at"), users.to_owned(), text("note")]
    };
    let rows: Vec<_> = backups.as_array().into_iter().flatten().map(row).collect();
    say(&show::table(["ID", "MADE", "USERS", "NOTE"], &rows))
}

async fn save(client: &Client, path: &Path, wanted: &Value) -> Result<(), CliError> {
    let unwritten = |source| CliError::File { path: path.to_owned(), what: "written", source };
    // Before the device makes one that has nowhere to go.
    let mut file = new_file(path).map_err(unwritten)?;
    let made = async {
        let made = client.ask(Method::POST, "backups", Some(wanted)).await?;
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        Ok((client.get(&format!("backups/{id}/file")).await?, id))
    };
    let (content, id) = match made.await {
        Ok(made) => made,
        Err(error) => {
            // An empty file is no backup.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
    };
    let text = format!("{content:#}\n");
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritten)?;
    let warning = match content["encryption"].is_null() {
        true => "; it holds passwords as they are: keep it where nobody else reads it",
        false => "",
    };
    say(&format!("{} holds the backup {id}{warning}", path.display()))
}

/// A file that only its owner may read, and that was not there.
fn new_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

async fn restore(client: &Client, path: &Path, users: bool) -> Result<(), CliError> {
    let unread = |source| CliError::File { path: path.to_owned(), what: "read", source };
    let text = std::fs::read_to_string(path).map_err(unread)?;
    let backup: Value = serde_json::from_str(&text).map_err(|error| unread(error.into()))?;
    let encrypted = !backup["encryption"].is_null();
    let passphrase = encrypted.then(|| secret("Passphrase: ")).transpose()?;
    let wanted = json!({ "backup": backup, "passphrase": passphrase, "users": users });
    let change = client.ask(Method::POST, "backups/restore", Some(&wanted)).await?;
    settings::tell(&change, false)
}
