//! Thread `ec-store-read`: queries on a connection of its own, so that they never wait for a
//! commit and no commit waits for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::access::AuditEntry;
use api::event::Event;
use api::webhooks::WebhookDelivery;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};
use tokio::sync::{mpsc, oneshot};
use ulid::Ulid;

use crate::error::StoreError;
use crate::sql::{camera_of, from_column, listed, to_column, word};
use crate::types::{
    Count, CountQuery, EventQuery, HookProgress, Order, OutboxExtent, OutboxRow, SeqBounds,
};
use crate::write::{decode, open_bodies};

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the reading thread is asked for.
#[derive(Debug)]
pub(crate) enum Read {
    Events {
        query: EventQuery,
        answer: Answer<Vec<Event>>,
    },
    Event {
        id: Ulid,
        answer: Answer<Vec<Event>>,
    },
    OpenEvents {
        camera: Option<String>,
        answer: Answer<Vec<Event>>,
    },
    Bounds {
        answer: Answer<SeqBounds>,
    },
    Counts {
        query: CountQuery,
        answer: Answer<Vec<Count>>,
    },
    Audit {
        before: Option<u64>,
        limit: usize,
        answer: Answer<Vec<AuditEntry>>,
    },
    OutboxAfter {
        seq: u64,
        limit: usize,
        answer: Answer<Vec<OutboxRow>>,
    },
    OutboxExtent {
        answer: Answer<OutboxExtent>,
    },
    HookProgress {
        hook: Ulid,
        answer: Answer<HookProgress>,
    },
    HookDeliveries {
        hook: Ulid,
        before: Option<u64>,
        limit: usize,
        answer: Answer<Vec<WebhookDelivery>>,
    },
    Stop,
}

