//! Backups of settings and users.

use api::revisions::SettingsChange;
use api::system::{Backup, BackupFile, NewBackup, RestoreBackup};

use super::Answer;

/// The backups that the device keeps.
pub trait Backups: Send + Sync + 'static {
    /// All of them, the newest first.
    fn list(&self) -> Answer<'_, Vec<Backup>>;

    /// Makes one.
    fn make(&self, new: NewBackup) -> Answer<'_, Backup>;

    /// The file of `id`; `None`: there is none.
    fn file<'a>(&'a self, id: &'a str) -> Answer<'a, Option<BackupFile>>;

    /// Deletes `id`; `None`: there is none.
    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Backup>>;

    /// Restores one for `by`: checked whole before anything changes.
    fn restore(&self, what: RestoreBackup, by: String) -> Answer<'_, SettingsChange>;
}
