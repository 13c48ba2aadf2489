//! Backups: what was set over the API, and users with their tokens as hashes, in one file each.
//!
//! | module | owns |
//! |---|---|
//! | [`seal`] | encryption under a passphrase (pure) |
//! | [`file`] | the form of a file: made, checked, opened (pure) |
//! | [`folder`] | the files that the device keeps |
//!
//! Here: what goes into one, and what is done with what comes out. A restore is checked whole before
//! anything changes.

mod file;
mod folder;
mod seal;

use std::path::Path;
use std::sync::Arc;

use ::access::Access;
use ::access::book::Book;
use api::problem::FieldProblem;
use api::revisions::SettingsChange;
use api::settings::Secret;
use api::system::{Backup, BackupFile, NewBackup, RestoreBackup};
use base::error::{ErrorKind, Kind};
use control::PortError;
use control::ports::{Answer, Backups, ChangeRequest, What};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use crate::settings::Engine;
use folder::Folder;

/// Longest note, in characters.
const MAX_NOTE: usize = 200;
/// Length of a passphrase, in characters.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 12..=200;

/// What is in a backup.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// All that was set over the API.
    settings: Value,
    /// Users and tokens.
    users: Option<Book>,
}

/// The backups of this device.
#[derive(Clone, Debug)]
pub(crate) struct Keeper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: String,
    folder: Folder,
    engine: Engine,
    access: Access,
    /// One backup or restore at a time.
    busy: tokio::sync::Mutex<()>,
}

impl Keeper {
    /// Those in the data folder `data` of the device `node`.
    pub(crate) fn new(node: &str, data: &Path, engine: Engine, access: Access) -> Self {
        let folder = Folder::new(data);
        Self(Arc::new(Inner {
            node: node.to_owned(),
            folder,
            engine,
            access,
            busy: Default::default(),
        }))
    }

    async fn make(&self, new: NewBackup) -> Result<Backup, PortError> {
        check(&new)?;
        let _busy = self.0.busy.lock().await;
        let in_force = self.0.engine.in_force();
        let with_users = new.users.unwrap_or(true);
        let users = with_users.then(|| self.0.access.carry()).transpose();
        let users = users.map_err(|error| PortError::new(error.kind(), error.to_string()))?;
        let content = Content { settings: Value::clone(&in_force.made), users };
        let plain = serde_json::to_vec(&content).map_err(|error| internal(&error))?;
        let head = file::Head {
            id: Ulid::generate().to_string(),
            made_at: base::clock::wall(),
            node: self.0.node.clone(),
            revision: in_force.revision,
            users: with_users,
            note: new.note,
        };
        let keeper = self.clone();
        blocking(move || {
            let made = file::make(head, plain, new.passphrase.as_ref())?;
            keeper.0.folder.keep(&made)
        })
        .await
    }

    /// Opens what is to be restored, and checks everything but what the engine checks.
    async fn open(&self, what: RestoreBackup) -> Result<Content, PortError> {
        let RestoreBackup { id, backup, passphrase, users } = what;
        let file: BackupFile = match (id, backup) {
            (Some(id), None) => {
                let keeper = self.clone();
                let (found, id) = blocking(move || Ok((keeper.0.folder.read(&id)?, id))).await?;
                found.ok_or_else(|| {
                    let detail = format!("there is no backup \"{id}\"; /api/v1/backups lists them");
                    PortError::new(ErrorKind::NotFound, detail)
                })?
            }
            (None, Some(value)) => serde_json::from_value(value).map_err(|error| {
                // What serde says may cite the content.
                let said = error.to_string();
                let said = said.split("invalid type").next().unwrap_or_default().trim();
                wrong("/backup", &format!("is no backup's file as it was downloaded: {said}"))
            })?,
            _ => return Err(wrong("/id", "or else /backup must be given: one of the two")),
        };
        let content = blocking(move || open(&file, passphrase.as_ref())).await?;
        match &content.users {
            Some(book) if users => {
                book.check().map_err(|error| wrong("/backup", &error.to_string()))?;
            }
            None if users => {
                return Err(wrong("/users", "cannot be restored: the backup has none"));
            }
            _ => {}
        }
        Ok(Content { users: content.users.filter(|_| users), ..content })
    }