/// The reading side of the store.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    fn answer(&mut self, command: Read) {
        // Whoever asked may have gone; that is no matter of ours.
        match command {
            Read::Events { query, answer } => drop(answer.send(self.events(&query))),
            Read::Event { id, answer } => drop(answer.send(self.event(id))),
            Read::OpenEvents { camera, answer } => {
                drop(answer.send(self.open_events(camera.as_deref())));
            }
            Read::OutboxAfter { seq, limit, answer } => {
                drop(answer.send(self.outbox_after(seq, limit)));
            }
            Read::OutboxExtent { answer } => drop(answer.send(self.outbox_extent())),
            Read::HookProgress { hook, answer } => drop(answer.send(self.hook_progress(hook))),
            Read::HookDeliveries { hook, before, limit, answer } => {
                drop(answer.send(self.hook_deliveries(hook, before, limit)));
            }
            Read::Bounds { answer } => drop(answer.send(self.bounds())),
            Read::Counts { query, answer } => drop(answer.send(self.counts(&query))),
            Read::Audit { before, limit, answer } => {
                drop(answer.send(self.audit(before, limit)));
            }
            Read::Stop => {}
        }
    }

    fn events(&mut self, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        let (sql, values) = select_events(query);
        let rows = self.connection.prepare_cached(&sql).and_then(|mut statement| {
            statement.query_map(params_from_iter(values), seq_and_body)?.collect()
        });
        self.decode_all(rows, "listing events")
    }

    fn counts(&mut self, query: &CountQuery) -> Result<Vec<Count>, StoreError> {
        let (sql, values) = select_counts(query);
        let rows = self.connection.prepare_cached(&sql).and_then(|mut statement| {
            statement.query_map(params_from_iter(values), count_of)?.collect()
        });
        rows.map_err(|e| self.fail("counting events", e))
    }

    fn event(&mut self, id: Ulid) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT seq, body FROM events WHERE id = ?1 ORDER BY seq";
        let rows = self.connection.prepare_cached(sql).and_then(|mut statement| {
            statement.query_map([id.to_string()], seq_and_body)?.collect()
        });
        self.decode_all(rows, "looking up an event")
    }

    fn open_events(&mut self, camera: Option<&str>) -> Result<Vec<Event>, StoreError> {
        let rows = open_bodies(&self.connection, camera);
        self.decode_all(rows, "listing open events")
    }

    fn bounds(&mut self) -> Result<SeqBounds, StoreError> {
        let read = || {
            // One statement, so that both are of one moment.
            let sql = "SELECT (SELECT min(seq) FROM events),
                              (SELECT value FROM counters WHERE name = 'last_seq')";
            self.connection.prepare_cached(sql)?.query_row([], |row| {
                let newest = from_column(row.get(1)?);
                let oldest = row.get::<_, Option<i64>>(0)?.map_or(newest + 1, from_column);
                Ok(SeqBounds { oldest, newest })
            })
        };
        read().map_err(|e| self.fail("reading the bounds of seq", e))
    }

    fn outbox_after(&mut self, seq: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let sql = "SELECT e.seq, e.body, e.stored_ns FROM outbox o JOIN events e USING (seq)
                   WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2";
        let rows = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let of_row =
                |row: &rusqlite::Row<'_>| Ok((seq_and_body(row)?, from_column(row.get(2)?)));
            let parameters = params![to_column(seq), to_column(limit as u64)];
            statement.query_map(parameters, of_row)?.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.map_err(|e| self.fail("reading the outbox", e))?;
        let of_row = |((seq, body), ns): ((u64, String), u64)| {
            Ok(OutboxRow { event: decode(seq, &body)?, stored_at: Duration::from_nanos(ns) })
        };
        rows.into_iter().map(of_row).collect()
    }

    fn outbox_extent(&mut self) -> Result<OutboxExtent, StoreError> {
        let sql = "SELECT sum(octet_length(e.body)), min(e.stored_ms)
                   FROM outbox o JOIN events e USING (seq)";
        let read = || {
            self.connection.prepare_cached(sql)?.query_row([], |row| {
                let bytes = row.get::<_, Option<i64>>(0)?.map_or(0, from_column);
                let oldest: Option<i64> = row.get(1)?;
                let oldest_at = oldest.and_then(|ms| Timestamp::from_millisecond(ms).ok());
                Ok(OutboxExtent { bytes, oldest_at })
            })
        };
        read().map_err(|e| self.fail("measuring the outbox", e))
    }

    fn decode_all(
        &mut self,
        rows: rusqlite::Result<Vec<(u64, String)>>,
        attempt: &'static str,
    ) -> Result<Vec<Event>, StoreError> {
        let rows = rows.map_err(|e| self.fail(attempt, e))?;
        rows.iter().map(|(seq, body)| decode(*seq, body)).collect()
    }

    /// Reads on a new connection next time: the writer may have begun a fresh database.
    fn fail(&mut self, attempt: &'static str, source: rusqlite::Error) -> StoreError {
        if let Ok(fresh) = Self::open(&self.path) {
            self.connection = fresh.connection;
        }
        StoreError::sqlite(&self.path, attempt, source)
    }
}

/// A connection that only reads.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    };
    open().map_err(|e| StoreError::sqlite(path, "opening a connection to read", e))
}

fn seq_and_body(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, String)> {
    Ok((from_column(row.get(0)?), row.get(1)?))
}

