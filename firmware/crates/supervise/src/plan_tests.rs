//! Tests of the decisions.

use proptest::prelude::*;

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const SHORT: Duration = Duration::from_secs(1);
const HEARTBEAT: Health = Health::Heartbeat { start_within: ms(15_000), every: ms(5_000) };

#[test]
fn a_first_fault_costs_no_waiting_and_the_next_ones_double() {
    let mut backoff = Backoff::new(BackoffPolicy::default());
    let waits: Vec<_> = (0..10).map(|_| backoff.next(SHORT)).collect();
    assert_eq!(waits[0], Duration::ZERO);
    for (n, wait) in waits[1..].iter().enumerate() {
        let plain = ms(500 * (1 << n)).min(ms(30_000));
        assert!(*wait >= plain && *wait <= (plain * 2).min(ms(30_000)), "{n}: {wait:?}");
    }
}

#[test]
fn a_child_that_was_well_for_long_starts_with_a_clean_slate() {
    let mut backoff = Backoff::new(BackoffPolicy::default());
    for _ in 0..8 {
        backoff.next(SHORT);
    }
    assert!(backoff.next(ms(59_999)) > ms(10_000));
    assert_eq!(backoff.next(ms(60_000)), Duration::ZERO);
    assert!(backoff.next(SHORT) >= ms(500));
}

#[test]
fn faults_that_come_one_by_one_are_mended_at_once_each() {
    let mut backoff = Backoff::new(BackoffPolicy::default());
    assert!((0..100).all(|_| backoff.next(ms(3_000)).is_zero()));
    // After a wait the child must have been well for longer.
    let wait = backoff.next(SHORT);
    assert!(!wait.is_zero() && !backoff.next(ms(2_999) + wait * 4).is_zero());
}

proptest! {
    #[test]
    fn waits_stay_within_their_bounds_and_restarts_are_rare(
        well_for in prop::collection::vec(0u64..70_000, 1..200),
        base in 1u64..5_000,
        factor in 1u64..50,
    ) {
        let policy = BackoffPolicy {
            base: ms(base), max: ms(base * factor), ..BackoffPolicy::default()
        };
        let mut backoff = Backoff::new(policy);
        let mut last = None;
        for well_for in well_for.into_iter().map(ms) {
            let wait = backoff.next(well_for);
            prop_assert!(wait <= policy.max);
            prop_assert!(wait.is_zero() || wait >= policy.base);
            // A start without waiting is the first, or was earned by being well.
            let earned = last.is_none_or(|last: Duration| {
                well_for >= (policy.settled_after + last * 4).min(policy.healthy_after)
            });
            prop_assert_eq!(wait.is_zero(), earned);
            last = Some(wait);
        }
    }
}

#[test]
fn the_policy_decides_what_follows_an_end() {
    use End::*;
    let backoff = BackoffPolicy::default();
    let check = |policy, end, expected| {
        assert_eq!(Restarts::new(policy).after(end, SHORT), expected, "{policy:?} {end:?}");
    };
    let (fine, crash) = (Exited(Exit::Code(0)), Exited(Exit::Signal(9)));
    let (always, on_failure) = (RestartPolicy::Always(backoff), RestartPolicy::OnFailure(backoff));
    for policy in [always, on_failure] {
        check(policy, crash, Next::Start);
        check(policy, Hung, Next::Start);
        check(policy, NotStarted, Next::Start);
        check(policy, Hopeless, Next::Hopeless(Some(ms(60_000))));
    }
    check(always, fine, Next::Start);
    check(on_failure, fine, Next::Rest);
    for end in [fine, crash, Hung, NotStarted] {
        check(RestartPolicy::Never, end, Next::Rest);
    }
    check(RestartPolicy::Never, Hopeless, Next::Hopeless(None));
    for policy in [always, on_failure, RestartPolicy::Never] {
        check(policy, StopAsked, Next::Rest);
        check(policy, RestartAsked, Next::Start);
    }
}

#[test]
fn a_restart_on_demand_forgets_earlier_faults() {
    let mut restarts = Restarts::new(RestartPolicy::Always(BackoffPolicy::default()));
    let crash = End::Exited(Exit::Code(1));
    restarts.after(crash, SHORT);
    assert!(matches!(restarts.after(crash, SHORT), Next::StartIn(_)));
    assert_eq!(restarts.after(End::RestartAsked, SHORT), Next::Start);
    assert_eq!(restarts.after(crash, SHORT), Next::Start);
}

/// Looks as often as the watch wants until it complains; heartbeats come at `beats`.
fn complaint(mut watch: Watch, beats: &[u64]) -> (Verdict, Duration) {
    let mut now = Duration::ZERO;
    loop {
        let beat = beats.iter().map(|at| ms(*at)).filter(|at| *at <= now).max();
        match watch.look(now, beat) {
            Verdict::Fine(wait) => now += wait,
            verdict => return (verdict, now),
        }
    }
}

#[test]
fn silence_is_noticed_exactly_when_its_time_is_over() {
    let watch = || Watch::new(HEARTBEAT, Duration::ZERO);
    assert_eq!(complaint(watch(), &[]), (Verdict::NeverStarted(ms(15_000)), ms(15_000)));
    let beats = [14_000, 17_000, 21_900];
    assert_eq!(complaint(watch(), &beats), (Verdict::Silent(ms(5_000)), ms(26_900)));
}

#[test]
fn a_child_without_heartbeats_is_left_alone() {
    let mut watch = Watch::new(Health::Alive, Duration::ZERO);
    assert_eq!(watch.look(ms(1_000_000), None), Verdict::Fine(Duration::MAX));
}

#[test]
fn a_supervisor_that_was_held_up_does_not_blame_the_child() {
    let mut watch = Watch::new(HEARTBEAT, Duration::ZERO);
    assert_eq!(watch.look(ms(100), Some(ms(90))), Verdict::Fine(Watch::PERIOD));
    // Ten seconds of suspend: the heartbeat is old because nobody could see a newer one.
    assert_eq!(watch.look(ms(10_100), Some(ms(90))), Verdict::Fine(Watch::PERIOD));
    // With no heartbeat after that either, it is the child.
    let (verdict, at) = {
        let mut now = ms(10_600);
        loop {
            match watch.look(now, Some(ms(90))) {
                Verdict::Fine(wait) => now += wait,
                verdict => break (verdict, now),
            }
        }
    };
    assert_eq!((verdict, at), (Verdict::Silent(ms(5_000)), ms(15_100)));
}
