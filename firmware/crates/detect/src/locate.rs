//! Where the files of a model are. Looks, and never fetches: that is `edgecamd`'s.

use std::path::{Path, PathBuf};

use api::manifest::ModelManifest;

use crate::Error;

/// The two files of a model, found but not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The network's structure.
    pub param: PathBuf,
    /// The network's weights.
    pub bin: PathBuf,
}

/// The folders to look through, best first: the one that the environment names (`EDGECAM_MODELS`),
/// the one in the data directory; when run from a checkout, the project's shared folder and the demo
/// model's own.
pub fn search_path(named: Option<&Path>, data_dir: Option<&Path>) -> Vec<PathBuf> {
    let data = data_dir.map(|dir| dir.join("models"));
    let checkout = ["../shared/models", "firmware/models/demo"].map(PathBuf::from);
    named.map(Path::to_owned).into_iter().chain(data).chain(checkout).collect()
}

/// The files of `manifest` in the first of `dirs` that has both. One folder for both, so that no pair
/// is put together from two.
///
/// # Errors
/// [`Error::Missing`] with the file that the folders lack.
pub fn locate(manifest: &ModelManifest, dirs: &[PathBuf]) -> Result<ModelFiles, Error> {
    let files = |dir: &PathBuf| ModelFiles {
        param: dir.join(&manifest.param.file),
        bin: dir.join(&manifest.bin.file),
    };
    let found = dirs.iter().map(files).find(|f| f.param.is_file() && f.bin.is_file());
    found.ok_or_else(|| {
        let has_param = dirs.iter().map(files).any(|f| f.param.is_file());
        let file = if has_param { &manifest.bin.file } else { &manifest.param.file };
        Error::Missing { name: manifest.name.clone(), file: file.clone(), dirs: dirs.to_vec() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_folder_comes_before_the_data_directory_before_the_shared_one() {
        let path = search_path(Some(Path::new("/named")), Some(Path::new("/data")));
        let checkout = ["../shared/models", "firmware/models/demo"];
        assert_eq!(path[..2], ["/named", "/data/models"].map(PathBuf::from));
        assert_eq!(path[2..], checkout.map(PathBuf::from));
        assert_eq!(search_path(None, None), checkout.map(PathBuf::from));
    }

    #[test]
    fn the_first_folder_with_both_files_wins() {
        let manifest = &crate::manifest::built_in()[0];
        let root = tempfile::tempdir().unwrap();
        let dirs = ["half", "whole", "late"].map(|name| root.path().join(name));
        for dir in &dirs {
            std::fs::create_dir(dir).unwrap();
            std::fs::write(dir.join("nanodet_m.param"), "").unwrap();
        }
        for dir in &dirs[1..] {
            std::fs::write(dir.join("nanodet_m.bin"), "").unwrap();
        }
        assert_eq!(locate(manifest, &dirs).unwrap().bin, dirs[1].join("nanodet_m.bin"));
    }

    #[test]
    fn a_missing_file_is_named_with_the_folders_looked_through() {
        let manifest = &crate::manifest::built_in()[0];
        let error = locate(manifest, &["/a".into(), "/b".into()]).unwrap_err().to_string();
        let expected = "model nanodet-m_320 needs nanodet_m.param, which is in none of /a, /b";
        assert_eq!(error, expected);
    }
}
