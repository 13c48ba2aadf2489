//! The models that this device knows: manifests built in or put beside the data, their files found,
//! fetched or copied. Nothing here looks inside a model: that is the detector's business.
//!
//! | module | owns |
//! |---|---|
//! | [`demo`] | the model that the firmware carries, and its files in the data folder |
//! | [`files`] | files of models: checked, fetched, copied, kept |
//! | [`newcomer`] | models that are added while the daemon runs, and deleted |
//! | [`choice`] | which model runs, and the sentence for another than the settings choose |
//! | [`keeper`] | the task that fetches the chosen model until it is there |

mod choice;
mod demo;
mod files;
mod keeper;
mod newcomer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::bail;
use api::manifest::{Fit, ModelManifest};
use api::settings::DetectorSettings;

pub(crate) use choice::{ModelChoice, Pictures};
pub(crate) use files::{LIMITS, MAX_FILE, hexadecimal};
pub(crate) use keeper::{ModelKeeper, ModelWish};
pub(crate) use newcomer::{
    MAX_MANIFEST, MAX_PARAM, Newcomer, Refused, Staging, is_built_in, read_manifest,
};

/// Ends the name of a model's version in 8-bit integers, as `edgecam-model quantize` gives it.
const INT8_SUFFIX: &str = "_int8";
/// Folders to look for model files in, before all others; separated by `:`.
const DIRS_VAR: &str = "EDGECAM_MODELS";
/// Where a developer's checkout has models beside it.
const BESIDE_CHECKOUT: &str = "../shared/models";
/// The models that this device knows; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ModelLibrary {
    manifests: Arc<RwLock<BTreeMap<String, ModelManifest>>>,
    dirs: Vec<PathBuf>,
    own: PathBuf,
}

impl ModelLibrary {
    /// The built-in models, and those of `<data>/models/*.toml`. Files are looked for in
    /// `EDGECAM_MODELS`, in `<data>/models` and beside a checkout.
    ///
    /// # Errors
    /// When a manifest cannot be read; the sentence names it.
    pub(crate) fn open(data: &Path) -> anyhow::Result<Self> {
        Self::in_folder(Self::folder_of(data))
    }

    /// Where models are below the data folder.
    pub(crate) fn folder_of(data: &Path) -> PathBuf {
        data.join("models")
    }

