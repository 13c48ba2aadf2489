//! Each action of the machine, carried out. What comes of it is the next input.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::settings::UpdateConfirm;
use api::updates::UpdateCode as Code;
use control::PortError;
use host::Request;
use ota::machine::{Action, Ending, Input};
use ota::state::{Baseline, Phase, Reason, SlotName, State, Update};
use tokio::time::sleep;

use super::engine::{Updater, now};
use super::{fetch, trial};

/// Time between two tries of what must be done at last.
const AGAIN: Duration = Duration::from_secs(30);
/// Tries to mark a slot good at an ordinary start: RAUC may come up later than the daemon.
const SETTLE_TRIES: u32 = 5;
/// Time for whoever asked to hear that the machine starts anew.
const PARTING: Duration = Duration::from_secs(2);

impl Updater {
    /// Does all of `todo`, in order.
    pub(super) async fn act(self, todo: Vec<Action>, api: SocketAddr) {
        for action in todo {
            tracing::debug!(?action, "updates");
            self.act_once(action, api).await;
        }
    }

    async fn act_once(&self, action: Action, api: SocketAddr) {
        match action {
            Action::Fetch => self.fetch().await,
            Action::Inspect => self.inspect().await,
            Action::Install | Action::Attach | Action::Activate => self.install(action).await,
            Action::Discard => self.discard().await,
            Action::Reboot => {
                sleep(PARTING).await;
                self.reboot().await;
            }
            Action::Gate => {
                let verdict = trial::hold(self, api).await;
                let moment = now();
                let input = match verdict {
                    Ok(()) => Input::Healthy(moment),
                    Err(why) => Input::Unhealthy {
                        reason: Reason::new(Code::TrialFailed, why),
                        boot: moment.boot,
                    },
                };
                self.follow(input).await;
            }
            Action::Await => self.wait_for_owner().await,
            Action::Keep => self.keep().await,
            Action::GoBack => self.go_back().await,
            Action::Forsake => {
                let forsaken = async { self.rauc().await?.forsake().await }.await;
                if let Err(error) = forsaken {
                    let error = base::error::chain(&error);
                    tracing::error!(error, "the other slot may still be the next one");
                }
            }
            Action::Settle { other_failed } => self.settle(other_failed).await,
            Action::ForgetOlder => self.forget_older().await,
        }
        self.look_at_slots().await;
    }

