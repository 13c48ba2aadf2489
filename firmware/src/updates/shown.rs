//! The state of updates as the API shows it. Pure.

use std::time::Duration;

use api::updates::{
    SlotState, UpdateBundle, UpdateOrigin, UpdatePhase, UpdateProblem, UpdateSlot, UpdateUpload,
    Updates as Status,
};
use jiff::Timestamp;
use ota::gate;
use ota::rauc::Slot;
use ota::state::{End, Moment, Order, Phase, SlotName, Source, State};

use super::device::Device;
use super::engine::Found;

/// The whole of it. `came` are the bytes of an upload that are here.
pub(super) fn status(
    device: &Result<Device, String>,
    state: &State,
    came: u64,
    now: &Moment,
    slots: Vec<UpdateSlot>,
    found: Found,
) -> Status {
    let release = device.as_ref().ok().map(|device| device.release.clone());
    let version = release.as_ref().map(|release| release.version.clone());
    Status {
        supported: device.is_ok(),
        reason: device.as_ref().err().cloned(),
        version: version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        release,
        phase: phase(state),
        since: state.since,
        update: bundle(state),
        upload: upload(&state.phase, came),
        confirm_by: confirm_by(&state.phase, now),
        problem: problem(state),
        slots,
        available: found.available,
        checked_at: found.at,
        check_error: found.error,
        ..Status::default()
    }
}

fn phase(state: &State) -> UpdatePhase {
    match &state.phase {
        Phase::Idle | Phase::Unknown => match state.last.as_ref().map(|last| last.end) {
            None => UpdatePhase::Idle,
            Some(End::Committed) => UpdatePhase::Committed,
            Some(End::RolledBack) => UpdatePhase::RolledBack,
            Some(End::Failed | End::Cancelled) => UpdatePhase::Failed,
        },
        Phase::Fetching { .. } => UpdatePhase::Fetching,
        Phase::Receiving { .. } => UpdatePhase::Receiving,
        // It is looked at in no time.
        Phase::Inspecting { order } => match order.source {
            Source::Upload { .. } => UpdatePhase::Receiving,
            Source::Url { .. } | Source::OtherSlot => UpdatePhase::Fetching,
        },
        Phase::Staged { .. } => UpdatePhase::Staged,
        Phase::Installing(_) => UpdatePhase::Installing,
        Phase::Installed(_) => UpdatePhase::Installed,
        Phase::Trial { .. } | Phase::Returning { .. } => UpdatePhase::Trial,
        Phase::Confirming { .. } => UpdatePhase::AwaitingConfirmation,
    }
}

fn bundle(state: &State) -> Option<UpdateBundle> {
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let Some(order) = state.phase.order() else {
        let last = state.last.as_ref()?;
        return Some(UpdateBundle { version: last.version.clone(), ..UpdateBundle::default() });
    };
    let bundle = state.phase.bundle();
    let (said, size) = said(order);
    Some(UpdateBundle {
        version: bundle.and_then(|bundle| known(&bundle.version)),
        compatible: bundle.and_then(|bundle| known(&bundle.compatible)),
        size_bytes: bundle.map(|bundle| bundle.size).filter(|size| *size > 0).or(size),
        sha256: bundle.and_then(|bundle| known(&bundle.sha256)).or(said),
        origin: match &order.source {
            Source::Upload { .. } | Source::OtherSlot => UpdateOrigin::Upload,
            Source::Url { from_index: true, .. } => UpdateOrigin::Index,
            Source::Url { .. } => UpdateOrigin::Url,
        },
        transferred_bytes: None,
    })
}

/// Whether its bundle is read where it lies.
pub(super) fn is_elsewhere(phase: &Phase) -> bool {
    let source = phase.order().map(|order| &order.source);
    matches!(source, Some(Source::Url { remote: Some(_), .. }))
}

/// What was said about the bundle before it came.
fn said(order: &Order) -> (Option<String>, Option<u64>) {
    match &order.source {
        Source::Upload { size, sha256 } => (sha256.clone(), Some(*size)),
        Source::Url { sha256, size, .. } => (sha256.clone(), *size),
        Source::OtherSlot => (None, None),
    }
}

/// The upload that is under way, of which `came` bytes are here.
pub(super) fn upload(phase: &Phase, came: u64) -> Option<UpdateUpload> {
    let Phase::Receiving { order } = phase else { return None };
    let Source::Upload { size, .. } = order.source else { return None };
    Some(UpdateUpload {
        id: order.id.clone(),
        size_bytes: size,
        offset: came.min(size),
        created_at: order.at.unwrap_or_default(),
        expires_at: None,
    })
}

