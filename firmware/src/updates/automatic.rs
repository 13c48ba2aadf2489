//! When the device updates itself: it looks at the index once a day and installs what is newer, within the
//! window of the settings.

use std::time::Duration;

use api::access::Role;
use api::updates::{AvailableUpdate, InstallUpdate};
use control::ports::Beginner;
use domain::WeekMinute;
use jiff::Timestamp;
use ota::state::{End, Outcome, Phase, State};
use tokio::time::sleep;

use super::engine::Updater;

/// Time between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// Time between two looks at the index.
const DAILY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Time between two tries of one that broke off while it was installed.
const HOURLY: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
/// Who begins it, in jobs.
const BY: &str = "edgecam";

/// Keeps the device up to date, as long as it is set so. Runs until it is dropped.
pub(super) async fn keep(updater: Updater) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(config) = updater.config().filter(|config| config.automatic) else { continue };
        let open = config.window.is_none_or(|window| window.is_active(local_minute()));
        if !open || !may_begin(&updater.state().await, base::clock::wall()) {
            continue;
        }
        let status = updater.status();
        if is_due(status.checked_at, base::clock::wall())
            && let Err(error) = updater.look_at_index().await
        {
            tracing::warn!(error = error.detail, "the index of releases cannot be looked at");
            continue;
        }
        let available = updater.status().available;
        let state = updater.state().await;
        let now = base::clock::wall();
        let broke_off = matches!(state.phase, Phase::Staged { .. });
        if broke_off || available.is_some_and(|available| is_wanted(&available, &state, now)) {
            let by = Beginner { by: BY.to_owned(), role: Role::Admin };
            if let Err(error) = updater.begin(InstallUpdate::default(), by).await {
                tracing::warn!(error = error.detail, "the device does not update itself");
            }
        }
    }
}

/// The minute that it is here.
fn local_minute() -> WeekMinute {
    let now = jiff::Zoned::now();
    let day = now.weekday().to_monday_zero_offset().unsigned_abs();
    let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
    WeekMinute::new(day.into(), minute.unsigned_abs())
}

fn is_due(looked: Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back makes it due as well.
    looked.is_none_or(|at| now.duration_since(at).abs() >= DAILY)
}

/// Whether nothing is under way; what somebody staged by hand is theirs.
fn may_begin(state: &State, now: Timestamp) -> bool {
    match &state.phase {
        Phase::Idle => true,
        // It broke off: what it needs is there, or most of it.
        Phase::Staged { order, .. } if order.by == BY => {
            let broke_off = state.last.as_ref().and_then(|last| last.at);
            broke_off.is_none_or(|at| now.duration_since(at).abs() >= HOURLY)
        }
        _ => false,
    }
}

/// Whether `available` is to be installed: one that the device came back from is not tried every night, and
/// one that never came, or could not be read, not before the next day.
fn is_wanted(available: &AvailableUpdate, state: &State, now: Timestamp) -> bool {
    match &state.last {
        None | Some(Outcome { end: End::Committed, .. }) => true,
        Some(Outcome { version: Some(tried), .. }) => *tried != available.version,
        Some(Outcome { at, .. }) => is_due(*at, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    /// Whether version 2.0.0 is wanted `hours` after the last update, of `version`, has ended.
    fn wanted(end: End, version: Option<&str>, hours: i64) -> bool {
        let last = Outcome {
            end,
            order: "1".into(),
            version: version.map(str::to_owned),
            from_version: None,
            target: None,
            reason: None,
            at: Some(at(0)),
        };
        let available = AvailableUpdate { version: "2.0.0".into(), ..AvailableUpdate::default() };
        is_wanted(&available, &State { last: Some(last), ..State::default() }, at(hours))
    }

    #[test]
    fn an_update_that_the_device_came_back_from_is_not_tried_again_by_itself() {
        assert!(!wanted(End::RolledBack, Some("2.0.0"), 100));
        assert!(wanted(End::RolledBack, Some("1.9.0"), 0));
        assert!(wanted(End::Committed, Some("1.9.0"), 0));
        assert!(is_wanted(&AvailableUpdate::default(), &State::default(), at(0)));
    }

    #[test]
    fn a_bundle_that_cannot_be_had_or_read_is_not_fetched_again_before_the_next_day() {
        assert!(!wanted(End::Failed, None, 1));
        assert!(!wanted(End::Cancelled, None, 23));
        assert!(wanted(End::Failed, None, 24));
    }

    #[test]
    fn an_update_of_its_own_that_broke_off_is_tried_again_and_one_of_its_owner_is_left_alone() {
        let staged = |by: &str| {
            let source = ota::state::Source::Upload { size: 1, sha256: None };
            let order = crate::updates::port::order(source, (false, true), by);
            let last = Outcome {
                end: End::Failed,
                order: order.id.clone(),
                version: None,
                from_version: None,
                target: None,
                reason: None,
                at: Some(at(0)),
            };
            let phase = Phase::Staged { order, bundle: ota::state::Bundle::default() };
            State { phase, last: Some(last), ..State::default() }
        };
        assert!(!may_begin(&staged(BY), at(0)));
        assert!(may_begin(&staged(BY), at(1)));
        assert!(!may_begin(&staged("ann"), at(100)));
        assert!(may_begin(&State::default(), at(0)));
    }

    #[test]
    fn the_index_is_looked_at_once_a_day_and_after_the_clock_was_set() {
        assert!(is_due(None, at(0)));
        assert!(!is_due(Some(at(0)), at(23)));
        assert!(is_due(Some(at(0)), at(24)));
        assert!(is_due(Some(at(100)), at(0)));
    }
}
