//! One webhook: from where it has come to, announcement by announcement. Sleeps until there is a new one.

use std::sync::Arc;
use std::time::Duration;

use api::event::Event;
use api::webhooks::{DeliveryOutcome, WebhookDelivery};
use base::shutdown::Shutdown;
use store::{EventQuery, HookNote, StoreError};
use tokio::sync::{mpsc, watch};

use crate::book::Row;
use crate::filter;
use crate::handle::Webhooks;
use crate::plan::{self, Place, Verdict};
use crate::post::{Answer, Message, Way};
use crate::slot::Slot;

/// Announcements that are read at a time.
const BATCH: usize = 64;
/// So many that nobody wants are passed over before that is kept.
const PASSED: u64 = 100;
/// Wait after the store did not answer.
const STORE_AGAIN: Duration = Duration::from_secs(5);
/// How long a post that runs may go on when the daemon stops.
const LAST_POST: Duration = Duration::from_secs(2);

/// Why a webhook that is gone for its receiver is switched off.
const GONE: &str =
    "the receiver answered 410: it is gone for good. Switch the webhook on again if not";

/// What moves a webhook on.
pub(crate) struct Pump {
    hooks: Webhooks,
    slot: Arc<Slot>,
    wanted: watch::Receiver<Option<Arc<Row>>>,
    newest: watch::Receiver<u64>,
    notes: mpsc::Sender<HookNote>,
    shutdown: Shutdown,
    place: Place,
    /// Passed over since that was last kept.
    passed: u64,
    /// What was tried before and not taken.
    open: Option<WebhookDelivery>,
    /// The way there, for the row that it was made for.
    way: Option<(Arc<Row>, Way)>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The next announcement.
    On,
    /// Look again at what is wanted.
    Changed,
    /// Wait for news.
    Idle,
    /// Nothing more.
    Over,
}

