//! What happens to an update: `step(state, input)` gives the next state and what is to be done. Pure.
//!
//! Whoever carries it out writes the next state down, durably, before it does anything of what is to be
//! done. Every action may be cut off anywhere and is done again after the next start, so each of them
//! does no harm when it is done twice.

#[cfg(test)]
mod tests;

use crate::state::{
    Baseline, Bundle, Change, End, Moment, Order, Outcome, Phase, SlotName, Source, State, Update,
};
use crate::version;

/// Boots in which going back is tried; after that the boot loader will not have it.
const MOST_TRIES: u32 = 3;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody wants an update.
    Begin(Order),
    /// Its bundle is on the disk, whole.
    Arrived,
    /// RAUC has looked at the bundle; its signature is good.
    Inspected {
        /// What it says of itself.
        bundle: Bundle,
        /// What runs.
        running: Running,
    },
    /// It cannot be had, or is not what it should be.
    Failed(String),
    /// Its owner does not want it any more.
    Cancel,
    /// The bundle is to be installed.
    Install(Change),
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
        told: Option<String>,
    },
    /// The new system has proven itself.
    Healthy(Moment),
    /// It has not.
    Unhealthy {
        /// Why.
        reason: String,
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
    Failed(String),
    /// It was cut off, and may be repeated.
    Interrupted(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Download the bundle, from where the last try ended; then [`Input::Arrived`] or [`Input::Failed`].
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
    /// The running slot is good: as soon as the daemon is ready, it is marked so.
    Settle {
        /// Whether the other one has failed, and is not to be tried again by itself.
        other_failed: bool,
    },
}

/// Why nothing changed: what was asked for does not fit the moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{title}: {way_out}")]
pub struct Refused {
    /// What is going on.
    pub title: &'static str,
    /// What to do.
    pub way_out: &'static str,
}

type Step = Result<(State, Vec<Action>), Refused>;

/// The state after `input`, and what is to be done.
///
/// # Errors
/// When the input does not fit the state, which stays as it is.
pub fn step(state: State, input: Input) -> Step {
    match input {
        Input::Begin(order) => begin(state, order),
        Input::Arrived => arrived(state),
        Input::Inspected { bundle, running } => inspected(state, bundle, &running),
        Input::Failed(reason) => failed(state, reason),
        Input::Cancel => cancel(state),
        Input::Install(change) => install(state, change),
        Input::Ended { how, primary } => ended(state, how, primary.as_ref()),
        Input::Reboot { baseline, confirm_within_s } => reboot(state, baseline, confirm_within_s),
        Input::Switch { order, bundle, change } => switch(state, order, bundle, change),
        Input::Started { booted, now, told } => started(state, &booted, now, told),
        Input::Healthy(now) => healthy(state, now),
        Input::Unhealthy { reason, boot } => match state.phase.clone() {
            Phase::Trial { update, .. } => Ok(go_back(state, update, reason, boot)),
            other => refuse(&other, "only a new system proves itself"),
        },
        Input::Confirm => match &state.phase {
            Phase::Confirming { .. } => Ok((state, vec![Action::Keep])),
            other => refuse(other, "there is nothing to confirm now"),
        },
        Input::Late { boot } => match state.phase.clone() {
            Phase::Confirming { update, within_s, .. } => {
                let reason = format!("nobody confirmed the new system within {within_s} s");
                Ok(go_back(state, update, reason, boot))
            }
            other => refuse(&other, "there is nothing to confirm now"),
        },
        Input::Kept { result, boot } => kept(state, result, boot),
    }
}

fn begin(state: State, order: Order) -> Step {
    let mut actions = match &state.phase {
        Phase::Idle => Vec::new(),
        Phase::Staged { .. } => vec![Action::Discard],
        other => return refuse(other, "one update at a time; let it end, or cancel it"),
    };
    let phase = match &order.source {
        Source::Upload => Phase::Receiving { order },
        Source::Url { .. } => {
            actions.push(Action::Fetch);
            Phase::Fetching { order }
        }
        Source::OtherSlot => return refuse(&state.phase, "the other slot has no bundle to bring"),
    };
    Ok((State { phase, last: None, ..state }, actions))
}

fn arrived(state: State) -> Step {
    match state.phase {
        Phase::Fetching { order } | Phase::Receiving { order } => {
            let phase = Phase::Inspecting { order };
            Ok((State { phase, ..state }, vec![Action::Inspect]))
        }
        other => refuse(&other, "no bundle is awaited"),
    }
}

fn inspected(state: State, bundle: Bundle, running: &Running) -> Step {
    let Phase::Inspecting { order } = state.phase.clone() else {
        return refuse(&state.phase, "no bundle is looked at");
    };
    if let Err(reason) = fits(&bundle, running, order.force) {
        let last = outcome(End::Failed, &order, Some(&bundle), None, Some(reason));
        return Ok((State { phase: Phase::Idle, last: Some(last), ..state }, vec![Action::Discard]));
    }
    Ok((State { phase: Phase::Staged { order, bundle }, ..state }, Vec::new()))
}

/// Whether `bundle` may follow what runs; else why not.
fn fits(bundle: &Bundle, running: &Running, force: bool) -> Result<(), String> {
    if bundle.compatible != running.compatible {
        return Err(format!(
            "the bundle is for \"{}\", and this device is \"{}\"; take the one made for it",
            bundle.compatible, running.compatible
        ));
    }
    version::may_follow(&bundle.version, &running.version, force).map_err(|why| why.to_string())
}

fn failed(state: State, reason: String) -> Step {
    match state.phase.clone() {
        Phase::Fetching { order } | Phase::Receiving { order } | Phase::Inspecting { order } => {
            let last = outcome(End::Failed, &order, None, None, Some(reason));
            let state = State { phase: Phase::Idle, last: Some(last), ..state };
            Ok((state, vec![Action::Discard]))
        }
        other => refuse(&other, "no bundle is awaited"),
    }
}

fn cancel(state: State) -> Step {
    let cancelled = |state: State, order: &Order, bundle: Option<&Bundle>, change, actions| {
        let last = outcome(End::Cancelled, order, bundle, change, None);
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
            Ok(go_back(state, update, "the owner wanted the old system back".into(), began.boot))
        }
        other @ Phase::Installing(_) => {
            refuse(&other, "it cannot be cut off; cancel it when it is done")
        }
        other => refuse(&other, "there is nothing to cancel"),
    }
}

