//! The statements of a write transaction: append, acknowledge, close, keep within limits.
//! Must not commit: that is the worker's.

use std::sync::Arc;

use api::event::{EndReason, Event, InputState, Kind, Phase, Timing};
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::open::counter;
use crate::sql::{
    camera_column, closing_type, from_column, leaves_open, to_column, word, zones_column,
};
use crate::types::{CloseReason, NewEvent, OutboxPolicy, OutboxStatus, Stored, TrackLimits};

/// Largest event as JSON. One of a 80-label model with ten zones has 3 KB; a broker takes far
/// more, but a client's packet limit must be known before a row is in the outbox.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// A transaction being filled.
pub(crate) struct Filling<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) node: &'a str,
    pub(crate) boot_id: &'a str,
    pub(crate) policy: OutboxPolicy,
    /// The newest `seq` given so far.
    pub(crate) last_seq: u64,
    /// Events and outbox rows, as they will be after the commit.
    pub(crate) events: u64,
    pub(crate) outbox: OutboxStatus,
    /// How much of what was tracked is kept, and bytes of it as they will be after the commit.
    pub(crate) track_limits: TrackLimits,
    pub(crate) track_bytes: u64,
    /// What was appended, by `seq`.
    pub(crate) fresh: Vec<Arc<Event>>,
}

/// What a statement came to: [`StoreError`] spoils only its own command,
/// [`rusqlite::Error`] the whole transaction.
pub(crate) type Spoiled<T> = rusqlite::Result<Result<T, StoreError>>;

impl Filling<'_> {
    /// Stores `events` in order; all or none.
    pub(crate) fn append(&mut self, events: &[NewEvent]) -> Spoiled<Vec<Stored>> {
        let mut bodies = Vec::with_capacity(events.len());
        for (seq, event) in (self.last_seq + 1..).zip(events) {
            let event = event.to_event(seq, self.node, self.boot_id);
            match encode(&event) {
                Ok(body) => bodies.push((event, body)),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        let mut stored = Vec::with_capacity(bodies.len());
        for (event, body) in bodies {
            self.insert(&event, &body)?;
            stored.push(Stored { seq: event.seq });
            self.fresh.push(Arc::new(event));
        }
        Ok(Ok(stored))
    }

    fn insert(&mut self, event: &Event, body: &str) -> rusqlite::Result<()> {
        let seq = to_column(event.seq);
        let id = event.id.to_string();
        let now = base::clock::monotonic();
        self.connection
            .prepare_cached(
                "INSERT INTO events (seq, id, phase, kind, event_type, camera, label, boot_id,
                                     stored_ns, stored_ms, body, zones)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                seq,
                id,
                word(event.phase),
                word(event.kind),
                word(event.event_type),
                camera_column(event.camera.as_deref()),
                event.label(),
                event.boot_id,
                i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
                base::clock::wall().as_millisecond(),
                body,
                zones_column(event.zones.concerned()),
            ])?;
        if let OutboxPolicy::Keep { .. } = self.policy {
            self.connection
                .prepare_cached("INSERT INTO outbox (seq) VALUES (?1)")?
                .execute([seq])?;
            self.outbox.pending += 1;
        }
        note_open(self.connection, event, &id)?;
        self.last_seq = event.seq;
        self.events += 1;
        Ok(())
    }

    /// Takes `seqs` off the outbox.
    pub(crate) fn ack(&mut self, seqs: &[u64]) -> rusqlite::Result<()> {
        let mut delete = self.connection.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?;
        for seq in seqs {
            let gone = delete.execute([to_column(*seq)])? as u64;
            self.outbox.pending = self.outbox.pending.saturating_sub(gone);
        }
        Ok(())
    }

    /// Ends the open events of `camera`, or of all.
    pub(crate) fn close_open(
        &mut self,
        camera: Option<&str>,
        reason: CloseReason,
    ) -> Spoiled<Vec<Stored>> {
        let open = open_bodies(self.connection, camera)?;
        let mut ends = Vec::with_capacity(open.len());
        for (seq, body) in open {
            match decode(seq, &body) {
                Ok(event) => ends.push(end_of(event, reason)),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        if !ends.is_empty() {
            let count = ends.len();
            tracing::warn!(camera = camera.unwrap_or("all"), ?reason, count, "ended open events");
        }
        self.append(&ends)
    }

    /// Drops the oldest of the outbox beyond its cap, and of the events beyond theirs.
    pub(crate) fn keep_limits(&mut self, events_max: u64) -> rusqlite::Result<Limited> {
        let mut limited = Limited::default();
        if let OutboxPolicy::Keep { max_events } = self.policy {
            let excess = self.outbox.pending.saturating_sub(max_events);
            if excess > 0 {
                limited.dropped = self.drop_oldest_waiting(excess)?;
            }
        }
        // A percent of slack, so that a full store does not delete with every commit.
        let slack = (events_max / 100).max(64);
        if self.events > events_max + slack {
            limited.deleted = self.delete_oldest_events(self.events - events_max)?;
        }
        Ok(limited)
    }

    fn drop_oldest_waiting(&mut self, excess: u64) -> rusqlite::Result<u64> {
        let dropped = self
            .connection
            .prepare_cached(
                "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT ?1)",
            )?
            .execute([to_column(excess)])? as u64;
        self.outbox.pending = self.outbox.pending.saturating_sub(dropped);
        self.outbox.dropped_total += dropped;
        Ok(dropped)
    }

    fn delete_oldest_events(&mut self, excess: u64) -> rusqlite::Result<u64> {
        let deleted = self
            .connection
            .prepare_cached(
                "DELETE FROM events WHERE seq IN (
                   SELECT seq FROM events
                   WHERE seq NOT IN (SELECT seq FROM outbox)
                     AND seq NOT IN (SELECT newest FROM open_events)
                   ORDER BY seq LIMIT ?1)",
            )?
            .execute([to_column(excess)])? as u64;
        self.events = self.events.saturating_sub(deleted);
        Ok(deleted)
    }

    /// Writes the counters back; last before the commit.
    pub(crate) fn save_counters(&mut self) -> rusqlite::Result<()> {
        let mut save =
            self.connection.prepare_cached("UPDATE counters SET value = ?2 WHERE name = ?1")?;
        save.execute(params!["last_seq", to_column(self.last_seq)])?;
        save.execute(params!["dropped_total", to_column(self.outbox.dropped_total)])?;
        save.execute(params!["track_bytes", to_column(self.track_bytes)])?;
        let oldest: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(seq) FROM outbox")?
            .query_row([], |row| row.get(0))?;
        self.outbox.oldest_seq = oldest.map(from_column);
        Ok(())
    }
}

