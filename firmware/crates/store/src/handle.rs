//! The cloneable front of the store: async, answers after the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use api::access::AuditEntry;
use api::event::Event;
use api::webhooks::WebhookDelivery;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use ulid::Ulid;

use crate::error::StoreError;
use crate::read::Read;
use crate::types::{
    CloseReason, Count, CountQuery, EventQuery, HookNote, HookProgress, NewEvent, NewTracks,
    OutboxExtent, OutboxRow, OutboxStatus, SeqBounds, Stored,
};
use crate::worker::Write;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Asks the store; cheap to clone. All questions are cancel-safe; an `append` whose future is
/// dropped may still be stored.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    pub(crate) writes: mpsc::Sender<Write>,
    pub(crate) reads: mpsc::Sender<Read>,
    pub(crate) newest: watch::Receiver<u64>,
    pub(crate) outbox: watch::Receiver<OutboxStatus>,
    pub(crate) live: broadcast::Sender<Arc<Event>>,
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) boot_id: Arc<str>,
}

impl StoreHandle {
    /// Stores one event and its outbox row; answers when both are safe on the disk.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] (`ResourceExhausted`) when there is no room: nothing of it was
    /// stored, no `seq` was used up, and a later try may work.
    pub async fn append(&self, event: NewEvent) -> Result<Stored, StoreError> {
        let stored = self.append_all(vec![event]).await?;
        stored.first().copied().ok_or(StoreError::Stopped)
    }

    /// Stores `events` in this order with consecutive `seq`s, all or none of them. For events
    /// that came together, cheaper and quicker than one [`Self::append`] after the other.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_all(&self, events: Vec<NewEvent>) -> Result<Vec<Stored>, StoreError> {
        self.write(|answer| Write::Append { events, answer }).await
    }

    /// Takes announcements off the outbox; those that are not on it are of no matter.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn ack(&self, seqs: Vec<u64>) -> Result<(), StoreError> {
        self.write(|answer| Write::Ack { seqs, answer }).await
    }

    /// Ends the open events of `camera` (`None`: of all cameras) with an announcement each, in
    /// the order in which they began; answers with their `seq`s. For a camera whose process is
    /// gone, and for all at the start of the daemon.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn close_open(
        &self,
        camera: Option<&str>,
        reason: CloseReason,
    ) -> Result<Vec<Stored>, StoreError> {
        let camera = camera.map(str::to_owned);
        self.write(|answer| Write::CloseOpen { camera, reason, answer }).await
    }

    /// Stores some seconds of what a camera tracked; deletes the oldest that are beyond the limits.
    ///
    /// # Errors
    /// When the database cannot be written: these seconds are not kept.
    pub async fn append_tracks(&self, tracks: NewTracks) -> Result<(), StoreError> {
        self.write(|answer| Write::Tracks { tracks, answer }).await
    }

    /// Stores an entry of the record of changes, under the next `seq` of its own whatever it carries.
    /// The newest 10,000 are kept.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let entry = Box::new(entry);
        self.write(|answer| Write::Audit { entry, answer }).await
    }

    /// The newest entries of the record of changes with a `seq` below `before` (`None`: of all), at most
    /// `limit`, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|answer| Read::Audit { before, limit, answer }).await
    }

    /// Keeps what became of webhooks, in this order.
    ///
    /// # Errors
    /// When the database cannot be written: nothing of it is kept.
    pub async fn note_hooks(&self, notes: Vec<HookNote>) -> Result<(), StoreError> {
        self.write(|answer| Write::Hooks { notes, answer }).await
    }

    /// How far a webhook has come.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn hook_progress(&self, hook: Ulid) -> Result<HookProgress, StoreError> {
        self.read(|answer| Read::HookProgress { hook, answer }).await
    }

    /// What became of the last announcements that a webhook posted, with a `seq` below `before` (`None`:
    /// of all), at most `limit`, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn hook_deliveries(
        &self,
        hook: Ulid,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.read(|answer| Read::HookDeliveries { hook, before, limit, answer }).await
    }

    /// Announcements by filter.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn events(&self, query: EventQuery) -> Result<Vec<Event>, StoreError> {
        self.read(|answer| Read::Events { query, answer }).await
    }

    /// All announcements of one event that are still kept, oldest first; empty when there are
    /// none. The last is its newest state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn event(&self, id: Ulid) -> Result<Vec<Event>, StoreError> {
        self.read(|answer| Read::Event { id, answer }).await
    }

    /// The newest announcement of each event of `camera` (`None`: of all cameras) that has no
    /// end yet, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_events(&self, camera: Option<&str>) -> Result<Vec<Event>, StoreError> {
        let camera = camera.map(str::to_owned);
        self.read(|answer| Read::OpenEvents { camera, answer }).await
    }

    /// What can be had: a reader that resumes below `oldest` has missed something.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bounds(&self) -> Result<SeqBounds, StoreError> {
        self.read(|answer| Read::Bounds { answer }).await
    }

    /// How many events began when.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn counts(&self, query: CountQuery) -> Result<Vec<Count>, StoreError> {
        self.read(|answer| Read::Counts { query, answer }).await
    }

    /// The oldest announcements that wait for the broker and have a `seq` greater than `seq`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_after(&self, seq: u64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|answer| Read::OutboxAfter { seq, limit, answer }).await
    }

    /// How large what waits for the broker is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_extent(&self) -> Result<OutboxExtent, StoreError> {
        self.read(|answer| Read::OutboxExtent { answer }).await
    }

    /// How much waits for the broker, as of the newest commit.
    pub fn outbox_status(&self) -> OutboxStatus {
        *self.outbox.borrow()
    }

    /// The `seq` of the newest committed announcement, 0 when there never was one. Changes after
    /// the commit, so that a query finds what it tells of.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }

    /// Every announcement from now on, in `seq` order, each after its commit. Who falls more
    /// than 1,024 behind sees `Lagged` and goes back to [`Self::events`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }

    /// Transactions since the start: many events share one.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The id of this start of the daemon.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    async fn write<T>(&self, command: impl FnOnce(Answer<T>) -> Write) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(command(answer)).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }

    async fn read<T>(&self, command: impl FnOnce(Answer<T>) -> Read) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.reads.send(command(answer)).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }
}

/// The threads of the store. They end when asked here, or when this and the last [`StoreHandle`]
/// are gone.
#[derive(Debug)]
pub struct StoreThreads {
    pub(crate) writes: mpsc::Sender<Write>,
    pub(crate) reads: mpsc::Sender<Read>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

impl StoreThreads {
    /// Commits what was asked for before, closes the database and waits for the threads. Later
    /// questions are answered with [`StoreError::Stopped`].
    pub async fn stop(self) {
        let Self { writes, reads, threads } = self;
        // An error means that the thread has ended already, which is what is wanted.
        let _ = writes.send(Write::Stop).await;
        let _ = reads.send(Read::Stop).await;
        drop((writes, reads));
        let joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().map(JoinHandle::join).all(|joined| joined.is_ok())
        });
        if !joined.await.unwrap_or(false) {
            tracing::error!("a thread of the event store panicked");
        }
    }
}
