//! What can go wrong with the store, each with its way out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::error::{ErrorKind, Kind};
use rusqlite::{ErrorCode, ffi};

/// Why the store did not do what it was asked. Cheap to clone: one failed transaction answers
/// all who had a part in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder cannot be made or written to.
    #[error(
        "the data folder {} cannot be written to; give its owner write access or set `data.dir` \
         to another folder", dir.display()
    )]
    PrepareFolder {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The data folder's file system is full.
    #[error(
        "no space left in the data folder {}; delete something on that file system",
        dir.display()
    )]
    FolderFull {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The database cannot be opened at all.
    #[error(
        "the event database {} cannot be opened; it must be a file that EdgeCam may read and \
         write, in a folder with room, or set `data.dir` to another folder", path.display()
    )]
    CannotOpen {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The database is there but only for reading.
    #[error(
        "the event database {} is on a read-only file system or not ours to write; mount it \
         writable or set `data.dir` to another folder", path.display()
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// There is no room for it.
    #[error(
        "no space left for the event database {}; delete something on that file system or lower \
         `data.events_max`; nothing that was stored is lost", path.display()
    )]
    DiskFull {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A newer firmware has been here.
    #[error(
        "the event database {} has schema {found} and this firmware knows schemas up to {known}; \
         update the firmware or set `data.dir` to another folder", path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this firmware knows.
        known: i64,
    },
    /// A corrupt database could not be put aside.
    #[error(
        "the corrupt event database {} cannot be renamed; move it away by hand", path.display()
    )]
    PutAside {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// SQLite failed at something else.
    #[error("{attempt} in the event database {}", path.display())]
    Database {
        /// What was attempted.
        attempt: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A stored event is not readable.
    #[error("reading event {seq} back from the event database")]
    Decode {
        /// The announcement.
        seq: u64,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// An event cannot be written as JSON.
    #[error("writing event {id} as JSON")]
    Encode {
        /// The event.
        id: ulid::Ulid,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// An event is too large for what is announced.
    #[error("event {id} has {bytes} bytes; at most {max} are announced")]
    TooLarge {
        /// The event.
        id: ulid::Ulid,
        /// Its size as JSON.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A thread could not be started.
    #[error("starting the thread {name} of the event store")]
    SpawnThread {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The store has been stopped.
    #[error("the event store has stopped")]
    Stopped,
}

impl Kind for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull { .. } | Self::FolderFull { .. } => ErrorKind::ResourceExhausted,
            Self::PrepareFolder { .. }
            | Self::CannotOpen { .. }
            | Self::ReadOnly { .. }
            | Self::NewerSchema { .. } => ErrorKind::FailedPrecondition,
            Self::TooLarge { .. } => ErrorKind::InvalidArgument,
            Self::Stopped => ErrorKind::Unavailable,
            Self::PutAside { .. }
            | Self::Database { .. }
            | Self::Decode { .. }
            | Self::Encode { .. }
            | Self::SpawnThread { .. } => ErrorKind::Internal,
        }
    }
}

impl StoreError {
    /// The error of `attempt` on the database at `path`, by what SQLite says.
    pub(crate) fn sqlite(path: &Path, attempt: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let code = source.sqlite_error_code();
        // The write-ahead log's index could not grow: SQLite has no room for it either.
        let no_index = source.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE);
        let source = Arc::new(source);
        match code {
            _ if no_index => Self::DiskFull { path, source },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Database { attempt, path, source },
        }
    }

    /// The error of a data folder that could not be made or written to.
    pub(crate) fn folder(dir: &Path, source: io::Error) -> Self {
        let full = source.kind() == io::ErrorKind::StorageFull;
        let (dir, source) = (dir.to_owned(), Arc::new(source));
        if full { Self::FolderFull { dir, source } } else { Self::PrepareFolder { dir, source } }
    }

    /// Whether the database's file itself is damaged.
    pub(crate) fn is_corruption(&self) -> bool {
        matches!(self, Self::Database { source, .. } if matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ))
    }
}
