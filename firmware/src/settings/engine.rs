//! A change of settings: checked, kept, taken over by whoever runs on them, or taken back. One at a time.
//!
//! It is on the disk before it is taken over, so a daemon that is killed in between starts with it. What
//! takes the daemon's own start is kept as a revision that the daemon has to confirm by coming up with
//! it: one that it cannot start with is taken back.

mod apply;
pub(crate) mod models;

use std::sync::Arc;
use std::time::Duration;

use api::problem::FieldProblem;
use api::revisions::{
    ChangeStatus, SettingsChange, SettingsRevision, SettingsRevisionDetail, SettingsStatus,
};
use base::error::{ErrorKind, Kind};
use base::shutdown::Shutdown;
use config::patch::Patched;
use config::revisions::{Confirm, ConfirmedBy, Draft, Moment, RevisionError, Revisions, Settled};
use config::{ConfigDiff, EditError, Loaded, Sources};
use control::PortError;
use control::ports::{ChangeRequest, InForce, What};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::task::block_in_place;

use super::plan::{Plan, Work};
use super::{LiveSettings, OrderMaker, labels, shown};
use crate::cameras::Cameras;
use crate::hands::{self, Hands};
use crate::media_server::MediaServer;
use crate::models::{ModelLibrary, ModelWish};

/// A daemon that starts again with new settings has come up within this time, or they are taken back.
const COMES_UP: Duration = Duration::from_secs(120);

/// What the engine works with.
#[derive(Debug)]
pub(crate) struct Parts {
    /// All layers but the API's.
    pub(crate) sources: Sources,
    /// What was made over the API.
    pub(crate) revisions: Revisions,
    /// The models.
    pub(crate) library: ModelLibrary,
    /// Which of them is to be there.
    pub(crate) models: ModelWish,
    /// Makes the cameras' orders.
    pub(crate) orders: OrderMaker,
    /// The cameras.
    pub(crate) cameras: Cameras,
    /// What they publish to, if there is one.
    pub(crate) media_server: Option<MediaServer>,
    /// What is in force.
    pub(crate) live: LiveSettings,
    /// Makes the machine as it is set.
    pub(crate) hands: Hands,
}

/// The engine; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Sources,
    library: ModelLibrary,
    models: ModelWish,
    orders: OrderMaker,
    cameras: Cameras,
    media_server: Option<MediaServer>,
    live: LiveSettings,
    hands: Hands,
    /// Held from the first look at a change to its end.
    revisions: Mutex<Revisions>,
    status: watch::Sender<SettingsStatus>,
    /// Something waits to be confirmed, or does not any more.
    waits: Notify,
    /// The daemon is to start again.
    restart: watch::Sender<bool>,
}

/// Settings that are to come into force.
struct Wanted {
    made: Value,
    loaded: Loaded,
}

