//! Updates as the API asks for them.

use api::jobs::{Job, JobKind, JobResult};
use api::system::Begun;
use api::updates::{
    InstallUpdate, InstalledUpdate, NewUpload, UpdateCode as Code, UpdatePhase, UpdateUpload,
    Updates as Status,
};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Beginner, UpdateReceiver, Updates};
use futures::FutureExt;
use ota::machine::Input;
use ota::state::{Bundle, Order, Phase, Source, State};
use tokio::sync::watch;

use super::act::unavailable;
use super::engine::{Updater, refusal};
use super::way::way_out;
use crate::jobs::{self, Context, Lane};

impl Updates for Updater {
    fn status(&self) -> Status {
        Updater::status(self)
    }

    fn watch(&self) -> watch::Receiver<Status> {
        Updater::watch(self)
    }

    fn check(&self) -> Answer<'_, Status> {
        async move {
            self.look_at_index().await?;
            Ok(Updater::status(self))
        }
        .boxed()
    }

    fn begin_upload<'a>(&'a self, new: NewUpload, by: &'a str) -> Answer<'a, UpdateUpload> {
        Updater::begin_upload(self, new, by).boxed()
    }

    fn upload(&self, id: &str) -> Option<UpdateUpload> {
        let came = std::fs::metadata(self.0.folder.part()).map_or(0, |facts| facts.len());
        let upload = Updater::status(self).upload.filter(|upload| upload.id == id)?;
        Some(UpdateUpload { offset: came.min(upload.size_bytes), ..upload })
    }

    fn receive<'a>(&'a self, id: &'a str, offset: u64) -> Answer<'a, Box<dyn UpdateReceiver>> {
        Updater::receive(self, id, offset).boxed()
    }

    fn discard_upload<'a>(&'a self, id: &'a str) -> Answer<'a, Option<UpdateUpload>> {
        Updater::discard_upload(self, id).boxed()
    }

    fn install(&self, what: InstallUpdate, by: Beginner) -> Answer<'_, Job> {
        self.begin(what, by).boxed()
    }

    fn commit<'a>(&'a self, by: &'a str) -> Answer<'a, Status> {
        async move {
            self.device()?;
            let mut status = Updater::watch(self);
            self.take(Input::Confirm).await?;
            tracing::info!(by, "the new system is confirmed");
            let decided = |status: &Status| status.phase != UpdatePhase::AwaitingConfirmation;
            // It is confirmed; that RAUC takes its time to write it down is shown by the phase.
            let within = std::time::Duration::from_secs(20);
            let _ = tokio::time::timeout(within, status.wait_for(decided)).await;
            Ok(Updater::status(self))
        }
        .boxed()
    }

    fn rollback<'a>(&'a self, by: &'a str) -> Answer<'a, Begun> {
        self.go_to_other(by).boxed()
    }

    fn discard<'a>(&'a self, _by: &'a str) -> Answer<'a, Status> {
        async move {
            self.device()?;
            let _turn = self.turn()?;
            match self.state().await.phase {
                Phase::Staged { .. } | Phase::Receiving { .. } | Phase::Installed(_) => {
                    self.take(Input::Cancel).await?;
                }
                Phase::Idle | Phase::Unknown => {
                    let detail = "nothing is staged, and nothing is being received";
                    return Err(PortError::update(Code::NothingStaged, detail));
                }
                other => {
                    let detail = format!("{}; cancel its job, or go back", other.title());
                    return Err(PortError::update(Code::UpdateRunning, detail));
                }
            }
            Ok(Updater::status(self))
        }
        .boxed()
    }
}

impl Updater {
    /// Begins to install `what`, for `by`.
    pub(super) async fn begin(&self, what: InstallUpdate, by: Beginner) -> Result<Job, PortError> {
        self.device()?;
        let (force, reboot) = (what.force.unwrap_or(false), what.reboot.unwrap_or(true));
        let state = self.state().await;
        match (what.url.clone(), &state.phase) {
            (None, Phase::Staged { bundle, .. }) => {
                let other = what
                    .sha256
                    .as_ref()
                    .is_some_and(|hash| !hash.eq_ignore_ascii_case(&bundle.sha256));
                if other && bundle.sha256.is_empty() {
                    let detail = "what is staged is not on the disk, so its SHA-256 is not known; name \
                                  its `url` with the `sha256` to have it downloaded";
                    return Err(PortError::update(Code::Damaged, detail));
                }
                if other {
                    let detail = format!("what is staged has the SHA-256 {}", bundle.sha256);
                    return Err(PortError::update(Code::Damaged, detail));
                }
                self.begin_install(force, reboot).await?;
            }
            (url, _) => {
                let (source, available) = self.source(url, what.sha256)?;
                tracing::info!(?available, by = by.by, "an update is begun");
                let order = order(source, (force, reboot), &by.by);
                self.take(Input::Begin(order)).await?;
            }
        }
        let order =
            jobs::Order { kind: JobKind::InstallUpdate, camera: None, lane: Lane::Idle, by };
        let updater = self.clone();
        match self.0.parts.jobs.begin(order, move |context| updater.watch_over(context)) {
            Ok(job) => {
                self.tell_job(&job.id);
                Ok(job)
            }
            Err(error) => {
                // What was refused does not go on by itself; what is being written is written to the end.
                let _ = self.take(Input::Cancel).await;
                Err(error)
            }
        }
    }

