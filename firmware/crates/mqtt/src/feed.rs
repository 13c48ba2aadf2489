//! Announcements on their way from the outbox into the window, read ahead in batches by `seq`.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::ports::{Outbox, OutboxError, Waiting};
use crate::window::EVENTS;

/// Announcements that are read at once.
const BATCH: usize = 2 * EVENTS;
/// Time between two tries after a failed one.
const RETRY: Duration = Duration::from_secs(1);

type Reading = Pin<Box<dyn Future<Output = Result<Vec<Waiting>, OutboxError>> + Send>>;

/// The announcements to come on one connection.
pub(crate) struct Feed<O> {
    outbox: Arc<O>,
    newest: watch::Receiver<u64>,
    ready: VecDeque<Waiting>,
    /// All waiting announcements up to this `seq` have been read.
    read_up_to: u64,
    /// The newest `seq` that was committed when the current reading began.
    committed: u64,
    reading: Option<Reading>,
    not_before: Option<Instant>,
    store_gone: bool,
}

impl<O: Outbox> Feed<O> {
    /// From the oldest that waits.
    pub(crate) fn new(outbox: Arc<O>) -> Self {
        let newest = outbox.newest();
        Self {
            outbox,
            newest,
            ready: VecDeque::new(),
            read_up_to: 0,
            committed: 0,
            reading: None,
            not_before: None,
            store_gone: false,
        }
    }

    /// The next announcement, if one is at hand.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        self.ready.pop_front()
    }

    /// Begins to read when little is at hand and there is more.
    pub(crate) fn start(&mut self, now: Instant) {
        let newest = *self.newest.borrow_and_update();
        let due = self.not_before.is_none_or(|not_before| not_before <= now);
        if self.reading.is_some() || self.ready.len() >= EVENTS || newest <= self.read_up_to || !due
        {
            return;
        }
        self.committed = newest;
        self.not_before = None;
        let outbox = Arc::clone(&self.outbox);
        let after = self.read_up_to;
        self.reading = Some(Box::pin(async move { outbox.next_after(after, BATCH).await }));
    }

    /// When [`Self::start`] is to be called again though nothing happened.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.not_before
    }

    /// Completes when [`Self::start`] or [`Self::pop`] may have more to give. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if let Some(reading) = &mut self.reading {
            let result = reading.await;
            self.reading = None;
            self.take(result);
        } else if self.store_gone {
            pending::<()>().await;
        } else if self.newest.changed().await.is_err() {
            self.store_gone = true;
        }
    }

    fn take(&mut self, result: Result<Vec<Waiting>, OutboxError>) {
        match result {
            Ok(rows) => {
                let last = rows.last().map_or(self.read_up_to, |row| row.event.seq);
                // A batch that is not full has all that was committed when it was asked for.
                let covered = if rows.len() < BATCH { self.committed } else { 0 };
                self.read_up_to = last.max(covered);
                self.ready.extend(rows);
            }
            Err(error) => {
                tracing::warn!(error = base::error::chain(&error), "reading the outbox");
                self.not_before = Some(Instant::now() + RETRY);
            }
        }
    }
}
