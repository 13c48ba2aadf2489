//! Finding a usable database: folder, quick check, migrations; a fresh one in place of a corrupt
//! one. Must not lose a database: a corrupt one is renamed, a newer one refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::{broadcast, mpsc, watch};

use crate::error::StoreError;
use crate::handle::{StoreHandle, StoreThreads};
use crate::read::{self, Reader};
use crate::sql::{from_column, to_column};
use crate::types::{OutboxStatus, StoreOptions};
use crate::versions;
use crate::worker::{self, Out, Worker};

/// Migrations: the n-th makes schema n out of schema n - 1. Only ever added to.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// Commands that may wait for each thread before their senders wait.
const QUEUE: usize = 1_024;

/// A database that was opened, checked and migrated, not yet at work.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    options: StoreOptions,
    replaced: Option<PathBuf>,
}

impl Store {
    /// Opens the database in `options.dir`, making what is not there. A corrupt database is
    /// renamed to `events.db.corrupt-<time>`, said aloud, and a fresh one takes its place and
    /// counts on from its last `seq` where that can still be read.
    ///
    /// A database of an older schema is migrated on a copy, and what another firmware stored meanwhile in
    /// a file of its own is taken over: see `versions`.
    ///
    /// # Errors
    /// When the folder cannot be written, there is no room, or the database is of a newer schema than its
    /// name says.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_as(options, MIGRATIONS)
    }

    /// The same for a firmware that knows `migrations`.
    pub(crate) fn open_as(options: StoreOptions, migrations: &[&str]) -> Result<Self, StoreError> {
        prepare_folder(&options.dir)?;
        let path = versions::prepare(&options.dir, migrations)?;
        let (mut connection, replaced) = open_or_replace(&path, migrations)?;
        versions::take_over(&mut connection, &path, migrations.len())?;
        Ok(Self { connection, path, options, replaced })
    }

    /// Where the database went that was found corrupt; `None` when it was not.
    pub fn replaced(&self) -> Option<&Path> {
        self.replaced.as_deref()
    }

    /// Puts the store to work on its threads.
    ///
    /// # Errors
    /// When the database cannot be read or the system has no thread to give.
    pub fn spawn(self) -> Result<(StoreHandle, StoreThreads), StoreError> {
        let boot_id: Arc<str> = new_boot_id().into();
        let (newest_sender, mut newest) = watch::channel(0);
        let (outbox_sender, outbox) = watch::channel(OutboxStatus::default());
        let (writes, write_commands) = mpsc::channel(QUEUE);
        let (reads, read_commands) = mpsc::channel(QUEUE);

        let reader = Reader::open(&self.path)?;
        let (live, _) = broadcast::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let out = Out {
            newest: newest_sender,
            outbox: outbox_sender,
            live: live.clone(),
            commits: Arc::clone(&commits),
        };
        let worker =
            Worker::new(self.connection, self.path, self.options, Arc::clone(&boot_id), out)?;
        // What was there before the start is no news.
        newest.mark_unchanged();
        let threads = vec![
            spawn("ec-store", move || worker::run(worker, write_commands))?,
            spawn("ec-store-read", move || read::run(reader, read_commands))?,
        ];
        let handle = StoreHandle {
            writes: writes.clone(),
            reads: reads.clone(),
            newest,
            outbox,
            live,
            commits,
            boot_id,
        };
        Ok((handle, StoreThreads { writes, reads, threads }))
    }
}

fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, StoreError> {
    base::thread::spawn(name, run)
        .map_err(|source| StoreError::SpawnThread { name, source: Arc::new(source) })
}

/// Six hexadecimal digits, as random as a ULID's end.
fn new_boot_id() -> String {
    format!("{:06x}", ulid::Ulid::generate().random() & 0xff_ffff)
}

/// Makes the folder, and proves that it can be written to before SQLite says so in its own way.
fn prepare_folder(dir: &Path) -> Result<(), StoreError> {
    let attempt = || {
        fs::create_dir_all(dir)?;
        let probe = dir.join(".write-probe");
        fs::File::create(&probe)?;
        fs::remove_file(&probe)
    };
    attempt().map_err(|source| StoreError::folder(dir, source))
}

pub(crate) fn open_or_replace(
    path: &Path,
    migrations: &[&str],
) -> Result<(Connection, Option<PathBuf>), StoreError> {
    match open_checked(path, migrations) {
        Ok(connection) => Ok((connection, None)),
        Err(error) if error.is_corruption() => {
            let last_seq = salvage_last_seq(path);
            let aside = put_aside(path)?;
            tracing::error!(
                error = base::error::chain(&error),
                put_aside = %aside.display(),
                last_seq,
                "the event database is corrupt; it was put aside and a fresh one is begun"
            );
            let connection = open_checked(path, migrations)?;
            if let Some(seq) = last_seq {
                set_last_seq(&connection, seq)
                    .map_err(|e| StoreError::sqlite(path, "setting the last seq", e))?;
            }
            Ok((connection, Some(aside)))
        }
        Err(error) => Err(error),
    }
}

fn open_checked(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let fail = |attempt| move |source| StoreError::sqlite(path, attempt, source);
    let mut connection = Connection::open(path).map_err(fail("opening a connection"))?;
    set_pragmas(&connection).map_err(fail("choosing WAL and full synchronisation"))?;
    let started = Instant::now();
    quick_check(&connection).map_err(fail("checking the pages"))?;
    migrate(&mut connection, path, migrations)?;
    tracing::info!(
        path = %path.display(),
        check_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the event database is sound"
    );
    Ok(connection)
}

fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    // FULL and not NORMAL: in WAL mode NORMAL may lose the newest commits on power loss, and an
    // answered append must not be lost. Group commit is what makes it cheap.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 1000;
         PRAGMA journal_size_limit = 8388608;
         PRAGMA temp_store = MEMORY;",
    )
}

pub(crate) fn quick_check(connection: &Connection) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(verdict)))
}

pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let fail = |source| StoreError::sqlite(path, "bringing the schema up to date", source);
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.into(), found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for (index, migration) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(fail)?;
        transaction.execute_batch(migration).map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", to_column(index as u64 + 1))
            .map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

/// Renames the database and what belongs to it; answers with its new name.
pub(crate) fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let time = base::clock::wall().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(&format!(".corrupt-{time}"));
    let fail = |source| StoreError::PutAside { path: path.into(), source: Arc::new(source) };
    fs::rename(path, &aside).map_err(fail)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with(suffix), with(&format!(".corrupt-{time}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
    }
    Ok(aside)
}

/// The last `seq` of a corrupt database, where the pages that tell it are sound, so that readers
/// who resume by `seq` are not sent back.
pub(crate) fn salvage_last_seq(path: &Path) -> Option<u64> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let read = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).ok()?;
    let counted = read("SELECT value FROM counters WHERE name = 'last_seq'");
    let newest = read("SELECT max(seq) FROM events");
    counted.max(newest).map(from_column)
}

pub(crate) fn set_last_seq(connection: &Connection, seq: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE counters SET value = ?1 WHERE name = 'last_seq'";
    connection.execute(sql, [to_column(seq)]).map(|_| ())
}

/// A counter of the database; 0 when it is not there.
pub(crate) fn counter(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT value FROM counters WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.map_or(0, from_column))
}
