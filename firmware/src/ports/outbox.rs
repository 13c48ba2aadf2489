//! The outbox that the MQTT session drains: the store's.

use mqtt::{Outbox, OutboxError, Waiting};
use store::{StoreError, StoreHandle};
use tokio::sync::watch;

/// The store as the MQTT session sees it.
#[derive(Debug)]
pub(crate) struct StoreOutbox(pub(crate) StoreHandle);

fn failed(error: StoreError) -> OutboxError {
    OutboxError(Box::new(error))
}

impl Outbox for StoreOutbox {
    async fn next_after(&self, seq: u64, limit: usize) -> Result<Vec<Waiting>, OutboxError> {
        let rows = self.0.outbox_after(seq, limit).await.map_err(failed)?;
        Ok(rows
            .into_iter()
            .map(|row| Waiting { event: row.event, stored_at: row.stored_at })
            .collect())
    }

    async fn ack(&self, seqs: Vec<u64>) -> Result<(), OutboxError> {
        self.0.ack(seqs).await.map_err(failed)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest()
    }

    fn pending(&self) -> u64 {
        self.0.outbox_status().pending
    }
}
