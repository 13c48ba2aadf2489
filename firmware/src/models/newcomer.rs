//! Models that are added while the daemon runs, and deleted: checked, under names of their own, there whole
//! or not at all.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use anyhow::Context;
use api::manifest::{ModelFile, ModelManifest};
use base::durable::{Disk, LocalDisk};
use tempfile::TempDir;

use super::ModelLibrary;

/// The longest manifest, in bytes.
pub(crate) const MAX_MANIFEST: u64 = 256 << 10;
/// The longest structure of a network, in bytes.
pub(crate) const MAX_PARAM: u64 = 4 << 20;
/// The longest name, in bytes.
const MAX_NAME: usize = 64;
/// Begins the names of folders with models that are not there yet.
const STAGING: &str = ".new-";
/// Mode of what anybody on the device may read.
const OPEN: u32 = 0o644;

/// Why a model is not taken, or not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The manifest is to blame, at this pointer.
    #[error("{1}")]
    Manifest(&'static str, String),
    /// Another model stands in the way.
    #[error("{0}")]
    InTheWay(String),
    /// There is no such model.
    #[error("there is no model \"{0}\"; /api/v1/models lists them")]
    Unknown(String),
}

/// A model that may be added: its manifest, with files under names of the device's own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Newcomer {
    /// What is kept.
    pub(crate) manifest: ModelManifest,
    /// The files as they were named, with their addresses.
    pub(crate) from: [ModelFile; 2],
}

/// The manifest in `text`, TOML or JSON.
///
/// # Errors
/// When it is none, or contradicts itself.
pub(crate) fn read_manifest(text: &[u8]) -> Result<ModelManifest, Refused> {
    let refused = |reason: String| Refused::Manifest("", reason);
    let text = std::str::from_utf8(text).map_err(|_| refused("is no text in UTF-8".into()))?;
    if !text.trim_start().starts_with('{') {
        return manifest::parse(text, "it").map_err(|error| refused(error.to_string()));
    }
    let read: ModelManifest = serde_json::from_str(text)
        .map_err(|error| refused(format!("is not a model manifest: {error}")))?;
    manifest::check(&read).map_err(|error| refused(error.to_string()))?;
    Ok(read)
}

/// A folder for a model that is not there yet; gone with this.
#[derive(Debug)]
pub(crate) struct Staging(TempDir);

impl Staging {
    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl ModelLibrary {
    /// Whether a model with `manifest` may be added, and how it is kept then.
    ///
    /// # Errors
    /// When its name is of no use or taken.
    pub(crate) fn newcomer(&self, manifest: ModelManifest) -> Result<Newcomer, Refused> {
        let name = manifest.name.clone();
        if !is_plain(&name) {
            let reason = format!(
                "must be of lower case letters, digits, - _ and ., begin with a letter or digit, and \
                 have at most {MAX_NAME} characters"
            );
            return Err(Refused::Manifest("/name", reason));
        }
        manifest::check(&manifest).map_err(|error| Refused::Manifest("", error.to_string()))?;
        self.is_free(&name)?;
        let own = |kind: &str, file: &ModelFile| ModelFile {
            file: format!("{name}.{kind}"),
            // The daemon goes to no address that came over the network but for who asks it to.
            url: None,
            sha256: file.sha256.clone(),
        };
        let (param, bin) = (own("param", &manifest.param), own("bin", &manifest.bin));
        let from = [manifest.param.clone(), manifest.bin.clone()];
        Ok(Newcomer { manifest: ModelManifest { param, bin, ..manifest }, from })
    }

    fn is_free(&self, name: &str) -> Result<(), Refused> {
        let kinds = ["param", "bin"].map(|kind| format!("{name}.{kind}"));
        for known in self.all() {
            if known.name == name {
                let way_out =
                    if is_built_in(name) { "choose another name" } else { "delete it first" };
                return Err(Refused::InTheWay(format!(
                    "there is a model \"{name}\" already; {way_out}"
                )));
            }
            if kinds.contains(&known.param.file) || kinds.contains(&known.bin.file) {
                return Err(Refused::InTheWay(format!(
                    "the files of \"{}\" have the names that this model's would get; choose another \
                     name",
                    known.name
                )));
            }
        }
        Ok(())
    }

    /// A folder for the files of a model that is to be added.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn staging(&self) -> anyhow::Result<Staging> {
        let own = self.own.display();
        fs::create_dir_all(&self.own).with_context(|| format!("making {own}"))?;
        let folder = tempfile::Builder::new().prefix(STAGING).tempdir_in(&self.own);
        let folder = folder.and_then(|folder| share(&self.own, folder.path()).map(|()| folder));
        folder.map(Staging).with_context(|| format!("making a folder in {own}"))
    }

