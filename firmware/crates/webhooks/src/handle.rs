//! The cloneable front: lists, makes, changes, tries webhooks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::event::{Event, EventType, Kind, Phase, SCHEMA, Severity, Timing, Zones};
use api::webhooks::{
    CreatedWebhook, NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookTrial,
};
use egress::Reach;
use serde::Serialize;
use store::StoreHandle;
use tokio::sync::{Mutex, mpsc};
use ulid::Ulid;

use crate::book::{Book, MAX, ReachOf, Row};
use crate::error::WebhookError;
use crate::folder::Folder;
use crate::keeper::Keeper;
use crate::post::{Message, Way};
use crate::sign;
use crate::slot::Slot;

/// How patient webhooks are, and how far they reach; the defaults are right for a device, tests change
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Longest time of a post.
    pub within: Duration,
    /// Longest time of a test: the API answers in time.
    pub trial_within: Duration,
    /// Longest first wait between two tries.
    pub wait_least: Duration,
    /// Longest wait between two tries.
    pub wait_most: Duration,
    /// How far an address may lead, by what its owner allows. Never [`Reach::Anywhere`] on a device.
    pub reach: ReachOf,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(10),
            trial_within: Duration::from_secs(8),
            wait_least: Duration::from_secs(1),
            wait_most: Duration::from_secs(300),
            reach: |allow_private| if allow_private { Reach::Lan } else { Reach::Public },
        }
    }
}

/// The webhooks of this device; cheap to clone.
#[derive(Clone, Debug)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    node: String,
    store: StoreHandle,
    tuning: Tuning,
    /// Why there are none although there were.
    damaged: Option<WebhookError>,
    /// Held from reading the book to the end of its change.
    book: Mutex<Book>,
    slots: RwLock<BTreeMap<Ulid, Arc<Slot>>>,
    /// Webhooks that are to run.
    begun: mpsc::Sender<Arc<Slot>>,
}

impl Webhooks {
    /// Reads what is kept in `folder` for the device `node`, whose announcements are in `store`. Nothing
    /// is posted until the keeper runs. A damaged file is no error here: nothing is posted, and whoever
    /// asks is told why.
    pub fn open(folder: &Path, node: &str, store: StoreHandle, tuning: Tuning) -> (Self, Keeper) {
        let folder = Folder::new(folder);
        let (book, damaged) = match folder.read() {
            Ok(book) => (book, None),
            Err(error) => {
                tracing::error!(%error, "no webhooks");
                (Book::default(), Some(error))
            }
        };
        let slot = |(id, row): (&Ulid, &Row)| (*id, Arc::new(Slot::new(*id, row.clone())));
        let slots: BTreeMap<_, _> = book.hooks.iter().map(slot).collect();
        let (begun, beginning) = mpsc::channel(MAX);
        let first = slots.values().cloned().collect();
        // What is known of webhooks that cannot be read now is kept for when they can.
        let only = damaged.is_none().then(|| slots.keys().copied().collect());
        let hooks = Self(Arc::new(Inner {
            folder,
            node: node.to_owned(),
            store,
            tuning,
            damaged,
            book: Mutex::new(book),
            slots: RwLock::new(slots),
            begun,
        }));
        let keeper = Keeper::new(hooks.clone(), first, only, beginning);
        (hooks, keeper)
    }

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn list(&self) -> Result<Vec<Webhook>, WebhookError> {
        self.usable()?;
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        Ok(slots.values().filter_map(|slot| self.shown(slot)).collect())
    }

    /// The webhook `id`.
    ///
    /// # Errors
    /// When there is none, or the file is damaged.
    pub fn get(&self, id: &str) -> Result<Webhook, WebhookError> {
        self.shown(&*self.slot(id)?).ok_or_else(|| WebhookError::NotFound(id.to_owned()))
    }

