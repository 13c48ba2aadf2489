//! A disk on paper, as bad as a real one may be: what was not synchronised may be there after a power
//! loss, or not, or in part.
//!
//! Each change of a name that was not synchronised is kept or lost for itself, in any combination (a
//! journal keeps them in order; nobody promises one). A file whose bytes were not synchronised has the
//! old ones, the new ones, some of them, or zeros.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use base::durable::Disk;

/// A call that fails, and whether those after it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This call and all after it: the process is gone.
    From(usize),
    /// This call only.
    Once(usize),
}

#[derive(Clone, Debug)]
enum Change {
    Named(PathBuf, usize),
    Renamed(PathBuf, PathBuf, usize),
    Gone(PathBuf),
    Folder(PathBuf),
}

#[derive(Clone, Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    safe: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    fn take(&mut self, change: &Change) {
        match change {
            Change::Named(path, file) => drop(self.files.insert(path.clone(), *file)),
            Change::Renamed(from, to, file) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
            Change::Gone(path) => drop(self.files.remove(path)),
            Change::Folder(path) => drop(self.folders.insert(path.clone())),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    bytes: Vec<Bytes>,
    now: Names,
    safe: Names,
    changes: Vec<(PathBuf, Change)>,
    calls: usize,
    fault: Option<Fault>,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paper(Rc<RefCell<State>>);

impl Paper {
    /// An empty disk with the folder `data`.
    pub(crate) fn new(data: &Path) -> Self {
        let paper = Self::default();
        let mut state = paper.0.borrow_mut();
        state.now.folders.insert(data.to_owned());
        state.safe.folders.insert(data.to_owned());
        drop(state);
        paper
    }

    /// The same, with a fault to come.
    pub(crate) fn with(self, fault: Fault) -> Self {
        self.0.borrow_mut().fault = Some(fault);
        self
    }

    /// Calls that change something, so far.
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// Whether the fault has come.
    pub(crate) fn has_failed(&self) -> bool {
        let state = self.0.borrow();
        match state.fault {
            Some(Fault::From(at) | Fault::Once(at)) => state.calls > at,
            None => false,
        }
    }

    /// What a power loss leaves of it; each `seed` another one of the possible.
    pub(crate) fn after_power_loss(&self, seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut state = self.0.borrow().clone();
        let mut left = state.safe.clone();
        for (_, change) in &state.changes {
            if dice.bool() {
                left.take(change);
            }
        }
        for bytes in state.bytes.iter_mut().filter(|bytes| bytes.now != bytes.safe) {
            match dice.u8(0..4) {
                0 => bytes.now = bytes.safe.clone(),
                1 => bytes.now.truncate(dice.usize(0..=bytes.now.len())),
                2 => bytes.now.iter_mut().for_each(|byte| *byte = 0),
                _ => {}
            }
            bytes.safe = bytes.now.clone();
        }
        // A folder takes what is in it with it.
        let folders = left.folders.clone();
        left.folders.retain(|path| path.ancestors().skip(1).all(|up| known(&folders, up, path)));
        let folders = left.folders.clone();
        left.files.retain(|path, _| path.parent().is_some_and(|folder| folders.contains(folder)));
        let bytes = state.bytes;
        Self(Rc::new(RefCell::new(State {
            bytes,
            now: left.clone(),
            safe: left,
            ..State::default()
        })))
    }

    fn call<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.borrow_mut();
        let number = state.calls;
        state.calls += 1;
        match state.fault {
            Some(Fault::From(at)) if number >= at => Err(io::Error::other("the power is gone")),
            Some(Fault::Once(at)) if number == at => Err(io::ErrorKind::StorageFull.into()),
            _ => change(&mut state),
        }
    }
}

/// Whether `up` is there, or above everything that this disk knows.
fn known(folders: &BTreeSet<PathBuf>, up: &Path, path: &Path) -> bool {
    folders.contains(up) || !folders.iter().any(|folder| folder != path && up.starts_with(folder))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap().to_owned()
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    fn change(&mut self, folder: PathBuf, change: Change) {
        self.now.take(&change);
        self.changes.push((folder, change));
    }
}

impl Disk for Paper {
    type File = usize;

    fn create(&self, path: &Path, _: u32) -> io::Result<usize> {
        self.call(|state| {
            if !state.now.folders.contains(&parent(path)) {
                return Err(absent());
            }
            if state.now.files.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.bytes.push(Bytes::default());
            let file = state.bytes.len() - 1;
            state.change(parent(path), Change::Named(path.to_owned(), file));
            Ok(file)
        })
    }

    fn write(&self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        self.call(|state| {
            state.bytes[*file].now.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        self.call(|state| {
            let bytes = &mut state.bytes[*file];
            bytes.safe = bytes.now.clone();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|state| {
            let file = *state.now.files.get(from).ok_or_else(absent)?;
            let change = Change::Renamed(from.to_owned(), to.to_owned(), file);
            state.change(parent(to), change);
            Ok(())
        })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call(|state| {
            state.now.files.get(path).ok_or_else(absent)?;
            state.change(parent(path), Change::Gone(path.to_owned()));
            Ok(())
        })
    }

    fn create_folder(&self, path: &Path, _: u32) -> io::Result<()> {
        self.call(|state| {
            if state.now.folders.contains(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if !state.now.folders.contains(&parent(path)) {
                return Err(absent());
            }
            state.change(parent(path), Change::Folder(path.to_owned()));
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.call(|state| {
            let changes = std::mem::take(&mut state.changes);
            let (kept, rest) = changes.into_iter().partition(|(folder, _)| folder == path);
            let kept: Vec<_> = kept;
            kept.iter().for_each(|(_, change)| state.safe.take(change));
            state.changes = rest;
            Ok(())
        })
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let state = self.0.borrow();
        Ok(state.now.files.get(path).map(|file| state.bytes[*file].now.clone()))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.0.borrow();
        let all = state.now.files.keys().chain(&state.now.folders);
        let here = all.filter(|entry| entry.parent() == Some(path));
        Ok(here.filter_map(|entry| Some(entry.file_name()?.to_owned())).collect())
    }
}
