//! What track history and backtest promise: bounded errors, the same events live and replayed.

use std::collections::BTreeMap;
use std::time::Duration;

use edgecam_domain::backtest::{Difference, Replay, Report, RuleSet, Session, What, backtest};
use edgecam_domain::history::{HistoryError, Recorder, Sight, Stretch, Tolerance, decode, encode};
use edgecam_domain::{
    BBox, ClassId, Crowding, Detection, Direction, Happening, HappeningKind, Labels, Line, LineId,
    LocalClock, Point, Rules, Schedule, Scope, TrackUpdate, Tracker, TrackerParams, WeekMinute,
    Zone, ZoneId,
};
use proptest::prelude::*;

fn labels() -> Labels {
    Labels::new(["person", "car", "truck"].map(str::to_owned))
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn zone(name: &str, corners: &[(f32, f32)]) -> Zone {
    let polygon = corners.iter().map(|&(x, y)| Point::new(x, y)).collect();
    Zone::new(ZoneId::new(name), polygon).expect("a zone")
}

fn line(name: &str, from: (f32, f32), to: (f32, f32)) -> Line {
    let (from, to) = (Point::new(from.0, from.1), Point::new(to.0, to.1));
    Line::new(LineId::new(name), from, to).expect("a line")
}

/// Ten seconds before Thursday, 2026-01-01 00:00 UTC.
const START: Duration = Duration::from_secs(1_767_225_590);

/// Every kind of rule; crowding needs two, and there is a schedule that begins ten seconds in.
fn rules() -> RuleSet {
    let mut left = zone("left", &[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]);
    left.loitering = Some(millis(1500));
    let after = millis(600);
    left.crowding = Some(Crowding { more_than: 1, after, clear_after: after });
    let mut right = zone("right", &[(0.4, 0.2), (1.0, 0.0), (1.0, 1.0), (0.4, 0.9)]);
    right.scope.labels = Some(vec!["person".to_owned()]);
    right.scope.schedule = Some(Schedule::new([(WeekMinute::new(3, 0), 60)]));
    let mut middle = line("middle", (0.5, 0.0), (0.5, 1.0));
    middle.scope.size.min_height = Some(0.1);
    RuleSet { zones: vec![left, right], lines: vec![middle, line("low", (0.0, 0.7), (1.0, 0.7))] }
}

/// Updates of a tracker that some objects wander in front of, with misses and changes of class.
fn updates() -> impl Strategy<Value = Vec<TrackUpdate>> {
    let start = (0_u16..3, 0.1_f32..0.9, 0.3_f32..0.9);
    let frame = (
        prop_oneof![9 => 60_u64..200, 1 => 900_u64..2500],
        prop::collection::vec((-0.05_f32..0.05, -0.04_f32..0.04, 0.0_f32..1.2, 0_u8..30), 4),
    );
    (prop::collection::vec(start, 1..5), prop::collection::vec(frame, 20..120)).prop_map(
        |(mut objects, frames)| {
            let params =
                TrackerParams { alike: vec![vec![ClassId(1), ClassId(2)]], ..Default::default() };
            let (mut tracker, mut at) = (Tracker::new(params), START);
            let mut updates = Vec::new();
            for (gap, steps) in frames {
                at += millis(gap);
                let mut found = Vec::new();
                for ((class, x, y), (dx, dy, score, whim)) in objects.iter_mut().zip(steps) {
                    (*x, *y) = ((*x + dx).clamp(0.0, 1.0), (*y + dy).clamp(0.2, 1.0));
                    let class = if whim == 0 && *class > 0 { 3 - *class } else { *class };
                    if score < 1.0 {
                        let bbox = BBox::new(*x - 0.1, *y - 0.3, 0.2, 0.3);
                        found.push(Detection {
                            class: ClassId(class),
                            score: 0.4 + 0.6 * score,
                            bbox,
                        });
                    }
                }
                updates.push(tracker.step(at, &found));
            }
            updates.push(tracker.end_all(at + millis(100)));
            updates
        },
    )
}

/// The updates as stretches of `length` steps.
fn record(updates: &[TrackUpdate], length: usize) -> Vec<Stretch> {
    let mut recorder = Recorder::default();
    let mut stretches = Vec::new();
    for part in updates.chunks(length) {
        part.iter().for_each(|update| recorder.record(update, Sight::Seeing));
        // One without tracks is needed here: what follows is compared step by step.
        stretches.push(recorder.take().unwrap_or(Stretch {
            steps: part.iter().map(|update| update.at).collect(),
            ..Stretch::default()
        }));
    }
    stretches
}

fn session(stretches: Vec<Stretch>) -> [Session; 1] {
    [Session { id: 7, labels: labels(), stretches }]
}

/// All that is told but how an object goes on, which is no rule's business.
fn story(set: &RuleSet, updates: &[TrackUpdate]) -> Vec<Happening> {
    let clock = LocalClock::utc();
    let mut rules = Rules::new(set.zones.clone(), set.lines.clone(), &labels());
    let step = |update: &TrackUpdate| rules.step(update, clock.at(update.at));
    let mut story: Vec<Happening> = updates.iter().flat_map(step).collect();
    story.retain(|happening| happening.kind != HappeningKind::ObjectUpdate);
    for object in story.iter_mut().filter_map(|happening| happening.object.as_mut()) {
        // Nothing that a rule looks at.
        (object.velocity, object.stationary) = (Default::default(), false);
        object.top_score = object.score;
    }
    story
}

fn replayed(stretches: &[Stretch]) -> Vec<TrackUpdate> {
    let (mut replay, mut updates) = (Replay::default(), Vec::new());
    stretches.iter().for_each(|s| replay.play(s, |update| updates.push(update.clone())));
    updates
}

fn always() -> std::ops::Range<Duration> {
    Duration::ZERO..Duration::MAX
}

fn run(stretches: Vec<Stretch>, old: &RuleSet, new: &RuleSet) -> Report {
    backtest(&session(stretches), old, new, always(), &LocalClock::utc())
}

proptest! {
    #[test]
    fn what_is_replayed_is_what_happened_live(updates in updates(), length in 1_usize..60) {
        let stretches = record(&updates, length);
        prop_assert_eq!(story(&rules(), &replayed(&stretches)), story(&rules(), &updates));
    }

    #[test]
    fn a_backtest_counts_what_happened_live(updates in updates(), length in 1_usize..60) {
        let live = story(&rules(), &updates);
        let report = run(record(&updates, length), &rules(), &RuleSet::default());
        let count = |is: fn(&HappeningKind) -> bool| live.iter().filter(|h| is(&h.kind)).count();
        let lost = |what: fn(What) -> bool| report.lost.iter().filter(|c| what(c.fired.what)).count();
        prop_assert_eq!(
            lost(|what| what == What::Stay),
            count(|kind| matches!(kind, HappeningKind::ZoneEntered { .. }))
        );
        prop_assert_eq!(
            lost(|what| what == What::Loitering),
            count(|kind| matches!(kind, HappeningKind::Loitering { .. }))
        );
        prop_assert_eq!(
            lost(|what| what == What::Crowding),
            count(|kind| matches!(kind, HappeningKind::CrowdingStarted { .. }))
        );
        prop_assert_eq!(
            lost(|what| matches!(what, What::Crossing(_))),
            count(|kind| matches!(kind, HappeningKind::LineCrossed { .. }))
        );
        prop_assert!(report.lost.iter().all(|change| change.because == Difference::NoRule));
        prop_assert!(report.lost.iter().all(|change| change.fired.to >= change.fired.from));
    }

    #[test]
    fn identical_rules_change_nothing_and_a_report_is_the_same_again(
        updates in updates(),
        tolerance in prop_oneof![Just(Tolerance::EXACT), Just(Tolerance::USUAL)],
    ) {
        let kept: Vec<Stretch> = record(&updates, 40).iter().map(|s| there_and_back(s, &tolerance)).collect();
        let report = run(kept.clone(), &rules(), &rules());
        prop_assert_eq!((report.gained.len(), report.lost.len()), (0, 0));
        prop_assert_eq!(run(kept, &rules(), &rules()), report);
    }

    #[test]
    fn what_is_lost_one_way_is_gained_the_other(updates in updates()) {
        let mut other = rules();
        other.zones.remove(1);
        other.lines[0].scope.labels = Some(vec!["car".to_owned()]);
        let there = run(record(&updates, 50), &rules(), &other);
        let back = run(record(&updates, 50), &other, &rules());
        let fired = |changes: &[edgecam_domain::backtest::Change]| -> Vec<_> {
            changes.iter().map(|change| change.fired.clone()).collect()
        };
        prop_assert_eq!(fired(&there.lost), fired(&back.gained));
        prop_assert_eq!(fired(&there.gained), fired(&back.lost));
        for tally in &there.rules {
            let other = back.rules.iter().find(|t| (&t.rule, t.what) == (&tally.rule, tally.what));
            prop_assert!(other.is_some_and(|other| other.before() == tally.after()));
        }
    }

    #[test]
    fn every_box_comes_back_within_the_stated_error(
        updates in updates(),
        length in 1_usize..120,
        tolerance in prop_oneof![
            Just(Tolerance::EXACT),
            Just(Tolerance::USUAL),
            Just(Tolerance { foot: 100, size: 7, score: 0, time_ms: 400 }),
        ],
    ) {
        for stretch in record(&updates, length) {
            let back = there_and_back(&stretch, &tolerance);
            prop_assert_eq!((back.steps.len(), back.sight), (stretch.steps.len(), stretch.sight));
            for (back, at) in back.steps.iter().zip(&stretch.steps) {
                prop_assert!(back.abs_diff(*at) <= tolerance.time_error(), "{back:?} for {at:?}");
            }
            prop_assert!(back.steps.is_sorted());
            prop_assert_eq!(back.paths.len(), stretch.paths.len());
            for (back, path) in back.paths.iter().zip(&stretch.paths) {
                prop_assert_eq!((back.id, back.ended), (path.id, path.ended));
                prop_assert!(back.first_seen.abs_diff(path.first_seen) <= millis(2));
                prop_assert_eq!(back.samples.len(), path.samples.len());
                for (back, sample) in back.samples.iter().zip(&path.samples) {
                    prop_assert_eq!((back.step, back.class), (sample.step, sample.class));
                    let (foot, was) = (back.bbox.bottom_centre(), sample.bbox.bottom_centre());
                    let off = (foot.x - was.x).abs().max((foot.y - was.y).abs());
                    prop_assert!(off <= tolerance.foot_error(), "{off}");
                    let (w, h) = (back.bbox.w - sample.bbox.w, back.bbox.h - sample.bbox.h);
                    prop_assert!(w.abs().max(h.abs()) <= tolerance.size_error());
                    prop_assert!((back.score - sample.score).abs() <= tolerance.score_error());
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, START);
        let mut versioned = bytes;
        if let Some(first) = versioned.first_mut() {
            *first = 1;
        }
        let _ = decode(&versioned, START);
    }

    #[test]
    fn damage_is_refused_or_read_but_never_fatal(
        updates in updates(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for stretch in record(&updates, 60) {
            let mut bytes = encode(&stretch, &Tolerance::USUAL);
            for (at, byte) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Ok(stretch) = decode(&bytes, START) {
                run(vec![stretch], &rules(), &rules());
            }
        }
    }
}

fn there_and_back(stretch: &Stretch, tolerance: &Tolerance) -> Stretch {
    let start = stretch.steps.first().copied().unwrap_or_default();
    decode(&encode(stretch, tolerance), start).expect("what was written")
}

#[test]
fn a_newer_format_and_a_cut_are_named() {
    assert_eq!(decode(&[9], START), Err(HistoryError::Version(9)));
    assert_eq!(decode(&[], START), Err(HistoryError::Short));
}

/// One object that walks from left to right over ten seconds, at ten frames a second, twice.
fn walk(class: u16) -> Vec<Stretch> {
    let mut tracker = Tracker::new(TrackerParams::default());
    let mut recorder = Recorder::default();
    for step in 0..240_u16 {
        let at = START + millis(u64::from(step) * 100);
        let x = f32::from(step % 120) * 0.01;
        let bbox = BBox::new(x - 0.05, 0.4, 0.1, 0.2);
        let found = Detection { class: ClassId(class), score: 0.8, bbox };
        let found: Vec<Detection> = (x < 1.0).then_some(found).into_iter().collect();
        recorder.record(&tracker.step(at, &found), Sight::Seeing);
    }
    recorder.record(&tracker.end_all(START + millis(24_000)), Sight::Blind);
    recorder.take().into_iter().map(|s| there_and_back(&s, &Tolerance::USUAL)).collect()
}

fn only(line: Line) -> RuleSet {
    RuleSet { zones: vec![], lines: vec![line] }
}

#[test]
fn a_line_that_moves_a_little_is_crossed_by_the_same_objects() {
    let (old, new) = (line("gate", (0.5, 0.0), (0.5, 1.0)), line("gate", (0.6, 0.0), (0.6, 1.0)));
    let report = run(walk(0), &only(old.clone()), &only(new));
    assert_eq!((report.kept.len(), report.gained.len(), report.lost.len()), (2, 0, 0));
    assert_eq!(report.kept[0].what, What::Crossing(Direction::Out));
    assert_eq!((report.tracks, report.steps), (2, 241));
    let short = line("gate", (0.5, 0.0), (0.5, 0.3));
    let report = run(walk(0), &only(old), &only(short));
    assert_eq!((report.kept.len(), report.lost.len()), (0, 2));
    assert_eq!((report.rules[0].before(), report.rules[0].after()), (2, 0));
}

#[test]
fn a_report_says_why_an_event_would_be_gone() {
    let gate = line("gate", (0.5, 0.0), (0.5, 1.0));
    let why = |change: &dyn Fn(&mut Scope)| {
        let mut new = gate.clone();
        change(&mut new.scope);
        run(walk(1), &only(gate.clone()), &only(new)).lost[0].because
    };
    assert_eq!(why(&|scope| scope.labels = Some(vec!["person".to_owned()])), Difference::Label);
    assert_eq!(why(&|scope| scope.size.min_height = Some(0.5)), Difference::Size);
    let friday = Schedule::new([(WeekMinute::new(4, 0), 60)]);
    assert_eq!(why(&|scope| scope.schedule = Some(friday.clone())), Difference::Schedule);
    let elsewhere = only(line("gate", (0.5, 0.0), (0.5, 0.3)));
    let report = run(walk(1), &only(gate.clone()), &elsewhere);
    assert_eq!(report.lost[0].because, Difference::Place);

    let mut yard = zone("yard", &[(0.2, 0.2), (0.8, 0.2), (0.8, 0.9), (0.2, 0.9)]);
    yard.loitering = Some(millis(3000));
    let old = RuleSet { zones: vec![yard.clone()], lines: vec![] };
    yard.loitering = Some(millis(30_000));
    let report = run(walk(0), &old, &RuleSet { zones: vec![yard], lines: vec![] });
    assert_eq!((report.kept.len(), report.lost.len()), (2, 2), "the stays stay");
    assert!(report.lost.iter().all(|change| change.because == Difference::Limit));
}

#[test]
fn only_what_begins_within_the_window_counts() {
    let rules = only(line("gate", (0.5, 0.0), (0.5, 1.0)));
    let window = START..START + millis(12_000);
    let report =
        backtest(&session(walk(0)), &rules, &RuleSet::default(), window, &LocalClock::utc());
    assert_eq!(report.lost.len(), 1);
}

#[test]
fn a_crowd_ends_in_the_time_that_nobody_wrote_down() {
    let mut crowded = zone("all", &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]);
    crowded.crowding =
        Some(Crowding { more_than: 0, after: millis(1000), clear_after: millis(5000) });
    let set = RuleSet { zones: vec![crowded], lines: vec![] };
    let mut tracker = Tracker::new(TrackerParams::default());
    let mut recorder = Recorder::default();
    let mut stretches = Vec::new();
    for second in [0, 60] {
        for step in 0..60_u64 {
            let at = START + millis(second * 1000 + step * 100);
            let bbox = BBox::new(0.4, 0.4, 0.1, 0.2);
            let found = Detection { class: ClassId(0), score: 0.8, bbox };
            let found = if step < 30 { vec![found] } else { vec![] };
            recorder.record(&tracker.step(at, &found), Sight::Seeing);
        }
        stretches.extend(recorder.take());
    }
    let report = run(stretches, &set, &RuleSet::default());
    let crowds: Vec<_> = report.lost.iter().filter(|c| c.fired.what == What::Crowding).collect();
    assert_eq!(crowds.len(), 2);
    let lasted = crowds[0].fired.to - crowds[0].fired.from;
    assert!(lasted > millis(6000) && lasted < millis(10_000), "{lasted:?}");
    let by_track: BTreeMap<_, u32> = report.lost.iter().fold(BTreeMap::new(), |mut sum, change| {
        *sum.entry(change.fired.track).or_default() += 1;
        sum
    });
    assert_eq!(by_track.len(), 3, "two tracks, and none for the crowds");
}

#[test]
fn a_track_whose_end_is_missing_ends_where_history_breaks_off_or_within_what_a_tracker_remembers() {
    let everywhere = zone("all", &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]);
    let set = RuleSet { zones: vec![everywhere], lines: vec![] };
    // Object 0 is there for ten seconds, object 1 all the time; the piece with the end of 0 is lost.
    let history = |other_from: u64| {
        let mut tracker = Tracker::new(TrackerParams::default());
        let mut recorder = Recorder::default();
        let mut stretches = Vec::new();
        for step in 0..2000_u64 {
            let object =
                |x| Detection { class: ClassId(0), score: 0.8, bbox: BBox::new(x, 0.4, 0.1, 0.2) };
            let mut found = if step < 100 { vec![object(0.1)] } else { vec![] };
            found.extend((step >= other_from).then(|| object(0.7)));
            recorder.record(&tracker.step(START + millis(step * 100), &found), Sight::Seeing);
            if step % 100 == 99 {
                stretches.extend(recorder.take().filter(|_| step != 199));
            }
        }
        stretches
    };
    let stays = |stretches| {
        let report = run(stretches, &set, &RuleSet::default());
        let mut ends: Vec<_> = report.lost.iter().map(|change| change.fired.to - START).collect();
        ends.sort();
        ends
    };
    let gap = stays(history(1500));
    assert!(gap.len() == 2 && gap[0] == millis(9900), "with the last step before the gap: {gap:?}");
    let on = stays(history(0));
    assert!(on.len() == 2 && on[0] < millis(86_000), "as soon as it must have ended: {on:?}");
}
