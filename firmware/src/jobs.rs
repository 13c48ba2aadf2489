//! Long work: one place that runs it, tells how far it is, and ends it.
//!
//! Jobs wait in two lanes, so that what keeps the processor busy does not hold up what waits for the
//! network. A job's future may be cut off anywhere: what it holds cleans up when it is dropped. Jobs live
//! in memory; a start of the daemon forgets them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::jobs::{Job, JobKind, JobResult, JobState};
use base::error::ErrorKind;
use base::shutdown::{Shutdown, Stopper};
use control::PortError;
use control::ports::Beginner;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;

/// Jobs that are kept; beyond it those that ended first are forgotten.
const MOST_KEPT: usize = 100;
/// Jobs that may wait.
const MOST_WAITING: usize = 16;
/// Changes that a reader may be behind.
const BEHIND: usize = 64;
/// A job that was cancelled is gone within this time, or is left to its end.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// What a job is about.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// What it does.
    pub(crate) kind: JobKind,
    /// The camera that it is about.
    pub(crate) camera: Option<String>,
    /// Where it waits.
    pub(crate) lane: Lane,
    /// Who begins it.
    pub(crate) by: Beginner,
}

/// Where a job waits until it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// It keeps the processor busy: one at a time.
    Busy,
    /// It waits for others most of its time: two at a time.
    Idle,
}

/// All jobs; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By id, which is by time.
    all: Mutex<BTreeMap<String, Entry>>,
    changes: broadcast::Sender<Job>,
    busy: Arc<Semaphore>,
    idle: Arc<Semaphore>,
    /// Ends all of them.
    stopper: Stopper,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    /// Cancels it; gone once it has ended.
    cancel: Option<Stopper>,
    /// True once nothing of it runs any more.
    over: watch::Receiver<bool>,
}

/// What a job tells and is told while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    jobs: Jobs,
    id: String,
    stop: Shutdown,
}

impl Context {
    /// `share` of the job is done, 0..=1, and it is at `stage`.
    pub(crate) fn progress(&self, share: f32, stage: impl Into<String>) {
        let stage = stage.into();
        self.jobs.change(&self.id, |job| {
            job.progress = if share.is_finite() { share.clamp(0.0, 1.0) } else { job.progress };
            job.stage = stage;
        });
    }

    /// Whether the job is to end: for work that blocks, which nobody can cut off.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_stopping()
    }
}

impl Jobs {
    /// None yet; all end with `shutdown`, which `tasks` waits for.
    pub(crate) fn start(tasks: &mut JoinSet<()>, shutdown: &Shutdown) -> Self {
        let jobs = Self::new();
        tasks.spawn(jobs.clone().end_with(shutdown.clone()));
        jobs
    }

    fn new() -> Self {
        Self(Arc::new(Inner {
            all: Mutex::default(),
            changes: broadcast::channel(BEHIND).0,
            busy: Arc::new(Semaphore::new(1)),
            idle: Arc::new(Semaphore::new(2)),
            stopper: base::shutdown::channel().0,
        }))
    }

    /// Begins a job: runs what `work` makes as soon as its lane is free. It may be dropped anywhere.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many wait, `Unavailable` when the daemon is on its way out.
    pub(crate) fn begin<F>(
        &self,
        order: Order,
        work: impl FnOnce(Context) -> F + Send + 'static,
    ) -> Result<Job, PortError>
    where
        F: Future<Output = Result<JobResult, PortError>> + Send + 'static,
    {
        let (cancel, stop) = base::shutdown::channel();
        let (over, seen_over) = watch::channel(false);
        let lane = order.lane;
        let job = new_job(order);
        {
            let mut all = self.all();
            if self.0.stopper.subscribe().is_stopping() {
                let detail = "the daemon is stopping";
                return Err(PortError::new(ErrorKind::Unavailable, detail));
            }
            let waiting = all.values().filter(|entry| entry.job.state == JobState::Queued).count();
            if waiting >= MOST_WAITING {
                let detail = format!("{waiting} jobs wait already; let some end, or cancel them");
                return Err(PortError::new(ErrorKind::ResourceExhausted, detail));
            }
            forget_oldest(&mut all);
            let entry = Entry { job: job.clone(), cancel: Some(cancel), over: seen_over };
            all.insert(job.id.clone(), entry);
        }
        self.tell(&job);
        let context = Context { jobs: self.clone(), id: job.id.clone(), stop };
        let life = self.clone().live(context, lane, work);
        tokio::spawn(async move {
            life.await;
            over.send_replace(true);
        });
        Ok(job)
    }

