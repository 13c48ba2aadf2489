//! What a start of the daemon means: which slot runs, held against what is remembered. Pure.

use api::updates::UpdateCode as Code;

use super::{Action, MOST_TRIES, Step, outcome};
use crate::state::{End, Moment, Outcome, Phase, Reason, SlotName, State, Update};

/// Why a trial ended without a word.
const CUT_OFF: &str = "it was restarted before it had proven itself";
/// Why a wait ended without a word.
const UNCONFIRMED: &str = "it was restarted before its owner confirmed it";

pub(super) fn started(state: State, booted: &SlotName, now: Moment, told: Option<Reason>) -> Step {
    match state.phase.clone() {
        Phase::Idle => Ok(idle(state, booted)),
        Phase::Fetching { .. } => Ok((state, settle_and(Action::Fetch))),
        Phase::Inspecting { .. } => Ok((state, settle_and(Action::Inspect))),
        // An upload goes on where it broke off.
        Phase::Receiving { .. } | Phase::Staged { .. } => Ok((state, settled())),
        Phase::Installing(update) if *booted == update.change.from => {
            Ok((state, settle_and(Action::Attach)))
        }
        // The slot was whole and the next one before the power went: nobody had time to say so.
        Phase::Installing(update) | Phase::Installed(update) if *booted == update.change.target => {
            Ok((trial(state, update, now), vec![Action::Gate]))
        }
        Phase::Installed(update) if *booted == update.change.from => {
            if update.change.boot == now.boot {
                return Ok((state, Vec::new()));
            }
            let silent = || Reason::new(Code::DidNotStart, "the new system did not start");
            let reason = told.unwrap_or_else(silent);
            Ok(rolled_back(state, &update, reason))
        }
        Phase::Trial { update, began } if *booted == update.change.target => {
            let began = if began.boot == now.boot { began } else { now };
            Ok((State { phase: Phase::Trial { update, began }, ..state }, vec![Action::Gate]))
        }
        Phase::Confirming { mut update, began, confirmed, .. }
            if *booted == update.change.target =>
        {
            if began.boot == now.boot {
                return Ok((state, vec![if confirmed { Action::Keep } else { Action::Await }]));
            }
            // What worked before a restart has to work after it, too; its owner is not asked twice.
            update.change.confirm_within_s = update.change.confirm_within_s.filter(|_| !confirmed);
            Ok((trial(state, update, now), vec![Action::Gate]))
        }
        Phase::Trial { update, .. } if *booted == update.change.from => {
            let cut_off = || Reason::new(Code::TrialFailed, CUT_OFF);
            Ok(rolled_back(state, &update, told.unwrap_or_else(cut_off)))
        }
        Phase::Confirming { update, .. } if *booted == update.change.from => {
            let unconfirmed = || Reason::new(Code::NotConfirmed, UNCONFIRMED);
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

/// No update is under way. A slot that was kept and does not run any more was left by the boot loader.
fn idle(mut state: State, booted: &SlotName) -> (State, Vec<Action>) {
    let mut other_failed = false;
    if let Some(last) = state.last.as_mut().filter(|last| {
        last.target.as_ref().is_some_and(|target| target != booted)
            && matches!(last.end, End::Committed | End::RolledBack)
    }) {
        if last.end == End::Committed {
            let detail = format!("the boot loader could not start it any more; slot {booted} runs");
            last.reason = Some(Reason::new(Code::DidNotStart, detail));
            last.end = End::RolledBack;
        }
        other_failed = true;
    }
    let mut actions = vec![Action::Settle { other_failed }];
    // Its commit may have been cut off.
    if state.last.as_ref().is_some_and(|last| last.end == End::Committed) {
        actions.push(Action::ForgetOlder);
    }
    (state, actions)
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
fn rolled_back(state: State, update: &Update, reason: Reason) -> (State, Vec<Action>) {
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
    reason: Reason,
    (before, boot): (String, String),
    tries: u32,
) -> (State, Vec<Action>) {
    let tries = if before == boot { tries } else { tries + 1 };
    if tries > MOST_TRIES {
        let detail =
            format!("{}; and the boot loader does not start the old system", reason.detail);
        let reason = Reason { detail, ..reason };
        let Update { order, bundle, change } = &update;
        let last = outcome(End::Failed, order, Some(bundle), Some(change), Some(reason));
        return (State { phase: Phase::Idle, last: Some(last), ..state }, settled());
    }
    let phase = Phase::Returning { update, reason, boot, tries };
    (State { phase, ..state }, vec![Action::GoBack])
}

/// What was under way was about other slots, or another firmware's.
fn lost(state: State, phase: &Phase, booted: &SlotName) -> (State, Vec<Action>) {
    let detail = format!("{}, which slot {booted} cannot go on with", phase.title());
    let reason = Reason::new(Code::Interrupted, detail);
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
