//! The demo model's files in the data folder: with them a device detects before any model was fetched.

use std::fs;

use anyhow::Context;
use api::manifest::ModelManifest;
use manifest::demo::{BIN, NAME, PARAM};

use super::ModelLibrary;

impl ModelLibrary {
    /// The manifest of the demo model. A file of the owner's with its name does not take its place.
    ///
    /// # Errors
    /// Never in a firmware that passed its tests.
    pub(super) fn demo() -> anyhow::Result<ModelManifest> {
        let found = manifest::built_in().into_iter().find(|model| model.name == NAME);
        found.context("the demo model is not built in")
    }

    /// Writes those of the demo model's files that are missing in `<data>/models` or damaged there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn install_demo(&self) -> anyhow::Result<()> {
        let manifest = Self::demo()?;
        for (file, bytes) in [(&manifest.param, PARAM), (&manifest.bin, BIN)] {
            let path = self.own.join(&file.file);
            let there = fs::read(&path).ok();
            if there.as_deref() == Some(bytes) {
                continue;
            }
            if there.is_some() {
                tracing::warn!(path = %path.display(), "is damaged: written anew");
            }
            self.put(file, bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_model_is_written_where_it_is_missing_and_mended_where_it_is_damaged() {
        let data = tempfile::tempdir().unwrap();
        let library = ModelLibrary::open(data.path()).unwrap();
        let demo = ModelLibrary::demo().unwrap();
        library.install_demo().unwrap();
        assert!(library.is_sound(&demo), "what the firmware carries is what its manifest names");
        let [param, bin] =
            [&demo.param, &demo.bin].map(|file| data.path().join("models").join(&file.file));
        let mut damaged = fs::read(&bin).unwrap();
        damaged[1000] ^= 0xff;
        fs::write(&bin, damaged).unwrap();
        fs::remove_file(&param).unwrap();
        assert!(!library.is_sound(&demo));
        library.install_demo().unwrap();
        assert!(library.is_sound(&demo));
        let names = fs::read_dir(data.path().join("models")).unwrap().count();
        assert_eq!(names, 2, "nothing else is left there");
    }
}