    /// The same with `own` in the place of `<data>/models`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn in_folder(own: PathBuf) -> anyhow::Result<Self> {
        let by_name = |model: ModelManifest| (model.name.clone(), model);
        let mut manifests: BTreeMap<_, _> = manifest::built_in().into_iter().map(by_name).collect();
        for path in manifests_in(&own) {
            manifests.extend([by_name(manifest::load(&path)?)]);
        }
        let named = std::env::var_os(DIRS_VAR).unwrap_or_default();
        let mut dirs: Vec<PathBuf> =
            std::env::split_paths(&named).filter(|dir| !dir.as_os_str().is_empty()).collect();
        dirs.extend([own.clone(), PathBuf::from(BESIDE_CHECKOUT)]);
        let dirs = dirs.iter().map(|dir| std::path::absolute(dir).unwrap_or(dir.clone())).collect();
        Ok(Self { manifests: Arc::new(RwLock::new(manifests)), dirs, own })
    }

    /// The manifest called `name`.
    ///
    /// # Errors
    /// When there is none; the sentence lists those there are.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<ModelManifest> {
        let Some(manifest) = self.find(name) else {
            let known: Vec<_> = self.all().into_iter().map(|model| model.name).collect();
            bail!("/detector/model = \"{name}\": no such model; there are {}", known.join(", "));
        };
        Ok(manifest)
    }

    /// The manifest called `name`; `None`: there is none.
    pub(crate) fn find(&self, name: &str) -> Option<ModelManifest> {
        self.manifests.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The manifest that `detector` chooses: the one that it names, or its version in 8-bit integers
    /// where that is preferred and installed.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn chosen(&self, detector: &DetectorSettings) -> anyhow::Result<ModelManifest> {
        let named = self.get(detector.model.as_deref().unwrap_or_default())?;
        let int8 = self.find(&int8_name(&named));
        let preferred = detector.prefer_int8.unwrap_or_default();
        Ok(int8.filter(|int8| preferred && self.is_installed(int8)).unwrap_or(named))
    }

    /// All manifests, by name.
    pub(crate) fn all(&self) -> Vec<ModelManifest> {
        let manifests = self.manifests.read().unwrap_or_else(PoisonError::into_inner);
        manifests.values().cloned().collect()
    }

    /// The installed models that know what `asked` knows, whose input is no larger, and that can be
    /// fed with frames scaled for it: by input area from large to small, then by family. Below one in
    /// 8 bits, those that there are in 8 bits too take the places of the others.
    pub(crate) fn lighter_than(&self, asked: &ModelManifest) -> Vec<ModelManifest> {
        let area = |model: &ModelManifest| model.input.width * model.input.height;
        let knows = |model: &ModelManifest| BTreeSet::from_iter(model.labels.names());
        let mut lighter: Vec<_> = self
            .all()
            .into_iter()
            .filter(|model| model.name != asked.name && area(model) <= area(asked))
            // What 8 bits are preferred to is not lighter.
            .filter(|model| !(asked.name.ends_with(INT8_SUFFIX) && self.has_int8(model)))
            // The same classes in another order are a matter of names; other classes are the mark of
            // a model that was trained for something else, such as the drawn street.
            .filter(|model| knows(model) == knows(asked))
            // A frame that was stretched has lost the shape that letterboxing keeps.
            .filter(|model| Fit::Letterbox == asked.input.fit || Fit::Stretch == model.input.fit)
            .filter(|model| self.is_installed(model))
            .collect();
        lighter.sort_by_key(|model| {
            (Reverse(area(model)), model.family != asked.family, model.name.clone())
        });
        lighter
    }

    /// Whether the version of `model` in 8-bit integers is installed.
    fn has_int8(&self, model: &ModelManifest) -> bool {
        self.find(&int8_name(model)).is_some_and(|int8| self.is_installed(&int8))
    }

    /// Folders with model files, in the order in which they are looked through.
    pub(crate) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Whether one of the folders has both files. The detector checks what is in them.
    pub(crate) fn is_installed(&self, manifest: &ModelManifest) -> bool {
        let files = [&manifest.param, &manifest.bin];
        self.dirs.iter().any(|dir| files.iter().all(|file| dir.join(&file.file).is_file()))
    }
}

/// What the version of `model` in 8-bit integers is called.
pub(crate) fn int8_name(model: &ModelManifest) -> String {
    format!("{}{INT8_SUFFIX}", model.name)
}

