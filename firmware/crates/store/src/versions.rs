//! A file per schema, so that the firmware of either slot opens its own database after an update and
//! after a fallback.
//!
//! - `events.db` is of schema 5, or of an older one that becomes 5 in its place; `events-6.db` and so on
//!   are of later ones.
//! - A firmware without a file of its schema makes it from the newest older one: copied, migrated,
//!   synchronised, and only then given its name. The older file is not changed.
//! - At every start, what a file of another schema has beyond our own last `seq` is taken over: the other
//!   firmware ran meanwhile. Read is the part that no schema may change ([`Other`]); `seq` goes on
//!   from the highest.
//! - What cannot be read of it (an announcement of a kind that we do not know) stays where it is, with its
//!   place in the outbox, for the firmware that can.
//! - Tracks are not taken over: they may be lost, announcements may not.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::error::{ErrorKind, Kind};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, params};

use crate::error::StoreError;
use crate::open::{
    MIGRATIONS, counter, migrate, put_aside, quick_check, salvage_last_seq, set_last_seq,
};
use crate::sql::{to_column, zones_column};
use crate::write::{decode, note_open};

/// The schema of the file without a number.
const UNNUMBERED: usize = 5;
/// Announcements that are taken over beside those that wait: the newest. A start has little time.
const NEWEST: u64 = 20_000;

fn file_name(schema: usize) -> String {
    if schema <= UNNUMBERED { "events.db".to_owned() } else { format!("events-{schema}.db") }
}

/// The database of this firmware in `dir`.
pub(crate) fn own(dir: &Path) -> PathBuf {
    dir.join(file_name(MIGRATIONS.len()))
}

/// The schema of the file `name`; `None`: it is no database of ours.
fn schema_of(name: &str) -> Option<usize> {
    if name == file_name(UNNUMBERED) {
        return Some(UNNUMBERED);
    }
    let number = name.strip_prefix("events-")?.strip_suffix(".db")?.parse().ok()?;
    (number > UNNUMBERED && name == file_name(number)).then_some(number)
}

/// The databases of `dir` by schema, the newest first.
fn there(dir: &Path) -> Result<Vec<(usize, PathBuf)>, StoreError> {
    let listed = || -> io::Result<Vec<_>> {
        let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name()));
        names.collect()
    };
    let names = listed().map_err(|source| StoreError::folder(dir, source))?;
    let of = |name: std::ffi::OsString| Some((schema_of(name.to_str()?)?, dir.join(name)));
    let mut found: Vec<_> = names.into_iter().filter_map(of).collect();
    found.sort_by_key(|(schema, _)| std::cmp::Reverse(*schema));
    Ok(found)
}

/// Makes the database of a firmware that knows `migrations` from an older one, where there is none;
/// answers its path.
///
/// # Errors
/// When there is no room even for what must be kept, or the older one cannot be opened.
pub(crate) fn prepare(dir: &Path, migrations: &[&str]) -> Result<PathBuf, StoreError> {
    let schema = migrations.len();
    let own = dir.join(file_name(schema));
    if own.exists() {
        return Ok(own);
    }
    let older = there(dir)?.into_iter().find(|(other, _)| *other < schema);
    let Some((_, older)) = older else { return Ok(own) };
    match make(&older, &own, migrations, copy_whole) {
        Err(error) if error.kind() == ErrorKind::ResourceExhausted => {
            tracing::error!(
                older = %older.display(),
                "no room for a copy of the event database: only what waits for the broker and the newest \
                 events are taken along"
            );
            make(&older, &own, migrations, |_, _| Ok(()))?;
        }
        // It is left alone; what can be read of it is taken over as of any other file.
        Err(error) if error.is_corruption() => {
            tracing::error!(
                error = base::error::chain(&error),
                "the older event database is corrupt"
            );
        }
        done => done?,
    }
    Ok(own)
}

/// Makes `own` whole or not at all: filled by `fill` from `older`, migrated, brought to the disk, named.
fn make(
    older: &Path,
    own: &Path,
    migrations: &[&str],
    fill: impl FnOnce(&Path, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = with(own, ".new");
    // What a start that was cut off left; and what no database may find beside it.
    for path in [&new, own] {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            remove(&with(path, suffix)).map_err(|source| StoreError::folder(own, source))?;
        }
    }
    let done = fill(older, &new).and_then(|()| {
        let fail = |source| StoreError::sqlite(&new, "migrating a copy", source);
        let mut copy = Connection::open(&new).map_err(fail)?;
        // Nothing of it counts before it has its name.
        copy.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
            .map_err(fail)?;
        migrate(&mut copy, &new, migrations)?;
        copy.close().map_err(|(_, source)| fail(source))?;
        let named = || {
            File::open(&new)?.sync_all()?;
            fs::rename(&new, own)?;
            File::open(own.parent().unwrap_or(own))?.sync_all()
        };
        named().map_err(|source| StoreError::folder(own, source))
    });
    if done.is_err() {
        // It takes room that is needed; the next start would take it away as well.
        let _ = remove(&new);
    }
    done
}

