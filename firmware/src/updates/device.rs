//! What image runs, from which slot; or why this machine cannot be updated.

use std::path::{Path, PathBuf};

use api::updates::Release;
use ota::guard::slot_of;
use ota::handler::RELEASE;
use ota::state::SlotName;

/// Variable that names another release file, for tests.
const RELEASE_VAR: &str = "EDGECAM_RELEASE";
/// Variable that names another file with the kernel's command line, for tests.
const CMDLINE_VAR: &str = "EDGECAM_CMDLINE";
/// The kernel's command line.
const CMDLINE: &str = "/proc/cmdline";

/// What RAUC reads a bundle through that is not on the disk (module `nbd`).
const NETWORK_BLOCK_DEVICE: &str = "/sys/block/nbd0";

/// What runs here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// What the image says of itself.
    pub(super) release: Release,
    /// The slot that it runs from.
    pub(super) booted: SlotName,
    /// Whether RAUC can read a bundle that is not on the disk.
    pub(super) reads_remote: bool,
}

impl Device {
    /// Looks at this machine.
    ///
    /// # Errors
    /// Why it cannot be updated, as a sentence.
    pub(super) fn look() -> Result<Self, String> {
        Self::read(&named(RELEASE_VAR, RELEASE), &named(CMDLINE_VAR, CMDLINE))
    }

    fn read(release: &Path, cmdline: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(release) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err("this firmware does not run from an EdgeCam image".to_owned());
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", release.display())),
        };
        let release: Release = serde_json::from_str(&text)
            .map_err(|error| format!("{} makes no sense: {error}", release.display()))?;
        ota::version::parse(&release.version).map_err(|error| error.to_string())?;
        let cmdline = std::fs::read_to_string(cmdline).unwrap_or_default();
        let no_slot = "the kernel was started without `rauc.slot`: the boot loader of the image was \
                       passed over";
        let booted = slot_of(&cmdline).ok_or_else(|| no_slot.to_owned())?;
        Ok(Self { release, booted, reads_remote: Path::new(NETWORK_BLOCK_DEVICE).exists() })
    }
}

fn named(variable: &str, otherwise: &str) -> PathBuf {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty());
    named.map_or_else(|| otherwise.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_runs_no_image_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (release, cmdline) =
            (folder.path().join("release.json"), folder.path().join("cmdline"));
        let why = || Device::read(&release, &cmdline).unwrap_err();
        assert!(why().contains("does not run from an EdgeCam image"));
        std::fs::write(&release, "{}").unwrap();
        assert!(why().contains("release.json"));
        let text = r#"{"version":"0.4.0","compatible":"c","commit":"c","development_keys":false,
            "built_at":"2026-07-01T12:00:00Z","kernel":"debian"}"#;
        std::fs::write(&release, text).unwrap();
        assert!(why().contains("rauc.slot"));
        std::fs::write(&cmdline, "console=tty1 rauc.slot=B quiet").unwrap();
        let device = Device::read(&release, &cmdline).unwrap();
        assert_eq!((device.booted.0.as_str(), device.release.version.as_str()), ("B", "0.4.0"));
    }
}
