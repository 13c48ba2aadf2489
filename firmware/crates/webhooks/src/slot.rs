//! What pump and handle share of a webhook: what it is to be, and how it is doing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::webhooks::{DeliveryOutcome, WebhookStatus};
use jiff::{SignedDuration, Timestamp};
use store::HookProgress;
use tokio::sync::watch;
use ulid::Ulid;

use crate::book::Row;
use crate::post::Answer;

/// A webhook that runs.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: Ulid,
    /// What it is to be; `None`: it is gone.
    pub(crate) wanted: watch::Sender<Option<Arc<Row>>>,
    state: Mutex<State>,
}

/// How it is doing.
#[derive(Debug, Default)]
struct State {
    status: WebhookStatus,
    /// Up to where it has come; `None`: it is being looked up.
    seq: Option<u64>,
}

impl Slot {
    pub(crate) fn new(id: Ulid, row: Row) -> Self {
        let wanted = watch::Sender::new(Some(Arc::new(row)));
        Self { id, wanted, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is doing, where the store has given numbers up to `newest` and `row` is what it is.
    pub(crate) fn status(&self, row: &Row, newest: u64) -> WebhookStatus {
        let state = self.state();
        // Nothing waits for one that is switched off.
        let seq = state.seq.filter(|_| row.enabled);
        let backlog = seq.map_or(0, |seq| newest.saturating_sub(seq.max(row.from_seq)));
        WebhookStatus { backlog, ..state.status.clone() }
    }

    /// What the store knows of it.
    pub(crate) fn resumes(&self, progress: &HookProgress) {
        let delivered =
            |one: &&api::webhooks::WebhookDelivery| one.outcome == DeliveryOutcome::Delivered;
        let last = progress.newest.iter().find(delivered).map(|one| one.last_at);
        self.state().status.last_success_at = last;
    }

    /// It has come up to `seq`.
    pub(crate) fn has_come_to(&self, seq: u64) {
        self.state().seq = Some(seq);
    }

    /// A post was taken.
    pub(crate) fn succeeded(&self, now: Timestamp) {
        let status = &mut self.state().status;
        status.delivered += 1;
        status.last_success_at = Some(now);
        (status.failing_since, status.error, status.next_try_at) = (None, None, None);
    }

    /// A post was not taken; the next try is made after `wait`, if there is to be one.
    pub(crate) fn failed(&self, now: Timestamp, answer: &Answer, wait: Option<Duration>) {
        let status = &mut self.state().status;
        match answer.status {
            Some(_) => status.refused += 1,
            None => status.unanswered += 1,
        }
        status.failing_since.get_or_insert(now);
        status.error.clone_from(&answer.error);
        let wait = wait.and_then(|wait| SignedDuration::try_from(wait).ok());
        status.next_try_at = wait.and_then(|wait| now.checked_add(wait).ok());
    }

    /// Nothing is tried any more.
    pub(crate) fn gave_up(&self) {
        let status = &mut self.state().status;
        (status.failing_since, status.next_try_at) = (None, None);
    }
}
