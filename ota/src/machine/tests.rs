//! Every state with every input: a table that is read as a golden file, and what must hold of all of it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::*;
use crate::state::Worked;

fn slot(name: &str) -> SlotName {
    SlotName(name.to_owned())
}

fn order(source: Source) -> Order {
    Order {
        id: "01".into(),
        source,
        force: false,
        install: true,
        reboot: true,
        by: "ann".into(),
        at: None,
        rest: serde_json::Map::new(),
    }
}

fn upload() -> Order {
    order(Source::Upload { size: 9, sha256: None })
}

fn url() -> Order {
    let url = "https://updates.example.org/e.raucb".to_owned();
    order(Source::Url { url, sha256: None, size: None, from_index: false, remote: None })
}

fn bundle(version: &str) -> Bundle {
    Bundle {
        version: version.into(),
        compatible: "c".into(),
        hash: "h".into(),
        ..Bundle::default()
    }
}

fn change(confirm_within_s: Option<u64>) -> Change {
    Change {
        from: slot("A"),
        from_version: "1.0.0".into(),
        target: slot("B"),
        boot: "first".into(),
        baseline: Baseline::default(),
        confirm_within_s,
    }
}

fn update(confirm_within_s: Option<u64>) -> Update {
    Update { order: url(), bundle: bundle("2.0.0"), change: change(confirm_within_s) }
}

fn reason(code: Code) -> Reason {
    Reason::new(code, "because")
}

fn moment(boot: &str) -> Moment {
    Moment { boot: boot.into(), at_s: 30 }
}

fn of(phase: Phase) -> State {
    State { phase, ..State::default() }
}

fn ended_as(end: End) -> State {
    let Update { order, bundle, change } = update(None);
    let last = outcome(end, &order, Some(&bundle), Some(&change), None);
    State { last: Some(last), ..State::default() }
}

/// Every phase, and every variety of one that is treated by itself.
fn states() -> Vec<(&'static str, State)> {
    let back = Update { order: order(Source::OtherSlot), ..update(None) };
    let returning = |tries| {
        let (update, boot) = (update(None), "second".to_owned());
        of(Phase::Returning { update, reason: reason(Code::TrialFailed), boot, tries })
    };
    let trial = |confirm| of(Phase::Trial { update: update(confirm), began: moment("second") });
    let confirming = |confirmed| {
        let (update, began) = (update(Some(900)), moment("second"));
        of(Phase::Confirming { update, began, within_s: 900, confirmed })
    };
    vec![
        ("idle", State::default()),
        ("idle after a commit of B", ended_as(End::Committed)),
        ("idle after B failed", ended_as(End::RolledBack)),
        ("fetching", of(Phase::Fetching { order: url() })),
        ("receiving", of(Phase::Receiving { order: upload() })),
        ("inspecting", of(Phase::Inspecting { order: url() })),
        ("staged", of(Phase::Staged { order: url(), bundle: bundle("2.0.0") })),
        ("staged, the same", of(Phase::Staged { order: url(), bundle: bundle("1.0.0") })),
        ("installing", of(Phase::Installing(update(None)))),
        ("switching", of(Phase::Installing(back))),
        ("installed", of(Phase::Installed(update(None)))),
        ("trial", trial(None)),
        ("trial, owner confirms", trial(Some(900))),
        ("confirming", confirming(false)),
        ("confirmed", confirming(true)),
        ("returning", returning(1)),
        ("returning for the last time", returning(MOST_TRIES)),
        ("unknown", of(Phase::Unknown)),
    ]
}

fn endings() -> Vec<(&'static str, Input)> {
    let mut all = Vec::new();
    for (how_name, how) in [
        ("done", Ending::Done),
        ("failed", Ending::Failed(reason(Code::WrongSignature))),
        ("interrupted", Ending::Interrupted("gone".into())),
    ] {
        for (name, primary) in
            [("B next", Some(slot("B"))), ("A next", Some(slot("A"))), ("none next", None)]
        {
            let name: &'static str = format!("ended {how_name}, {name}").leak();
            all.push((name, Input::Ended { how: how.clone(), primary }));
        }
    }
    all
}

