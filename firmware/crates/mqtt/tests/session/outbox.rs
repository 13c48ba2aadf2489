//! An outbox in memory, with the promises of the real one.

use std::collections::BTreeMap;
use std::sync::Mutex;

use api::event::{Event, EventType, Kind, Object, Phase, SCHEMA, Severity, Timing, Zones};
use edgecam_mqtt::{Outbox, OutboxError, Waiting};
use tokio::sync::watch;
use ulid::Ulid;

pub(crate) const BOOT_ID: &str = "b7c1e0";

#[derive(Debug)]
pub(crate) struct MemoryOutbox {
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    newest: watch::Sender<u64>,
}

impl MemoryOutbox {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Stores `count` announcements of the running daemon.
    pub(crate) fn append(&self, count: u64) {
        for _ in 0..count {
            self.append_as(BOOT_ID);
        }
    }

    /// Stores one announcement of the daemon's life `boot_id`.
    pub(crate) fn append_as(&self, boot_id: &str) {
        let seq = *self.newest.borrow() + 1;
        let waiting = Waiting { event: event(seq, boot_id), stored_at: base::clock::monotonic() };
        self.waiting.lock().unwrap().insert(seq, waiting);
        self.newest.send_replace(seq);
    }
}

impl Outbox for MemoryOutbox {
    async fn next_after(&self, seq: u64, limit: usize) -> Result<Vec<Waiting>, OutboxError> {
        let waiting = self.waiting.lock().unwrap();
        Ok(waiting.range(seq + 1..).take(limit).map(|(_, waiting)| waiting.clone()).collect())
    }

    async fn ack(&self, seqs: Vec<u64>) -> Result<(), OutboxError> {
        self.waiting.lock().unwrap().retain(|seq, _| !seqs.contains(seq));
        Ok(())
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn pending(&self) -> u64 {
        self.waiting.lock().unwrap().len() as u64
    }
}

fn event(seq: u64, boot_id: &str) -> Event {
    let now = base::clock::wall();
    Event {
        schema: SCHEMA.to_owned(),
        id: Ulid::generate(),
        seq,
        boot_id: boot_id.to_owned(),
        replayed: false,
        phase: Phase::New,
        event_type: EventType::ObjectNew,
        kind: Kind::Object,
        severity: Severity::Detection,
        node: "ec-test".to_owned(),
        camera: Some("front".to_owned()),
        ts: now,
        start_ts: now,
        end_ts: None,
        object: Some(Object {
            track_id: Ulid::generate(),
            label: "car".to_owned(),
            score: 0.5,
            top_score: 0.75,
            r#box: [0.25, 0.25, 0.5, 0.5],
            stationary: false,
            velocity: [0.0, 0.0],
            age_ms: 100,
        }),
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing {
            sensor_ts_ns: u64::try_from(base::clock::monotonic().as_nanos()).unwrap(),
            ..Timing::default()
        },
    }
}