impl Pump {
    pub(crate) fn new(
        hooks: Webhooks,
        slot: Arc<Slot>,
        notes: mpsc::Sender<HookNote>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            wanted: slot.wanted.subscribe(),
            newest: hooks.store().newest(),
            hooks,
            slot,
            notes,
            shutdown,
            place: Place::default(),
            passed: 0,
            open: None,
            way: None,
        }
    }

    /// Runs until the webhook is deleted or the daemon stops.
    pub(crate) async fn run(mut self) {
        if self.resume().await == Flow::Over {
            return;
        }
        loop {
            let Some(row) = self.wanted.borrow_and_update().clone() else {
                return self.note(HookNote::Forget { hook: self.slot.id }).await;
            };
            // What comes from now on wakes.
            self.newest.borrow_and_update();
            self.begin_where_wanted(&row).await;
            let flow = if row.enabled { self.drain(&row).await } else { self.rest().await };
            match flow {
                Flow::Changed | Flow::On => continue,
                Flow::Over => return,
                Flow::Idle => {}
            }
            tokio::select! {
                // The slot has the other end.
                _ = self.wanted.changed() => {}
                changed = self.newest.changed(), if row.enabled => if changed.is_err() { return },
                () = self.shutdown.wait() => return self.keep_place().await,
            }
        }
    }

    /// Looks up where it was.
    async fn resume(&mut self) -> Flow {
        let progress = loop {
            match self.hooks.store().hook_progress(self.slot.id).await {
                Ok(progress) => break progress,
                Err(error) if self.wait_for_store(&error).await == Flow::Over => return Flow::Over,
                Err(_) => {}
            }
        };
        let from = self.wanted.borrow().as_ref().map_or(0, |row| row.from_seq);
        let newest = *self.newest.borrow();
        self.place = Place::resume(progress.cursor, from, newest);
        self.slot.resumes(&progress);
        self.slot.has_come_to(self.place.seq);
        if from > newest || self.place.gap.is_some() {
            self.say_lost().await;
        }
        self.open = progress
            .newest
            .into_iter()
            .next()
            .filter(|one| one.outcome == DeliveryOutcome::Retrying && one.seq > self.place.seq);
        Flow::On
    }

    /// Passes over what happened before it was switched on.
    async fn begin_where_wanted(&mut self, row: &Row) {
        let newest = *self.newest.borrow();
        if row.from_seq > self.place.seq && row.from_seq <= newest {
            self.place.has_posted(row.from_seq);
            self.keep_place().await;
        }
    }

    /// Posts what there is, until there is no more.
    async fn drain(&mut self, row: &Arc<Row>) -> Flow {
        loop {
            let query = EventQuery {
                after_seq: Some(self.place.seq),
                limit: BATCH,
                ..EventQuery::default()
            };
            let events = match self.hooks.store().events(query).await {
                Ok(events) => events,
                Err(error) => match self.wait_for_store(&error).await {
                    Flow::On => continue,
                    flow => return flow,
                },
            };
            if events.is_empty() {
                let newest = *self.newest.borrow();
                if newest >= self.place.seq {
                    return Flow::Idle;
                }
                // The store was lost while we ran, and counts anew.
                self.place = Place::resume(None, self.place.seq, newest);
                self.say_lost().await;
            }
            for event in events {
                match self.take(row, event).await {
                    Flow::On => {}
                    flow => return flow,
                }
            }
        }
    }

    /// One announcement: posted, or passed over.
    async fn take(&mut self, row: &Arc<Row>, event: Event) -> Flow {
        if self.wanted.has_changed().unwrap_or(true) {
            return Flow::Changed;
        }
        self.place.comes_to(event.seq);
        if filter::wants(&row.filter, &event) {
            return self.deliver(row, event).await;
        }
        self.place.passes(event.seq);
        self.slot.has_come_to(event.seq);
        self.passed += 1;
        if self.passed >= PASSED {
            self.keep_place().await;
        }
        if self.is_stopping().await { Flow::Over } else { Flow::On }
    }

    /// Posts `event` until it is taken, or something else is wanted.
    async fn deliver(&mut self, row: &Arc<Row>, event: Event) -> Flow {
        if self.open.as_ref().is_some_and(|open| open.seq != event.seq) {
            self.abandon().await;
        }
        let mut delivery = self.open.take().unwrap_or_else(|| self.delivery(&event));
        delivery.gap = self.place.gap;
        loop {
            if self.is_stopping().await {
                return Flow::Over;
            }
            let Some(answer) = self.post(row, &event, &mut delivery).await else {
                return Flow::Over;
            };
            match plan::verdict(answer.status) {
                Verdict::Taken => {
                    self.has_posted(delivery).await;
                    return Flow::On;
                }
                Verdict::Gone => return self.is_gone(row, delivery, &answer).await,
                Verdict::Again => {}
            }
            match self.wait_to_try_again(delivery, &answer).await {
                Ok(again) => delivery = again,
                Err(flow) => return flow,
            }
        }
    }

    fn delivery(&self, event: &Event) -> WebhookDelivery {
        let now = base::clock::wall();
        WebhookDelivery {
            seq: event.seq,
            message_id: plan::message_id(self.slot.id, event),
            first_at: now,
            last_at: now,
            attempts: 0,
            outcome: DeliveryOutcome::Retrying,
            status: None,
            duration_ms: 0,
            error: None,
            gap: None,
        }
    }

    /// One try; `None`: the daemon stopped before there was an answer.
    async fn post(
        &mut self,
        row: &Arc<Row>,
        event: &Event,
        delivery: &mut WebhookDelivery,
    ) -> Option<Answer> {
        delivery.last_at = base::clock::wall();
        delivery.attempts = delivery.attempts.saturating_add(1);
        let boot_id = self.hooks.store().boot_id();
        let replayed = plan::is_replayed(event, delivery.attempts, boot_id, delivery.last_at);
        let gap = delivery.gap.and_then(|gap| serde_json::to_string(&gap).ok());
        let message = Message {
            id: delivery.message_id.clone(),
            // What came out of the store as JSON goes into JSON again.
            body: serde_json::to_vec(&Event { replayed, ..event.clone() }).unwrap_or_default(),
            headers: gap.map(|gap| ("webhook-gap", gap)).into_iter().collect(),
        };
        let known = self.way.take().filter(|(of, _)| Arc::ptr_eq(of, row));
        let make = self.hooks.way(row, self.hooks.tuning().within);
        let mut posting = tokio::task::spawn_blocking(move || {
            let way = match known {
                Some((_, way)) => way,
                None => match make() {
                    Ok(way) => way,
                    Err(error) => return (Answer::refused(&error), None),
                },
            };
            (way.post(&message), Some(way))
        });
        let posted = tokio::select! {
            posted = &mut posting => posted.ok(),
            () = self.shutdown.wait() => {
                tokio::time::timeout(LAST_POST, posting).await.ok().and_then(Result::ok)
            }
        };
        let (answer, way) = posted?;
        self.way = way.map(|way| (row.clone(), way));
        delivery.status = answer.status;
        delivery.error.clone_from(&answer.error);
        delivery.duration_ms = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX);
        Some(answer)
    }

    async fn has_posted(&mut self, mut delivery: WebhookDelivery) {
        let seq = delivery.seq;
        self.place.has_posted(seq);
        self.passed = 0;
        self.slot.succeeded(delivery.last_at);
        self.slot.has_come_to(seq);
        delivery.outcome = DeliveryOutcome::Delivered;
        self.note_delivery(delivery, Some(seq)).await;
    }

    async fn is_gone(&mut self, row: &Row, delivery: WebhookDelivery, answer: &Answer) -> Flow {
        tracing::warn!(webhook = %self.slot.id, "its receiver is gone: switched off");
        self.slot.failed(delivery.last_at, answer, None);
        self.open = Some(delivery);
        let off = self.hooks.switch_off(self.slot.id, row.url.clone(), GONE).await;
        let Err(error) = off else { return Flow::Changed };
        // It is asked again, and switched off then.
        tracing::warn!(error = base::error::chain(&error), "a webhook cannot be switched off");
        match self.pause(self.hooks.tuning().wait_most).await {
            Flow::On => Flow::Changed,
            flow => flow,
        }
    }

    /// Waits after a try that failed: the delivery to try again, or what comes in between.
    async fn wait_to_try_again(
        &mut self,
        delivery: WebhookDelivery,
        answer: &Answer,
    ) -> Result<WebhookDelivery, Flow> {
        let tuning = self.hooks.tuning();
        let range = (tuning.wait_least, tuning.wait_most);
        let wait = plan::wait(delivery.attempts, range, fastrand::f64(), answer.retry_after);
        self.slot.failed(delivery.last_at, answer, Some(wait));
        if delivery.attempts == 1 {
            let error = answer.error.as_deref().unwrap_or_default();
            tracing::warn!(webhook = %self.slot.id, error, "not delivered: trying again");
        }
        self.note_delivery(delivery.clone(), None).await;
        match self.pause(wait).await {
            Flow::On => Ok(delivery),
            flow => {
                self.open = Some(delivery);
                Err(flow)
            }
        }
    }

    /// `On` after `wait`, unless something else is wanted or the daemon stops.
    async fn pause(&mut self, wait: Duration) -> Flow {
        tokio::select! {
            () = tokio::time::sleep(wait) => Flow::On,
            _ = self.wanted.changed() => {
                // It was only looked whether there is something.
                self.wanted.mark_changed();
                Flow::Changed
            }
            () = self.shutdown.wait() => Flow::Over,
        }
    }

    /// It is switched off: what was tried is tried no more.
    async fn rest(&mut self) -> Flow {
        self.abandon().await;
        self.slot.gave_up();
        Flow::Idle
    }

    /// What was tried is not wanted any more.
    async fn abandon(&mut self) {
        if let Some(mut delivery) = self.open.take() {
            delivery.outcome = DeliveryOutcome::Abandoned;
            self.note_delivery(delivery, None).await;
        }
    }

    async fn is_stopping(&mut self) -> bool {
        if !self.shutdown.is_stopping() {
            return false;
        }
        self.keep_place().await;
        true
    }

    async fn wait_for_store(&mut self, error: &StoreError) -> Flow {
        if matches!(error, StoreError::Stopped) {
            return Flow::Over;
        }
        let error = base::error::chain(error);
        tracing::warn!(webhook = %self.slot.id, error, "announcements cannot be read");
        self.pause(STORE_AGAIN).await
    }

    async fn say_lost(&mut self) {
        let seq = self.place.seq;
        tracing::warn!(webhook = %self.slot.id, seq, "the event store counts anew");
        self.slot.has_come_to(seq);
        if let Err(error) = self.hooks.begin_anew(self.slot.id).await {
            tracing::warn!(error = base::error::chain(&error), "a webhook cannot be kept");
        }
    }

    /// Keeps up to where it has come, unless what is missing before that is not told yet.
    async fn keep_place(&mut self) {
        self.passed = 0;
        self.slot.has_come_to(self.place.seq);
        if self.place.gap.is_none() {
            self.note(HookNote::Cursor { hook: self.slot.id, seq: self.place.seq }).await;
        }
    }

    async fn note_delivery(&self, delivery: WebhookDelivery, up_to: Option<u64>) {
        let (hook, delivery) = (self.slot.id, Box::new(delivery));
        self.note(HookNote::Delivery { hook, delivery, up_to }).await;
    }

    async fn note(&self, note: HookNote) {
        // Fails when nobody keeps anything any more: then it is posted again.
        let _ = self.notes.send(note).await;
    }
}
