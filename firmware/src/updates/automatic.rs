//! When the device updates itself: it looks at the index once a day and installs what is newer, within the
//! window of the settings.

use std::time::Duration;

use api::access::Role;
use api::updates::{AvailableUpdate, InstallUpdate};
use control::ports::Beginner;
use domain::WeekMinute;
use jiff::Timestamp;
use ota::state::{End, Phase, State};
use tokio::time::sleep;

use super::engine::Updater;

/// Time between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// Time between two looks at the index.
const DAILY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Who begins it, in jobs.
const BY: &str = "edgecam";

/// Keeps the device up to date, as long as it is set so. Runs until it is dropped.
pub(super) async fn keep(updater: Updater) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(config) = updater.config().filter(|config| config.automatic) else { continue };
        let open = config.window.is_none_or(|window| window.is_active(local_minute()));
        if !open || !may_begin(&updater.state().await) {
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
        if available.is_some_and(|available| is_wanted(&available, &state)) {
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
fn may_begin(state: &State) -> bool {
    matches!(state.phase, Phase::Idle)
}

/// Whether `available` is to be installed: one that the device came back from is not tried every night.
fn is_wanted(available: &AvailableUpdate, state: &State) -> bool {
    let Some(last) = &state.last else { return true };
    let tried = last.version.as_deref() == Some(available.version.as_str());
    !(tried && matches!(last.end, End::RolledBack | End::Failed | End::Cancelled))
}

#[cfg(test)]
mod tests {
    use ota::state::Outcome;

    use super::*;

    #[test]
    fn an_update_that_the_device_came_back_from_is_not_tried_again_by_itself() {
        let available = |version: &str| AvailableUpdate {
            version: version.to_owned(),
            ..AvailableUpdate::default()
        };
        let last = Outcome {
            end: End::RolledBack,
            order: "1".into(),
            version: Some("2.0.0".into()),
            from_version: None,
            target: None,
            reason: None,
            at: None,
        };
        let state = State { last: Some(last), ..State::default() };
        assert!(!is_wanted(&available("2.0.0"), &state));
        assert!(is_wanted(&available("2.0.1"), &state));
        assert!(is_wanted(&available("2.0.0"), &State::default()));
    }

    #[test]
    fn the_index_is_looked_at_once_a_day_and_after_the_clock_was_set() {
        let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap();
        assert!(is_due(None, at(0)));
        assert!(!is_due(Some(at(0)), at(23)));
        assert!(is_due(Some(at(0)), at(24)));
        assert!(is_due(Some(at(100)), at(0)));
    }
}
