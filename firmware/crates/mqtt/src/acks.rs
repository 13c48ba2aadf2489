//! Acknowledged announcements on their way off the outbox, in batches. They outlive a connection.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ports::{Outbox, OutboxError};

/// Time between an acknowledgement and the batch it leaves with: one write for many.
const BATCH: Duration = Duration::from_millis(200);
/// Time between two tries after a failed one.
const RETRY: Duration = Duration::from_secs(1);

type Writing = Pin<Box<dyn Future<Output = (Vec<u64>, Result<(), OutboxError>)> + Send>>;

/// The batches.
pub(crate) struct Acks<O> {
    outbox: Arc<O>,
    noted: Vec<u64>,
    due: Option<Instant>,
    writing: Option<Writing>,
    failing: bool,
}

impl<O: Outbox> Acks<O> {
    pub(crate) fn new(outbox: Arc<O>) -> Self {
        Self { outbox, noted: Vec::new(), due: None, writing: None, failing: false }
    }

    /// The broker has `seq`.
    pub(crate) fn note(&mut self, seq: u64, now: Instant) {
        self.noted.push(seq);
        self.due.get_or_insert(now + BATCH);
    }

    /// When [`Self::start`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.writing.is_none())
    }

    /// Begins to write what is due.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let seqs = std::mem::take(&mut self.noted);
        self.due = None;
        let outbox = Arc::clone(&self.outbox);
        self.writing = Some(Box::pin(async move {
            let result = outbox.ack(seqs.clone()).await;
            (seqs, result)
        }));
    }

    /// Completes when a batch was written; never while none is being written. Cancel-safe.
    pub(crate) async fn written(&mut self) {
        let Some(writing) = &mut self.writing else { return pending().await };
        let (seqs, result) = writing.await;
        self.writing = None;
        match result {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        error = base::error::chain(&error),
                        "announced events cannot be taken off the outbox; tried again"
                    );
                }
                self.noted.extend(seqs);
                self.due = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Writes all that is noted, but gives up at the first failure: what stays in the outbox is
    /// sent twice, which is allowed, and not lost.
    pub(crate) async fn flush(&mut self) {
        if self.writing.is_some() {
            self.written().await;
        }
        if !self.noted.is_empty() {
            self.begin();
            self.written().await;
        }
    }
}
