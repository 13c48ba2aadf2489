//! What happens to an update: `step(state, input)` gives the next state and what is to be done. Pure.
//!
//! Whoever carries it out writes the next state down, durably, before it does anything of what is to be
//! done. Every action may be cut off anywhere and is done again after the next start, so each of them
//! does no harm when it is done twice.

mod start;
#[cfg(test)]
mod tests;

use api::updates::UpdateCode as Code;

use crate::state::{
    Baseline, Bundle, Change, End, Moment, Order, Outcome, Phase, Reason, Remote, SlotName, Source,
    State, Update,
};
use crate::version::{self, VersionError};

/// Boots in which going back is tried; after that the boot loader will not have it.
const MOST_TRIES: u32 = 3;

/// What to do while another update is under way.
const ONE: &str = "one update at a time; let it end, or give it up";

/// What happened.
#[expect(clippy::large_enum_variant, reason = "one is taken at a time, and none is kept")]
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody wants an update.
    Begin(Order),
    /// Its bundle is on the disk, whole.
    Arrived,
    /// Its bundle can be read where it lies, and stays there.
    Stays(Remote),
    /// RAUC has looked at the bundle; its signature is good.
    Inspected {
        /// What it says of itself.
        bundle: Bundle,
        /// What runs.
        running: Running,
    },
    /// It cannot be had, or is not what it should be.
    Failed(Reason),
    /// Its owner does not want it any more.
    Cancel,
    /// The bundle is to be installed.
    Install {
        /// From where to where.
        change: Change,
        /// Whether the version that runs may be installed again.
        force: bool,
        /// Whether to start the new system without being asked again.
        reboot: bool,
    },
    /// Writing the other slot, or making it the next one, has ended.
    Ended {
        /// How, as far as it was heard.
        how: Ending,
        /// The slot that starts next, as the boot loader says; `None`: it does not say.
        primary: Option<SlotName>,
    },
    /// The new system is to be started.
    Reboot {
        /// What works now.
        baseline: Baseline,
        /// How long the owner has to confirm, in seconds.
        confirm_within_s: Option<u64>,
    },
    /// The system in the other slot is to run again.
    Switch {
        /// What was asked for.
        order: Order,
        /// What is in the other slot.
        bundle: Bundle,
        /// From where to where.
        change: Change,
    },
    /// The daemon has started.
    Started {
        /// The slot that runs.
        booted: SlotName,
        /// When.
        now: Moment,
        /// Why the other slot was left, as the guard there wrote it.
        told: Option<Reason>,
    },
    /// The new system has proven itself.
    Healthy(Moment),
    /// It has not.
    Unhealthy {
        /// Why.
        reason: Reason,
        /// The boot in which.
        boot: String,
    },
    /// The owner confirms the new system.
    Confirm,
    /// Nobody confirmed it in time.
    Late {
        /// The boot in which.
        boot: String,
    },
    /// The running slot was marked good, and is the one that starts next; or not, and why.
    Kept {
        /// Whether.
        result: Result<(), String>,
        /// The boot in which.
        boot: String,
    },
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its version.
    pub version: String,
    /// For which devices it is.
    pub compatible: String,
}

/// How an installation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// RAUC says that all went well.
    Done,
    /// RAUC says why not.
    Failed(Reason),
    /// It was cut off, and may be repeated.
    Interrupted(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Download the bundle, from where the last try ended; then [`Input::Arrived`], [`Input::Stays`] or
    /// [`Input::Failed`].
    Fetch,
    /// Have RAUC look at the bundle; then [`Input::Inspected`] or [`Input::Failed`].
    Inspect,
    /// Have RAUC install it; then [`Input::Ended`].
    Install,
    /// Have the boot loader start the other slot next; then [`Input::Ended`].
    Activate,
    /// Wait for an installation that an earlier daemon began, and look what became of it; then
    /// [`Input::Ended`].
    Attach,
    /// Take the bundle off the disk.
    Discard,
    /// Start the machine anew.
    Reboot,
    /// See whether the new system works; then [`Input::Healthy`] or [`Input::Unhealthy`].
    Gate,
    /// Wait for the owner; then [`Input::Late`], unless [`Input::Confirm`] or [`Input::Cancel`] came.
    Await,
    /// Mark the running slot good and see that it is the next one; then [`Input::Kept`].
    Keep,
    /// Mark the running slot bad, have the other one start next, start the machine anew.
    GoBack,
    /// Have the running slot start next, and never by itself the other one, which was not tried.
    Forsake,
    /// Take away what only the system before this one reads: this one stays.
    ForgetOlder,
    /// The running slot is good: as soon as the daemon is ready, it is marked so.
    Settle {
        /// Whether the other one has failed, and is not to be tried again by itself.
        other_failed: bool,
    },
}

