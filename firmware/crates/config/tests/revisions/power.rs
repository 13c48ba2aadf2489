//! Power loss at any call leaves the settings before the change or those after it, never less, and
//! never an unconfirmed one that passes for confirmed.

use std::path::Path;

use proptest::prelude::*;

use crate::paper::{Fault, Paper};
use crate::script::{Stage, Step, Truth, judge};

const DATA: &str = "/data";
/// Ways in which a power loss may go, tried at each call.
const SEEDS: u64 = 24;
/// Every way in which a revision comes into force or goes out of it.
const SCRIPT: [Step; 14] = [
    Step::Make,
    Step::Try,
    Step::Confirm,
    Step::Start,
    Step::Try,
    Step::TakeBack,
    Step::Try,
    Step::Start,
    Step::Boot,
    Step::Try,
    Step::Make,
    Step::Boot,
    Step::Make,
    Step::Confirm,
];

/// How far `steps` came on `disk`: where it stopped, what was so before that step and what is after it.
struct Stopped {
    boot: usize,
    before: Truth,
    after: Truth,
}

/// Plays `steps` until the fault of `disk`; `None`: it never came.
fn play(disk: &Paper, steps: &[Step]) -> Option<Stopped> {
    let data = Path::new(DATA);
    let mut truth = Truth::first();
    let mut stage = Stage::open(disk.clone(), data, 0).unwrap();
    for (number, step) in steps.iter().enumerate() {
        let after = truth.after(*step, number);
        let boot = stage.boot() + usize::from(*step == Step::Boot);
        let played = stage.play(*step, number);
        if disk.has_failed() {
            return Some(Stopped { boot, before: truth, after });
        }
        played.unwrap();
        assert_eq!(Truth::of(&stage.revisions), after, "{step:?}, number {number}");
        truth = after;
    }
    None
}

fn calls(steps: &[Step]) -> usize {
    let disk = Paper::new(Path::new(DATA));
    assert!(play(&disk, steps).is_none());
    disk.calls()
}

fn power_loss_at(call: usize, steps: &[Step], seed: u64) {
    let disk = Paper::new(Path::new(DATA)).with(Fault::From(call));
    let Stopped { boot, before, after } = play(&disk, steps).expect("it comes that far");
    let left = disk.after_power_loss(seed);
    let of = format!("call {call}, seed {seed}, {steps:?}");
    judge(left, Path::new(DATA), boot, [&before, &after], &of);
}

#[test]
fn a_power_loss_at_any_call_leaves_the_old_or_the_new_revision() {
    let calls = calls(&SCRIPT);
    assert!(calls > 100, "only {calls} calls: is every one counted?");
    for call in 0..calls {
        (0..SEEDS).for_each(|seed| power_loss_at(call, &SCRIPT, seed));
    }
}

#[test]
fn a_power_loss_while_old_revisions_go_leaves_the_newest() {
    let steps = [Step::Make; edgecam_config::revisions::KEEP + 3];
    let calls = calls(&steps);
    // The last two changes.
    for call in calls - 28..calls {
        (0..4).for_each(|seed| power_loss_at(call, &steps, seed));
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    use Step::{Boot, Confirm, Make, Start, TakeBack, Try};
    prop::sample::select(vec![Make, Try, Try, Confirm, TakeBack, Start, Boot])
}

proptest! {
    #[test]
    fn a_power_loss_anywhere_in_any_order_of_changes_leaves_old_or_new(
        steps in prop::collection::vec(any_step(), 1..16),
        at in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let calls = calls(&steps);
        prop_assume!(calls > 0);
        power_loss_at(at.index(calls), &steps, seed);
    }

    /// A disk that is full for a moment: the change is refused or made, and the next one goes well.
    #[test]
    fn a_call_that_fails_leaves_what_was_or_what_was_to_be_and_can_be_gone_on_from(
        steps in prop::collection::vec(any_step(), 1..16),
        at in any::<prop::sample::Index>(),
    ) {
        let calls = calls(&steps);
        prop_assume!(calls > 0);
        let fault = Fault::Once(at.index(calls));
        let disk = Paper::new(Path::new(DATA)).with(fault);
        let Stopped { boot, before, after } = play(&disk, &steps).expect("it comes that far");
        judge(disk, Path::new(DATA), boot, [&before, &after], &format!("{fault:?}, {steps:?}"));
    }
}