fn copy_whole(older: &Path, new: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::sqlite(older, "copying it for this firmware", source);
    let source = open(older).map_err(fail)?;
    quick_check(&source).map_err(fail)?;
    let done = source.execute("VACUUM INTO ?1", [new.to_string_lossy()]);
    done.map(|_| ()).map_err(fail)
}

/// Takes over into `own`, at `path`, what other files have beyond it.
///
/// # Errors
/// When `own` cannot be written, or there is no room for what waits in an older file, which is to go.
pub(crate) fn take_over(
    own: &mut Connection,
    path: &Path,
    schema: usize,
) -> Result<(), StoreError> {
    let fail =
        |source| StoreError::sqlite(path, "taking over what another firmware stored", source);
    let dir = path.parent().unwrap_or(Path::new("."));
    for (theirs, other) in there(dir)?.into_iter().filter(|(_, other)| other != path) {
        let last = counter(own, "last_seq").map_err(fail)?;
        let Some(newer) = salvage_last_seq(&other).filter(|newer| *newer > last) else { continue };
        let why = match fitting(own, &other, newer).map_err(fail) {
            Ok(Taken { events, left }) => {
                tracing::warn!(
                    other = %other.display(), events, left,
                    "took over what another firmware stored; what is left only that one can read"
                );
                continue;
            }
            Err(error) if error.kind() == ErrorKind::ResourceExhausted && theirs < schema => {
                return Err(error);
            }
            Err(error) => error,
        };
        tracing::error!(
            error = base::error::chain(&why),
            other = %other.display(),
            "what another firmware stored is not taken over: it stays there"
        );
        // At least nothing is numbered twice.
        set_last_seq(own, newer).map_err(fail)?;
        if why.is_corruption() {
            put_aside(&other)?;
        }
    }
    Ok(())
}

/// As much of it as there is room for: what waits for the broker in any case.
fn fitting(own: &mut Connection, other: &Path, newer: u64) -> rusqlite::Result<Taken> {
    match taken_over(own, other, newer, NEWEST) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            taken_over(own, other, newer, 0)
        }
        done => done,
    }
}

/// What came of it.
struct Taken {
    events: u64,
    left: u64,
}

/// All or nothing, in one transaction.
fn taken_over(
    own: &mut Connection,
    other: &Path,
    newer: u64,
    also: u64,
) -> rusqlite::Result<Taken> {
    let other = Other(open(other)?);
    let into = own.transaction()?;
    let last = counter(&into, "last_seq")?;
    drop_acknowledged(&into, &other)?;
    move_cursors(&into, &other, last)?;
    let mut taken = Taken { events: 0, left: 0 };
    other.events_after(last, newer.saturating_sub(also), |event| {
        let stored = store(&into, &event)?;
        taken.events += u64::from(stored);
        taken.left += u64::from(!stored);
        Ok(())
    })?;
    other.audit_after(&into)?;
    let sql = "UPDATE counters SET value = max(value, ?2) WHERE name = ?1";
    into.execute(sql, params!["last_seq", to_column(newer)])?;
    let dropped = to_column(counter(&other.0, "dropped_total")?);
    into.execute(sql, params!["dropped_total", dropped])?;
    into.commit()?;
    Ok(taken)
}

/// Takes off our outbox what the other firmware had, and has delivered.
fn drop_acknowledged(own: &Transaction<'_>, other: &Other) -> rusqlite::Result<()> {
    let waiting = numbers(own, "SELECT seq FROM outbox", [])?;
    for seq in waiting {
        // What it never had (it could not read it) it has not delivered either.
        if other.has("events", seq)? && !other.has("outbox", seq)? {
            own.execute("DELETE FROM outbox WHERE seq = ?1", [seq])?;
        }
    }
    Ok(())
}

/// Moves webhooks on to where the other firmware has brought them, but not past what it never had.
fn move_cursors(own: &Transaction<'_>, other: &Other, last: u64) -> rusqlite::Result<()> {
    let oldest = numbers(&other.0, "SELECT min(seq) FROM events HAVING min(seq) IS NOT NULL", [])?;
    let oldest = oldest.first().copied().unwrap_or(i64::MAX);
    for (hook, there) in other.cursors()? {
        let sql = "SELECT seq FROM webhook_cursors WHERE hook = ?1";
        let here = numbers(own, sql, [&hook])?.first().copied().unwrap_or(-1);
        let sql = "SELECT seq FROM events WHERE seq > ?1 AND seq <= ?2 AND seq >= ?3 ORDER BY seq";
        let between = numbers(own, sql, [here, there.min(to_column(last)), oldest])?;
        let mut up_to = there;
        for seq in between {
            if !other.has("events", seq)? {
                up_to = seq - 1;
                break;
            }
        }
        own.execute(
            "INSERT INTO webhook_cursors (hook, seq) VALUES (?1, ?2)
             ON CONFLICT (hook) DO UPDATE SET seq = max(seq, excluded.seq)",
            params![hook, up_to],
        )?;
    }
    Ok(())
}

