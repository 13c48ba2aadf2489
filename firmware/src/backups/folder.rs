//! The backups that the device keeps: `backups/<id>.json` in the data folder, for nobody else to read.

use std::io;
use std::path::{Path, PathBuf};

use api::system::{Backup, BackupFile};
use base::durable::{Disk, LocalDisk, SECRET, SECRET_FOLDER};
use base::error::ErrorKind;
use control::PortError;
use ulid::Ulid;

/// Most backups.
const MOST: usize = 20;
/// What ends the name of a file.
const SUFFIX: &str = ".json";

/// The folder of the backups.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// That of the data folder `data`.
    pub(super) fn new(data: &Path) -> Self {
        Self(data.join("backups"))
    }

    /// Keeps `file`.
    pub(super) fn keep(&self, file: &BackupFile) -> Result<Backup, PortError> {
        if self.ids()?.len() >= MOST {
            let detail = format!("there are {MOST} backups, which is the most; delete one first");
            return Err(PortError::new(ErrorKind::FailedPrecondition, detail));
        }
        let text = serde_json::to_vec(file).map_err(|error| self.failed(error.into()))?;
        let kept = LocalDisk
            .make_folder(&self.0, SECRET_FOLDER)
            .and_then(|()| LocalDisk.replace(&self.path(&file.id), &text, SECRET));
        kept.map_err(|error| self.failed(error))?;
        Ok(shown(file, text.len()))
    }

    /// The newest first. What is no backup is passed over.
    pub(super) fn list(&self) -> Result<Vec<Backup>, PortError> {
        let mut ids = self.ids()?;
        // Ids begin with the time.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let all = ids.iter().filter_map(|id| self.parsed(id).transpose());
        all.map(|found| found.map(|(file, bytes)| shown(&file, bytes))).collect()
    }

    /// The file of `id`; `None`: there is none.
    pub(super) fn read(&self, id: &str) -> Result<Option<BackupFile>, PortError> {
        Ok(self.parsed(id)?.map(|(file, _)| file))
    }

    /// Deletes `id`; `None`: there is none.
    pub(super) fn delete(&self, id: &str) -> Result<Option<Backup>, PortError> {
        let Some((file, bytes)) = self.parsed(id)? else { return Ok(None) };
        LocalDisk.remove(&self.path(id)).map_err(|error| self.failed(error))?;
        Ok(Some(shown(&file, bytes)))
    }

    fn parsed(&self, id: &str) -> Result<Option<(BackupFile, usize)>, PortError> {
        // Only what is an id is the name of a file.
        if Ulid::from_string(id).is_err() {
            return Ok(None);
        }
        let bytes = LocalDisk.read(&self.path(id)).map_err(|error| self.failed(error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(file) => Ok(Some((file, bytes.len()))),
            Err(error) => {
                tracing::warn!(id, %error, "a backup is damaged");
                Ok(None)
            }
        }
    }

    fn ids(&self) -> Result<Vec<String>, PortError> {
        let names = LocalDisk.list(&self.0).map_err(|error| self.failed(error))?;
        let id = |name: std::ffi::OsString| {
            let name = name.into_string().ok()?;
            let id = name.strip_suffix(SUFFIX)?;
            Ulid::from_string(id).is_ok().then(|| id.to_owned())
        };
        Ok(names.into_iter().filter_map(id).collect())
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}{SUFFIX}"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
    fn failed(&self, error: io::Error) -> PortError {
        let detail = format!("the backups in {} cannot be used: {error}", self.0.display());
        PortError::new(ErrorKind::Unavailable, detail)
    }
}

fn shown(file: &BackupFile, bytes: usize) -> Backup {
    Backup {
        id: file.id.clone(),
        made_at: file.made_at,
        node: file.node.clone(),
        version: file.version.clone(),
        revision: file.revision,
        users: file.users,
        encrypted: file.encryption.is_some(),
        note: file.note.clone(),
        size_bytes: bytes as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(number: u128) -> BackupFile {
        BackupFile {
            format: "edgecam.backup/1".into(),
            id: Ulid::from(number).to_string(),
            made_at: jiff::Timestamp::UNIX_EPOCH,
            node: "ec-1".into(),
            version: "0.1.0".into(),
            schema: 1,
            revision: 0,
            users: false,
            note: None,
            encryption: None,
            sha256: String::new(),
            content: String::new(),
        }
    }

    #[test]
    fn backups_are_kept_listed_and_deleted_and_not_without_end() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::new(data.path());
        assert_eq!(folder.list().unwrap(), []);
        for number in 1..=20 {
            folder.keep(&file(number)).unwrap();
        }
        let refused = folder.keep(&file(21)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
        let listed = folder.list().unwrap();
        assert_eq!(listed[0].id, file(20).id, "the newest first");
        let mode = folder.path(&listed[0].id).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(folder.delete(&listed[0].id).unwrap().unwrap(), listed[0]);
        assert_eq!(folder.delete(&listed[0].id).unwrap(), None);
        assert_eq!(folder.read(&listed[1].id).unwrap().unwrap(), file(19));
    }

    #[test]
    fn no_id_leads_out_of_the_folder_and_a_damaged_file_is_none() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::new(data.path());
        std::fs::write(data.path().join("access.json"), "{}").unwrap();
        for id in ["../access", "..%2faccess", "", "x"] {
            assert_eq!(folder.read(id).unwrap(), None, "{id}");
            assert_eq!(folder.delete(id).unwrap(), None, "{id}");
        }
        folder.keep(&file(1)).unwrap();
        std::fs::write(folder.path(&file(1).id), "half").unwrap();
        assert_eq!(folder.read(&file(1).id).unwrap(), None);
        assert_eq!(folder.list().unwrap(), []);
    }
}