impl Engine {
    /// An engine over what `parts` has in force.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            sources,
            revisions,
            library,
            models,
            orders,
            cameras,
            media_server,
            live,
            hands,
        } = parts;
        let status = shown::status(&revisions, None, &sources.fixed());
        Self(Arc::new(Inner {
            sources,
            library,
            models,
            orders,
            cameras,
            media_server,
            live,
            hands,
            revisions: Mutex::new(revisions),
            status: watch::Sender::new(status),
            waits: Notify::new(),
            restart: watch::Sender::new(false),
        }))
    }

    /// What is in force.
    pub(crate) fn in_force(&self) -> InForce {
        self.0.live.in_force()
    }

    /// How the settings stand.
    pub(crate) fn status(&self) -> SettingsStatus {
        self.0.status.borrow().clone()
    }

    /// Completes when the daemon is to start again.
    pub(crate) async fn wants_restart(&self) {
        let mut restart = self.0.restart.subscribe();
        // The sender lives as long as this.
        let _ = restart.wait_for(|restart| *restart).await;
    }

    /// The daemon is to start again, for the reason `why`.
    pub(crate) fn restart(&self, why: &str) {
        tracing::info!(why, "the daemon is to start again");
        self.0.restart.send_replace(true);
    }

    /// The daemon has come up: settings that had to show that it can are confirmed.
    pub(crate) async fn has_started(&self) {
        let mut revisions = self.0.revisions.lock().await;
        let by_start =
            |pending: &config::revisions::Pending| pending.confirmed_by == ConfirmedBy::Start;
        if revisions.pending().is_some_and(by_start)
            && let Err(error) = block_in_place(|| revisions.confirm())
        {
            tracing::error!(error = base::error::chain(&error), "settings cannot be confirmed");
        }
        self.show(&revisions, None);
    }

    /// Takes back what is not confirmed in time, until the stop.
    pub(crate) async fn keep(self, mut shutdown: Shutdown) {
        loop {
            let left = self.settle().await;
            // Cancel-safe: all arms only wait.
            tokio::select! {
                () = sleep_or_never(left) => {}
                () = self.0.waits.notified() => {}
                () = shutdown.wait() => return,
            }
        }
    }

    /// Makes a change. A task of its own: a caller who hangs up must not leave half of it done.
    pub(crate) async fn change(&self, request: ChangeRequest) -> Result<SettingsChange, PortError> {
        let engine = self.clone();
        let made = tokio::spawn(async move { engine.make(request).await });
        made.await.map_err(|error| PortError::new(ErrorKind::Internal, error.to_string()))?
    }

    /// What waits to be confirmed stays.
    pub(crate) async fn confirm(&self) -> Result<SettingsStatus, PortError> {
        let mut revisions = self.0.revisions.lock().await;
        self.is_not_restarting()?;
        block_in_place(|| revisions.confirm()).map_err(unkept)?;
        self.0.waits.notify_one();
        self.show(&revisions, None);
        Ok(self.status())
    }

    /// At most `limit` revisions below `below`, the newest first.
    pub(crate) async fn revisions(&self, below: u64, limit: usize) -> Vec<SettingsRevision> {
        let revisions = self.0.revisions.lock().await;
        let page = block_in_place(|| revisions.page(below, limit));
        page.iter().map(|one| shown::revision(one, revisions.number())).collect()
    }

    /// The revision `number`; `None`: it is not kept.
    pub(crate) async fn revision(&self, number: u64) -> Option<SettingsRevisionDetail> {
        let revisions = self.0.revisions.lock().await;
        let found = block_in_place(|| revisions.get(number))?;
        let before = match found.parent {
            0 => Some(json!({})),
            parent => block_in_place(|| revisions.get(parent)).map(|parent| parent.settings),
        };
        // What another firmware made may not be settings of this one.
        let settings = |made: &Value| Some(self.0.sources.load(made).ok()?.settings);
        let both = before.and_then(|before| Some([settings(&found.settings)?, settings(&before)?]));
        Some(shown::detail(&found, revisions.number(), both))
    }

    async fn make(&self, request: ChangeRequest) -> Result<SettingsChange, PortError> {
        let mut revisions = self.0.revisions.lock().await;
        self.may_change(&revisions, &request)?;
        let wanted = self.wanted(&revisions, &request.what)?;
        let now = self.in_force();
        let diff = ConfigDiff::between(&now.settings, &wanted.loaded.settings);
        let answer = |revisions: &Revisions, status| SettingsChange {
            revision: revisions.number(),
            status,
            changes: shown::changes(&diff),
            confirm_by: revisions.pending().map(shown::confirm_by),
        };
        if wanted.made == *now.made && diff.changes.is_empty() {
            return Ok(answer(&revisions, ChangeStatus::Unchanged));
        }
        if request.dry_run {
            return Ok(answer(&revisions, ChangeStatus::DryRun));
        }
        let plan = Plan::of(&diff, &wanted.loaded.settings);
        let draft = Draft {
            made_by: request.by.clone(),
            note: note(&request.what),
            undoes: None,
            settings: wanted.made.clone(),
        };
        let confirm = confirm(request.confirm_within, &plan);
        let waits = confirm.as_ref().map(|confirm| confirm.by);
        block_in_place(|| revisions.make(draft, confirm)).map_err(unkept)?;
        let status = match (self.take_over(&mut revisions, plan, wanted).await?, waits) {
            (Over::Restarting, _) => ChangeStatus::Applying,
            (Over::Done, Some(ConfirmedBy::Owner)) => ChangeStatus::PendingConfirmation,
            (Over::Done, _) => ChangeStatus::Applied,
        };
        Ok(SettingsChange {
            // The daemon confirms it by itself.
            confirm_by: revisions
                .pending()
                .filter(|pending| pending.confirmed_by == ConfirmedBy::Owner)
                .map(shown::confirm_by),
            ..answer(&revisions, status)
        })
    }

    fn may_change(&self, revisions: &Revisions, request: &ChangeRequest) -> Result<(), PortError> {
        self.is_not_restarting()?;
        let number = revisions.number();
        if request.only_on.as_ref().is_some_and(|only| !only.contains(&number)) {
            let detail = format!("revision {number} is in force; look at it and try again");
            return Err(PortError::new(ErrorKind::Aborted, detail));
        }
        let goes_back = matches!(request.what, What::BackTo(_)) && request.confirm_within.is_none();
        match revisions.pending() {
            Some(pending) if !request.dry_run && !goes_back => {
                Err(unkept(RevisionError::Waits(pending.revision)))
            }
            _ => Ok(()),
        }
    }

    fn is_not_restarting(&self) -> Result<(), PortError> {
        if *self.0.restart.borrow() {
            let detail = "the daemon is starting again to take a change over";
            return Err(PortError::new(ErrorKind::Unavailable, detail));
        }
        Ok(())
    }

    /// The settings that `what` asks for, checked.
    fn wanted(&self, revisions: &Revisions, what: &What) -> Result<Wanted, PortError> {
        let now = self.in_force();
        let (sources, made, in_force) = (&self.0.sources, &now.made, &now.settings);
        let patched = match what {
            What::Patch(patch) => sources.patch(made, in_force, patch).map_err(EditError::from),
            What::Add(entry) => sources.add(made, in_force, entry),
            What::Put(entry) => sources.put(made, in_force, entry),
            What::Remove(at) => sources.remove(made, in_force, at),
            What::BackTo(number) => {
                let made = self.made_at(revisions, *number)?;
                sources.load(&made).map(|loaded| Patched { made, loaded }).map_err(EditError::from)
            }
            What::Exactly(made) => {
                let made = made.clone();
                sources.load(&made).map(|loaded| Patched { made, loaded }).map_err(EditError::from)
            }
        };
        let Patched { made, loaded } = patched.map_err(|error| match error {
            EditError::Wrong(errors) => refused(errors.field_problems()),
            other => PortError::new(other.kind(), other.to_string()),
        })?;
        let wanted = Wanted { made, loaded };
        let mut unknown = labels::unknown(&self.0.library, &wanted.loaded.settings);
        if now.settings.time.zone != wanted.loaded.settings.time.zone {
            unknown.extend(hands::unknown_zone(&wanted.loaded.config.time));
        }
        if unknown.is_empty() { Ok(wanted) } else { Err(refused(unknown)) }
    }

    fn made_at(&self, revisions: &Revisions, number: u64) -> Result<Value, PortError> {
        let none = || {
            let detail = format!("there is no revision {number} any more");
            PortError::new(ErrorKind::NotFound, detail)
        };
        match number {
            0 => Ok(json!({})),
            number => {
                let found = block_in_place(|| revisions.get(number));
                found.map(|found| found.settings).ok_or_else(none)
            }
        }
    }

    /// Has `wanted`, which is kept, taken over; what fails is taken back.
    async fn take_over(
        &self,
        revisions: &mut MutexGuard<'_, Revisions>,
        plan: Plan,
        wanted: Wanted,
    ) -> Result<Over, PortError> {
        let number = revisions.number();
        self.show(revisions, Some(number));
        let work = match plan {
            Plan::Restart => {
                self.0.restart.send_replace(true);
                return Ok(Over::Restarting);
            }
            Plan::Cameras(work) => work,
        };
        let now = self.in_force();
        let settings = Arc::new(wanted.loaded.settings);
        // What the machine refuses is no camera's business.
        let (touched, applied) = match self.0.hands.apply(&settings).await {
            Ok(()) => (true, self.0.apply(&work, &settings).await),
            Err(refused) => (false, Err(refused)),
        };
        let Err(failed) = applied else {
            let made = Arc::new(wanted.made);
            self.0.live.set(InForce { revision: number, settings, made });
            self.show(revisions, None);
            self.0.waits.notify_one();
            return Ok(Over::Done);
        };
        tracing::error!(revision = number, error = failed.detail, "settings are taken back");
        if touched {
            self.0.put_back(&work, &now.settings).await;
        }
        let kept = block_in_place(|| revisions.take_back(&failed.detail));
        self.0.live.set(InForce { revision: revisions.number(), ..now });
        self.show(revisions, None);
        let mut detail = format!("revision {number} was taken back: {}", failed.detail);
        if let Err(error) = kept {
            detail = format!("{detail}; that could not be kept: {}", base::error::chain(&error));
        }
        Err(PortError::new(ErrorKind::FailedPrecondition, detail))
    }

    /// Takes back what was not confirmed in time; answers how long there still is.
    async fn settle(&self) -> Option<Duration> {
        let mut revisions = self.0.revisions.lock().await;
        if self.is_not_restarting().is_err() {
            return None;
        }
        match block_in_place(|| revisions.settle(&Moment::now())) {
            Ok(Settled::Quiet) => return None,
            Ok(Settled::Waits(left)) => return Some(left),
            Ok(Settled::TakenBack) => {
                tracing::warn!(
                    revision = revisions.number(),
                    "settings are taken back: no confirmation"
                );
            }
            Err(error) => {
                let error = base::error::chain(&error);
                tracing::error!(error, "that settings are taken back cannot be kept");
            }
        }
        let made = revisions.settings();
        let taken_over = match self.0.sources.load(&made) {
            Ok(loaded) => {
                let now = self.in_force();
                let diff = ConfigDiff::between(&now.settings, &loaded.settings);
                let plan = Plan::of(&diff, &loaded.settings);
                self.take_over(&mut revisions, plan, Wanted { made, loaded }).await.map(|_| ())
            }
            Err(errors) => Err(PortError::new(errors.kind(), errors.to_string())),
        };
        if let Err(error) = taken_over {
            tracing::error!(error = error.detail, "the settings before cannot be taken over");
        }
        None
    }

    fn show(&self, revisions: &Revisions, applying: Option<u64>) {
        let fixed = self.0.sources.fixed();
        self.0.status.send_replace(shown::status(revisions, applying, &fixed));
    }
}

