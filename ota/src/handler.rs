//! What RAUC asks before it installs anything, as root: whether the bundle may follow what runs. Nothing
//! that is said over D-Bus switches this off.
//!
//! RAUC 1.13 hands a pre-install handler no version. It hands it the mounted bundle
//! (`RAUC_BUNDLE_MOUNT_POINT`), whose `manifest.raucm` is under the same signature: the mount is checked
//! block by block against the hash in the signed manifest (read in RAUC's source, `prepare_environment`).

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::version;

/// Where RAUC says that the bundle is mounted.
pub const MOUNT: &str = "RAUC_BUNDLE_MOUNT_POINT";
/// Where an image says what it is.
pub const RELEASE: &str = "/usr/lib/edgecam/release.json";
/// A manifest is a page; more is none.
const MOST: u64 = 256 << 10;

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HandlerError(String);

#[derive(Deserialize)]
struct Release {
    version: String,
    compatible: String,
}

/// Lets the bundle that is mounted at `mount` pass, or refuses it. `release` is what the image that runs
/// says of itself. Answers what it found.
///
/// # Errors
/// When the bundle is older, for other devices, or any of that cannot be told.
pub fn pre_install(mount: Option<PathBuf>, release: &Path) -> Result<String, HandlerError> {
    let no = |why: String| HandlerError(why);
    let mount =
        mount.ok_or_else(|| no(format!("{MOUNT} is not set: RAUC runs this, nobody else")))?;
    let running = text(release)?;
    let running: Release = serde_json::from_str(&running)
        .map_err(|error| no(format!("{} is no release file: {error}", release.display())))?;
    let manifest = text(&mount.join("manifest.raucm"))?;
    let offered = value(&manifest, "version")?;
    let compatible = value(&manifest, "compatible")?;
    if compatible != running.compatible {
        return Err(no(format!(
            "the bundle is for \"{compatible}\", and this device is \"{}\"",
            running.compatible
        )));
    }
    // Whether the same one is wanted again is the daemon's to ask; it takes no hole back in.
    version::may_follow(offered, &running.version, true).map_err(|why| no(why.to_string()))?;
    Ok(format!("{offered} may follow {}", running.version))
}

fn text(path: &Path) -> Result<String, HandlerError> {
    let no = |why: String| HandlerError(format!("{} cannot be read: {why}", path.display()));
    // A bundle is somebody else's: a link in it leads anywhere.
    let facts = fs::symlink_metadata(path).map_err(|error| no(error.to_string()))?;
    if !facts.is_file() || facts.len() > MOST {
        return Err(no("it is no plain file of a sensible length".to_owned()));
    }
    fs::read_to_string(path).map_err(|error| no(error.to_string()))
}

/// The one value of `key` in the section `update` of a manifest, which is a GLib key file.
fn value<'a>(manifest: &'a str, key: &str) -> Result<&'a str, HandlerError> {
    let mut section = "";
    let mut found = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if section == "update"
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
            && found.replace(value.trim()).is_some()
        {
            // Which of the two RAUC takes is not to be guessed.
            return Err(HandlerError(format!("the manifest says twice what its {key} is")));
        }
    }
    let found = found.filter(|value| !value.is_empty());
    found.ok_or_else(|| HandlerError(format!("the manifest names no {key}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = r#"{"version":"1.4.0","compatible":"edgecam-debian-arm64","commit":"c"}"#;

    fn asked(manifest: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path().join("release.json");
        fs::write(&release, RUNNING).unwrap();
        fs::write(folder.path().join("manifest.raucm"), manifest).unwrap();
        pre_install(Some(folder.path().to_owned()), &release).map_err(|error| error.to_string())
    }

    fn manifest(version: &str) -> String {
        format!(
            "[update]\ncompatible=edgecam-debian-arm64\nversion={version}\n\n\
             [bundle]\nformat=verity\n\n[image.rootfs]\nfilename=rootfs.img\nversion=9.9.9\n"
        )
    }

    #[test]
    fn a_newer_or_equal_bundle_passes_and_an_older_one_never() {
        asked(&manifest("1.4.1")).unwrap();
        asked(&manifest("1.4.0")).unwrap();
        assert!(asked(&manifest("1.3.9")).unwrap_err().contains("older"));
        assert!(asked(&manifest("1.4.0-rc.1")).unwrap_err().contains("older"));
    }

    #[test]
    fn a_bundle_for_other_devices_is_refused_whatever_was_said_over_d_bus() {
        let other = manifest("2.0.0").replace("edgecam-debian", "edgecam-raspberrypi");
        assert!(asked(&other).unwrap_err().contains("edgecam-raspberrypi-arm64"));
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for odd in [
            String::new(),
            "[update]\ncompatible=edgecam-debian-arm64\n".to_owned(),
            manifest("latest"),
            manifest("2.0.0\nversion=3.0.0"),
            manifest(""),
            "[other]\nversion=9.0.0\ncompatible=edgecam-debian-arm64\n".to_owned(),
        ] {
            asked(&odd).unwrap_err();
        }
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path().join("release.json");
        assert!(pre_install(None, &release).is_err());
        assert!(pre_install(Some(folder.path().to_owned()), &release).is_err(), "no release file");
        fs::write(&release, RUNNING).unwrap();
        std::os::unix::fs::symlink(&release, folder.path().join("manifest.raucm")).unwrap();
        assert!(pre_install(Some(folder.path().to_owned()), &release).is_err(), "a link");
    }
}
