//! Stored tracks: append, keep within limits, list. What the bytes mean is not
//! known here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::sql::{from_column, listed, to_column};
use crate::types::{NewTracks, StoredTracks, TrackLimits, TrackQuery};
use crate::write::Filling;

/// What a row takes apart from its body: numbers, their index, page overhead.
const ROW_BYTES: u64 = 64;
/// Most rows that go with one that comes.
const PRUNED: i64 = 64;

impl Filling<'_> {
    /// Stores `tracks`, and deletes the oldest that are beyond the limits then.
    pub(crate) fn append_tracks(&mut self, tracks: &NewTracks) -> rusqlite::Result<()> {
        if tracks.body.len() as u64 + ROW_BYTES <= self.track_limits.max_bytes {
            let session = self.session(tracks)?;
            let (from, to) = (tracks.from.as_millisecond(), tracks.to.as_millisecond());
            self.connection
                .prepare_cached(
                    "INSERT INTO track_stretches (session, from_ms, to_ms, body)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![session, from, to, tracks.body])?;
            self.track_bytes += tracks.body.len() as u64 + ROW_BYTES;
        }
        self.prune_tracks()
    }

    fn session(&self, tracks: &NewTracks) -> rusqlite::Result<i64> {
        let id = tracks.session.to_string();
        let labels = serde_json::to_string(&tracks.labels).unwrap_or_default();
        let known = self
            .connection
            .prepare_cached("SELECT number FROM track_sessions WHERE id = ?1 AND labels = ?2")?
            .query_row(params![id, labels], |row| row.get(0))
            .optional()?;
        if let Some(number) = known {
            return Ok(number);
        }
        self.connection
            .prepare_cached("INSERT INTO track_sessions (id, camera, labels) VALUES (?1, ?2, ?3)")?
            .execute(params![id, tracks.camera, labels])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Deletes from the oldest on, as long as that is too old or there is too much.
    fn prune_tracks(&mut self) -> rusqlite::Result<()> {
        let TrackLimits { max_bytes, max_age } = self.track_limits;
        let age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
        let kept_from = base::clock::wall().as_millisecond().saturating_sub(age);
        let (mut last, mut sessions) = (None, BTreeSet::new());
        for (row, session, to, bytes) in self.oldest_tracks()? {
            if self.track_bytes <= max_bytes && to >= kept_from {
                break;
            }
            self.track_bytes = self.track_bytes.saturating_sub(bytes + ROW_BYTES);
            last = Some(row);
            sessions.insert(session);
        }
        let Some(last) = last else { return Ok(()) };
        self.connection
            .prepare_cached("DELETE FROM track_stretches WHERE row <= ?1")?
            .execute([last])?;
        // One without rows may go on: it is then made anew, with another number.
        let mut forget = self.connection.prepare_cached(
            "DELETE FROM track_sessions WHERE number = ?1
               AND NOT EXISTS (SELECT 1 FROM track_stretches WHERE session = ?1)",
        )?;
        sessions.into_iter().try_for_each(|session| forget.execute([session]).map(drop))
    }

    /// Row, session, end and bytes of those that could go next.
    fn oldest_tracks(&self) -> rusqlite::Result<Vec<(i64, i64, i64, u64)>> {
        let mut oldest = self.connection.prepare_cached(
            "SELECT row, session, to_ms, length(body) FROM track_stretches ORDER BY row LIMIT ?1",
        )?;
        let of_row = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, from_column(row.get(3)?)))
        };
        oldest.query_map([PRUNED], of_row)?.collect()
    }
}

/// Reads stored tracks on a connection of its own, in the thread of who asks: a long look back
/// makes no other reader wait. Works beside a daemon that writes, and without one.
#[derive(Debug)]
pub struct TrackReader {
    connection: Connection,
    path: PathBuf,
}

impl TrackReader {
    /// Opens the database in the data folder `dir`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = crate::versions::own(dir);
        Ok(Self { connection: crate::read::connect(&path)?, path })
    }

    /// The stretches that `query` asks for, in the order of arrival.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, query: &TrackQuery) -> Result<Vec<StoredTracks>, StoreError> {
        list(&self.connection, query)
            .map_err(|e| StoreError::sqlite(&self.path, "listing what was tracked", e))
    }
}

fn list(connection: &Connection, query: &TrackQuery) -> rusqlite::Result<Vec<StoredTracks>> {
    // The rows come in the order of time, but for a clock that was set: the index tells between which
    // ones to look.
    let sql = "SELECT t.row, t.session, s.id, s.labels, t.from_ms, t.to_ms, t.body, s.camera
               FROM track_stretches t JOIN track_sessions s ON s.number = t.session
               WHERE (?1 IS NULL OR s.camera IN (SELECT value FROM json_each(?1)))
                 AND t.from_ms < ?2 AND t.to_ms >= ?3 AND t.row > ?4
                 AND t.row >= (SELECT min(row) FROM track_stretches
                               WHERE to_ms >= ?3 AND from_ms < ?2)
                 AND t.row <= (SELECT max(row) FROM track_stretches
                               WHERE to_ms >= ?3 AND from_ms < ?2)
               ORDER BY t.row LIMIT ?5";
    let limit = query.limit.min(TrackQuery::MAX_LIMIT) as u64;
    let values = params![
        query.cameras.as_ref().map(listed),
        query.to.as_millisecond(),
        query.from.as_millisecond(),
        to_column(query.after_row),
        to_column(limit),
    ];
    connection.prepare_cached(sql)?.query_map(values, stored)?.collect()
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredTracks> {
    let time = |column| {
        let ms: i64 = row.get(column)?;
        jiff::Timestamp::from_millisecond(ms)
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, ms))
    };
    let text = |column| row.get::<_, String>(column);
    let bad = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    Ok(StoredTracks {
        row: from_column(row.get(0)?),
        session: from_column(row.get(1)?),
        session_id: text(2)?.parse().map_err(|error| bad(2, Box::new(error)))?,
        labels: serde_json::from_str(&text(3)?).map_err(|error| bad(3, Box::new(error)))?,
        from: time(4)?,
        to: time(5)?,
        body: row.get(6)?,
        camera: text(7)?,
    })
}