/// Why nothing changed: what was asked for does not fit the moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.detail)]
pub struct Refused(pub Reason);

type Step = Result<(State, Vec<Action>), Refused>;

/// The state after `input`, and what is to be done.
///
/// # Errors
/// When the input does not fit the state, which stays as it is.
pub fn step(state: State, input: Input) -> Step {
    match input {
        Input::Begin(order) => begin(state, order),
        Input::Arrived => arrived(state),
        Input::Stays(remote) => stays(state, remote),
        Input::Inspected { bundle, running } => inspected(state, bundle, &running),
        Input::Failed(reason) => failed(state, reason),
        Input::Cancel => cancel(state),
        Input::Install { change, force, reboot } => install(state, change, force, reboot),
        Input::Ended { how, primary } => ended(state, how, primary.as_ref()),
        Input::Reboot { baseline, confirm_within_s } => reboot(state, baseline, confirm_within_s),
        Input::Switch { order, bundle, change } => switch(state, order, bundle, change),
        Input::Started { booted, now, told } => start::started(state, &booted, now, told),
        Input::Healthy(now) => healthy(state, now),
        Input::Unhealthy { reason, boot } => match state.phase.clone() {
            Phase::Trial { update, .. } => Ok(go_back(state, update, reason, boot)),
            other => refuse(&other, Code::NothingToCommit, "only a new system proves itself"),
        },
        Input::Confirm => match state.phase {
            Phase::Confirming { update, began, within_s, .. } => {
                let phase = Phase::Confirming { update, began, within_s, confirmed: true };
                Ok((State { phase, ..state }, vec![Action::Keep]))
            }
            other => refuse(&other, Code::NothingToCommit, "there is nothing to confirm now"),
        },
        Input::Late { boot } => match state.phase.clone() {
            Phase::Confirming { update, within_s, confirmed: false, .. } => {
                let detail = format!("nobody confirmed the new system within {within_s} s");
                let reason = Reason::new(Code::NotConfirmed, detail);
                Ok(go_back(state, update, reason, boot))
            }
            other => refuse(&other, Code::NothingToCommit, "there is nothing to confirm now"),
        },
        Input::Kept { result, boot } => kept(state, result, boot),
    }
}

fn begin(state: State, order: Order) -> Step {
    let mut actions = match &state.phase {
        Phase::Idle => Vec::new(),
        Phase::Staged { .. } | Phase::Receiving { .. } => vec![Action::Discard],
        other => return refuse(other, Code::UpdateRunning, ONE),
    };
    let phase = match &order.source {
        Source::Upload { .. } => Phase::Receiving { order },
        Source::Url { .. } => {
            actions.push(Action::Fetch);
            Phase::Fetching { order }
        }
        Source::OtherSlot => {
            return refuse(&state.phase, Code::NoBundle, "it has no bundle to bring");
        }
    };
    Ok((State { phase, last: None, ..state }, actions))
}

fn arrived(state: State) -> Step {
    match state.phase {
        Phase::Fetching { order } | Phase::Receiving { order } => {
            let phase = Phase::Inspecting { order };
            Ok((State { phase, ..state }, vec![Action::Inspect]))
        }
        other => refuse(&other, Code::UpdateRunning, "no bundle is awaited"),
    }
}

fn stays(mut state: State, there: Remote) -> Step {
    let Phase::Fetching { order } = &mut state.phase else {
        return refuse(&state.phase, Code::UpdateRunning, "no bundle is awaited");
    };
    let Source::Url { remote, .. } = &mut order.source else {
        return refuse(&state.phase, Code::NoBundle, "its bundle has no address");
    };
    *remote = Some(there);
    arrived(state)
}

fn inspected(state: State, bundle: Bundle, running: &Running) -> Step {
    let Phase::Inspecting { order } = state.phase.clone() else {
        return refuse(&state.phase, Code::UpdateRunning, "no bundle is looked at");
    };
    if let Err(reason) = fits(&bundle, running) {
        let last = outcome(End::Failed, &order, Some(&bundle), None, Some(reason));
        return Ok((
            State { phase: Phase::Idle, last: Some(last), ..state },
            vec![Action::Discard],
        ));
    }
    Ok((State { phase: Phase::Staged { order, bundle }, ..state }, Vec::new()))
}