    /// Makes a webhook. It posts what happens from now on.
    ///
    /// # Errors
    /// When a field is wrong, there are too many, or it cannot be kept.
    pub async fn create(&self, new: NewWebhook) -> Result<CreatedWebhook, WebhookError> {
        let made_here = new.secret.is_none();
        let (id, reach) = (Ulid::generate(), self.0.tuning.reach);
        let origin = (id, base::clock::wall(), self.newest());
        let book = self.change_book(move |book| book.add(origin, new, reach)).await?;
        let secret = book.row(id)?.secret.clone();
        let webhook = self.get(&id.to_string())?;
        Ok(CreatedWebhook { webhook, secret: Some(secret).filter(|_| made_here) })
    }

    /// Changes a webhook; what is absent stays.
    ///
    /// # Errors
    /// When there is none, a field would be wrong, or it cannot be kept.
    pub async fn change(&self, id: &str, change: WebhookChange) -> Result<Webhook, WebhookError> {
        let (ulid, reach, newest) = (self.slot(id)?.id, self.0.tuning.reach, self.newest());
        self.change_book(move |book| book.change(ulid, change, newest, reach)).await?;
        self.get(id)
    }

    /// Deletes a webhook, and what is known of it.
    ///
    /// # Errors
    /// When there is none, or that cannot be kept.
    pub async fn remove(&self, id: &str) -> Result<(), WebhookError> {
        let id = self.slot(id)?.id;
        self.change_book(move |book| book.remove(id)).await.map(drop)
    }

    /// Posts a marked test event now, whether the webhook is switched on or not; answers what came back.
    ///
    /// # Errors
    /// When there is no such webhook.
    pub async fn trial(&self, id: &str) -> Result<WebhookTrial, WebhookError> {
        let slot = self.slot(id)?;
        let Some(row) = slot.wanted.borrow().clone() else {
            return Err(WebhookError::NotFound(id.to_owned()));
        };
        let message_id = format!("{}_test_{}", slot.id, Ulid::generate());
        let message = Message {
            id: message_id.clone(),
            // Infallible: all keys are text.
            body: serde_json::to_vec(&self.test_event()).unwrap_or_default(),
            headers: vec![("webhook-test", "true".to_owned())],
        };
        let way = self.way(&row, self.0.tuning.trial_within);
        let posted = tokio::task::spawn_blocking(move || way().map(|way| way.post(&message)));
        let answer = posted.await.map_err(|_| WebhookError::Stopping)??;
        Ok(WebhookTrial {
            delivered: answer.error.is_none(),
            message_id,
            status: answer.status,
            duration_ms: answer.took.as_millis() as u64,
            error: answer.error,
        })
    }

    /// What became of the last announcements that a webhook posted, with a `seq` below `before` (`None`:
    /// of all), at most `limit`, newest first.
    ///
    /// # Errors
    /// When there is no such webhook, or the store does not answer.
    pub async fn deliveries(
        &self,
        id: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<WebhookDelivery>, WebhookError> {
        let id = self.slot(id)?.id;
        Ok(self.0.store.hook_deliveries(id, before, limit).await?)
    }

    pub(crate) fn store(&self) -> &StoreHandle {
        &self.0.store
    }

    pub(crate) fn tuning(&self) -> Tuning {
        self.0.tuning
    }

    /// What makes the way to where `row` posts to, each post taking at most `within`. It blocks.
    pub(crate) fn way(
        &self,
        row: &Row,
        within: Duration,
    ) -> impl FnOnce() -> Result<Way, WebhookError> + Send + 'static {
        let (url, secret) = (row.url.clone(), row.secret.clone());
        let reach = (self.0.tuning.reach)(row.allow_private);
        move || match sign::key(&secret) {
            Ok(key) => Ok(Way::new(&url, &key, reach, within)),
            // It was checked when it came; the file was written by somebody else.
            Err(reason) => Err(WebhookError::Invalid(vec![api::problem::FieldProblem {
                pointer: "/secret".into(),
                detail: reason.into(),
            }])),
        }
    }

    /// The device switches a webhook off, if its address is `url` still.
    pub(crate) async fn switch_off(
        &self,
        id: Ulid,
        url: String,
        reason: &'static str,
    ) -> Result<(), WebhookError> {
        let change = move |book: &mut Book| {
            book.switch_off(id, &url, reason);
            Ok(())
        };
        self.change_book(change).await.map(drop)
    }