    /// The whole life of a job.
    async fn live<F>(
        self,
        context: Context,
        lane: Lane,
        work: impl FnOnce(Context) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<JobResult, PortError>> + Send + 'static,
    {
        let (id, mut cancelled) = (context.id.clone(), context.stop.clone());
        let mut stopped = self.0.stopper.subscribe();
        let lane = match lane {
            Lane::Busy => self.0.busy.clone(),
            Lane::Idle => self.0.idle.clone(),
        };
        let running = async {
            let _turn = lane.acquire_owned().await;
            self.change(&id, |job| {
                job.state = JobState::Running;
                job.started_at = Some(base::clock::wall());
                job.stage = "running".to_owned();
            });
            // A task of its own: its panic is its own.
            let mut task = CutOff(tokio::spawn(work(context)));
            (&mut task.0).await
        };
        // Cancel-safe: a job that is cut off cleans up, see above.
        let came = tokio::select! {
            came = running => Some(came),
            () = cancelled.wait() => None,
            () = stopped.wait() => None,
        };
        self.end(&id, came.map(|came| came.unwrap_or_else(|error| Err(fault(&error)))));
    }

    fn end(&self, id: &str, came: Option<Result<JobResult, PortError>>) {
        if let Some(entry) = self.all().get_mut(id) {
            entry.cancel = None;
        }
        self.change(id, |job| {
            job.ended_at = Some(base::clock::wall());
            match came {
                None => {
                    (job.state, job.stage) = (JobState::Cancelled, "cancelled".to_owned());
                }
                Some(Ok(result)) => {
                    (job.state, job.stage) = (JobState::Done, "done".to_owned());
                    (job.progress, job.result) = (1.0, Some(result));
                }
                Some(Err(error)) => {
                    tracing::warn!(job = job.id, kind = ?job.kind, error = error.detail, "a job failed");
                    job.state = JobState::Failed;
                    job.problem = Some(error.problem());
                }
            }
        });
    }

    /// Ends all jobs with `shutdown`, and lets none begin any more.
    async fn end_with(self, mut shutdown: Shutdown) {
        shutdown.wait().await;
        let alive: Vec<_> = {
            // Under the lock that `begin` holds while it looks.
            let all = self.all();
            self.0.stopper.stop();
            all.values().map(|entry| entry.over.clone()).collect()
        };
        for mut over in alive {
            // A sender that is gone is over too.
            let _ = over.wait_for(|over| *over).await;
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the job `id`, unless it has ended.
    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        let changed = {
            let mut all = self.all();
            let entry = all.get_mut(id).filter(|entry| !entry.job.state.has_ended());
            entry.map(|entry| {
                change(&mut entry.job);
                entry.job.clone()
            })
        };
        if let Some(job) = changed {
            self.tell(&job);
        }
    }

    fn tell(&self, job: &Job) {
        // Nobody may listen.
        let _ = self.0.changes.send(job.clone());
    }

    /// All jobs, the newest first.
    pub(crate) fn list(&self) -> Vec<Job> {
        self.all().values().rev().map(|entry| entry.job.clone()).collect()
    }

    /// The job `id`.
    pub(crate) fn get(&self, id: &str) -> Option<Job> {
        self.all().get(id).map(|entry| entry.job.clone())
    }

    /// Every job as it changes.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Job> {
        self.0.changes.subscribe()
    }

    /// Cancels the job `id`, unless it has ended, waits for its end and forgets it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub(crate) async fn cancel(&self, id: &str) -> Result<Option<Job>, PortError> {
        let mut over = {
            let mut all = self.all();
            let Some(entry) = all.get_mut(id) else { return Ok(None) };
            if let Some(cancel) = &entry.cancel {
                cancel.stop();
            }
            entry.over.clone()
        };
        let ended = tokio::time::timeout(ENDS_WITHIN, over.wait_for(|over| *over)).await;
        if ended.is_err() {
            let detail = "the job is cancelled, but has not ended yet";
            return Err(PortError::new(ErrorKind::Unavailable, detail));
        }
        Ok(self.all().remove(id).map(|entry| entry.job))
    }
}

/// A task that is cut off when nobody waits for it any more.
struct CutOff<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for CutOff<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn new_job(Order { kind, camera, by, .. }: Order) -> Job {
    Job {
        id: ulid::Ulid::generate().to_string(),
        kind,
        state: JobState::Queued,
        progress: 0.0,
        stage: "waiting".to_owned(),
        camera,
        role: by.role,
        created_by: by.by,
        created_at: base::clock::wall(),
        started_at: None,
        ended_at: None,
        result: None,
        problem: None,
    }
}

/// Makes room for one more. Those that have not ended stay: there are only so many.
fn forget_oldest(all: &mut BTreeMap<String, Entry>) {
    while all.len() >= MOST_KEPT {
        let ended = all.iter().find(|(_, entry)| entry.job.state.has_ended());
        let Some(oldest) = ended.map(|(id, _)| id.clone()) else { return };
        all.remove(&oldest);
    }
}

/// Work that panicked. What it said is in the log.
fn fault(error: &tokio::task::JoinError) -> PortError {
    tracing::error!(%error, "a job panicked");
    PortError::new(ErrorKind::Internal, "a fault of EdgeCam; its log says more")
}
