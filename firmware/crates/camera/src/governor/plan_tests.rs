//! What the governor promises whatever the sensors say.

use std::time::Duration;

use api::governor::{Dial, GovernorStep, StepReason};
use proptest::prelude::*;

use super::ladder::Ladder;
use super::ladder::tests::wish;
use super::limits::tests::limits;
use super::limits::{Readings, Temperature};
use super::plan::{Governor, MAX_BACK_OFF};
use super::sensors::{Sample, Watch};

const MINUTE: Duration = Duration::from_secs(60);

fn governor() -> Governor {
    Governor::new(Ladder::new(wish()), limits(), Duration::ZERO)
}

fn at(celsius: f32) -> Readings {
    Readings { temperature: Some(Temperature { celsius, slope: 0.0 }), ..Readings::default() }
}

/// Steps with a look per second from `from` to `to`, under readings that stay.
fn hold(
    governor: &mut Governor,
    seconds: std::ops::Range<u64>,
    readings: &Readings,
) -> Vec<(u64, GovernorStep)> {
    seconds.filter_map(|s| Some((s, governor.step(Duration::from_secs(s), readings)?))).collect()
}

#[test]
fn each_step_down_waits_for_the_one_before_to_act() {
    let steps = hold(&mut governor(), 0..200, &at(76.0));
    let times: Vec<_> = steps.iter().map(|(second, _)| *second).collect();
    assert_eq!(times, [15, 30, 45, 60, 75, 90, 105, 120], "the pause is for the critical only");
    assert_eq!(steps[0].1.sentence, "76.0 °C, the limit is 75 °C: detect rate 10 fps → 7.4 fps");
    assert_eq!((steps[0].1.reading, steps[0].1.limit), (Some(76.0), Some(75.0)));
    assert_eq!(steps[4].1.dial, Dial::InputSize);
    assert_eq!((steps[4].1.from.as_str(), steps[4].1.to.as_str()), ("416×416", "320×320"));
}

#[test]
fn a_critical_temperature_pauses_at_once_and_ends_step_by_step() {
    let mut governor = governor();
    let steps = hold(&mut governor, 0..10, &at(82.0));
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].0, steps[0].1.reason), (0, StepReason::Critical));
    assert!(governor.setting().paused);
    let back = hold(&mut governor, 10..2000, &at(50.0));
    assert_eq!(back[0].1.dial, Dial::Detection);
    assert_eq!(back.len(), governor.ladder().lowest());
    assert_eq!(governor.level(), 0);
}

#[test]
fn a_critical_temperature_does_not_wait_for_a_step_up_to_stand() {
    let mut governor = governor();
    hold(&mut governor, 0..16, &at(76.0));
    let up = hold(&mut governor, 16..77, &at(60.0));
    assert_eq!(
        up.last().map(|(second, step)| (*second, step.reason)),
        Some((76, StepReason::Calm))
    );
    let pause = hold(&mut governor, 77..200, &at(82.0));
    assert_eq!(pause.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [77]);
    assert!(governor.setting().paused);
}

#[test]
fn the_rate_comes_back_to_what_was_held_before_a_step_that_time_did_not_cause() {
    let of = |celsius, ms| Readings { detector: Some(Duration::from_millis(ms)), ..at(celsius) };
    let (mut hot, mut late) = (governor(), governor());
    assert!(hold(&mut hot, 0..20, &of(60.0, 85)).is_empty(), "85 of 100 ms are held");
    hold(&mut hot, 20..21, &of(76.0, 85));
    hold(&mut late, 20..21, &of(60.0, 101));
    assert_eq!((hot.level(), late.level()), (1, 1));
    hold(&mut hot, 21..200, &of(60.0, 85));
    assert_eq!(hot.level(), 0, "heat caused it");
    hold(&mut late, 21..200, &of(60.0, 85));
    assert_eq!(late.level(), 1, "a late detector caused it: the margin is needed");
    hold(&mut late, 200..400, &of(60.0, 79));
    assert_eq!(late.level(), 0);
}

#[test]
fn a_late_detector_never_costs_the_stream_bits() {
    let mut governor = governor();
    let slow = Readings { detector: Some(Duration::from_secs(2)), ..Readings::default() };
    hold(&mut governor, 0..1000, &slow);
    assert_eq!(governor.level(), governor.ladder().lowest_of(Dial::Model));
    assert_eq!(governor.setting().bitrate_kbps, wish().bitrate_kbps);
}

