//! Files of models: whether they are what their manifest names, and where they come from.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use api::manifest::{ModelFile, ModelManifest};
use egress::{Egress, Limits, Reach};
use sha2::{Digest, Sha256};

use super::ModelLibrary;

/// The largest model file, in bytes.
pub(crate) const MAX_FILE: u64 = 256 << 20;
/// How a model's file is fetched.
pub(crate) const LIMITS: Limits = Limits {
    bytes: MAX_FILE,
    connect: Duration::from_secs(10),
    whole: Duration::from_secs(300),
    redirects: 5,
};

impl ModelLibrary {
    /// Whether the files that the detector would take are those that the manifest names. Blocks.
    pub(crate) fn is_sound(&self, manifest: &ModelManifest) -> bool {
        self.is_installed(manifest) && self.damaged(manifest).is_none()
    }

    /// The first file that the detector would take and that is not what the manifest names. Blocks.
    pub(crate) fn damaged(&self, manifest: &ModelManifest) -> Option<PathBuf> {
        let files = [&manifest.param, &manifest.bin];
        let has_both = |dir: &&PathBuf| files.iter().all(|file| dir.join(&file.file).is_file());
        let dir = self.dirs.iter().find(has_both)?;
        damaged_in(dir, manifest)
    }

    /// Fetches the files of `manifest` into `<data>/models`. Blocks.
    ///
    /// # Errors
    /// When a file cannot be fetched or is not the one that the manifest names.
    pub(crate) fn fetch(&self, manifest: &ModelManifest) -> anyhow::Result<()> {
        for file in [&manifest.param, &manifest.bin] {
            let Some(url) = &file.url else {
                bail!("{} can be fetched from nowhere: its manifest names no address", file.file);
            };
            // It stands in the firmware, or in a file that was put on the device by hand.
            let fetched = Egress::new(Reach::Anywhere).agent(LIMITS).get(url).call();
            fetched
                .map_err(anyhow::Error::from)
                .and_then(|mut response| self.put(file, response.body_mut().as_reader()))
                .with_context(|| format!("fetching {} from {url}", file.file))?;
        }
        Ok(())
    }

    /// Copies the files of `manifest` from `folder` into `<data>/models`. Blocks.
    ///
    /// # Errors
    /// When a file is not there, or is not the one that the manifest names.
    pub(crate) fn copy_from(&self, folder: &Path, manifest: &ModelManifest) -> anyhow::Result<()> {
        for file in [&manifest.param, &manifest.bin] {
            let path = folder.join(&file.file);
            File::open(&path)
                .map_err(anyhow::Error::from)
                .and_then(|reader| self.put(file, reader))
                .with_context(|| format!("copying {}", path.display()))?;
        }
        Ok(())
    }

    /// Writes `file` into `<data>/models`: it gets its name when it is whole, checked and on the
    /// disk.
    pub(super) fn put(&self, file: &ModelFile, reader: impl Read) -> anyhow::Result<()> {
        fs::create_dir_all(&self.own).with_context(|| format!("making {}", self.own.display()))?;
        // Another process may be at the same file.
        let part = self.own.join(format!("{}.{}.part", file.file, std::process::id()));
        let saved = save(reader, &part).map_err(anyhow::Error::from).and_then(|found| {
            if found != file.sha256.to_lowercase() {
                bail!("its SHA-256 is {found}, but the manifest names {}", file.sha256);
            }
            fs::rename(&part, self.own.join(&file.file)).context("giving it its name")?;
            File::open(&self.own).and_then(|dir| dir.sync_all()).context("keeping its name")
        });
        if saved.is_err() {
            // What is left of a failed try is of no use; the next one begins anew.
            let _ = fs::remove_file(&part);
        }
        saved
    }
}

/// The first file in `dir` that is not what `manifest` names. Blocks.
pub(super) fn damaged_in(dir: &Path, manifest: &ModelManifest) -> Option<PathBuf> {
    let files = [&manifest.param, &manifest.bin];
    let wrong = files.into_iter().find(|file| {
        let found = File::open(dir.join(&file.file)).and_then(|f| copy(f, &mut io::sink()));
        !found.is_ok_and(|found| found == file.sha256.to_lowercase())
    });
    wrong.map(|file| dir.join(&file.file))
}

/// Writes `reader` to `path` down to the disk; answers with its SHA-256 in hexadecimal.
fn save(reader: impl Read, path: &Path) -> io::Result<String> {
    let mut file = File::create(path)?;
    let found = copy(reader, &mut file)?;
    file.sync_all()?;
    Ok(found)
}

/// Copies `reader` to `writer`; answers with its SHA-256 in hexadecimal.
fn copy(reader: impl Read, writer: &mut impl io::Write) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut tee = Tee { reader: reader.take(MAX_FILE), hasher: &mut hasher };
    io::copy(&mut tee, writer)?;
    Ok(hexadecimal(hasher))
}

/// What `hasher` has come to, in hexadecimal.
pub(crate) fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Tee<'a, R> {
    reader: R,
    hasher: &'a mut Sha256,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    fn library(data: &Path) -> ModelLibrary {
        let mut library = ModelLibrary::open(data).unwrap();
        library.dirs = vec![library.own.clone()];
        library
    }

    /// A manifest whose two files are served, once each, with `body`, at the address it names.
    fn served(library: &ModelLibrary, body: &'static [u8], sha256: &str) -> ModelManifest {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                )
                .unwrap();
                stream.write_all(body).unwrap();
            }
        });
        let mut manifest = library.get("nanodet-plus-m_320").unwrap().clone();
        for (file, name) in [(&mut manifest.param, "a.param"), (&mut manifest.bin, "a.bin")] {
            *file = ModelFile {
                file: name.into(),
                url: Some(format!("http://{address}/{name}")),
                sha256: sha256.into(),
            };
        }
        manifest
    }

    /// SHA-256 of `abc`, from FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_missing_model_is_fetched_and_checked() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let manifest = served(&library, b"abc", ABC);
        assert!(!library.is_installed(&manifest));
        library.fetch(&manifest).unwrap();
        assert!(library.is_installed(&manifest));
    }

    #[test]
    fn a_file_with_the_wrong_hash_is_refused_and_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let manifest = served(&library, b"abd", ABC);
        let error = format!("{:#}", library.fetch(&manifest).unwrap_err());
        assert!(error.contains("a.param") && error.contains(ABC), "{error}");
        assert_eq!(fs::read_dir(data.path().join("models")).unwrap().count(), 0);
    }
}