fn manifests_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use api::manifest::ModelFile;

    use super::*;

    fn library(data: &Path) -> ModelLibrary {
        let mut library = ModelLibrary::open(data).unwrap();
        library.dirs = vec![library.own.clone()];
        library
    }

    #[test]
    fn an_unknown_model_is_refused_with_those_there_are() {
        let data = tempfile::tempdir().unwrap();
        let error = library(data.path()).get("yolo").unwrap_err().to_string();
        assert!(error.contains("yolo") && error.contains("nanodet-plus-m_320"), "{error}");
    }

    #[test]
    fn lighter_models_are_those_at_hand_by_input_area_then_by_family() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let names = |asked: &str| -> Vec<String> {
            let lighter = library.lighter_than(&library.get(asked).unwrap());
            lighter.into_iter().map(|model| model.name.clone()).collect()
        };
        assert_eq!(names("nanodet-plus-m_416"), Vec::<String>::new(), "none is installed");
        fs::create_dir(data.path().join("models")).unwrap();
        for file in
            ["nanodet_m.param", "nanodet_m.bin", "nanodet_plus_m.param", "nanodet_plus_m.bin"]
        {
            fs::write(data.path().join("models").join(file), "").unwrap();
        }
        assert_eq!(names("nanodet-plus-m_416"), ["nanodet-plus-m_320", "nanodet-m_320"]);
        let letterboxed = ["nanodet-plus-m_416", "nanodet-m_320", "nanodet-plus-m_320"];
        assert_eq!(names("nanodet-m_416"), letterboxed);
    }

    /// Puts a manifest of the version of `float` in 8 bits into `folder`, with files `int8.*`.
    fn put_int8(folder: &Path, float: ModelManifest) {
        let name = format!("{}{INT8_SUFFIX}", float.name);
        let file = |file: &ModelFile, kind: &str| ModelFile {
            file: format!("int8.{kind}"),
            ..file.clone()
        };
        let (param, bin) = (file(&float.param, "param"), file(&float.bin, "bin"));
        let int8 =
            toml::to_string(&ModelManifest { name: name.clone(), param, bin, ..float }).unwrap();
        fs::write(folder.join(format!("{name}.toml")), int8).unwrap();
    }

    #[test]
    fn below_a_model_in_8_bits_are_those_in_8_bits_where_they_are_installed() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("models");
        fs::create_dir(&folder).unwrap();
        manifest::built_in().drain(2..4).for_each(|float| put_int8(&folder, float));
        let library = library(data.path());
        for file in ["nanodet_m", "nanodet_plus_m", "int8"] {
            for kind in ["param", "bin"] {
                fs::write(folder.join(format!("{file}.{kind}")), "").unwrap();
            }
        }
        let names = |asked: &str| -> Vec<String> {
            let lighter = library.lighter_than(&library.get(asked).unwrap());
            lighter.into_iter().map(|model| model.name.clone()).collect()
        };
        let int8 = names("nanodet-plus-m_416_int8");
        let (first, float) =
            ("nanodet-plus-m_320_int8".to_owned(), "nanodet-plus-m_320".to_owned());
        assert!(int8.contains(&first) && !int8.contains(&float), "{int8:?}");
        assert!(int8.contains(&"nanodet-m_320".to_owned()), "it has no other version: {int8:?}");
        assert!(names("nanodet-plus-m_416").contains(&float), "32 bits may be what is wanted");
    }

    #[test]
    fn eight_bits_are_taken_where_they_are_preferred_and_installed() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("models");
        fs::create_dir(&folder).unwrap();
        put_int8(&folder, manifest::built_in().remove(0));
        let library = ModelLibrary::open(data.path()).unwrap();
        let chosen = |prefer_int8| {
            let model = Some("nanodet-m_320".to_owned());
            let detector = DetectorSettings { model, prefer_int8, ..Default::default() };
            library.chosen(&detector).unwrap().name.clone()
        };
        assert_eq!(chosen(Some(true)), "nanodet-m_320");
        for file in ["int8.param", "int8.bin"] {
            fs::write(folder.join(file), "").unwrap();
        }
        assert_eq!(chosen(Some(true)), "nanodet-m_320_int8");
        assert_eq!(chosen(Some(false)), "nanodet-m_320");
        assert_eq!(chosen(None), "nanodet-m_320");
        for file in ["nanodet_m.param", "nanodet_m.bin"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let lighter = library.lighter_than(&library.get("nanodet-m_320_int8").unwrap());
        assert!(lighter.iter().all(|model| model.name != "nanodet-m_320"), "{lighter:?}");
    }

    #[test]
    fn a_manifest_beside_the_data_is_known_and_a_broken_one_is_named() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("models");
        fs::create_dir(&folder).unwrap();
        let mut mine = manifest::built_in().remove(0);
        mine.name = "mine".into();
        fs::write(folder.join("mine.toml"), toml::to_string(&mine).unwrap()).unwrap();
        assert!(ModelLibrary::open(data.path()).unwrap().get("mine").is_ok());
        fs::write(folder.join("broken.toml"), "name = 1").unwrap();
        let error = format!("{:#}", ModelLibrary::open(data.path()).unwrap_err());
        assert!(error.contains("broken.toml"), "{error}");
    }
}