    /// The store counts anew.
    pub(crate) async fn begin_anew(&self, id: Ulid) -> Result<(), WebhookError> {
        let change = move |book: &mut Book| {
            book.begin_anew(id);
            Ok(())
        };
        self.change_book(change).await.map(drop)
    }

    fn newest(&self) -> u64 {
        *self.0.store.newest().borrow()
    }

    fn usable(&self) -> Result<(), WebhookError> {
        self.0.damaged.clone().map_or(Ok(()), Err)
    }

    fn slot(&self, id: &str) -> Result<Arc<Slot>, WebhookError> {
        self.usable()?;
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        let ulid = Ulid::from_string(id).ok();
        let slot = ulid.and_then(|ulid| slots.get(&ulid).cloned());
        slot.ok_or_else(|| WebhookError::NotFound(id.to_owned()))
    }

    fn shown(&self, slot: &Slot) -> Option<Webhook> {
        let row = slot.wanted.borrow().clone()?;
        Some(row.shown(slot.id, slot.status(&row, self.newest())))
    }

    /// Makes a change on a copy, keeps it, and has the pumps take it over. Whoever asked may go
    /// meanwhile: it is done whole.
    async fn change_book(
        &self,
        change: impl FnOnce(&mut Book) -> Result<(), WebhookError> + Send + 'static,
    ) -> Result<Book, WebhookError> {
        self.usable()?;
        let hooks = self.clone();
        let done = tokio::spawn(async move {
            let mut book = hooks.0.book.lock().await;
            let mut new = book.clone();
            change(&mut new)?;
            if new == *book {
                return Ok(new);
            }
            let (folder, kept) = (hooks.0.folder.clone(), new.clone());
            let keep = tokio::task::spawn_blocking(move || folder.keep(&kept));
            keep.await.map_err(|_| WebhookError::Stopping)??;
            *book = new.clone();
            hooks.take_over(&new).await;
            Ok(new)
        });
        done.await.map_err(|_| WebhookError::Stopping)?
    }

    async fn take_over(&self, book: &Book) {
        let mut fresh = Vec::new();
        {
            let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|id, slot| {
                let stays = book.hooks.contains_key(id);
                if !stays {
                    slot.wanted.send_replace(None);
                }
                stays
            });
            for (id, row) in &book.hooks {
                let known = slots.get(id).inspect(|slot| {
                    slot.wanted.send_if_modified(|wanted| {
                        let changes = wanted.as_deref() != Some(row);
                        if changes {
                            *wanted = Some(Arc::new(row.clone()));
                        }
                        changes
                    });
                });
                if known.is_none() {
                    let slot = Arc::new(Slot::new(*id, row.clone()));
                    slots.insert(*id, slot.clone());
                    fresh.push(slot);
                }
            }
        }
        for slot in fresh {
            // Fails when the daemon is stopping: the next start has it.
            let _ = self.0.begun.send(slot).await;
        }
    }

    fn test_event(&self) -> TestEvent {
        let now = base::clock::wall();
        let now = jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let event = Event {
            schema: SCHEMA.to_owned(),
            id: Ulid::generate(),
            seq: 0,
            boot_id: self.0.store.boot_id().to_owned(),
            replayed: false,
            phase: Phase::New,
            event_type: EventType::ObjectNew,
            kind: Kind::Object,
            severity: Severity::Notice,
            node: self.0.node.clone(),
            camera: Some("test".to_owned()),
            ts: now,
            start_ts: now,
            end_ts: None,
            object: None,
            zones: Zones::default(),
            line: None,
            governor: None,
            crowding: None,
            input: None,
            end_reason: None,
            model: None,
            timing: Timing::default(),
        };
        TestEvent { event, test: true }
    }
}

/// An announcement of nothing.
#[derive(Debug, Serialize)]
struct TestEvent {
    #[serde(flatten)]
    event: Event,
    test: bool,
}
