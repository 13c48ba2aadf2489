//! Back to the state of delivery: a marker that the next start obeys before it opens anything.
//!
//! The marker goes last, so a reset that was cut off is finished by the start after it.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;
use base::durable::{Disk, LocalDisk, SECRET};

use crate::hands;

/// Name of the marker in the data folder.
const MARKER: &str = "factory-reset";
/// What stays: the marker, and what the running daemon holds.
const STAYS: [&str; 2] = [MARKER, "run"];

/// Has the next start bring the data folder back to its state of delivery.
///
/// # Errors
/// When the marker cannot be written; nothing is begun then.
pub(crate) fn mark(data: &Path) -> io::Result<()> {
    LocalDisk.replace(&data.join(MARKER), b"", SECRET)
}

/// Empties the data folder where that was asked for. It must be ours alone.
///
/// # Errors
/// When something in it cannot be taken away: the next start tries again.
pub(crate) fn obey(data: &Path) -> anyhow::Result<()> {
    if !data.join(MARKER).exists() {
        return Ok(());
    }
    tracing::warn!("all data, users and settings go: back to the state of delivery");
    empty(data).context("bringing the device back to its state of delivery")?;
    hands::forget();
    LocalDisk.remove(&data.join(MARKER)).context("ending the reset")
}

fn empty(data: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if STAYS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        let taken = if entry.file_type()?.is_dir() {
            // The folder itself may be another user's to write to as well: it was made by the image.
            fs::read_dir(&path)?.try_for_each(|inner| take_away(&inner?.path()))
        } else {
            take_away(&path)
        };
        taken.with_context(|| format!("taking {} away", path.display()))?;
    }
    Ok(LocalDisk.sync_folder(data)?)
}

/// Links are taken away, not followed.
fn take_away(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_without_the_marker_and_everything_with_it() {
        let data = tempfile::tempdir().unwrap();
        let at = |name: &str| data.path().join(name);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("clip.mp4"), "mine").unwrap();
        for folder in ["run", "models", "settings/schema-1"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["events.sqlite", "access.json", "tls.pem", "settings/schema-1/1.json"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(at("run/lock"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), at("models/link")).unwrap();
        obey(data.path()).unwrap();
        assert!(at("access.json").exists());
        mark(data.path()).unwrap();
        mark(data.path()).unwrap();
        obey(data.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(data.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["models", "run", "settings"]);
        assert_eq!(fs::read_dir(at("settings")).unwrap().count(), 0);
        assert!(at("run/lock").exists() && outside.path().join("clip.mp4").exists());
    }

    #[test]
    fn a_reset_that_was_cut_off_is_finished_by_the_next_start() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("access.json"), "x").unwrap();
        mark(data.path()).unwrap();
        // All but the marker went before the power did.
        fs::remove_file(data.path().join("access.json")).unwrap();
        fs::write(data.path().join("tls.pem"), "made by nobody").unwrap();
        obey(data.path()).unwrap();
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
    }
}