    /// Adds `newcomer`, whose files are in `staging` under their new names. Blocks: reads them through.
    ///
    /// # Errors
    /// When a file is not what the manifest names, or the disk fails; nothing is added then.
    pub(crate) fn admit(&self, newcomer: &Newcomer, staging: &Staging) -> anyhow::Result<()> {
        let manifest = &newcomer.manifest;
        if let Some(wrong) = super::files::damaged_in(staging.path(), manifest) {
            let name = wrong.file_name().unwrap_or_default().display().to_string();
            anyhow::bail!("the SHA-256 of {name} is not the one that the manifest names");
        }
        let text = toml::to_string(manifest).context("writing the manifest")?;
        // Held to the end: two of one name must not both find it free.
        let mut known = self.manifests.write().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&manifest.name) {
            anyhow::bail!("there is a model \"{}\" already", manifest.name);
        }
        for file in [&manifest.param.file, &manifest.bin.file] {
            let from = staging.path().join(file);
            File::open(&from)
                .and_then(|open| open.sync_all())
                .and_then(|()| fs::rename(&from, self.own.join(file)))
                .with_context(|| format!("keeping {file}"))?;
        }
        // The manifest last: it never stands without its files.
        let path = self.manifest_file(&manifest.name);
        LocalDisk
            .replace(&path, text.as_bytes(), OPEN)
            .with_context(|| format!("writing {}", path.display()))?;
        known.insert(manifest.name.clone(), manifest.clone());
        Ok(())
    }

    /// Deletes the model `name` with its files, but for those that another one has too. Whether it is used
    /// is the caller's question. Blocks.
    ///
    /// # Errors
    /// [`Refused`] when it is not known or came with the firmware, else what the disk says.
    pub(crate) fn delete(&self, name: &str) -> anyhow::Result<()> {
        let mut known = self.manifests.write().unwrap_or_else(PoisonError::into_inner);
        let Some(manifest) = known.get(name).cloned() else {
            return Err(Refused::Unknown(name.to_owned()).into());
        };
        let path = self.written_as(name);
        let Some(path) = path.filter(|_| !is_built_in(name)) else {
            let detail = format!("the model \"{name}\" came with the firmware");
            return Err(Refused::InTheWay(detail).into());
        };
        let gone = |path: &Path| {
            LocalDisk.remove(path).with_context(|| format!("deleting {}", path.display()))
        };
        gone(&path)?;
        known.remove(name);
        for file in [&manifest.param.file, &manifest.bin.file] {
            let shared = known.values().any(|one| [&one.param.file, &one.bin.file].contains(&file));
            if !shared {
                gone(&self.own.join(file))?;
            }
        }
        Ok(())
    }

    fn manifest_file(&self, name: &str) -> PathBuf {
        self.own.join(format!("{name}.toml"))
    }

    /// The file in which the manifest of `name` stands: who puts one there by hand calls it as they like.
    fn written_as(&self, name: &str) -> Option<PathBuf> {
        let is_its = |path: &PathBuf| manifest::load(path).is_ok_and(|one| one.name == name);
        super::manifests_in(&self.own).into_iter().find(is_its)
    }

    /// Takes away what was left of models that were being added when the daemon was killed.
    pub(crate) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.own) else { return };
        let left = entries.filter_map(Result::ok);
        for entry in left.filter(|one| one.file_name().to_string_lossy().starts_with(STAGING)) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                log_left(&entry.path(), &error);
            }
        }
    }
}

fn log_left(path: &Path, error: &io::Error) {
    tracing::warn!(path = %path.display(), %error, "what was left of a model cannot be taken away");
}

/// Whether the model `name` comes with the firmware.
pub(crate) fn is_built_in(name: &str) -> bool {
    manifest::built_in().iter().any(|one| one.name == name)
}

/// Whether `name` is fit for an address and a file.
fn is_plain(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= MAX_NAME
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|b| word(b) || matches!(b, b'-' | b'_' | b'.'))
}

