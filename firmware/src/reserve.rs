//! Room for a start that finds none: a file in the data folder that is given up when the disk is full.
//!
//! Databases take room to be opened. A device whose disk is full when its power fails would never come
//! back by itself; with this it does, however often, and says over the API what is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// What a start takes at most, with the copy of a small database: bytes.
const ROOM: u64 = 4 << 20;
/// What is kept is a multiple of this: bytes.
const STEP: u64 = 256 << 10;

/// Gives the kept room up, if there is no other: before anything of `data` is opened.
pub(crate) fn give_up_when_full(data: &Path) {
    let file = file(data);
    if free(data).is_none_or(|free| free >= ROOM) || !file.exists() {
        return;
    }
    match fs::remove_file(&file) {
        Ok(()) => tracing::warn!(
            folder = %data.display(),
            "the disk is full: this start uses the room that was kept for it; make room, or fewer \
             events, tracks and bundles are kept"
        ),
        Err(error) => tracing::error!(%error, file = %file.display(), "cannot be given up"),
    }
}

/// Keeps room for the next start, as much as there is: when everything of `data` has been opened.
pub(crate) fn keep(data: &Path) {
    let file = file(data);
    let kept = file.metadata().map_or(0, |it| it.len());
    let Some(free) = free(data) else { return };
    let wanted = wanted(kept, free);
    if wanted == kept {
        return;
    }
    if let Err(error) = allocate(&file, wanted) {
        tracing::warn!(%error, file = %file.display(), "no room can be kept for the next start");
    }
}

/// How large the file is to be that has `kept` bytes, where `free` are free.
fn wanted(kept: u64, free: u64) -> u64 {
    let most = (kept + free) / STEP * STEP;
    most.clamp(kept, ROOM.max(kept))
}

fn allocate(file: &Path, bytes: u64) -> io::Result<()> {
    let opened = fs::File::options().create(true).append(true).open(file)?;
    let done = fallocate(&opened, FallocateFlags::empty(), 0, bytes);
    if done.is_err() {
        // Half of it is no harm, but a file that is empty keeps nothing.
        let _ = fs::remove_file(file);
    }
    Ok(done?)
}

fn file(data: &Path) -> PathBuf {
    data.join("reserve")
}

fn free(data: &Path) -> Option<u64> {
    statvfs(data).ok().map(|disk| disk.f_bavail * disk.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_kept_as_there_is_up_to_what_a_start_takes() {
        assert_eq!(wanted(0, 1 << 30), ROOM);
        assert_eq!(wanted(0, STEP - 1), 0);
        assert_eq!(wanted(0, 3 * STEP + 5), 3 * STEP);
        assert_eq!(wanted(2 * STEP, STEP), 3 * STEP);
        assert_eq!(wanted(ROOM, 1 << 30), ROOM);
        assert_eq!(wanted(2 * ROOM, 1 << 30), 2 * ROOM);
    }

    #[test]
    fn where_there_is_room_it_is_kept_and_not_given_up() {
        let data = tempfile::tempdir().unwrap();
        keep(data.path());
        assert_eq!(file(data.path()).metadata().unwrap().len(), ROOM);
        give_up_when_full(data.path());
        assert!(file(data.path()).exists());
    }
}