    async fn restore(&self, what: RestoreBackup, by: String) -> Result<SettingsChange, PortError> {
        let _busy = self.0.busy.lock().await;
        let Content { settings, users } = self.open(what).await?;
        let change = |dry_run| ChangeRequest {
            what: What::Exactly(settings.clone()),
            only_on: None,
            dry_run,
            confirm_within: None,
            by: by.clone(),
        };
        self.0.engine.change(change(true)).await?;
        let failed = |error: ::access::AccessError| PortError::new(error.kind(), error.to_string());
        let before = match users {
            Some(users) => {
                let before = self.0.access.carry().map_err(failed)?;
                self.0.access.replace(users).await.map_err(failed)?;
                Some(before)
            }
            None => None,
        };
        let changed = self.0.engine.change(change(false)).await;
        if let (Err(_), Some(before)) = (&changed, before)
            && let Err(error) = self.0.access.replace(before).await
        {
            tracing::error!(%error, "the users before could not be put back");
        }
        changed
    }
}

fn open(file: &BackupFile, passphrase: Option<&Secret>) -> Result<Content, PortError> {
    let plain = file::open(file, passphrase)?;
    serde_json::from_slice(&plain)
        .map_err(|_| wrong("/backup", "does not hold what a backup does: it is of another kind"))
}

fn check(new: &NewBackup) -> Result<(), PortError> {
    let long =
        |note: &String| note.chars().count() > MAX_NOTE || note.chars().any(char::is_control);
    if new.note.as_ref().is_some_and(long) {
        return Err(wrong("/note", "must have at most 200 characters, in one line"));
    }
    let odd = |secret: &Secret| !PASSPHRASE.contains(&secret.reveal().chars().count());
    if new.passphrase.as_ref().is_some_and(odd) {
        return Err(wrong("/passphrase", "must have 12 to 200 characters"));
    }
    Ok(())
}

/// Input that is refused.
fn wrong(pointer: &str, detail: &str) -> PortError {
    let problem = FieldProblem { pointer: pointer.to_owned(), detail: detail.to_owned() };
    let detail = format!("{} {detail}; nothing was changed", pointer.trim_start_matches('/'));
    PortError { errors: vec![problem], ..PortError::new(ErrorKind::InvalidArgument, detail) }
}

fn internal(error: &dyn std::error::Error) -> PortError {
    PortError::new(ErrorKind::Internal, error.to_string())
}

/// Files and ciphers are not for an async task.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
}

impl Backups for Keeper {
    fn list(&self) -> Answer<'_, Vec<Backup>> {
        let keeper = self.clone();
        blocking(move || keeper.0.folder.list()).boxed()
    }

    fn make(&self, new: NewBackup) -> Answer<'_, Backup> {
        Keeper::make(self, new).boxed()
    }

    fn file<'a>(&'a self, id: &'a str) -> Answer<'a, Option<BackupFile>> {
        let (keeper, id) = (self.clone(), id.to_owned());
        blocking(move || keeper.0.folder.read(&id)).boxed()
    }

    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Backup>> {
        let (keeper, id) = (self.clone(), id.to_owned());
        blocking(move || keeper.0.folder.delete(&id)).boxed()
    }

    fn restore(&self, what: RestoreBackup, by: String) -> Answer<'_, SettingsChange> {
        let keeper = self.clone();
        // A task of its own: a caller who hangs up must not leave half of it done.
        async move {
            let restored = tokio::spawn(async move { keeper.restore(what, by).await });
            restored.await.map_err(|error| internal(&error))?
        }
        .boxed()
    }
}