/// Lets the group of `parent` into `folder` where it was made to be shared (setgid): a worker that is
/// another user.
fn share(parent: &Path, folder: &Path) -> std::io::Result<()> {
    if parent.metadata()?.permissions().mode() & 0o2000 == 0 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o2770))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(data: &Path) -> ModelLibrary {
        let mut library = ModelLibrary::open(data).unwrap();
        library.dirs = vec![library.own.clone()];
        library.install_demo().unwrap();
        library
    }

    fn mine(name: &str) -> ModelManifest {
        ModelManifest { name: name.to_owned(), ..ModelLibrary::demo().unwrap() }
    }

    fn staged(library: &ModelLibrary, newcomer: &Newcomer) -> Staging {
        let staging = library.staging().unwrap();
        let demo = ModelLibrary::demo().unwrap();
        let manifest = &newcomer.manifest;
        for (from, to) in [(&demo.param, &manifest.param), (&demo.bin, &manifest.bin)] {
            fs::copy(library.own.join(&from.file), staging.path().join(&to.file)).unwrap();
        }
        staging
    }

    #[test]
    fn a_model_is_added_under_its_own_name_found_again_and_deleted() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let mut manifest = mine("forklifts");
        manifest.bin.url = Some("http://169.254.169.254/".into());
        let newcomer = library.newcomer(manifest).unwrap();
        assert_eq!(
            (newcomer.manifest.bin.file.as_str(), &newcomer.manifest.bin.url),
            ("forklifts.bin", &None)
        );
        let staging = staged(&library, &newcomer);
        library.admit(&newcomer, &staging).unwrap();
        drop(staging);
        assert!(library.is_sound(&library.get("forklifts").unwrap()));
        assert!(ModelLibrary::open(data.path()).unwrap().get("forklifts").is_ok());
        assert!(matches!(library.newcomer(mine("forklifts")), Err(Refused::InTheWay(_))));
        library.delete("forklifts").unwrap();
        assert!(library.find("forklifts").is_none());
        assert!(ModelLibrary::open(data.path()).unwrap().find("forklifts").is_none());
        assert_eq!(fs::read_dir(&library.own).unwrap().count(), 2, "the demo model's files");
    }

    #[test]
    fn a_file_that_is_not_the_one_that_the_manifest_names_adds_nothing() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let newcomer = library.newcomer(mine("forklifts")).unwrap();
        let staging = staged(&library, &newcomer);
        fs::write(staging.path().join("forklifts.bin"), "other").unwrap();
        let error = library.admit(&newcomer, &staging).unwrap_err().to_string();
        assert!(error.contains("forklifts.bin"), "{error}");
        drop(staging);
        assert!(library.find("forklifts").is_none());
        assert_eq!(fs::read_dir(&library.own).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_name_that_leads_elsewhere_or_is_taken_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        for name in ["../x", "a/b", ".x", "", "A", "x y", "ä", &"x".repeat(65), "-rf"] {
            let refused = library.newcomer(mine(name)).unwrap_err();
            assert!(matches!(refused, Refused::Manifest("/name", _)), "{name}: {refused}");
        }
        let demo = ModelLibrary::demo().unwrap();
        assert!(matches!(library.newcomer(demo.clone()), Err(Refused::InTheWay(_))));
        // Its files would take the place of the demo model's.
        assert!(matches!(library.newcomer(mine("edgecam_demo")), Err(Refused::InTheWay(_))));
        let error = library.delete(&demo.name).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Refused::InTheWay(_))), "{error}");
        let error = library.delete("none").unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Refused::Unknown(_))), "{error}");
    }

    #[test]
    fn files_that_another_model_has_too_stay() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let text = toml::to_string(&mine("by-hand")).unwrap();
        fs::write(library.own.join("as-i-like.toml"), text).unwrap();
        let library = ModelLibrary::open(data.path()).unwrap();
        library.delete("by-hand").unwrap();
        assert!(library.is_sound(&ModelLibrary::demo().unwrap()));
    }

    #[test]
    fn what_was_left_by_a_kill_is_taken_away() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        fs::create_dir(library.own.join(".new-abc")).unwrap();
        fs::write(library.own.join(".new-abc/x.bin"), "x").unwrap();
        library.sweep();
        assert_eq!(fs::read_dir(&library.own).unwrap().count(), 2);
    }

    #[test]
    fn a_manifest_is_read_from_toml_and_json() {
        let demo = ModelLibrary::demo().unwrap();
        let (toml, json) = (toml::to_string(&demo).unwrap(), serde_json::to_vec(&demo).unwrap());
        assert_eq!(read_manifest(toml.as_bytes()).unwrap(), demo);
        assert_eq!(read_manifest(&json).unwrap(), demo);
        for wrong in [&b"{}"[..], b"name = 1", b"\xff", b""] {
            assert!(matches!(read_manifest(wrong), Err(Refused::Manifest("", _))));
        }
    }
}