fn confirm_by(phase: &Phase, now: &Moment) -> Option<Timestamp> {
    let (began, within) = match phase {
        Phase::Trial { began, .. } => (began, gate::DEADLINE.as_secs() + gate::PROVEN.as_secs()),
        Phase::Confirming { began, within_s, .. } => (began, *within_s),
        _ => return None,
    };
    let left = (began.at_s + within).saturating_sub(now.at_s);
    base::clock::wall().checked_add(Duration::from_secs(left)).ok().and_then(|at| {
        // Whole seconds, so that it does not change with each look.
        Timestamp::from_second(at.as_second()).ok()
    })
}

fn problem(state: &State) -> Option<UpdateProblem> {
    let (code, detail, at, version) = match (&state.phase, &state.last) {
        (Phase::Returning { update, reason, .. }, _) => {
            (reason.code, reason.detail.clone(), state.since, Some(update.bundle.version.clone()))
        }
        (_, Some(last)) => {
            let reason = last.reason.as_ref()?;
            (reason.code, reason.detail.clone(), last.at, last.version.clone())
        }
        _ => return None,
    };
    Some(UpdateProblem { code, detail, at: at.unwrap_or_default(), version })
}

/// The slots, by name.
pub(super) fn slots(
    slots: &[Slot],
    primary: Option<&SlotName>,
    device: &Result<Device, String>,
    state: &State,
) -> Vec<UpdateSlot> {
    let tried = match &state.phase {
        Phase::Installed(update)
        | Phase::Trial { update, .. }
        | Phase::Confirming { update, .. } => Some(&update.change.target),
        _ => None,
    };
    let mut shown: Vec<_> = slots
        .iter()
        .map(|slot| {
            let runs = device.as_ref().ok().filter(|device| device.booted == slot.bootname);
            UpdateSlot {
                name: slot.bootname.0.clone(),
                version: runs
                    .map(|device| device.release.version.clone())
                    .or_else(|| slot.version.clone())
                    .or_else(|| came_from(state, &slot.bootname)),
                state: match slot.good {
                    _ if tried == Some(&slot.bootname) => SlotState::Pending,
                    _ if slot.whole == Some(false) => SlotState::Bad,
                    Some(true) => SlotState::Good,
                    Some(false) => SlotState::Bad,
                    None => SlotState::Unknown,
                },
                booted: slot.booted,
                primary: primary == Some(&slot.bootname),
                installed_at: slot.installed_at,
            }
        })
        .collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    shown
}

/// The version that an update went from, if that was in `slot`: RAUC knows none of a slot that came with
/// the card.
fn came_from(state: &State, slot: &SlotName) -> Option<String> {
    let version = match (state.phase.update(), &state.last) {
        (Some(update), _) => {
            (update.change.from == *slot).then(|| update.change.from_version.clone())
        }
        (None, Some(last)) => {
            last.from_version.clone().filter(|_| last.target.as_ref().is_some_and(|to| to != slot))
        }
        (None, None) => None,
    };
    version.filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use api::updates::UpdateCode;
    use ota::state::{Outcome, Reason};

    use super::*;

    fn shown(state: &State) -> Status {
        let device = Err("no image".to_owned());
        status(&device, state, 7, &Moment::default(), Vec::new(), Found::default())
    }

    #[test]
    fn why_the_old_system_came_back_is_shown_until_the_next_update() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let last = Outcome {
            end: End::RolledBack,
            order: "1".into(),
            version: Some("2.0.0".into()),
            from_version: Some("1.0.0".into()),
            target: Some(SlotName("B".into())),
            reason: Some(Reason::new(UpdateCode::TrialFailed, "camera front gives no frames")),
            at: Some(at),
        };
        let status = shown(&State { last: Some(last), ..State::default() });
        assert_eq!(status.phase, UpdatePhase::RolledBack);
        let problem = status.problem.unwrap();
        assert_eq!(problem.code, UpdateCode::TrialFailed);
        assert_eq!(problem.detail, "camera front gives no frames");
        assert_eq!((problem.at, problem.version.as_deref()), (at, Some("2.0.0")));
    }

    #[test]
    fn an_upload_shows_where_to_go_on() {
        let text = r#"{"schema":1,"phase":{"name":"receiving","order":
            {"id":"01","source":{"kind":"upload","size":9}}}}"#;
        let state: State = serde_json::from_str(text).unwrap();
        let status = shown(&state);
        let upload = status.upload.unwrap();
        assert_eq!((upload.id.as_str(), upload.size_bytes, upload.offset), ("01", 9, 7));
        assert_eq!((status.phase, status.supported), (UpdatePhase::Receiving, false));
        assert_eq!(status.reason.as_deref(), Some("no image"));
    }
}
