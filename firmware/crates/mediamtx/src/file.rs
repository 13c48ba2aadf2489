//! The configuration on disk: readable by its owner only, replaced whole.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::WriteError;

/// MediaMTX's configuration file.
#[derive(Clone, Debug)]
pub struct ConfigFile(PathBuf);

impl ConfigFile {
    /// `mediamtx.yml` in `run_dir`, a folder that does not outlive the machine's boot.
    pub fn in_dir(run_dir: &Path) -> Self {
        Self(run_dir.join("mediamtx.yml"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Replaces it as a whole, with mode 0600: it holds the secret of the control API. The folder
    /// is made where it is missing. A running MediaMTX reads it again by itself.
    ///
    /// # Errors
    /// When the folder cannot be made or written to; the file then is what it was.
    pub fn write(&self, text: &str) -> Result<(), WriteError> {
        let failed = |source| WriteError { path: self.0.clone(), source };
        let folder = self.0.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Such files are made with mode 0600.
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&self.0).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
        assert_eq!(std::fs::read_dir(file.path().parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_with_the_path() {
        let file = ConfigFile::in_dir(Path::new("/proc/none"));
        let text = base::error::chain(&file.write("x").unwrap_err());
        assert!(text.contains("/proc/none/mediamtx.yml: "), "{text}");
    }
}
