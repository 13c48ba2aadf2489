//! Which models a command is about: all that EdgeCam comes with, or those that are named.

use std::path::{Path, PathBuf};

use anyhow::bail;
use api::manifest::{LabelSet, ModelLabels, ModelManifest};
use clap::Args;
use edgecam_detect::{ModelFiles, locate, manifest};

#[derive(Args)]
pub(crate) struct Choice {
    /// A model: the name of a built-in one, or its manifest file (whose folder is looked through
    /// first). Can be given several times; all built-in ones of COCO if it is not
    #[arg(long = "model", value_name = "NAME|manifest.toml")]
    names: Vec<String>,
    /// Folder of the models
    #[arg(long, env = "EDGECAM_MODELS")]
    models: Option<PathBuf>,
}

impl Choice {
    /// The models, each with its files.
    pub(crate) fn models(&self) -> anyhow::Result<Vec<(ModelManifest, ModelFiles)>> {
        if self.names.is_empty() {
            // The demo model knows a drawn street, not the pictures that the others are judged by.
            let of_coco = |m: &ModelManifest| m.labels == ModelLabels::Set(LabelSet::Coco80);
            let models = manifest::built_in().into_iter().filter(of_coco);
            return models.map(|m| self.with_files(m, None)).collect();
        }
        self.names.iter().map(|name| self.find(name)).collect()
    }

    /// The models that are named; else all of COCO whose files are there, the built-in ones and
    /// those with a manifest in the folders of the models (quantized ones, the owner's).
    pub(crate) fn at_hand(&self) -> anyhow::Result<Vec<(ModelManifest, ModelFiles)>> {
        if !self.names.is_empty() {
            return self.models();
        }
        let search = locate::search_path(self.models.as_deref(), None);
        let of_coco = |m: &ModelManifest| m.labels == ModelLabels::Set(LabelSet::Coco80);
        let built_in = manifest::built_in().into_iter().filter(of_coco);
        let mut found: Vec<_> = built_in.filter_map(|m| self.with_files(m, None).ok()).collect();
        let files = search.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten();
        let mut paths: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        for path in paths {
            let manifest = manifest::load(&path)?;
            if of_coco(&manifest) && found.iter().all(|(known, _)| known.name != manifest.name) {
                found.push(self.with_files(manifest, path.parent())?);
            }
        }
        Ok(found)
    }

    /// The manifest file that names the model at `at` of [`Self::models`].
    pub(crate) fn manifest_file(&self, at: usize) -> Option<&Path> {
        self.names.get(at).and_then(|name| file(name))
    }

    fn find(&self, name: &str) -> anyhow::Result<(ModelManifest, ModelFiles)> {
        if let Some(path) = file(name) {
            return self.with_files(manifest::load(path)?, path.parent());
        }
        let built_in = manifest::built_in();
        let names: Vec<_> = built_in.iter().map(|m| m.name.clone()).collect();
        match built_in.into_iter().find(|m| m.name == name) {
            Some(manifest) => self.with_files(manifest, None),
            None => bail!(
                "there is no built-in model {name:?}: there are {}; another needs its manifest file (.toml)",
                names.join(", ")
            ),
        }
    }

    fn with_files(
        &self,
        manifest: ModelManifest,
        beside: Option<&Path>,
    ) -> anyhow::Result<(ModelManifest, ModelFiles)> {
        let search = locate::search_path(self.models.as_deref(), None);
        let dirs: Vec<_> = beside.map(Path::to_owned).into_iter().chain(search).collect();
        let files = locate::locate(&manifest, &dirs)?;
        Ok((manifest, files))
    }
}

/// `name`, if it is that of a manifest file.
fn file(name: &str) -> Option<&Path> {
    let path = Path::new(name);
    path.extension().is_some_and(|extension| extension == "toml").then_some(path)
}