    /// Where the bundle is: at `url`, or where the index says that the newest one is.
    fn source(
        &self,
        url: Option<String>,
        sha256: Option<String>,
    ) -> Result<(Source, Option<String>), PortError> {
        let config = self.config();
        let allowed = |url: &url::Url| config.as_ref().is_some_and(|config| config.allows(url));
        let lower = |hash: Option<String>| hash.map(|hash| hash.to_ascii_lowercase());
        let (url, sha256, size, version) = match (url, Updater::status(self).available) {
            (Some(url), _) => (url, sha256, None, None),
            (None, Some(one)) => {
                (one.url, sha256.or(one.sha256), one.size_bytes, Some(one.version))
            }
            (None, None) => {
                let detail = "nothing is staged and no newer version is known: send a bundle, name \
                              its `url`, or look at the index";
                return Err(PortError::update(Code::NothingStaged, detail));
            }
        };
        // What can be refused at once is.
        way_out(&url, &allowed, sha256.is_some()).map_err(|reason| refusal(&reason))?;
        let from_index = version.is_some();
        Ok((Source::Url { url, sha256: lower(sha256), size, from_index, remote: None }, version))
    }

    /// Tells a job how far the update is, to its end. Dropped, it gives the download up; what is being
    /// written is written to the end, and waits for a restart.
    async fn watch_over(self, context: Context) -> Result<JobResult, PortError> {
        let _given_up = GiveUp(self.clone());
        let mut status = Updater::watch(&self);
        loop {
            let now = status.borrow_and_update().clone();
            if let Some(end) = ending(&now, &self.state().await) {
                return end;
            }
            let (stage, from, to) = match now.phase {
                UpdatePhase::Fetching | UpdatePhase::Receiving => ("fetching", 0.0, 0.5),
                UpdatePhase::Staged => ("looking into it", 0.5, 0.5),
                _ => ("installing", 0.5, 1.0),
            };
            context.progress(from + (to - from) * now.progress.unwrap_or_default(), stage);
            if status.changed().await.is_err() {
                return Err(PortError::new(ErrorKind::Unavailable, "the daemon is stopping"));
            }
        }
    }

    /// Back to the system in the other slot.
    async fn go_to_other(&self, by: &str) -> Result<Begun, PortError> {
        let device = self.device()?.clone();
        let begun = |detail: &str| Ok(Begun { detail: detail.to_owned() });
        match self.state().await.phase {
            Phase::Trial { .. } | Phase::Confirming { .. } => {
                self.take(Input::Cancel).await?;
                return begun("the machine starts anew with its old system");
            }
            Phase::Installed(_) => {
                self.take(Input::Cancel).await?;
                return begun("the new system is not started; the old one goes on");
            }
            _ => {}
        }
        let rauc = self.rauc().await.map_err(|error| unavailable(&error))?;
        let slots = rauc.slots().await.map_err(|error| unavailable(&error))?;
        let other = slots.into_iter().find(|slot| slot.bootname != device.booted);
        let other = other.filter(|slot| slot.whole != Some(false) && slot.good != Some(false));
        let Some(other) = other else {
            let detail = "the other slot has no system that works";
            return Err(PortError::update(Code::NoWayBack, detail));
        };
        let bundle = Bundle {
            version: other.version.unwrap_or_default(),
            compatible: device.release.compatible.clone(),
            hash: other.hash.unwrap_or_default(),
            ..Bundle::default()
        };
        let change = self.change().await?;
        let order = order(Source::OtherSlot, (true, true), by);
        self.take(Input::Switch { order, bundle, change }).await?;
        begun("the machine starts anew with the system in the other slot")
    }
}

pub(super) fn order(source: Source, (force, reboot): (bool, bool), by: &str) -> Order {
    Order {
        id: ulid::Ulid::generate().to_string(),
        source,
        force,
        install: true,
        reboot,
        by: by.to_owned(),
        at: Some(base::clock::wall()),
        rest: serde_json::Map::new(),
    }
}

/// How a job ends; `None`: it goes on.
fn ending(status: &Status, state: &State) -> Option<Result<JobResult, PortError>> {
    let failed = || {
        let problem = status.problem.as_ref()?;
        Some(Err(PortError::update(problem.code, problem.detail.clone())))
    };
    match status.phase {
        UpdatePhase::Fetching | UpdatePhase::Receiving | UpdatePhase::Installing => None,
        UpdatePhase::Staged => failed(),
        UpdatePhase::Installed | UpdatePhase::Trial | UpdatePhase::AwaitingConfirmation => {
            let update = state.phase.update()?;
            Some(Ok(JobResult::InstallUpdate(InstalledUpdate {
                version: update.bundle.version.clone(),
                slot: update.change.target.0.clone(),
                reboot: update.order.reboot,
            })))
        }
        UpdatePhase::Idle
        | UpdatePhase::Committed
        | UpdatePhase::RolledBack
        | UpdatePhase::Failed => failed()
            .or_else(|| Some(Err(PortError::update(Code::Cancelled, "the update was given up")))),
    }
}

/// Gives a download up when nobody watches over it any more.
struct GiveUp(Updater);

impl Drop for GiveUp {
    fn drop(&mut self) {
        let updater = self.0.clone();
        if !matches!(Updater::status(&updater).phase, UpdatePhase::Fetching) {
            return;
        }
        // Where nothing runs any more, the download goes on after the next start.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if matches!(updater.state().await.phase, Phase::Fetching { .. }) {
                    let _ = updater.take(Input::Cancel).await;
                }
            });
        }
    }
}
