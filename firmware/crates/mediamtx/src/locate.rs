//! Which MediaMTX is run: where it is looked for, and whether it is the release that EdgeCam is
//! made for (its configuration and its control API change between releases).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::LocateError;

/// The release that EdgeCam is made for: any patch of it will do. The exact number that the set-up
/// installs stands in `firmware/setup/versions.env`; a test holds the two together.
pub const RELEASE: (u32, u32) = (1, 20);

/// Variable that names the binary.
pub const BINARY_VAR: &str = "EDGECAM_MEDIAMTX";
/// Variable that names the folder that the set-up installs to.
pub const CACHE_VAR: &str = "EDGECAM_CACHE";

/// How long a binary may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a binary is looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// From the settings; when it is there, nothing else is tried.
    pub configured: Option<PathBuf>,
    /// From [`BINARY_VAR`].
    pub variable: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// The folder that the set-up installs to.
    pub cache: Option<PathBuf>,
}

/// A MediaMTX that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, such as `1.20.1`.
    pub version: String,
}

impl Places {
    /// The places that this process's environment names; `configured` is from the settings.
    pub fn of_this_process(configured: Option<PathBuf>) -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home_cache = || var("HOME").map(|home| Path::new(&home).join(".cache/edgecam"));
        Self {
            configured,
            variable: var(BINARY_VAR).map(PathBuf::from),
            path: var("PATH"),
            cache: var(CACHE_VAR).map(PathBuf::from).or_else(home_cache),
        }
    }

    /// The binaries to try, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        if let Some(configured) = &self.configured {
            return vec![configured.clone()];
        }
        let on_path = self.path.iter().flat_map(std::env::split_paths);
        let on_path = on_path.map(|folder| folder.join("mediamtx")).find(|file| file.is_file());
        let cached = self.cache.as_ref().map(|cache| cache.join("mediamtx/current/mediamtx"));
        [self.variable.clone(), on_path, cached].into_iter().flatten().collect()
    }

    /// The first binary of the right release.
    ///
    /// # Errors
    /// When there is none; the error says what is wrong with each that was tried.
    pub async fn locate(&self) -> Result<Binary, LocateError> {
        let mut tried = Vec::new();
        for path in self.candidates() {
            match version(&path).await.and_then(|said| check(&said)) {
                Ok(version) => return Ok(Binary { path, version }),
                Err(why) if self.configured.is_some() => {
                    return Err(LocateError::Configured { path, why });
                }
                Err(why) => tried.push(format!("{} {why}", path.display())),
            }
        }
        let wanted = format!("{}.{}", RELEASE.0, RELEASE.1);
        let tried = if tried.is_empty() { "not on PATH".into() } else { tried.join("; ") };
        Err(LocateError::NotFound { wanted, tried })
    }
}

/// Asks a binary for its version.
async fn version(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Err("does not exist".into());
    }
    let mut command = Command::new(path);
    command.arg("--version").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(VERSION_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("cannot be executed: {error}")),
        Err(_) => return Err(format!("does not tell its version within {VERSION_TIMEOUT:?}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().chars().take(40).collect())
}

/// The version without its `v`, when it is of the right release.
fn check(said: &str) -> Result<String, String> {
    let number = said.strip_prefix('v').unwrap_or(said);
    let mut parts = number.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) == RELEASE => Ok(number.to_owned()),
        (Some(Ok(_)), Some(Ok(_))) => {
            Err(format!("is version {number}, not {}.{}", RELEASE.0, RELEASE.1))
        }
        _ => Err(format!("is no MediaMTX: it says `{said}`")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A script that says a version.
    fn script(folder: &Path, name: &str, says: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_release_is_the_one_that_the_setup_installs() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../setup/versions.env");
        let text = std::fs::read_to_string(file).unwrap();
        let version = text.lines().find_map(|l| l.strip_prefix("MEDIAMTX_VERSION=")).unwrap();
        assert_eq!(check(version), Ok(version.to_owned()));
    }

    #[test]
    fn only_the_right_release_will_do() {
        assert_eq!(check("v1.20.9"), Ok("1.20.9".into()));
        assert_eq!(check("v1.2.0"), Err("is version 1.2.0, not 1.20".into()));
        assert_eq!(check("hello"), Err("is no MediaMTX: it says `hello`".into()));
    }

    #[tokio::test]
    async fn the_first_place_with_the_right_release_wins() {
        let folder = tempfile::tempdir().unwrap();
        let old = script(folder.path(), "old", "v1.9.0");
        let path = script(folder.path(), "bin/mediamtx", "v1.20.3");
        script(folder.path(), "cache/mediamtx/current/mediamtx", "v1.20.1");
        let mut places = Places {
            configured: None,
            variable: Some(old.clone()),
            path: Some(folder.path().join("bin").into()),
            cache: Some(folder.path().join("cache")),
        };
        let found = places.locate().await.unwrap();
        assert_eq!(found, Binary { path, version: "1.20.3".into() });
        places.path = None;
        assert_eq!(places.locate().await.unwrap().version, "1.20.1");
        // What the settings name is the owner's decision: nothing else is taken in its place.
        places.configured = Some(old);
        let error = places.locate().await.unwrap_err().to_string();
        assert!(error.ends_with("old: is version 1.9.0, not 1.20"), "{error}");
    }

    #[tokio::test]
    async fn what_is_wrong_with_each_place_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { cache: Some(folder.path().into()), ..Places::default() };
        let error = places.locate().await.unwrap_err().to_string();
        assert!(error.contains("mediamtx/current/mediamtx does not exist"), "{error}");
        assert!(error.contains("EDGECAM_MEDIAMTX"), "{error}");
        let error = Places::default().locate().await.unwrap_err().to_string();
        assert!(error.contains("(not on PATH)"), "{error}");
    }
}