/// Whether `bundle` may follow what runs; else why not.
///
/// One of the version that runs waits as well: whether it is wanted is asked when it is installed.
fn fits(bundle: &Bundle, running: &Running) -> Result<(), Reason> {
    if bundle.compatible != running.compatible {
        let detail = format!(
            "the bundle is for \"{}\", and this device is \"{}\"; take the one made for it",
            bundle.compatible, running.compatible
        );
        return Err(Reason::new(Code::WrongCompatible, detail));
    }
    version::may_follow(&bundle.version, &running.version, true).map_err(|why| refusal(&why))
}

fn refusal(why: &VersionError) -> Reason {
    let code = match why {
        VersionError::Odd { .. } => Code::NoBundle,
        VersionError::Older { .. } => Code::OlderVersion,
        VersionError::Same(_) => Code::SameVersion,
    };
    Reason::new(code, why.to_string())
}

fn failed(state: State, reason: Reason) -> Step {
    match state.phase.clone() {
        Phase::Fetching { order } | Phase::Receiving { order } | Phase::Inspecting { order } => {
            let last = outcome(End::Failed, &order, None, None, Some(reason));
            let state = State { phase: Phase::Idle, last: Some(last), ..state };
            Ok((state, vec![Action::Discard]))
        }
        // It could not be begun with; the bundle is as good as before.
        Phase::Staged { order, bundle } => {
            let last = outcome(End::Failed, &order, Some(&bundle), None, Some(reason));
            Ok((State { last: Some(last), ..state }, Vec::new()))
        }
        other => refuse(&other, Code::NothingStaged, "no bundle is awaited"),
    }
}

fn cancel(state: State) -> Step {
    let cancelled = |state: State, order: &Order, bundle: Option<&Bundle>, change, actions| {
        let reason = Reason::new(Code::Cancelled, "it was given up");
        let last = outcome(End::Cancelled, order, bundle, change, Some(reason));
        Ok((State { phase: Phase::Idle, last: Some(last), ..state }, actions))
    };
    match state.phase.clone() {
        Phase::Fetching { order } | Phase::Receiving { order } | Phase::Inspecting { order } => {
            cancelled(state, &order, None, None, vec![Action::Discard])
        }
        Phase::Staged { order, bundle } => {
            cancelled(state, &order, Some(&bundle), None, vec![Action::Discard])
        }
        Phase::Installed(Update { order, bundle, change }) => {
            let actions = vec![Action::Forsake];
            cancelled(state, &order, Some(&bundle), Some(&change), actions)
        }
        Phase::Trial { update, began } | Phase::Confirming { update, began, .. } => {
            let reason = Reason::new(Code::AskedBack, "somebody asked for the old system");
            Ok(go_back(state, update, reason, began.boot))
        }
        other @ Phase::Installing(_) => {
            refuse(&other, Code::UpdateRunning, "it cannot be cut off; cancel it when it is done")
        }
        other @ Phase::Returning { .. } => refuse(&other, Code::UpdateRunning, "it starts anew"),
        other => refuse(&other, Code::NothingStaged, "there is nothing to give up"),
    }
}

fn install(state: State, change: Change, force: bool, reboot: bool) -> Step {
    match state.phase {
        Phase::Staged { order, bundle } => {
            version::may_follow(&bundle.version, &change.from_version, force)
                .map_err(|why| Refused(refusal(&why)))?;
            let order = Order { force, reboot, ..order };
            let phase = Phase::Installing(Update { order, bundle, change });
            Ok((State { phase, last: None, ..state }, vec![Action::Install]))
        }
        other @ Phase::Idle => refuse(&other, Code::NothingStaged, "bring a bundle first"),
        other => refuse(&other, Code::UpdateRunning, ONE),
    }
}

