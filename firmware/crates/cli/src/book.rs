//! The devices that are known: a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::CliError;

/// A device that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Where its API is.
    pub(crate) url: Url,
    /// What shows who calls.
    pub(crate) token: String,
    /// Id of the token, for its revocation.
    pub(crate) token_id: String,
    /// SHA-256 of its certificate, in hexadecimal; `None`: one that the system believes, or no HTTPS.
    pub(crate) certificate_sha256: Option<String>,
}

/// All of them, by name.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    pub(crate) devices: BTreeMap<String, Known>,
}

impl Book {
    /// Reads `path`, or the owner's own file.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => own_file().ok_or(CliError::NoHome)?,
        };
        let book = |what: &'static str| {
            let path = path.clone();
            move |source| CliError::Book { path, what, source }
        };
        let devices = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(io::Error::from)
                .map_err(book("read; mend or remove the file"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(book("read")(error)),
        };
        Ok(Self { path, devices })
    }

    /// Writes what is known now.
    pub(crate) fn keep(&self) -> Result<(), CliError> {
        self.write().map_err(|source| CliError::Book {
            path: self.path.clone(),
            what: "written",
            source,
        })
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let new = self.path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&self.devices)?)?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }
}

fn own_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("edgecam").join("devices.json"))
}
