//! Secrets overwritten where they lie, so that a power cut at any moment is mended by the next run.
//!
//! Before the first byte is overwritten a marker on the data partition holds what the file was and what
//! it becomes. As long as every byte of the file is of the one or of the other, the file is ours to
//! finish; else the owner has written a new one meanwhile, which is not touched.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use base::durable::{Disk, LocalDisk, SECRET};

/// What parts the two texts of a marker: no text of TOML has it.
const BETWEEN: u8 = 0;

/// A disk on which a file can be written over in its place. A [`Disk`] writes new files beside the old
/// ones, which stay readable on the medium.
pub trait Overwrite: Disk {
    /// Writes `bytes` over the beginning of the file `path`, which is there, and brings them down.
    ///
    /// # Errors
    /// When the system says so: the file has some of the bytes.
    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file `path` to `len` bytes, and brings that down.
    ///
    /// # Errors
    /// When the system says so: the file has one length or the other.
    fn cut(&self, path: &Path, len: u64) -> io::Result<()>;
}

impl Overwrite for LocalDisk {
    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }
}

/// Makes the file `path`, which is `old`, one that is `new`, in its place.
///
/// # Errors
/// When a call fails; [`finish`] goes on.
pub(super) fn wipe(
    disk: &impl Overwrite,
    path: &Path,
    marker: &Path,
    old: &[u8],
    new: &[u8],
) -> io::Result<()> {
    disk.replace(marker, &[old, &[BETWEEN], new].concat(), SECRET)?;
    write_over(disk, path, old, new)?;
    disk.remove(marker)
}

/// Finishes a wipe that was cut off.
///
/// # Errors
/// When a call fails; the next run goes on.
pub(super) fn finish(disk: &impl Overwrite, path: &Path, marker: &Path) -> io::Result<()> {
    let Some(marked) = disk.read(marker)? else { return Ok(()) };
    let parts = marked.iter().position(|byte| *byte == BETWEEN);
    if let (Some(at), Some(now)) = (parts, disk.read(path)?) {
        let (old, new) = (&marked[..at], &marked[at + 1..]);
        if is_between(&now, old, new) {
            write_over(disk, path, old, new)?;
        }
    }
    disk.remove(marker)
}

fn write_over(disk: &impl Overwrite, path: &Path, old: &[u8], new: &[u8]) -> io::Result<()> {
    disk.overwrite(path, &padded(new, old.len()))?;
    disk.cut(path, new.len() as u64)
}

/// `new`, with empty lines up to `len`.
fn padded(new: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = new.to_vec();
    bytes.resize(len.max(new.len()), b'\n');
    bytes
}

/// Whether `now` is what a wipe of `old` to `new` may leave when it is cut off anywhere.
fn is_between(now: &[u8], old: &[u8], new: &[u8]) -> bool {
    let padded = padded(new, old.len());
    let (least, most) = (old.len().min(new.len()), padded.len());
    let of_one = |(at, byte): (usize, &u8)| padded[at] == *byte || old.get(at) == Some(byte);
    (least..=most).contains(&now.len()) && now.iter().enumerate().all(of_one)
}