fn install(state: State, change: Change) -> Step {
    match state.phase {
        Phase::Staged { order, bundle } => {
            let phase = Phase::Installing(Update { order, bundle, change });
            Ok((State { phase, last: None, ..state }, vec![Action::Install]))
        }
        other => refuse(&other, "bring a bundle first; it is installed once it was looked at"),
    }
}

/// What RAUC says is one thing, what the boot loader will do the other: both must agree.
fn ended(state: State, how: Ending, primary: Option<&SlotName>) -> Step {
    let Phase::Installing(update) = state.phase.clone() else {
        return refuse(&state.phase, "nothing is being installed");
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
            (format!("the boot loader was to start slot {target} next, and starts {next}"), false)
        }
        Ending::Failed(reason) => (reason, false),
        Ending::Interrupted(reason) => (reason, true),
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
        other => refuse(&other, "no new system waits to be started"),
    }
}

fn switch(state: State, order: Order, bundle: Bundle, change: Change) -> Step {
    let failed = |last: &Outcome| {
        last.end == End::RolledBack && last.target.as_ref() == Some(&change.target)
    };
    match &state.phase {
        Phase::Idle if state.last.as_ref().is_some_and(failed) => {
            refuse(&state.phase, "the other slot has the system that has just failed")
        }
        Phase::Idle => {
            let phase = Phase::Installing(Update { order, bundle, change });
            Ok((State { phase, last: None, ..state }, vec![Action::Activate]))
        }
        other => refuse(other, "let it end, or cancel it"),
    }
}

fn started(state: State, booted: &SlotName, now: Moment, told: Option<String>) -> Step {
    match state.phase.clone() {
        Phase::Idle => {
            let failed = state.last.as_ref().is_some_and(|last| {
                last.end == End::RolledBack && last.target.as_ref() != Some(booted)
            });
            Ok((state, vec![Action::Settle { other_failed: failed }]))
        }
        Phase::Fetching { .. } => Ok((state, settle_and(Action::Fetch))),
        Phase::Receiving { .. } => {
            let reason = "the upload was cut off; send the bundle again";
            let (state, mut actions) = failed(state, reason.to_owned())?;
            actions.extend(settled());
            Ok((state, actions))
        }
        Phase::Inspecting { .. } => Ok((state, settle_and(Action::Inspect))),
        Phase::Staged { .. } => Ok((state, settled())),
        Phase::Installing(update) if *booted == update.change.from => {
            Ok((state, settle_and(Action::Attach)))
        }
        // The slot was whole and the next one before the power went: nobody had time to say so.
        Phase::Installing(update) | Phase::Installed(update)
            if *booted == update.change.target =>
        {
            Ok((trial(state, update, now), vec![Action::Gate]))
        }
        Phase::Installed(update) if *booted == update.change.from => {
            if update.change.boot == now.boot {
                return Ok((state, Vec::new()));
            }
            let reason = told.unwrap_or_else(|| "the new system did not start".to_owned());
            Ok(rolled_back(state, &update, reason))
        }
        Phase::Trial { update, began } if *booted == update.change.target => {
            let began = if began.boot == now.boot { began } else { now };
            Ok((State { phase: Phase::Trial { update, began }, ..state }, vec![Action::Gate]))
        }
        Phase::Confirming { update, began, .. } if *booted == update.change.target => {
            // What worked before a restart has to work after it, too.
            if began.boot != now.boot {
                return Ok((trial(state, update, now), vec![Action::Gate]));
            }
            Ok((state, vec![Action::Await]))
        }
        Phase::Trial { update, .. } if *booted == update.change.from => {
            let cut_off = || "it was restarted before it had proven itself".to_owned();
            Ok(rolled_back(state, &update, told.unwrap_or_else(cut_off)))
        }
        Phase::Confirming { update, .. } if *booted == update.change.from => {
            let unconfirmed = || "it was restarted before its owner confirmed it".to_owned();
            Ok(rolled_back(state, &update, told.unwrap_or_else(unconfirmed)))
        }
        Phase::Returning { update, reason, boot, tries } if *booted == update.change.target => {
            Ok(once_more(state, update, reason, (boot, now.boot), tries))
        }
        Phase::Returning { update, reason, .. } if *booted == update.change.from => {
            Ok(rolled_back(state, &update, reason))
        }
        other => Ok(lost(state, &other, booted)),
    }
}