/// The statement of `query` and its values. The text depends only on which filters are there, so
/// that it can be prepared once.
fn select_events(query: &EventQuery) -> (String, Vec<Value>) {
    let mut filter = Filter::default();
    let number = |seq| Value::Integer(to_column(seq));
    filter.add("seq > ?", query.after_seq.map(number));
    filter.add("seq < ?", query.before_seq.map(number));
    filter.cameras(query.cameras.as_ref());
    filter.add("camera = ?", query.camera.clone().map(Value::Text));
    filter.add("label = ?", query.label.clone().map(Value::Text));
    filter.add("kind = ?", query.kind.map(|kind| Value::Text(word(kind))));
    filter.add("event_type = ?", query.event_type.map(|one| Value::Text(word(one))));
    filter.add("phase = ?", query.phase.map(|phase| Value::Text(word(phase))));
    let zone = query.zone.as_ref().map(|zone| Value::Text(format!("/{zone}/")));
    filter.add("zones IS NOT NULL AND instr(zones, ?)", zone);
    filter.times(query.from, query.to);
    let order = match query.order {
        Order::OldestFirst => "ORDER BY seq",
        Order::NewestFirst => "ORDER BY seq DESC",
    };
    // The planner knows neither how few are left by a time nor how long announcements are.
    let index = match query {
        EventQuery { from: None, to: None, zone: None, .. } => None,
        EventQuery { from: None, to: None, .. } => Some("events_by_zone"),
        _ => Some("events_by_time"),
    };
    let Filter { text, mut values } = filter;
    let sql = match index {
        None => format!("SELECT seq, body FROM events WHERE 1{text} {order} LIMIT ?"),
        Some(index) => format!(
            "SELECT seq, body FROM events WHERE seq IN (
               SELECT seq FROM events INDEXED BY {index} WHERE 1{text} {order} LIMIT ?) {order}"
        ),
    };
    values.push(number(query.limit.min(EventQuery::MAX_LIMIT) as u64));
    (sql, values)
}

/// Conditions of a statement, and their values.
#[derive(Default)]
struct Filter {
    text: String,
    values: Vec<Value>,
}

impl Filter {
    fn add(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.text.push_str(" AND ");
            self.text.push_str(condition);
            self.values.push(value);
        }
    }

    fn cameras(&mut self, cameras: Option<&Vec<String>>) {
        let cameras = cameras.map(|cameras| Value::Text(listed(cameras)));
        self.add("camera IN (SELECT value FROM json_each(?))", cameras);
    }

    fn times(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) {
        let time = |time: Timestamp| Value::Integer(time.as_millisecond());
        self.add("stored_ms >= ?", from.map(time));
        self.add("stored_ms < ?", to.map(time));
    }
}

/// The statement of `query` and its values.
fn select_counts(query: &CountQuery) -> (String, Vec<Value>) {
    let mut filter = Filter::default();
    filter.times(Some(query.from), Some(query.to));
    filter.cameras(query.cameras.as_ref());
    filter.add("label = ?", query.label.clone().map(Value::Text));
    filter.add("kind = ?", query.kind.map(|kind| Value::Text(word(kind))));
    let Filter { text, values } = filter;
    // An event begins with its first announcement.
    let sql = format!(
        "SELECT (stored_ms - ?) / ? AS bucket, camera, label, kind, count(*)
         FROM events INDEXED BY events_by_time WHERE phase = 'new'{text}
         GROUP BY bucket, camera, label, kind ORDER BY bucket, camera, label, kind"
    );
    let width = i64::try_from(query.bucket.as_millis()).unwrap_or(i64::MAX).max(1000);
    let first = [query.from.as_millisecond(), width].map(Value::Integer);
    (sql, first.into_iter().chain(values).collect())
}

fn count_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Count> {
    let kind: String = row.get(3)?;
    let bad = |error: serde_json::Error| {
        let source = Box::new(error);
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, source)
    };
    Ok(Count {
        bucket: from_column(row.get(0)?),
        camera: camera_of(row.get(1)?),
        label: row.get(2)?,
        kind: serde_json::from_value(kind.into()).map_err(bad)?,
        events: from_column(row.get(4)?),
    })
}

/// Runs until `Stop` or until nobody can ask any more.
pub(crate) fn run(mut reader: Reader, mut commands: mpsc::Receiver<Read>) {
    while let Some(command) = commands.blocking_recv() {
        if matches!(command, Read::Stop) {
            break;
        }
        reader.answer(command);
    }
}
