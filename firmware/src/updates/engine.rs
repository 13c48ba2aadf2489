//! The state of updates: inputs are taken in one at a time, the next state is written down, then acted on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::{Duration, Instant};

use api::updates::{AvailableUpdate, UpdateCode as Code, UpdatePhase, Updates as Status};
use base::shutdown::Shutdown;
use config::UpdateConfig;
use control::PortError;
use jiff::Timestamp;
use ota::folder::Folder;
use ota::machine::{Action, Input, Running, step};
use ota::rauc::{Bus, Rauc, Slot, Timing};
use ota::state::{Moment, Phase, SlotName, State};
use ota::{FileError, RaucError};
use store::StoreHandle;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::device::Device;
use super::{automatic, shown};
use crate::cameras::Cameras;
use crate::hands::Hands;
use crate::jobs::Jobs;
use crate::settings::LiveSettings;

/// Progress is told no more often than this.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What updates need from the daemon.
pub(crate) struct Parts {
    pub(crate) data: PathBuf,
    pub(crate) cameras: Cameras,
    pub(crate) store: StoreHandle,
    pub(crate) live: LiveSettings,
    pub(crate) hands: Hands,
    pub(crate) jobs: Jobs,
}

/// Updates; clones share them.
#[derive(Clone)]
pub(crate) struct Updater(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) parts: Parts,
    /// What runs; else why it cannot be updated.
    pub(super) device: Result<Device, String>,
    pub(super) folder: Folder,
    state: Mutex<State>,
    /// The line to RAUC, once there is one.
    rauc: Mutex<Option<Rauc>>,
    status: watch::Sender<Status>,
    todo: mpsc::UnboundedSender<Vec<Action>>,
    /// Taken by the task.
    waiting: Lock<Option<mpsc::UnboundedReceiver<Vec<Action>>>>,
    told: Lock<Option<Instant>>,
    /// One request at an upload at a time.
    pub(super) uploads: Arc<Semaphore>,
    /// What the index had, when it was last looked at.
    pub(super) found: Lock<Found>,
    /// Bytes of the bundle that came over the network, where it is read where it lies.
    pub(super) transferred: Arc<AtomicU64>,
    /// The slots that were seen last, and which of them starts next.
    pub(super) slots: Lock<(Vec<Slot>, Option<SlotName>)>,
}

/// What the index of releases had.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) available: Option<AvailableUpdate>,
    pub(super) at: Option<Timestamp>,
    pub(super) error: Option<String>,
}

impl Updater {
    /// Looks at this machine and at what is remembered; nothing is done yet.
    pub(crate) fn open(parts: Parts) -> Self {
        let folder = Folder::of(&parts.data);
        let device = Device::look();
        let mut state = State::default();
        if device.is_ok() {
            if let Err(error) = folder.make() {
                tracing::error!(error = base::error::chain(&error), "updates cannot be remembered");
            }
            let (loaded, broken) = folder.load_or_begin();
            if let Some(error) = broken {
                tracing::error!(error, "what was remembered of updates makes no sense: begun anew");
            }
            state = loaded;
        }
        let (todo, waiting) = mpsc::unbounded_channel();
        let updater = Self(Arc::new(Inner {
            parts,
            device,
            folder,
            state: Mutex::new(state.clone()),
            rauc: Mutex::default(),
            status: watch::Sender::default(),
            todo,
            waiting: Lock::new(Some(waiting)),
            told: Lock::default(),
            uploads: Arc::new(Semaphore::new(1)),
            found: Lock::default(),
            transferred: Arc::default(),
            slots: Lock::default(),
        }));
        updater.tell(&state);
        updater
    }