fn starts() -> Vec<(&'static str, Input)> {
    let mut all = Vec::new();
    for booted in ["A", "B", "C"] {
        for boot in ["first", "second", "third"] {
            let name: &'static str = format!("started in {booted}, {boot} boot").leak();
            let booted = slot(booted);
            all.push((name, Input::Started { booted, now: moment(boot), told: None }));
        }
    }
    let told = Some(Reason::new(Code::TrialFailed, "the guard said so"));
    let told = Input::Started { booted: slot("A"), now: moment("third"), told };
    all.push(("started in A, third boot, the guard said why", told));
    all
}

/// Every input, and every variety of one that is treated by itself.
fn inputs() -> Vec<(&'static str, Input)> {
    let running = Running { version: "1.0.0".into(), compatible: "c".into() };
    let inspected = |version: &str, compatible: &str| Input::Inspected {
        bundle: Bundle { compatible: compatible.into(), ..bundle(version) },
        running: running.clone(),
    };
    let install = |force| Input::Install { change: change(None), force, reboot: true };
    let boot = || "second".to_owned();
    let worked = Worked { pictures: true, detector: true };
    let baseline = Baseline { cameras: [("cam".to_owned(), worked)].into() };
    let mut all = vec![
        ("begin by URL", Input::Begin(url())),
        ("begin by upload", Input::Begin(upload())),
        ("begin with the other slot", Input::Begin(order(Source::OtherSlot))),
        ("arrived", Input::Arrived),
        ("stays where it lies", Input::Stays(Remote { size: 9, validator: "v".into() })),
        ("inspected: newer", inspected("2.0.0", "c")),
        ("inspected: the same", inspected("1.0.0", "c")),
        ("inspected: older", inspected("0.9.0", "c")),
        ("inspected: no version", inspected("new", "c")),
        ("inspected: for others", inspected("2.0.0", "d")),
        ("failed", Input::Failed(reason(Code::FetchFailed))),
        ("cancel", Input::Cancel),
        ("install", install(false)),
        ("install with force", install(true)),
        ("reboot", Input::Reboot { baseline, confirm_within_s: Some(900) }),
        (
            "switch",
            Input::Switch {
                order: order(Source::OtherSlot),
                bundle: bundle("0.9.0"),
                change: change(None),
            },
        ),
        ("healthy", Input::Healthy(moment("second"))),
        ("unhealthy", Input::Unhealthy { reason: reason(Code::TrialFailed), boot: boot() }),
        ("confirm", Input::Confirm),
        ("late", Input::Late { boot: boot() }),
        ("kept", Input::Kept { result: Ok(()), boot: boot() }),
        ("not kept", Input::Kept { result: Err("no".into()), boot: boot() }),
    ];
    all.extend(endings());
    all.extend(starts());
    all
}

fn phase_name(state: &State) -> String {
    let value = serde_json::to_value(&state.phase).unwrap();
    value["name"].as_str().unwrap_or("unknown").to_owned()
}

fn row(state: &State, input: Input) -> String {
    match step(state.clone(), input) {
        Err(Refused(reason)) => {
            let code = serde_json::to_value(reason.code).unwrap();
            format!("refused, {}", code.as_str().unwrap())
        }
        Ok((next, actions)) => {
            let mut text = phase_name(&next);
            if next.last != state.last
                && let Some(last) = &next.last
            {
                let code = last.reason.as_ref().map(|reason| reason.code);
                write!(text, " ({})", serde_json::to_value(last.end).unwrap().as_str().unwrap())
                    .unwrap();
                if let Some(code) = code {
                    let code = serde_json::to_value(code).unwrap();
                    write!(text, " [{}]", code.as_str().unwrap()).unwrap();
                }
            }
            if !actions.is_empty() {
                write!(text, " {actions:?}").unwrap();
            }
            text
        }
    }
}