#[test]
fn steps_up_need_calm_without_a_break() {
    let mut governor = governor();
    hold(&mut governor, 0..16, &at(76.0));
    assert_eq!(governor.level(), 1);
    assert!(hold(&mut governor, 16..70, &at(60.0)).is_empty());
    assert!(hold(&mut governor, 70..71, &at(74.0)).is_empty(), "held, but not calm");
    let back = hold(&mut governor, 71..200, &at(60.0));
    assert_eq!(back.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [131]);
    assert_eq!(back[0].1.reason, StepReason::Calm);
}

#[test]
fn a_step_up_that_had_to_be_undone_is_tried_again_ever_later() {
    let mut governor = governor();
    let mut ups = Vec::new();
    // Full speed is too hot, one rung below is cool.
    for second in 0..20_000 {
        let readings = if governor.level() == 0 { at(76.0) } else { at(60.0) };
        if let Some(step) = governor.step(Duration::from_secs(second), &readings)
            && step.reason == StepReason::Calm
        {
            ups.push(second);
        }
    }
    let waits: Vec<_> = ups.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    let longest = u64::from(MAX_BACK_OFF) * MINUTE.as_secs() + MINUTE.as_secs();
    assert_eq!(waits.last(), Some(&(longest + 1)), "a look later, as looks are a second apart");
}

#[test]
fn a_step_up_that_stands_ends_the_waiting() {
    let mut governor = governor();
    hold(&mut governor, 0..50, &at(76.0));
    let first = hold(&mut governor, 50..120, &at(60.0)).len();
    hold(&mut governor, 120..200, &at(76.0));
    let level = governor.level();
    assert_eq!(first, 1);
    let ups = hold(&mut governor, 200..2000, &at(60.0));
    let waits: Vec<_> = ups.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert_eq!(ups.len(), level);
    assert_eq!(waits[0], 120, "not yet proven");
    assert!(waits[1..].iter().all(|wait| *wait == 60), "{waits:?}");
}

#[test]
fn settings_that_change_keep_what_is_reduced() {
    let mut governor = governor();
    hold(&mut governor, 0..31, &at(76.0));
    let mut slower = wish();
    slower.fps = 5.0;
    assert_eq!(governor.set(Ladder::new(slower), limits()), None, "as low as before");
    assert_eq!(governor.level(), 2);
    let mut single = wish();
    single.min_fps = 10.0;
    let step = governor.set(Ladder::new(single), limits()).unwrap();
    assert_eq!((step.reason, governor.level()), (StepReason::Settings, 0));
}

/// A look: what the sensors say, and how long after the one before.
fn looks() -> impl Strategy<Value = Vec<(u32, Sample)>> {
    let celsius = prop_oneof![
        4 => (-50.0f32..120.0).prop_map(Some),
        4 => (60.0f32..90.0).prop_map(Some),
        1 => any::<f32>().prop_map(Some),
        1 => Just(None),
    ];
    let millis = |most: u64| prop::collection::vec((0..most).prop_map(Duration::from_millis), 0..4);
    let look = (
        0..30_000u32,
        celsius,
        prop::option::of(any::<u32>()),
        millis(1000),
        millis(3000),
        any::<(u64, u64)>(),
    );
    let look = look.prop_map(|(after, celsius, throttled, calls, latencies, frames)| {
        let (offered, inferred) = frames;
        (after, Sample { celsius, throttled, calls, offered, inferred, latencies })
    });
    prop::collection::vec(look, 1..400)
}

proptest! {
    #[test]
    fn whatever_the_sensors_say_it_turns_at_most_once_a_minute_but_for_the_critical(looks in looks()) {
        let mut governor = governor();
        let mut watch = Watch::new(governor.limits().settle);
        let mut now = Duration::ZERO;
        let mut last: Option<(bool, Duration)> = None;
        for (after, sample) in looks {
            now += Duration::from_millis(after.into());
            watch.take(now, governor.level(), sample);
            let before = governor.level();
            let readings = watch.readings(governor.setting().fps);
            let Some(step) = governor.step(now, &readings) else {
                prop_assert_eq!(governor.level(), before);
                continue;
            };
            watch.restart();
            let up = governor.level() < before;
            prop_assert_eq!(step.level as usize, governor.level());
            prop_assert_ne!(governor.level(), before);
            prop_assert!(governor.level() <= governor.ladder().lowest());
            let critical = step.reason == StepReason::Critical;
            prop_assert_eq!(up, step.reason == StepReason::Calm);
            prop_assert!(!up || before - governor.level() == 1, "up by more than one");
            prop_assert!(governor.setting().fps >= wish().min_fps);
            prop_assert!(governor.setting().bitrate_kbps >= wish().min_bitrate_kbps);
            if let Some((was_up, at)) = last {
                prop_assert!(critical || was_up == up || now - at >= MINUTE, "turned after {:?}", now - at);
            }
            last = Some((up, now));
        }
    }
}
