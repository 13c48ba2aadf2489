//! The configuration on disk: readable by its owner only, replaced whole.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::WriteError;

/// MediaMTX's configuration file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
    mode: u32,
}

impl ConfigFile {
    /// `mediamtx.yml` in `run_dir`, a folder that does not outlive the machine's boot.
    pub fn in_dir(run_dir: &Path) -> Self {
        Self { path: run_dir.join("mediamtx.yml"), mode: 0o600 }
    }

    /// The same, for the group of its folder to read as well: for a MediaMTX that is another user.
    #[must_use]
    pub fn for_its_group(self) -> Self {
        Self { mode: 0o640, ..self }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces it as a whole, for nobody else to read: it holds the secret of the control API. The
    /// folder is made where it is missing. A running MediaMTX reads it again by itself.
    ///
    /// # Errors
    /// When the folder cannot be made or written to; the file then is what it was.
    pub fn write(&self, text: &str) -> Result<(), WriteError> {
        let failed = |source| WriteError { path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Such files are made with mode 0600.
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        let mode = Permissions::from_mode(self.mode);
        file.as_file().set_permissions(mode).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::in_dir(&folder.path().join("run"));
        for text in ["one", "two"] {
            file.write(text).unwrap();
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
        }
        assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        file.clone().for_its_group().write("three").unwrap();
        assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(file.path().parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_with_the_path() {
        let file = ConfigFile::in_dir(Path::new("/proc/none"));
        let text = base::error::chain(&file.write("x").unwrap_err());
        assert!(text.contains("/proc/none/mediamtx.yml: "), "{text}");
    }
}
