//! Files that are there whole or not at all, whenever the power goes: the one way in which a file of
//! ours is replaced or removed.
//!
//! A file is written beside its place, synchronised, renamed over the old one, and its folder is
//! synchronised: at any moment in between the disk has the old file or the new one. [`Disk`] is the
//! list of the system calls that this takes, so that a test can stop between any two of them.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Mode of a file that only we may read.
pub const SECRET: u32 = 0o600;
/// Mode of a folder that only we may enter.
pub const SECRET_FOLDER: u32 = 0o700;

/// The system calls that keep files. The required methods are one call each; nothing that they do is
/// sure to outlive a power loss before the `sync` that follows.
pub trait Disk {
    /// A file that is being written.
    type File;

    /// Makes the file `path`, which must not exist, with `mode`.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Self::File>;
    /// Adds `bytes` to the end of `file`.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Brings what was written to `file` down to the disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Gives the file `from` the name `to`, in the same folder, whatever had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes the file `path` away.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the folder `path` with `mode`.
    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Brings the names in the folder `path` down to the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// The bytes of the file `path`; `None`: there is none.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// The names in the folder `path`, in no order; none when there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// Puts `bytes` in the place of the file `path`, or of none. One writer at a time.
    ///
    /// # Errors
    /// When a call fails. Until the last one, which brings the new name to the disk, the old file is in
    /// place; when that one fails the new file is seen, and a power loss may bring the old one back.
    fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let new = beside(path);
        // What a writer that was cut off left. Made anew instead of reused: its mode is not ours.
        absent_is_fine(self.unlink(&new))?;
        let written = self.create(&new, mode).and_then(|mut file| {
            self.write(&mut file, bytes)?;
            self.sync(&file)
        });
        if let Err(error) = written.and_then(|()| self.rename(&new, path)) {
            // Nobody reads it, and the next try takes it away as well.
            let _ = self.unlink(&new);
            return Err(error);
        }
        self.sync_folder(folder(path))
    }

    /// Takes the file `path` away, where there is one.
    ///
    /// # Errors
    /// When a call fails: the file may be there or not.
    fn remove(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(self.unlink(path))?;
        self.sync_folder(folder(path))
    }

    /// Makes the folder `path`, where there is none, in a folder that there is.
    ///
    /// # Errors
    /// When a call fails.
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        match self.create_folder(path, mode) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_folder(folder(path))
    }
}

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    type File = File;

    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().mode(mode).create(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        match fs::read_dir(path) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// [`Disk::replace`] on the machine's own disk.
///
/// # Errors
/// As there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    LocalDisk.replace(path, bytes, mode)
}

/// The bytes of the file `path`; `None`: there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    LocalDisk.read(path)
}

/// Where a file is written before it gets the name `path`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// The folder of `path`; a bare name lies in the working folder.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read(&path).unwrap(), None, "absent is no failure");
        // What a writer that was cut off left, open to everyone.
        fs::write(beside(&path), "half").unwrap();
        for text in ["old, and longer", "new"] {
            replace(&path, text.as_bytes(), SECRET).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text.as_bytes());
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SECRET);
        assert_eq!(LocalDisk.list(folder.path()).unwrap(), ["key"]);
        LocalDisk.remove(&path).unwrap();
        LocalDisk.remove(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_taken_for_absent() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("key"), folder.path().join("victim"));
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, beside(&path)).unwrap();
        replace(&path, b"new", SECRET).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_folder_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        for _ in 0..2 {
            LocalDisk.make_folder(&path, SECRET_FOLDER).unwrap();
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SECRET_FOLDER);
        let no_parent = folder.path().join("a").join("b");
        assert!(LocalDisk.make_folder(&no_parent, SECRET_FOLDER).is_err());
    }
}