/// How far a change has come.
enum Over {
    Done,
    Restarting,
}

/// What has to be confirmed after a change that `plan` takes over.
fn confirm(within: Option<Duration>, plan: &Plan) -> Option<Confirm> {
    let from = Moment::now();
    match (within, plan) {
        (Some(within), _) => Some(Confirm { from, within, by: ConfirmedBy::Owner }),
        (None, Plan::Restart) => Some(Confirm { from, within: COMES_UP, by: ConfirmedBy::Start }),
        (None, Plan::Cameras(_)) => None,
    }
}

fn note(what: &What) -> Option<String> {
    match what {
        What::Patch(_) | What::Add(_) | What::Put(_) | What::Remove(_) => None,
        What::BackTo(number) => Some(format!("back to revision {number}")),
        What::Exactly(_) => Some("restored from a backup".to_owned()),
    }
}

/// Settings that are wrong.
fn refused(errors: Vec<FieldProblem>) -> PortError {
    let detail = match errors.len() {
        1 => "a field is wrong; nothing was changed".to_owned(),
        several => format!("{several} fields are wrong; nothing was changed"),
    };
    PortError { errors, ..PortError::new(ErrorKind::InvalidArgument, detail) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn unkept(error: RevisionError) -> PortError {
    PortError::new(error.kind(), base::error::chain(&error))
}

async fn sleep_or_never(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
