//! Thread `ec-store`: groups commands into transactions. In the long run one commit per 20 ms or
//! 64 events; after a quiet time a few commands in a row are committed at once, so that neither a
//! single event nor a burst of one camera waits for company.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::access::AuditEntry;
use api::event::Event;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout_at;

use crate::error::StoreError;
use crate::open::{MIGRATIONS, counter, open_or_replace};
use crate::types::{
    CloseReason, HookNote, NewEvent, NewTracks, OutboxStatus, StoreOptions, Stored,
};
use crate::write::{Filling, Limited, totals};

/// Mean time between two commits under load: what comes in between is committed together.
pub(crate) const COMMIT_INTERVAL: Duration = Duration::from_millis(20);
/// Quiet time that counts: it allows so many commits in a row without waiting.
const CREDIT: Duration = Duration::from_millis(100);
/// Events that are committed without waiting for more.
pub(crate) const COMMIT_EVENTS: usize = 64;
/// Least time between two log lines about dropped announcements.
const DROP_LOG_INTERVAL: Duration = Duration::from_secs(10);

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writing thread is asked for.
#[derive(Debug)]
pub(crate) enum Write {
    Append { events: Vec<NewEvent>, answer: Answer<Vec<Stored>> },
    Ack { seqs: Vec<u64>, answer: Answer<()> },
    Tracks { tracks: NewTracks, answer: Answer<()> },
    Audit { entry: Box<AuditEntry>, answer: Answer<()> },
    Hooks { notes: Vec<HookNote>, answer: Answer<()> },
    CloseOpen { camera: Option<String>, reason: CloseReason, answer: Answer<Vec<Stored>> },
    Stop,
}

/// What a command came to inside a transaction that was committed.
type Outcome = Result<Vec<Stored>, StoreError>;

impl Write {
    fn events(&self) -> usize {
        match self {
            Self::Append { events, .. } => events.len(),
            Self::Ack { .. }
            | Self::Tracks { .. }
            | Self::Audit { .. }
            | Self::Hooks { .. }
            | Self::CloseOpen { .. }
            | Self::Stop => 0,
        }
    }

    fn fill(&self, filling: &mut Filling<'_>) -> rusqlite::Result<Outcome> {
        match self {
            Self::Append { events, .. } => filling.append(events),
            Self::CloseOpen { camera, reason, .. } => {
                filling.close_open(camera.as_deref(), *reason)
            }
            Self::Ack { seqs, .. } => filling.ack(seqs).map(|()| Ok(Vec::new())),
            Self::Tracks { tracks, .. } => filling.append_tracks(tracks).map(|()| Ok(Vec::new())),
            Self::Audit { entry, .. } => filling.append_audit(entry).map(|()| Ok(Vec::new())),
            Self::Hooks { notes, .. } => filling.note_hooks(notes).map(|()| Ok(Vec::new())),
            Self::Stop => Ok(Ok(Vec::new())),
        }
    }

    /// Whoever asked may have gone; that is no matter of ours.
    fn answer(self, outcome: Outcome) {
        match self {
            Self::Append { answer, .. } | Self::CloseOpen { answer, .. } => {
                drop(answer.send(outcome));
            }
            Self::Ack { answer, .. }
            | Self::Tracks { answer, .. }
            | Self::Audit { answer, .. }
            | Self::Hooks { answer, .. } => {
                drop(answer.send(outcome.map(|_| ())));
            }
            Self::Stop => {}
        }
    }
}

/// Where the writing side tells of commits.
pub(crate) struct Out {
    pub(crate) newest: watch::Sender<u64>,
    pub(crate) outbox: watch::Sender<OutboxStatus>,
    pub(crate) live: broadcast::Sender<Arc<Event>>,
    pub(crate) commits: Arc<AtomicU64>,
}

/// The writing side of the store.
pub(crate) struct Worker {
    connection: Connection,
    path: PathBuf,
    options: StoreOptions,
    boot_id: Arc<str>,
    newest: watch::Sender<u64>,
    outbox: watch::Sender<OutboxStatus>,
    live: broadcast::Sender<Arc<Event>>,
    commits: Arc<AtomicU64>,
    events: u64,
    dropped_unsaid: u64,
    drop_said: Option<Instant>,
    failing: bool,
}

impl Worker {
    pub(crate) fn new(
        connection: Connection,
        path: PathBuf,
        options: StoreOptions,
        boot_id: Arc<str>,
        out: Out,
    ) -> Result<Self, StoreError> {
        let (last_seq, events, status) = totals(&connection)
            .map_err(|e| StoreError::sqlite(&path, "counting what is there", e))?;
        let Out { newest, outbox, live, commits } = out;
        newest.send_replace(last_seq);
        outbox.send_replace(status);
        Ok(Self {
            connection,
            path,
            options,
            boot_id,
            newest,
            outbox,
            live,
            commits,
            events,
            dropped_unsaid: 0,
            drop_said: None,
            failing: false,
        })
    }

    /// One transaction of `batch`, then its answers.
    fn commit(&mut self, batch: Vec<Write>) {
        match self.transact(&batch) {
            Ok((outcomes, limited)) => {
                self.say_limits(limited);
                self.say_recovered();
                batch
                    .into_iter()
                    .zip(outcomes)
                    .for_each(|(command, outcome)| command.answer(outcome));
            }
            Err(source) => {
                let error = self.failed(source);
                batch.into_iter().for_each(|command| command.answer(Err(error.clone())));
            }
        }
    }

