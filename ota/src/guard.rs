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