/// What RAUC says is one thing, what the boot loader will do the other: both must agree.
fn ended(state: State, how: Ending, primary: Option<&SlotName>) -> Step {
    let Phase::Installing(update) = state.phase.clone() else {
        return refuse(&state.phase, Code::NothingStaged, "nothing is being installed");
    };
    let Update { order, bundle, change } = &update;
    let other_slot = order.source == Source::OtherSlot;
    let is_next = primary == Some(&change.target);
    let (reason, again) = match how {
        Ending::Done if is_next => {
            let actions = if other_slot { vec![] } else { vec![Action::Discard] };
            return Ok((State { phase: Phase::Installed(update), ..state }, actions));
        }
        Ending::Done => {
            let next = primary.map_or("no slot that it can tell".to_owned(), ToString::to_string);
            let target = &change.target;
            let detail =
                format!("the boot loader was to start slot {target} next, and starts {next}");
            (Reason::new(Code::InstallFailed, detail), false)
        }
        Ending::Failed(reason) => (reason, false),
        Ending::Interrupted(detail) => (Reason::new(Code::Interrupted, detail), true),
    };
    // A handler that fails last fails an installation whose slot is the next one already.
    let mut actions = vec![];
    if primary != Some(&change.from) {
        actions.push(Action::Forsake);
    }
    let last = outcome(End::Failed, order, Some(bundle), Some(change), Some(reason));
    let phase = if again && !other_slot {
        Phase::Staged { order: order.clone(), bundle: bundle.clone() }
    } else {
        actions.push(Action::Discard);
        Phase::Idle
    };
    Ok((State { phase, last: Some(last), ..state }, actions))
}

fn reboot(state: State, baseline: Baseline, confirm_within_s: Option<u64>) -> Step {
    match state.phase {
        Phase::Installed(mut update) => {
            update.change = Change { baseline, confirm_within_s, ..update.change };
            Ok((State { phase: Phase::Installed(update), ..state }, vec![Action::Reboot]))
        }
        other => refuse(&other, Code::NothingStaged, "no new system waits to be started"),
    }
}

fn switch(state: State, order: Order, bundle: Bundle, change: Change) -> Step {
    let failed = |last: &Outcome| {
        last.end == End::RolledBack && last.target.as_ref() == Some(&change.target)
    };
    match &state.phase {
        Phase::Idle if state.last.as_ref().is_some_and(failed) => {
            refuse(&state.phase, Code::NoWayBack, "the other slot has the system that failed")
        }
        Phase::Idle => {
            let phase = Phase::Installing(Update { order, bundle, change });
            Ok((State { phase, last: None, ..state }, vec![Action::Activate]))
        }
        other => refuse(other, Code::UpdateRunning, ONE),
    }
}

fn healthy(state: State, now: Moment) -> Step {
    match state.phase.clone() {
        Phase::Trial { update, .. } => match update.change.confirm_within_s {
            None => Ok((state, vec![Action::Keep])),
            Some(within_s) => {
                let phase = Phase::Confirming { update, began: now, within_s, confirmed: false };
                Ok((State { phase, ..state }, vec![Action::Await]))
            }
        },
        other => refuse(&other, Code::NothingToCommit, "only a new system proves itself"),
    }
}

fn kept(state: State, result: Result<(), String>, boot: String) -> Step {
    match state.phase.clone() {
        Phase::Trial { update, .. } | Phase::Confirming { update, .. } => match result {
            Ok(()) => {
                let Update { order, bundle, change } = &update;
                let last = outcome(End::Committed, order, Some(bundle), Some(change), None);
                let state = State { phase: Phase::Idle, last: Some(last), ..state };
                Ok((state, vec![Action::Discard, Action::ForgetOlder]))
            }
            Err(why) => {
                let detail = format!("the new system cannot be made to stay: {why}");
                let reason = Reason::new(Code::TrialFailed, detail);
                Ok(go_back(state, update, reason, boot))
            }
        },
        other => refuse(&other, Code::NothingToCommit, "there is nothing to keep"),
    }
}

fn go_back(state: State, update: Update, reason: Reason, boot: String) -> (State, Vec<Action>) {
    let phase = Phase::Returning { update, reason, boot, tries: 1 };
    (State { phase, ..state }, vec![Action::GoBack])
}

fn outcome(
    end: End,
    order: &Order,
    bundle: Option<&Bundle>,
    change: Option<&Change>,
    reason: Option<Reason>,
) -> Outcome {
    Outcome {
        end,
        order: order.id.clone(),
        version: bundle.map(|bundle| bundle.version.clone()),
        from_version: change.map(|change| change.from_version.clone()),
        target: change.map(|change| change.target.clone()),
        reason,
        at: None,
    }
}

fn refuse<T>(phase: &Phase, code: Code, way_out: &str) -> Result<T, Refused> {
    Err(Refused(Reason::new(code, format!("{}: {way_out}", phase.title()))))
}