    /// Works until the stop; the API answers at `api` by now.
    pub(crate) async fn run(self, api: SocketAddr, mut shutdown: Shutdown) {
        let Ok(device) = self.0.device.clone() else { return };
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        let told = self.told_by_guard(&device);
        let started = Input::Started { booted: device.booted.clone(), now: now(), told };
        match self.take(started).await {
            // It is in the outcome now. While the update goes on, the way back may still need it.
            Ok(state) if matches!(state.phase, Phase::Idle) => {
                let _ = self.0.folder.forget_told();
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = error.detail, "updates do not begin"),
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(automatic::keep(self.clone()));
        loop {
            // Cancel-safe: what waits to be done stays in its queue.
            tokio::select! {
                todo = waiting.recv() => {
                    let Some(todo) = todo else { return };
                    tasks.spawn(self.clone().act(todo, api));
                }
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        tracing::error!(%error, "a step of an update panicked");
                    }
                }
                // Whatever is cut off here is done again after the next start.
                () = shutdown.wait() => return,
            }
        }
    }

    /// Why the guard left the other slot.
    fn told_by_guard(&self, device: &Device) -> Option<ota::state::Reason> {
        let state = self.0.folder.load().ok()?;
        let target = state.phase.update().map(|update| update.change.target.clone())?;
        if target == device.booted { None } else { self.0.folder.told(&target) }
    }

    /// Takes `input` in: the next state is on the disk when this answers, and its actions wait to be done.
    pub(super) async fn take(&self, input: Input) -> Result<State, PortError> {
        let mut state = self.0.state.lock().await;
        // The next start finds an end out by itself: RAUC and the folder know it.
        let is_end = matches!(input, Input::Ended { .. } | Input::Failed(_));
        let taken = step(state.clone(), input).map_err(|refused| refusal(&refused.0));
        let (mut next, actions) = taken?;
        if next.phase != state.phase || next.last != state.last {
            stamp(&mut next, &state);
            tracing::info!(update = next.phase.title(), "updates");
            let (folder, to_save) = (self.0.folder.clone(), next.clone());
            let saved = blocking(move || folder.save(&to_save)).await;
            if let Err(error) = saved {
                let detail = base::error::chain(&error);
                tracing::error!(error = detail, "an update cannot be remembered");
                // The way back needs no memory: what is lost is only why.
                if !is_end && !actions.contains(&Action::GoBack) {
                    return Err(PortError::update(Code::DiskFull, detail));
                }
            }
            *state = next.clone();
        }
        self.tell(&next);
        if !actions.is_empty() {
            // The task that takes them ends with the daemon only.
            let _ = self.0.todo.send(actions);
        }
        Ok(next)
    }

    /// Takes bundles off the disk that no update needs. Nothing begins meanwhile: a bundle that comes in the
    /// place of the one that goes is left alone.
    pub(super) async fn discard(&self) {
        let state = self.0.state.lock().await;
        let comes = matches!(state.phase, Phase::Fetching { .. } | Phase::Receiving { .. });
        let stays = matches!(
            state.phase,
            Phase::Inspecting { .. } | Phase::Staged { .. } | Phase::Installing(_)
        );
        let folder = self.0.folder.clone();
        let discarded = blocking(move || {
            if !comes {
                folder.discard_part()?;
            }
            if stays { Ok(()) } else { folder.discard_bundle() }
        });
        if let Err(error) = discarded.await {
            tracing::warn!(error = base::error::chain(&error), "a bundle stays on the disk");
        }
    }

    /// What is remembered now.
    pub(super) async fn state(&self) -> State {
        self.0.state.lock().await.clone()
    }

    /// What runs here.
    pub(super) fn device(&self) -> Result<&Device, PortError> {
        self.0.device.as_ref().map_err(|why| {
            let detail = format!("{why}: update it the way it was installed");
            PortError::update(Code::UpdatesNotSupported, detail)
        })
    }

    /// What runs here, for the version rule.
    pub(super) fn running(&self) -> Result<Running, PortError> {
        let release = &self.device()?.release;
        let (version, compatible) = (release.version.clone(), release.compatible.clone());
        Ok(Running { version, compatible })
    }

    /// The line to RAUC.
    pub(super) async fn rauc(&self) -> Result<Rauc, RaucError> {
        let mut line = self.0.rauc.lock().await;
        if let Some(rauc) = line.as_ref().filter(|rauc| rauc.is_up()) {
            return Ok(rauc.clone());
        }
        let rauc = Rauc::connect(&Bus::System, Timing::default()).await?;
        *line = Some(rauc.clone());
        Ok(rauc)
    }

    /// The settings in force.
    pub(super) fn config(&self) -> Option<UpdateConfig> {
        config::compile(&self.0.parts.live.current()).ok().map(|config| config.updates)
    }

    /// As the API shows it.
    pub(super) fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    /// The same as it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Tells everybody how `state` is.
    pub(super) fn tell(&self, state: &State) {
        let found = self.0.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (slots, primary) = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let slots = shown::slots(&slots, primary.as_ref(), &self.0.device, state);
        let came = std::fs::metadata(self.0.folder.part()).map_or(0, |facts| facts.len());
        let now = now();
        let mut next = shown::status(&self.0.device, state, came, &now, slots, found);
        if let Some(update) = next.update.as_mut().filter(|_| shown::is_elsewhere(&state.phase)) {
            update.transferred_bytes = Some(self.0.transferred.load(Ordering::Relaxed));
        }
        self.0.status.send_if_modified(|shown| {
            // One that brings its bundle passes by `Staged` on its way.
            let at_it = next.phase.is_busy() || next.phase == UpdatePhase::Staged;
            let job = shown.job.take().filter(|_| at_it);
            let progress = shown.progress.filter(|_| shown.phase == next.phase);
            let next = Status { job, progress, ..next };
            let changed = *shown != next;
            *shown = next;
            changed
        });
    }

    /// The job `id` is at it.
    pub(super) fn tell_job(&self, id: &str) {
        self.0.status.send_modify(|status| status.job = Some(id.to_owned()));
    }

    /// `share` of the phase is done, 0..=1.
    pub(super) fn progress(&self, share: f32) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if share < 1.0 && told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        let came = self.0.transferred.load(Ordering::Relaxed);
        self.0.status.send_modify(|status| {
            status.progress = Some(share.clamp(0.0, 1.0));
            let transferred = status.update.as_mut().and_then(|it| it.transferred_bytes.as_mut());
            if let Some(transferred) = transferred {
                *transferred = came;
            }
        });
    }
}

/// Notes when things happened, as far as the clock is right.
fn stamp(next: &mut State, before: &State) {
    let now = base::clock::wall();
    if std::mem::discriminant(&next.phase) != std::mem::discriminant(&before.phase)
        || next.last != before.last
    {
        next.since = Some(now);
    }
    if let Some(last) = next.last.as_mut().filter(|last| Some(&**last) != before.last.as_ref()) {
        last.at.get_or_insert(now);
    }
    if let Phase::Fetching { order } | Phase::Receiving { order } = &mut next.phase {
        order.at.get_or_insert(now);
    }
}

/// A reason as the API tells it.
pub(super) fn refusal(reason: &ota::state::Reason) -> PortError {
    PortError::update(reason.code, reason.detail.clone())
}

/// This moment.
pub(super) fn now() -> Moment {
    Moment {
        boot: base::clock::kernel_boot().unwrap_or_default(),
        at_s: base::clock::since_boot().as_secs(),
    }
}

/// Runs `work`, which blocks, where that is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let source = std::io::Error::other(error.to_string());
        Err(FileError { what: "working on", path: PathBuf::new(), source })
    })
}