#[test]
fn every_state_answers_every_input_as_it_was_decided() {
    let mut table = String::new();
    for (state_name, state) in states() {
        writeln!(table, "# {state_name}").unwrap();
        for (input_name, input) in inputs() {
            writeln!(table, "{input_name}: {}", row(&state, input)).unwrap();
        }
        table.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/machine/steps.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let decided = std::fs::read_to_string(path).unwrap_or_default();
    assert!(decided == table, "the table changed: read it, then run with UPDATE_GOLDEN=1\n{table}");
}

/// Every state that any inputs lead to, from `states`; walked to the end.
fn reachable() -> Vec<(State, Input, State, Vec<Action>)> {
    let (mut seen, mut steps) = (BTreeSet::new(), Vec::new());
    let mut open: VecDeque<State> = states().into_iter().map(|(_, state)| state).collect();
    while let Some(state) = open.pop_front() {
        if !seen.insert(serde_json::to_string(&state).unwrap()) {
            continue;
        }
        for (_, input) in inputs() {
            if let Ok((next, actions)) = step(state.clone(), input.clone()) {
                open.push_back(next.clone());
                steps.push((state.clone(), input, next, actions));
            }
        }
    }
    assert!(steps.len() > 1000, "{}", steps.len());
    steps
}

#[test]
fn no_new_system_is_marked_good_before_it_has_proven_itself() {
    for (state, input, next, actions) in reachable() {
        let on_trial = matches!(
            next.phase,
            Phase::Trial { .. } | Phase::Confirming { .. } | Phase::Returning { .. }
        );
        let settles = actions.iter().any(|action| matches!(action, Action::Settle { .. }));
        assert!(!(on_trial && settles), "{state:?} {input:?}");
        if actions.contains(&Action::Keep) {
            let confirmed = matches!(next.phase, Phase::Confirming { confirmed: true, .. });
            assert!(confirmed || matches!(input, Input::Healthy(_)), "{input:?}");
        }
    }
}

#[test]
fn every_start_leads_somewhere_and_none_is_refused() {
    for (state, input, ..) in reachable() {
        if matches!(input, Input::Started { .. }) {
            continue;
        }
        for (name, start) in starts() {
            step(state.clone(), start).unwrap_or_else(|error| panic!("{state:?} {name}: {error}"));
        }
    }
}

#[test]
fn a_start_that_is_repeated_changes_nothing_more() {
    for (_, input, next, actions) in reachable() {
        if !matches!(input, Input::Started { .. }) {
            continue;
        }
        let (again, repeated) = step(next.clone(), input.clone()).unwrap();
        assert_eq!(again.phase, next.phase, "{input:?}");
        // What was to be done may have been cut off: it is done again.
        let unfinished = |action: &&Action| !matches!(action, Action::Discard);
        let todo: Vec<_> = actions.iter().filter(unfinished).collect();
        assert!(todo.iter().all(|action| repeated.contains(action)), "{input:?} {actions:?}");
    }
}

#[test]
fn going_back_ends_even_where_the_boot_loader_does_not() {
    let mut state = of(Phase::Trial { update: update(None), began: moment("0") });
    let unhealthy = Input::Unhealthy { reason: reason(Code::TrialFailed), boot: "0".into() };
    state = step(state, unhealthy).unwrap().0;
    let mut tried = 0;
    for boot in 1..10 {
        let now = moment(&boot.to_string());
        let start = Input::Started { booted: slot("B"), now, told: None };
        let (next, actions) = step(state, start).unwrap();
        tried += usize::from(actions.contains(&Action::GoBack));
        state = next;
    }
    assert_eq!(tried, 2, "and once before the first restart");
    assert_eq!(state.phase, Phase::Idle);
    let last = state.last.unwrap();
    assert_eq!(last.end, End::Failed);
    assert!(last.reason.unwrap().detail.contains("the boot loader does not start the old system"));
}

#[test]
fn an_installation_that_fails_last_does_not_leave_the_new_slot_next() {
    let failed = Ending::Failed(Reason::new(Code::InstallFailed, "post-install handler"));
    let input = Input::Ended { how: failed, primary: Some(slot("B")) };
    let (state, actions) = step(of(Phase::Installing(update(None))), input).unwrap();
    assert_eq!(state.phase, Phase::Idle);
    assert_eq!(actions, [Action::Forsake, Action::Discard]);
}

#[test]
fn an_installation_that_fails_first_leaves_the_old_fallback_alone() {
    let failed = Ending::Failed(Reason::new(Code::WrongSignature, "no"));
    let input = Input::Ended { how: failed, primary: Some(slot("A")) };
    let (_, actions) = step(of(Phase::Installing(update(None))), input).unwrap();
    assert_eq!(actions, [Action::Discard], "the other slot was not touched: it is still good");
}

#[test]
fn a_power_cut_after_the_last_write_of_an_installation_is_a_trial() {
    let start = Input::Started { booted: slot("B"), now: moment("second"), told: None };
    let (state, actions) = step(of(Phase::Installing(update(None))), start).unwrap();
    assert!(matches!(state.phase, Phase::Trial { .. }));
    assert_eq!(actions, [Action::Gate]);
}

#[test]
fn the_reason_of_a_refused_trial_is_read_in_the_slot_that_comes_back() {
    let trial = of(Phase::Trial { update: update(None), began: moment("second") });
    let why = Reason::new(Code::TrialFailed, "camera front gives no frames");
    let unhealthy = Input::Unhealthy { reason: why.clone(), boot: "second".into() };
    let (state, actions) = step(trial, unhealthy).unwrap();
    assert_eq!(actions, [Action::GoBack]);
    let start = Input::Started { booted: slot("A"), now: moment("third"), told: None };
    let (state, actions) = step(state, start).unwrap();
    assert_eq!(state.phase, Phase::Idle);
    let last = state.last.unwrap();
    assert_eq!((last.end, last.reason), (End::RolledBack, Some(why)));
    assert_eq!(last.version.as_deref(), Some("2.0.0"));
    assert_eq!(actions, [Action::Settle { other_failed: true }, Action::Discard]);
}

#[test]
fn a_system_that_was_confirmed_in_time_stays_however_long_that_takes_to_write_down() {
    let (update, began) = (update(Some(900)), moment("second"));
    let waits = of(Phase::Confirming { update, began, within_s: 900, confirmed: false });
    let (state, actions) = step(waits, Input::Confirm).unwrap();
    assert_eq!(actions, [Action::Keep]);
    step(state.clone(), Input::Late { boot: "second".into() }).unwrap_err();
    // The power went before it was written down: it has to work again, and is not asked about again.
    let start = Input::Started { booted: slot("B"), now: moment("third"), told: None };
    let (state, actions) = step(state, start).unwrap();
    assert_eq!(actions, [Action::Gate]);
    assert_eq!(step(state, Input::Healthy(moment("third"))).unwrap().1, [Action::Keep]);
}

#[test]
fn what_only_the_old_system_reads_goes_with_the_commit_and_not_before() {
    for (state, input, next, actions) in reachable() {
        let is_kept = next.last.as_ref().is_some_and(|last| last.end == End::Committed);
        if actions.contains(&Action::ForgetOlder) {
            assert!(is_kept && next.phase == Phase::Idle, "{state:?} {input:?}");
        }
    }
    let kept = Input::Kept { result: Ok(()), boot: "second".into() };
    let trial = of(Phase::Trial { update: update(None), began: moment("second") });
    let (state, actions) = step(trial, kept).unwrap();
    assert_eq!(actions, [Action::Discard, Action::ForgetOlder]);
    // A power cut came in between.
    let start = |booted| Input::Started { booted: slot(booted), now: moment("x"), told: None };
    assert!(step(state.clone(), start("B")).unwrap().1.contains(&Action::ForgetOlder));
    // The boot loader left the system that was kept.
    assert!(!step(state, start("A")).unwrap().1.contains(&Action::ForgetOlder));
}

#[test]
fn a_slot_that_failed_is_not_gone_back_to_and_one_that_was_kept_is() {
    let switch = |target: &str| Input::Switch {
        order: order(Source::OtherSlot),
        bundle: bundle("0.9.0"),
        change: Change { target: slot(target), ..change(None) },
    };
    let refused = step(ended_as(End::RolledBack), switch("B")).unwrap_err();
    assert_eq!(refused.0.code, Code::NoWayBack);
    let (state, actions) = step(ended_as(End::Committed), switch("A")).unwrap();
    assert!(matches!(state.phase, Phase::Installing(_)));
    assert_eq!(actions, [Action::Activate]);
}