/// Stores an announcement as it was stored there; `false`: it cannot be read.
fn store(own: &Transaction<'_>, stored: &Stored) -> rusqlite::Result<bool> {
    let Ok(event) = decode(stored.seq.cast_unsigned(), &stored.body) else { return Ok(false) };
    let [id, phase, kind, event_type, camera, boot_id] = &stored.texts;
    own.prepare_cached(
        "INSERT INTO events (seq, id, phase, kind, event_type, camera, label, boot_id, stored_ns,
                             stored_ms, body, zones)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        stored.seq,
        id,
        phase,
        kind,
        event_type,
        camera,
        stored.label,
        boot_id,
        stored.ns,
        stored.ms,
        stored.body,
        zones_column(event.zones.concerned()),
    ])?;
    if stored.waits {
        own.prepare_cached("INSERT INTO outbox (seq) VALUES (?1)")?.execute([stored.seq])?;
    }
    note_open(own, &event, id)?;
    Ok(true)
}

/// A row of `events` as every schema has it.
struct Stored {
    seq: i64,
    /// `id`, `phase`, `kind`, `event_type`, `camera`, `boot_id`.
    texts: [String; 6],
    label: Option<String>,
    ns: i64,
    ms: i64,
    body: String,
    /// Whether it waits for the broker.
    waits: bool,
}

impl Stored {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let texts = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?];
        Ok(Self {
            seq: row.get(0)?,
            texts,
            label: row.get(7)?,
            ns: row.get(8)?,
            ms: row.get(9)?,
            body: row.get(10)?,
            waits: row.get(11)?,
        })
    }
}

/// The database of another firmware, older or newer. What is asked of it here no schema may take away or
/// give another meaning: columns of `events`, `outbox`, `counters`, `webhook_cursors` and `audit`.
struct Other(Connection);

impl Other {
    /// Announcements after `last`: those that wait, and those after `old`.
    fn events_after(
        &self,
        last: u64,
        old: u64,
        mut each: impl FnMut(Stored) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut rows = self.0.prepare(
            "SELECT e.seq, e.id, e.phase, e.kind, e.event_type, e.camera, e.boot_id, e.label,
                    e.stored_ns, e.stored_ms, e.body, o.seq IS NOT NULL
             FROM events e LEFT JOIN outbox o ON o.seq = e.seq
             WHERE e.seq > ?1 AND (o.seq IS NOT NULL OR e.seq > ?2) ORDER BY e.seq",
        )?;
        let mut rows = rows.query(params![to_column(last), to_column(old)])?;
        while let Some(row) = rows.next()? {
            each(Stored::of(row)?)?;
        }
        Ok(())
    }

    fn has(&self, table: &str, seq: i64) -> rusqlite::Result<bool> {
        let sql = format!("SELECT 1 FROM {table} WHERE seq = ?1");
        self.0.prepare_cached(&sql)?.exists([seq])
    }

    /// How far webhooks have come, by their ids.
    fn cursors(&self) -> rusqlite::Result<Vec<(String, i64)>> {
        let mut rows = self.0.prepare("SELECT hook, seq FROM webhook_cursors")?;
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Adds to the record of changes what is beyond our own.
    fn audit_after(&self, own: &Transaction<'_>) -> rusqlite::Result<()> {
        let last = numbers(own, "SELECT coalesce(max(seq), 0) FROM audit", [])?;
        let mut rows = self.0.prepare("SELECT seq, body FROM audit WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = rows.query([last.first()])?;
        while let Some(row) = rows.next()? {
            let (seq, body): (i64, String) = (row.get(0)?, row.get(1)?);
            own.execute("INSERT INTO audit (seq, body) VALUES (?1, ?2)", params![seq, body])?;
        }
        Ok(())
    }
}

fn numbers(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<i64>> {
    connection.prepare_cached(sql)?.query_map(values, |row| row.get(0))?.collect()
}

/// Opens a database that is there. Not for reading alone: what its firmware committed last may be in its
/// log still.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Takes the databases of older schemas in `dir` away: for when an update is committed and the firmware
/// before it is not expected back. Should it come back all the same, it takes over from the newer one.
/// Answers what went.
///
/// # Errors
/// When one cannot be removed, or there is none of this firmware's own to take its place.
pub fn forget_older(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    forget_older_than(dir, MIGRATIONS.len())
}

fn forget_older_than(dir: &Path, schema: usize) -> Result<Vec<PathBuf>, StoreError> {
    if !dir.join(file_name(schema)).exists() {
        let source =
            io::Error::new(io::ErrorKind::NotFound, "there is no database of this firmware");
        return Err(StoreError::folder(dir, source));
    }
    let gone = there(dir)?.into_iter().filter(|(other, _)| *other < schema);
    gone.map(|(_, path)| {
        for suffix in ["", "-wal", "-shm"] {
            let one = with(&path, suffix);
            let fail =
                |source| StoreError::PutAside { path: one.clone(), source: Arc::new(source) };
            remove(&one).map_err(fail)?;
        }
        Ok(path)
    })
    .collect()
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
