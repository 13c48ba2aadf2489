//! The outbox that the MQTT session drains: the store's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mqtt::{Outbox, OutboxError, Waiting};
use store::{StoreError, StoreHandle};
use tokio::sync::watch;

use crate::latencies::Latencies;

/// Announcements on their way that are remembered for their times; older ones go untimed.
const TIMED: usize = 1024;

/// The store as the MQTT session sees it.
#[derive(Debug)]
pub(crate) struct StoreOutbox {
    store: StoreHandle,
    latencies: Latencies,
    /// Camera and time of storing of what is on its way, by `seq`.
    under_way: Mutex<BTreeMap<u64, (String, Duration)>>,
}

impl StoreOutbox {
    /// The outbox of `store`; `latencies` gets how long announcements take through it.
    pub(crate) fn new(store: StoreHandle, latencies: Latencies) -> Self {
        Self { store, latencies, under_way: Mutex::default() }
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, (String, Duration)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: StoreError) -> OutboxError {
    OutboxError(Box::new(error))
}

impl Outbox for StoreOutbox {
    async fn next_after(&self, seq: u64, limit: usize) -> Result<Vec<Waiting>, OutboxError> {
        let rows = self.store.outbox_after(seq, limit).await.map_err(failed)?;
        let mut under_way = self.under_way();
        for row in &rows {
            // The clock of another boot is another one.
            let of_this_start = row.event.boot_id == self.store.boot_id();
            if let Some(camera) = row.event.camera.clone().filter(|_| of_this_start) {
                under_way.insert(row.event.seq, (camera, row.stored_at));
            }
            // Those that were given up are never acknowledged.
            if under_way.len() > TIMED {
                under_way.pop_first();
            }
        }
        drop(under_way);
        Ok(rows
            .into_iter()
            .map(|row| Waiting { event: row.event, stored_at: row.stored_at })
            .collect())
    }

    async fn ack(&self, seqs: Vec<u64>) -> Result<(), OutboxError> {
        let now = base::clock::monotonic();
        for seq in &seqs {
            let known = self.under_way().remove(seq);
            if let Some((camera, stored)) = known {
                self.latencies.published(&camera, now.saturating_sub(stored));
            }
        }
        self.store.ack(seqs).await.map_err(failed)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.store.newest()
    }

    fn pending(&self) -> u64 {
        self.store.outbox_status().pending
    }
}
