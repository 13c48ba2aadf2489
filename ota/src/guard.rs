//! What brings a new system down that never gets to decide: a process of its own, as root, that starts
//! early, needs nothing of the daemon but its file, and ends by failing, which starts the machine anew.
//!
//! The decision is pure; [`run`] reads, waits and leaves word.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use api::updates::UpdateCode;

use crate::folder::{Folder, Told};
use crate::rauc::{Bus, Rauc, Timing};
use crate::state::{Moment, Phase, Reason, SlotName, State};

/// A new system has decided about itself within this time of its boot.
const DECIDED: Duration = Duration::from_secs(600);
/// How much longer than the daemon the guard waits for what the daemon waits for.
const GRACE: Duration = Duration::from_secs(120);
/// The gate lasts no longer than this.
const GATE: Duration = Duration::from_secs(420);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What the boot loader is asked for may take this long.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing is on trial in this slot.
    Rest,
    /// It may decide until this many seconds after the boot.
    Until(u64),
}

/// What `state` asks of the guard in the slot `booted`, in this boot.
pub fn look(state: &State, booted: &SlotName, boot: &str) -> Look {
    let Some(update) = state.phase.update().filter(|update| update.change.target == *booted) else {
        return Look::Rest;
    };
    let since = |began: &Moment| if began.boot == boot { began.at_s } else { 0 };
    let at_least = DECIDED.as_secs();
    match &state.phase {
        // The daemon that installed it still runs: this is no new system yet.
        Phase::Installing(_) | Phase::Installed(_) if update.change.boot == boot => Look::Rest,
        Phase::Installing(_) | Phase::Installed(_) => Look::Until(at_least),
        Phase::Trial { began, .. } => Look::Until(at_least.max(since(began) + GATE.as_secs())),
        Phase::Confirming { began, within_s, .. } => {
            Look::Until(at_least.max(since(began) + within_s + GRACE.as_secs()))
        }
        Phase::Returning { .. } => Look::Until(at_least),
        _ => Look::Rest,
    }
}

/// Watches over the slot that runs until nothing is on trial in it any more. `unit` tells how the daemon
/// is.
///
/// # Errors
/// When time is up: whoever runs this starts the machine anew. The reason lies in the folder then.
pub fn run(folder: &Folder, cmdline: &Path, unit: &dyn Fn() -> String) -> Result<(), String> {
    let Some(booted) = std::fs::read_to_string(cmdline).ok().and_then(|text| slot_of(&text)) else {
        tracing::info!("the kernel was given no slot: nothing to guard");
        return Ok(());
    };
    let boot = base::clock::kernel_boot().unwrap_or_default();
    let mut returning = None;
    loop {
        // A file that cannot be read says nothing of a trial; to start anew for it would not end.
        let Ok(state) = folder.load() else { return Ok(()) };
        let now = base::clock::since_boot().as_secs();
        let until = match look(&state, &booted, &boot) {
            Look::Rest => return Ok(()),
            Look::Until(until) if matches!(state.phase, Phase::Returning { .. }) => {
                let since = *returning.get_or_insert(now);
                until.min(since + GRACE.as_secs())
            }
            Look::Until(until) => until,
        };
        if now >= until {
            return Err(give_up(folder, &state, booted, &unit()));
        }
        sleep(LOOK_EVERY.min(Duration::from_secs(until - now)));
    }
}

/// Leaves word, and asks the boot loader for the other slot; without it, its counter leads there later.
fn give_up(folder: &Folder, state: &State, booted: SlotName, unit: &str) -> String {
    let detail = format!("{} for too long; {unit}", state.phase.title());
    let reason = match &state.phase {
        // The daemon said why; it only did not get away.
        Phase::Returning { reason, .. } => reason.clone(),
        _ => Reason::new(UpdateCode::TrialFailed, detail.clone()),
    };
    if let Err(error) = folder.tell(&Told { slot: booted, reason }) {
        tracing::error!(error = base::error::chain(&error), "no word can be left");
    }
    if let Err(error) = ask_the_boot_loader() {
        tracing::error!(error, "the boot loader cannot be asked for the other slot");
    }
    detail
}