    /// Takes in what came of an action. It may come too late to matter.
    async fn follow(&self, input: Input) -> Option<State> {
        match self.take(input).await {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(error = error.detail, "an update does not go on");
                None
            }
        }
    }

    async fn fetch(&self) {
        let Some(order) = self.state().await.phase.order().cloned() else { return };
        self.0.transferred.store(0, Ordering::Relaxed);
        let input = fetch::bring(self, &order).await.unwrap_or_else(Input::Failed);
        // Given up meanwhile, it was stopped for that.
        if self.state().await.phase.order() == Some(&order) {
            self.follow(input).await;
        }
    }

    async fn inspect(&self) {
        let Some(order) = self.state().await.phase.order().cloned() else { return };
        let looked = async {
            let place = self.place_of(&order).await?;
            let (sha256, size) = place.facts().await?;
            let rauc = self.rauc().await.map_err(Reason::from)?;
            let looked = rauc.inspect(&place.location()).await;
            let bundle =
                looked.map_err(|error| place.unreached().unwrap_or_else(|| error.into()))?;
            Ok(ota::state::Bundle { sha256, size, ..bundle })
        };
        let looked: Result<_, Reason> = looked.await;
        let input = match (looked, self.running()) {
            (Ok(bundle), Ok(running)) => Input::Inspected { bundle, running },
            (Err(reason), _) => Input::Failed(reason),
            (_, Err(error)) => Input::Failed(Reason::new(Code::UpdatesNotSupported, error.detail)),
        };
        let Some(state) = self.follow(input).await else { return };
        if let Phase::Staged { order, .. } = &state.phase
            && order.install
            && let Err(error) = self.begin_install(order.force, order.reboot).await
        {
            // Nobody asks for it a second time: it is told, and taken off the disk.
            tracing::warn!(error = error.detail, "an update is not installed");
            let code = error.update.unwrap_or(Code::InstallFailed);
            self.follow(Input::Failed(Reason::new(code, error.detail))).await;
        }
    }

    /// Has what is staged installed.
    pub(super) async fn begin_install(&self, force: bool, reboot: bool) -> Result<(), PortError> {
        let change = self.change().await?;
        self.take(Input::Install { change, force, reboot }).await.map(drop)
    }

    /// From the slot that runs to the other one, with what works now.
    pub(super) async fn change(&self) -> Result<ota::state::Change, PortError> {
        let device = self.device()?;
        let rauc = self.rauc().await.map_err(|error| unavailable(&error))?;
        let slots = rauc.slots().await.map_err(|error| unavailable(&error))?;
        let other = slots.into_iter().find(|slot| slot.bootname != device.booted);
        let other = other.ok_or_else(|| {
            PortError::update(Code::InstallerUnavailable, "RAUC knows of no other slot")
        })?;
        Ok(ota::state::Change {
            from: device.booted.clone(),
            from_version: device.release.version.clone(),
            target: other.bootname,
            boot: now().boot,
            baseline: trial::baseline(&self.0.parts.cameras).await,
            confirm_within_s: self.confirm_within_s(),
        })
    }

    fn confirm_within_s(&self) -> Option<u64> {
        let config = self.config()?;
        (config.confirm == UpdateConfirm::Owner).then_some(config.confirm_within.as_secs())
    }

    async fn install(&self, action: Action) {
        let Some(Update { order, bundle, change }) = self.state().await.phase.update().cloned()
        else {
            return;
        };
        let telling = self.clone();
        let progress = move |percent: u8, _: &str| telling.progress(f32::from(percent) / 100.0);
        let (id, target) = (order.id.as_str(), &change.target);
        let (how, primary) = match self.rauc().await {
            Err(error) => (Ending::Interrupted(base::error::chain(&error)), None),
            Ok(rauc) => match action {
                Action::Activate => match rauc.activate_other().await {
                    Ok(primary) => (Ending::Done, Some(primary)),
                    Err(error) => (Ending::Failed(error.into()), rauc.primary().await.ok()),
                },
                Action::Attach => rauc.attach((id, target), &progress).await,
                _ => match self.place_of(&order).await {
                    Ok(place) => {
                        let (location, who) = (place.location(), (id, target));
                        let (how, primary) = rauc.install(&location, &bundle, who, &progress).await;
                        (place.ending(how), primary)
                    }
                    Err(reason) => (Ending::Failed(reason), rauc.primary().await.ok()),
                },
            },
        };
        let Some(state) = self.follow(Input::Ended { how, primary }).await else { return };
        if matches!(&state.phase, Phase::Installed(update) if update.order.reboot) {
            let baseline = trial::baseline(&self.0.parts.cameras).await;
            self.order_reboot(baseline).await;
        }
    }

    /// Has the new system started.
    pub(super) async fn order_reboot(&self, baseline: Baseline) {
        let confirm_within_s = self.confirm_within_s();
        self.follow(Input::Reboot { baseline, confirm_within_s }).await;
    }

    async fn reboot(&self) {
        if let Err(error) = self.0.parts.hands.ask(Request::Reboot).await {
            tracing::error!(error = error.detail, "the machine cannot be started anew");
        }
    }

    async fn wait_for_owner(&self) {
        let Phase::Confirming { began, within_s, .. } = self.state().await.phase else { return };
        let until = began.at_s + within_s;
        while now().at_s < until {
            sleep(Duration::from_secs((until - now().at_s).clamp(1, 5))).await;
            if !matches!(self.state().await.phase, Phase::Confirming { confirmed: false, .. }) {
                return;
            }
        }
        self.follow(Input::Late { boot: now().boot }).await;
    }

    async fn keep(&self) {
        let Ok(device) = self.device() else { return };
        let kept = async { self.rauc().await?.keep(&device.booted).await }.await;
        let result = kept.map_err(|error| base::error::chain(&error));
        self.follow(Input::Kept { result, boot: now().boot }).await;
    }

    /// Back to the old system; again and again, for nothing else is left to do.
    async fn go_back(&self) {
        loop {
            let asked = async { self.rauc().await?.go_back().await }.await;
            if let Err(error) = asked {
                let error = base::error::chain(&error);
                tracing::error!(error, "the boot loader's counter has to lead back");
            }
            self.reboot().await;
            sleep(AGAIN).await;
        }
    }

    /// Marks the slot that runs good, and what failed bad.
    async fn settle(&self, other_failed: bool) {
        for _ in 0..SETTLE_TRIES {
            let settled = async { self.rauc().await?.settle(other_failed).await }.await;
            let Err(error) = settled else { return };
            let error = base::error::chain(&error);
            tracing::error!(error, "the running slot cannot be marked good");
            sleep(AGAIN / 6).await;
        }
    }

    /// Takes the event databases away that only the system before this one reads.
    async fn forget_older(&self) {
        let data = self.0.parts.data.clone();
        match tokio::task::spawn_blocking(move || store::forget_older(&data)).await {
            Ok(Ok(gone)) if gone.is_empty() => {}
            Ok(Ok(gone)) => tracing::info!(?gone, "event databases of older firmware are gone"),
            Ok(Err(error)) => {
                let error = base::error::chain(&error);
                tracing::warn!(error, "an event database of older firmware stays on the disk");
            }
            Err(error) => tracing::error!(%error, "taking older event databases away panicked"),
        }
    }

    /// Sees how the slots are, for the API; what was seen last stays while RAUC does not say.
    pub(super) async fn look_at_slots(&self) {
        let Ok(rauc) = self.rauc().await else { return };
        let Ok(slots) = rauc.slots().await else { return };
        let primary: Option<SlotName> = rauc.primary().await.ok();
        let state = self.state().await;
        let known = &self.0.slots;
        *known.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (slots, primary);
        self.tell(&state);
    }
}

/// RAUC cannot be asked, or does not say.
pub(super) fn unavailable(error: &ota::RaucError) -> PortError {
    PortError::update(Code::InstallerUnavailable, base::error::chain(error))
}
