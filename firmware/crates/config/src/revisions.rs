//! The settings that were made over the API, as numbered revisions in the data folder.
//!
//! | module | owns |
//! |---|---|
//! | [`plan`] | names, what becomes of a confirmation, what may go (pure) |
//! | [`seal`] | the bytes of a file, with their checksum (pure) |
//! | [`write`] | the ways in which a revision comes into force or goes out of it |
//!
//! `<data>/settings/schema-<n>/<revision>.json` is a revision. The newest whose checksum holds is in
//! force; to rename a file that is written and synchronised is the one step that puts it there.
//! `pending.json` beside them names a revision that has to be confirmed, and what to go back to. It is
//! on the disk *before* that revision, so there is no moment at which an unconfirmed revision is taken
//! for a confirmed one. It counts for the newest revision only: a revision that was never finished, or
//! that is not the newest any more, has nothing to be confirmed.
//!
//! A firmware with another schema keeps a folder of its own and begins with the newest revision of the
//! nearest older one, so the firmware in the other slot finds its own as it left them.

mod plan;
mod seal;
mod write;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::durable::{Disk, LocalDisk};
use base::error::{ErrorKind, Kind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use plan::revision_of;
pub use write::Settled;

/// The schema of the settings that this firmware writes. It grows when a setting changes its meaning or
/// goes away; one that is added needs no new schema.
pub const SCHEMA: u32 = 1;
/// Revisions that are kept.
pub const KEEP: usize = 100;
/// The longest file of a revision, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Name of the file about the revision that is to be confirmed.
const PENDING: &str = "pending.json";

/// What was made over the API, at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Schema of the settings, see [`SCHEMA`].
    pub schema: u32,
    /// Its number, from 1 on.
    pub revision: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: String,
    /// What they, or the device, said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The revision that was in force before it; 0: none was.
    pub parent: u64,
    /// The revision that failed or was not confirmed, which this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// All settings that were made over the API, and no others.
    pub settings: Value,
}

/// A revision to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Who makes it.
    pub made_by: String,
    /// What is said about it.
    pub note: Option<String>,
    /// The revision that it takes back.
    pub undoes: Option<u64>,
    /// All settings made over the API, and no others.
    pub settings: Value,
}

/// A revision that goes out of force by itself unless it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The revision.
    pub revision: u64,
    /// The revision whose settings come back; 0: none, the settings of the layers below.
    pub back_to: u64,
    /// The kernel's boot in which it was made: another one ends the wait.
    pub kernel_boot: String,
    /// When the wait ends, in nanoseconds since the kernel booted.
    pub deadline_ns: u64,
    /// Who is to confirm it.
    pub confirmed_by: ConfirmedBy,
}

/// Who is to confirm a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedBy {
    /// A person, over the API.
    Owner,
    /// The daemon, by coming up with it.
    Start,
}

/// How long a confirmation is waited for, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// From when on.
    pub from: Moment,
    /// How long.
    pub within: Duration,
    /// Whose.
    pub by: ConfirmedBy,
}

/// A moment that nobody can set and that is told apart across boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The kernel's boot.
    pub kernel_boot: String,
    /// The time since then.
    pub since_boot: Duration,
}

impl Moment {
    /// Now. Without `/proc` every boot looks like the same one.
    pub fn now() -> Self {
        let kernel_boot = base::clock::kernel_boot().unwrap_or_default();
        Self { kernel_boot, since_boot: base::clock::since_boot() }
    }
}

/// Why revisions cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// The folder or a file in it cannot be read.
    #[error("reading the settings in {folder}")]
    Read {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("keeping the settings in {folder}")]
    Write {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A revision would be larger than [`MAX_BYTES`].
    #[error("settings of {0} bytes are too many; at most {MAX_BYTES} can be kept")]
    TooLarge(usize),
    /// One change at a time has to be confirmed.
    #[error("revision {0} waits to be confirmed; confirm it or go back first")]
    Waits(u64),
    /// There is nothing to confirm.
    #[error("no revision waits to be confirmed")]
    NothingWaits,
}

impl Kind for RevisionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } => ErrorKind::Internal,
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    ErrorKind::ResourceExhausted
                }
                _ => ErrorKind::Unavailable,
            },
            Self::TooLarge(_) => ErrorKind::ResourceExhausted,
            Self::Waits(_) | Self::NothingWaits => ErrorKind::FailedPrecondition,
        }
    }
}

/// All revisions of a data folder. One at a time: the daemon holds the lock of its data folder.
#[derive(Debug)]
pub struct Revisions<D = LocalDisk> {
    disk: D,
    folder: PathBuf,
    schema: u32,
    /// The files that are there, readable or not.
    there: BTreeSet<u64>,
    /// The newest that can be read, 0 for none; what the next start takes.
    newest: u64,
    /// What is in force here: `newest`, or an older one when that was of no use.
    used: Option<Revision>,
    pending: Option<Pending>,
    /// No number up to this one is given again.
    last: u64,
    troubles: Vec<String>,
}

impl Revisions {
    /// Reads those of the data folder `data`; writes nothing.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn open(data: &Path) -> Result<Self, RevisionError> {
        Self::open_on(LocalDisk, data, SCHEMA)
    }
}