    /// All of `batch` or, by the drop of the transaction, nothing of it.
    fn transact(&mut self, batch: &[Write]) -> rusqlite::Result<(Vec<Outcome>, Limited)> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut filling = Filling {
            connection: &transaction,
            node: &self.options.node,
            boot_id: &self.boot_id,
            policy: self.options.outbox,
            last_seq: counter(&transaction, "last_seq")?,
            events: self.events,
            outbox: *self.outbox.borrow(),
            track_limits: self.options.tracks,
            track_bytes: counter(&transaction, "track_bytes")?,
            fresh: Vec::new(),
        };
        let outcomes =
            batch.iter().map(|command| command.fill(&mut filling)).collect::<Result<_, _>>()?;
        let limited = filling.keep_limits(self.options.events_max)?;
        filling.save_counters()?;
        let Filling { last_seq, events, outbox, fresh, .. } = filling;
        transaction.commit()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.events = events;
        self.outbox.send_replace(outbox);
        // After the commit: who is woken by this finds the rows.
        self.newest.send_if_modified(|newest| std::mem::replace(newest, last_seq) != last_seq);
        for event in fresh {
            // Nobody listening is no error.
            let _ = self.live.send(event);
        }
        Ok((outcomes, limited))
    }

    fn failed(&mut self, source: rusqlite::Error) -> StoreError {
        let error = StoreError::sqlite(&self.path, "storing events", source);
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(error = base::error::chain(&error), "events cannot be stored");
        }
        if error.is_corruption() {
            self.replace_database();
        }
        error
    }

    /// What `open` would do at the next start, done now: the box must go on.
    fn replace_database(&mut self) {
        match open_or_replace(&self.path, MIGRATIONS) {
            Ok((connection, _)) => match totals(&connection) {
                Ok((_, events, status)) => {
                    self.connection = connection;
                    self.events = events;
                    self.outbox.send_replace(status);
                }
                Err(error) => tracing::error!(%error, "the fresh event database cannot be read"),
            },
            Err(error) => {
                tracing::error!(error = base::error::chain(&error), "no fresh event database");
            }
        }
    }

    fn say_recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("events can be stored again");
        }
    }

    /// Never silent, and never a line per commit.
    fn say_limits(&mut self, limited: Limited) {
        if limited.deleted > 0 {
            tracing::debug!(deleted = limited.deleted, "deleted the oldest announced events");
        }
        self.dropped_unsaid += limited.dropped;
        let due = self.drop_said.is_none_or(|said| said.elapsed() >= DROP_LOG_INTERVAL);
        if self.dropped_unsaid > 0 && due {
            tracing::warn!(
                dropped = self.dropped_unsaid,
                dropped_total = self.outbox.borrow().dropped_total,
                "too many events wait for the broker: the oldest will not be announced"
            );
            self.dropped_unsaid = 0;
            self.drop_said = Some(Instant::now());
        }
    }

    fn close(self) {
        // Leaves one file instead of three; what fails here is done by the next start.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "closing the event database");
        }
    }
}

/// Runs until `Stop` or until nobody can ask any more.
pub(crate) fn run(mut worker: Worker, mut commands: mpsc::Receiver<Write>) {
    // A runtime of its own, for nothing but waiting with a deadline.
    let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let waiting = match waiting {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(%error, "the event store cannot wait: no timer");
            return;
        }
    };
    let mut next_commit = Instant::now();
    while let Some(batch) = waiting.block_on(collect(&mut commands, next_commit)) {
        let stop = batch.iter().any(|command| matches!(command, Write::Stop));
        next_commit = after_commit(next_commit, Instant::now());
        worker.commit(batch);
        if stop {
            break;
        }
    }
    worker.close();
}

/// When the next commit may begin, after one that was allowed from `allowed` on begins `now`.
fn after_commit(allowed: Instant, now: Instant) -> Instant {
    let oldest = now.checked_sub(CREDIT).unwrap_or(now);
    allowed.max(oldest) + COMMIT_INTERVAL
}

/// The next batch: all that is there, and what comes until `not_before`. `None`: nobody can ask
/// any more.
async fn collect(commands: &mut mpsc::Receiver<Write>, not_before: Instant) -> Option<Vec<Write>> {
    let mut batch = vec![commands.recv().await?];
    let mut events = batch[0].events();
    let mut stop = matches!(batch[0], Write::Stop);
    while events < COMMIT_EVENTS && !stop {
        let next = match commands.try_recv() {
            Ok(command) => Some(command),
            Err(_) => timeout_at(not_before.into(), commands.recv()).await.ok().flatten(),
        };
        let Some(command) = next else { break };
        events += command.events();
        stop = matches!(command, Write::Stop);
        batch.push(command);
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_quiet_time_a_few_commits_go_in_a_row_and_then_one_per_interval() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut allowed = now - Duration::from_secs(30);
        let mut in_a_row = 0;
        while allowed <= now {
            allowed = after_commit(allowed, now);
            in_a_row += 1;
        }
        assert_eq!(in_a_row, 6);
        assert_eq!(after_commit(allowed, allowed), allowed + COMMIT_INTERVAL);
    }
}