fn ask_the_boot_loader() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let timing = Timing { call: LAST_WORDS / 4, patience: Duration::ZERO, ..Timing::default() };
    runtime.block_on(async {
        let asked = async { Rauc::connect(&Bus::System, timing).await?.go_back().await };
        let answered = tokio::time::timeout(LAST_WORDS, asked).await;
        answered.map_err(|late| late.to_string())?.map_err(|error| base::error::chain(&error))
    })
}

/// The slot that the kernel was started from.
pub fn slot_of(cmdline: &str) -> Option<SlotName> {
    let named = cmdline.split_whitespace().find_map(|word| word.strip_prefix("rauc.slot="));
    named.filter(|name| !name.is_empty()).map(|name| SlotName(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The state in `phase`, an update from A to B that was ordered in boot `first`.
    fn state(phase: &str, more: &serde_json::Value) -> State {
        let mut value = json!({
            "name": phase,
            "order": {"id": "1", "source": {"kind": "other_slot"}},
            "bundle": {"version": "2.0.0", "compatible": "c"},
            "change": {"from": "A", "target": "B", "boot": "first"},
            "began": {"boot": "second", "at_s": 900},
        });
        for (key, more) in more.as_object().unwrap() {
            value[key] = more.clone();
        }
        serde_json::from_value(json!({"schema": 1, "phase": value})).unwrap()
    }

    fn asked(state: &State, booted: &str, boot: &str) -> Look {
        look(state, &SlotName(booted.to_owned()), boot)
    }

    #[test]
    fn nothing_is_guarded_where_nothing_is_on_trial() {
        assert_eq!(asked(&State::default(), "B", "second"), Look::Rest);
        for phase in ["installing", "installed", "trial"] {
            let state = state(phase, &json!({}));
            assert_eq!(asked(&state, "A", "second"), Look::Rest, "{phase}: the old slot runs");
        }
        let waits = state("installed", &json!({}));
        assert_eq!(asked(&waits, "B", "first"), Look::Rest, "nothing was started anew yet");
    }

    #[test]
    fn a_new_system_has_ten_minutes_and_a_trial_that_began_late_has_its_own() {
        assert_eq!(asked(&state("installed", &json!({})), "B", "second"), Look::Until(600));
        assert_eq!(asked(&state("trial", &json!({})), "B", "second"), Look::Until(1320));
        assert_eq!(asked(&state("trial", &json!({})), "B", "third"), Look::Until(600));
        let owner = state("confirming", &json!({"within_s": 900}));
        assert_eq!(asked(&owner, "B", "second"), Look::Until(1920));
        let reason = json!({"code": "trial_failed", "detail": "no frames"});
        let more = json!({"reason": reason, "boot": "second", "tries": 1});
        assert_eq!(asked(&state("returning", &more), "B", "second"), Look::Until(600));
    }

    #[test]
    fn where_nothing_can_be_read_the_machine_is_not_started_anew() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::of(data.path());
        let cmdline = data.path().join("cmdline");
        let unit = || "unknown".to_owned();
        run(&folder, &cmdline, &unit).unwrap();
        std::fs::write(&cmdline, "quiet rauc.slot=B").unwrap();
        run(&folder, &cmdline, &unit).unwrap();
        folder.make().unwrap();
        std::fs::write(data.path().join("updates/state.json"), "half a fi").unwrap();
        run(&folder, &cmdline, &unit).unwrap();
    }

    #[test]
    fn the_slot_is_the_one_that_the_kernel_was_given() {
        assert_eq!(slot_of("root=/dev/x rauc.slot=A quiet"), Some(SlotName("A".into())));
        assert_eq!(slot_of("rauc.slot= quiet"), None);
        assert_eq!(slot_of("xrauc.slot=A"), None);
    }
}