impl<D: Disk> Revisions<D> {
    /// The same on `disk` and of `schema`.
    ///
    /// # Errors
    /// As [`Revisions::open`].
    pub fn open_on(disk: D, data: &Path, schema: u32) -> Result<Self, RevisionError> {
        let mut revisions = Self {
            disk,
            folder: data.join("settings").join(plan::folder_name(schema)),
            schema,
            there: BTreeSet::new(),
            newest: 0,
            used: None,
            pending: None,
            last: 0,
            troubles: Vec::new(),
        };
        revisions.there = revisions.numbers_in(&revisions.folder)?;
        revisions.used = revisions.newest_below(u64::MAX);
        if revisions.there.is_empty() {
            revisions.used = revisions.of_an_older_schema()?;
        }
        revisions.newest = revisions.used.as_ref().map_or(0, |revision| revision.revision);
        revisions.pending = revisions.read_pending()?;
        let named = revisions.pending.as_ref().map_or(0, |pending| pending.revision);
        let highest = revisions.there.last().copied().unwrap_or_default();
        revisions.last = highest.max(named).max(revisions.newest);
        Ok(revisions)
    }

    /// What is in force; `None`: nothing was made over the API.
    pub fn in_force(&self) -> Option<&Revision> {
        self.used.as_ref()
    }

    /// The number of the revision in force, 0 for none.
    pub fn number(&self) -> u64 {
        self.used.as_ref().map_or(0, |revision| revision.revision)
    }

    /// The settings in force that were made over the API: an object, empty for none.
    pub fn settings(&self) -> Value {
        self.used.as_ref().map_or_else(nothing, |revision| revision.settings.clone())
    }

    /// The revision that is to be confirmed.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// What was found to be wrong so far, a sentence each.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// The revision `number`; `None`: there is none that can be read.
    pub fn get(&self, number: u64) -> Option<Revision> {
        let used = self.used.as_ref().filter(|revision| revision.revision == number);
        used.cloned().or_else(|| self.read(&self.folder, number).ok().flatten())
    }

    /// The revisions below `below`, the newest first, `limit` at most.
    pub fn page(&self, below: u64, limit: usize) -> Vec<Revision> {
        let adopted = self.number();
        let adopted = (!self.there.contains(&adopted)).then_some(adopted);
        let numbers = adopted.into_iter().chain(self.there.iter().rev().copied());
        let wanted = numbers.filter(|number| *number > 0 && *number < below);
        wanted.filter_map(|number| self.get(number)).take(limit).collect()
    }

    /// Gives the revision in force up for the next older one that can be read, or for none: it is of no
    /// use to this firmware. Nothing is written; the next start looks at the newest again.
    pub fn use_older(&mut self, why: &str) {
        let number = self.number();
        self.troubles.push(format!("revision {number} of the settings is not used: {why}"));
        self.used = self.newest_below(number);
    }

    /// The newest below `number` that can be read.
    fn newest_below(&mut self, number: u64) -> Option<Revision> {
        let below: Vec<_> = self.there.range(..number).rev().copied().collect();
        below.into_iter().find_map(|number| match self.read(&self.folder, number) {
            Ok(found) => found,
            Err(trouble) => {
                self.trouble(trouble);
                None
            }
        })
    }

    /// What the firmware before this one left.
    fn of_an_older_schema(&mut self) -> Result<Option<Revision>, RevisionError> {
        let Some(settings) = self.folder.parent().map(Path::to_owned) else { return Ok(None) };
        let names = self.disk.list(&settings).map_err(|source| self.unreadable(source))?;
        let older = names.iter().filter_map(|name| plan::schema_of(name));
        let older: BTreeSet<_> = older.filter(|schema| *schema < self.schema).collect();
        for schema in older.into_iter().rev() {
            let folder = settings.join(plan::folder_name(schema));
            for number in self.numbers_in(&folder)?.into_iter().rev() {
                match self.read(&folder, number) {
                    Ok(Some(revision)) => return Ok(Some(revision)),
                    Ok(None) => {}
                    Err(trouble) => self.trouble(trouble),
                }
            }
        }
        Ok(None)
    }

    fn numbers_in(&self, folder: &Path) -> Result<BTreeSet<u64>, RevisionError> {
        let names = self.disk.list(folder).map_err(|source| self.unreadable(source))?;
        Ok(names.iter().filter_map(|name| revision_of(name)).collect())
    }

    /// The revision `number` of `folder`, or a sentence about why it cannot be read.
    fn read(&self, folder: &Path, number: u64) -> Result<Option<Revision>, String> {
        let name = plan::file_name(number);
        let bytes = self.disk.read(&folder.join(&name));
        let bytes = bytes.map_err(|error| format!("{name} cannot be read: {error}"))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let revision: Revision =
            seal::opened(&bytes).map_err(|why| format!("{name} cannot be used: {why}"))?;
        if revision.revision != number || !revision.settings.is_object() {
            return Err(format!("{name} is not the revision that its name says"));
        }
        Ok(Some(revision))
    }

    fn read_pending(&mut self) -> Result<Option<Pending>, RevisionError> {
        let bytes = self.disk.read(&self.folder.join(PENDING));
        let Some(bytes) = bytes.map_err(|source| self.unreadable(source))? else { return Ok(None) };
        match seal::opened(&bytes) {
            Ok(pending) => Ok(Some(pending)),
            Err(why) => {
                self.trouble(format!("{PENDING} cannot be used: {why}"));
                Ok(None)
            }
        }
    }

    fn trouble(&mut self, trouble: String) {
        tracing::warn!(folder = %self.folder.display(), trouble, "settings made over the API");
        self.troubles.push(trouble);
    }

    fn unreadable(&self, source: io::Error) -> RevisionError {
        RevisionError::Read { folder: self.folder.clone(), source }
    }
}

/// The settings where nothing was made over the API.
fn nothing() -> Value {
    Value::Object(Map::new())
}