/// The running slot is as good as it was.
fn settled() -> Vec<Action> {
    vec![Action::Settle { other_failed: false }]
}

fn settle_and(action: Action) -> Vec<Action> {
    vec![Action::Settle { other_failed: false }, action]
}

fn trial(state: State, update: Update, began: Moment) -> State {
    State { phase: Phase::Trial { update, began }, last: None, ..state }
}

/// The old system is back.
fn rolled_back(state: State, update: &Update, reason: String) -> (State, Vec<Action>) {
    let Update { order, bundle, change } = update;
    let last = outcome(End::RolledBack, order, Some(bundle), Some(change), Some(reason));
    let state = State { phase: Phase::Idle, last: Some(last), ..state };
    (state, vec![Action::Settle { other_failed: true }, Action::Discard])
}

/// Going back led here again. A boot loader that does not do it at last is left alone: a device that
/// starts anew for ever is worse off than one whose new system is not well.
fn once_more(
    state: State,
    update: Update,
    reason: String,
    (before, boot): (String, String),
    tries: u32,
) -> (State, Vec<Action>) {
    let tries = if before == boot { tries } else { tries + 1 };
    if tries > MOST_TRIES {
        let reason = format!("{reason}; and the boot loader does not start the old system");
        let Update { order, bundle, change } = &update;
        let last = outcome(End::Failed, order, Some(bundle), Some(change), Some(reason));
        return (State { phase: Phase::Idle, last: Some(last), ..state }, settled());
    }
    let phase = Phase::Returning { update, reason, boot, tries };
    (State { phase, ..state }, vec![Action::GoBack])
}

/// What was under way was about other slots, or another firmware's.
fn lost(state: State, phase: &Phase, booted: &SlotName) -> (State, Vec<Action>) {
    let reason = format!("{}, which slot {booted} cannot go on with", phase.title());
    let last = Outcome {
        end: End::Failed,
        order: phase.order().map(|order| order.id.clone()).unwrap_or_default(),
        version: phase.bundle().map(|bundle| bundle.version.clone()),
        from_version: None,
        target: None,
        reason: Some(reason),
        at: None,
    };
    let actions = vec![Action::Settle { other_failed: false }, Action::Discard];
    (State { phase: Phase::Idle, last: Some(last), ..state }, actions)
}

fn healthy(state: State, now: Moment) -> Step {
    match state.phase.clone() {
        Phase::Trial { update, .. } => match update.change.confirm_within_s {
            None => Ok((state, vec![Action::Keep])),
            Some(within_s) => {
                let phase = Phase::Confirming { update, began: now, within_s };
                Ok((State { phase, ..state }, vec![Action::Await]))
            }
        },
        other => refuse(&other, "only a new system proves itself"),
    }
}

fn kept(state: State, result: Result<(), String>, boot: String) -> Step {
    match state.phase.clone() {
        Phase::Trial { update, .. } | Phase::Confirming { update, .. } => match result {
            Ok(()) => {
                let Update { order, bundle, change } = &update;
                let last = outcome(End::Committed, order, Some(bundle), Some(change), None);
                let state = State { phase: Phase::Idle, last: Some(last), ..state };
                Ok((state, vec![Action::Discard]))
            }
            Err(why) => {
                let reason = format!("the new system cannot be made to stay: {why}");
                Ok(go_back(state, update, reason, boot))
            }
        },
        other => refuse(&other, "there is nothing to keep"),
    }
}

fn go_back(state: State, update: Update, reason: String, boot: String) -> (State, Vec<Action>) {
    let phase = Phase::Returning { update, reason, boot, tries: 1 };
    (State { phase, ..state }, vec![Action::GoBack])
}

fn outcome(
    end: End,
    order: &Order,
    bundle: Option<&Bundle>,
    change: Option<&Change>,
    reason: Option<String>,
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

fn refuse<T>(phase: &Phase, way_out: &'static str) -> Result<T, Refused> {
    Err(Refused { title: phase.title(), way_out })
}
