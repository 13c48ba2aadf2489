//! The files of an update, in a folder of the data partition that both slots share.
//!
//! | file | what | who writes it |
//! |---|---|---|
//! | `state.json` | [`State`] | the daemon |
//! | `guard.json` | why the guard started the machine anew | the guard, root |
//! | `bundle.part` | what has come of a bundle | the daemon |
//! | `bundle.origin.json` | where that is from, so that it can be gone on with | the daemon |
//! | `bundle.raucb` | a bundle, whole | the daemon; RAUC reads it |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::durable::{self, Disk, LocalDisk, SECRET, SECRET_FOLDER};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::FileError;
use crate::state::{Reason, SlotName, State};

/// Name of the folder in the data folder.
pub const NAME: &str = "updates";
/// Mode of what root writes for the daemon.
const READABLE: u32 = 0o644;

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// What the guard left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The slot that ran.
    pub slot: SlotName,
    /// Why it was left.
    pub reason: Reason,
}

impl Folder {
    /// The folder in the data folder `data`.
    pub fn of(data: &Path) -> Self {
        Self(data.join(NAME))
    }

    /// Makes it, where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(&self) -> Result<(), FileError> {
        let made = LocalDisk.make_folder(&self.0, SECRET_FOLDER);
        made.map_err(|source| FileError { what: "making", path: self.0.clone(), source })
    }

    /// A bundle, whole.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle.raucb")
    }

    /// What has come of a bundle.
    pub fn part(&self) -> PathBuf {
        self.0.join("bundle.part")
    }

    /// Where that is from.
    pub fn origin(&self) -> PathBuf {
        self.0.join("bundle.origin.json")
    }

    fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn told_file(&self) -> PathBuf {
        self.0.join("guard.json")
    }

    /// What is remembered; nothing where there is no file.
    ///
    /// # Errors
    /// When it cannot be read, or makes no sense.
    pub fn load(&self) -> Result<State, FileError> {
        Ok(read(&self.state())?.unwrap_or_default())
    }

    /// What is remembered. A file that makes no sense is kept beside its place, for whoever looks into it,
    /// and nothing is remembered then; answers why as well.
    pub fn load_or_begin(&self) -> (State, Option<String>) {
        let error = match self.load() {
            Ok(state) => return (state, None),
            Err(error) => error,
        };
        // Where even that fails, the next writing replaces it.
        let _ = LocalDisk.rename(&self.state(), &self.0.join("state.broken.json"));
        (State::default(), Some(base::error::chain(&error)))
    }

    /// Remembers `state`, whenever the power goes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, state: &State) -> Result<(), FileError> {
        write(&self.state(), state, SECRET)
    }

    /// Why the guard in `slot` left it.
    pub fn told(&self, slot: &SlotName) -> Option<Reason> {
        let told: Option<Told> = read(&self.told_file()).ok().flatten();
        told.filter(|told| told.slot == *slot).map(|told| told.reason)
    }

    /// Leaves word why `slot` is left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, told: &Told) -> Result<(), FileError> {
        write(&self.told_file(), told, READABLE)
    }

    /// Forgets what the guard left.
    ///
    /// # Errors
    /// When it cannot be taken away.
    pub fn forget_told(&self) -> Result<(), FileError> {
        take_away(&self.told_file())
    }

    /// Takes what has come of a bundle off the disk.
    ///
    /// # Errors
    /// When it cannot be taken away.
    pub fn discard_part(&self) -> Result<(), FileError> {
        take_away(&self.origin())?;
        take_away(&self.part())
    }

    /// Takes the bundle off the disk.
    ///
    /// # Errors
    /// When it cannot be taken away.
    pub fn discard_bundle(&self) -> Result<(), FileError> {
        take_away(&self.bundle())
    }

    /// The part is the bundle, whole and on the disk.
    ///
    /// # Errors
    /// When it cannot be brought there.
    pub fn complete(&self) -> Result<(), FileError> {
        let (part, bundle) = (self.part(), self.bundle());
        let brought = fs::File::open(&part)
            .and_then(|file| file.sync_all())
            .and_then(|()| LocalDisk.rename(&part, &bundle))
            .and_then(|()| LocalDisk.sync_folder(&self.0));
        brought.map_err(|source| FileError { what: "finishing", path: bundle, source })
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let failed = |source| FileError { what: "reading", path: path.to_owned(), source };
    let bytes = durable::read(path).map_err(failed)?;
    let parsed = bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    parsed.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

fn write<T: Serialize>(path: &Path, value: &T, mode: u32) -> Result<(), FileError> {
    let failed = |source| FileError { what: "writing", path: path.to_owned(), source };
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    durable::replace(path, &bytes, mode).map_err(failed)
}

fn take_away(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError { what: "taking away", path: path.to_owned(), source };
    LocalDisk.remove(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use api::updates::UpdateCode;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::of(data.path());
        folder.make().unwrap();
        folder.make().unwrap();
        (data, folder)
    }

    #[test]
    fn a_state_that_makes_no_sense_is_kept_for_a_look_and_begun_anew() {
        let (data, folder) = folder();
        assert_eq!(folder.load().unwrap(), State::default());
        fs::write(folder.state(), "{\"schema\":").unwrap();
        assert!(folder.load().is_err());
        let (state, why) = folder.load_or_begin();
        assert_eq!(state, State::default());
        assert!(why.unwrap().contains("state.json"));
        assert!(data.path().join("updates/state.broken.json").exists());
        folder.save(&state).unwrap();
        assert_eq!(folder.load_or_begin(), (State::default(), None));
    }

    #[test]
    fn word_of_the_guard_is_for_the_slot_that_it_was_in() {
        let (_data, folder) = folder();
        let reason = Reason::new(UpdateCode::TrialFailed, "edgecamd never started");
        folder.tell(&Told { slot: SlotName("B".into()), reason: reason.clone() }).unwrap();
        assert_eq!(folder.told(&SlotName("A".into())), None);
        assert_eq!(folder.told(&SlotName("B".into())), Some(reason));
        folder.forget_told().unwrap();
        assert_eq!(folder.told(&SlotName("B".into())), None);
    }

    #[test]
    fn a_part_becomes_the_bundle_whole() {
        let (_data, folder) = folder();
        fs::write(folder.part(), "bundle").unwrap();
        folder.complete().unwrap();
        assert_eq!(fs::read(folder.bundle()).unwrap(), b"bundle");
        for _ in 0..2 {
            folder.discard_bundle().unwrap();
            folder.discard_part().unwrap();
        }
        assert!(!folder.bundle().exists());
    }
}