/// Notes that `event`, which was just stored, leaves its event open or ends it.
pub(crate) fn note_open(connection: &Connection, event: &Event, id: &str) -> rusqlite::Result<()> {
    if leaves_open(event.phase, event.end_ts.is_some()) {
        // An input lasts whether its camera is there or not.
        let camera = event.camera.as_deref().filter(|_| event.kind != Kind::Input);
        let camera = camera_column(camera);
        connection
            .prepare_cached(
                "INSERT INTO open_events (id, camera, first, newest) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (id) DO UPDATE SET newest = excluded.newest",
            )?
            .execute(params![id, camera, to_column(event.seq)])?;
    } else {
        connection.prepare_cached("DELETE FROM open_events WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

/// What keeping the limits cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limited {
    /// Announcements that will not be published.
    pub(crate) dropped: u64,
    /// Events that are no longer kept.
    pub(crate) deleted: u64,
}

/// Events, outbox rows and counters of the database as it is.
pub(crate) fn totals(connection: &Connection) -> rusqlite::Result<(u64, u64, OutboxStatus)> {
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let last_seq = counter(connection, "last_seq")?;
    let events = count("SELECT count(*) FROM events")?.map_or(0, from_column);
    let status = OutboxStatus {
        pending: count("SELECT count(*) FROM outbox")?.map_or(0, from_column),
        oldest_seq: count("SELECT min(seq) FROM outbox")?.map(from_column),
        dropped_total: counter(connection, "dropped_total")?,
    };
    Ok((last_seq, events, status))
}

/// The newest announcements of the open events of `camera`, or of all, in the order in which the
/// events began.
pub(crate) fn open_bodies(
    connection: &Connection,
    camera: Option<&str>,
) -> rusqlite::Result<Vec<(u64, String)>> {
    connection
        .prepare_cached(
            "SELECT e.seq, e.body FROM open_events o JOIN events e ON e.seq = o.newest
             WHERE ?1 IS NULL OR o.camera = ?1 ORDER BY o.first",
        )?
        .query_map([camera], |row| Ok((from_column(row.get(0)?), row.get(1)?)))?
        .collect()
}

pub(crate) fn decode(seq: u64, body: &str) -> Result<Event, StoreError> {
    serde_json::from_str(body).map_err(|e| StoreError::Decode { seq, source: Arc::new(e) })
}

fn encode(event: &Event) -> Result<String, StoreError> {
    let id = event.id;
    let body =
        serde_json::to_string(event).map_err(|e| StoreError::Encode { id, source: Arc::new(e) })?;
    if body.len() > MAX_BODY {
        return Err(StoreError::TooLarge { id, bytes: body.len(), max: MAX_BODY });
    }
    Ok(body)
}

/// The announcement that ends `event`. Its stamps are left out: no picture caused it.
fn end_of(event: Event, reason: CloseReason) -> NewEvent {
    let now = base::clock::wall();
    NewEvent {
        id: event.id,
        phase: Phase::End,
        event_type: closing_type(event.kind),
        kind: event.kind,
        severity: event.severity,
        camera: event.camera,
        ts: now,
        start_ts: event.start_ts,
        end_ts: Some(match reason {
            CloseReason::CameraGone => now,
            CloseReason::DaemonRestarted => event.ts,
        }),
        object: event.object,
        zones: event.zones,
        line: event.line,
        governor: event.governor,
        crowding: event.crowding,
        input: event.input.map(|input| InputState { active: false, ..input }),
        end_reason: Some(match reason {
            CloseReason::CameraGone => EndReason::CameraGone,
            CloseReason::DaemonRestarted => EndReason::DaemonRestarted,
        }),
        model: event.model,
        timing: Timing::default(),
    }
}
