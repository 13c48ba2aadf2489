//! The rules on small cases: order, snapshots, hot changes, crowding, schedules.

use super::*;
use crate::crowding::Crowding;
use crate::detection::ClassId;
use crate::geometry::{BBox, Point};
use crate::happening::ObjectSnapshot;
use crate::lines::{Direction, LineId};
use crate::schedule::Schedule;
use crate::track::{TrackState, Velocity};
use crate::zones::ZoneId;

fn labels() -> Labels {
    Labels::new(["person", "car"].map(str::to_owned))
}

/// The left half of the picture, entered and left at once.
fn left_half() -> Zone {
    let polygon = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)];
    let polygon = polygon.iter().map(|&(x, y)| Point::new(x, y)).collect();
    let mut zone = Zone::new(ZoneId::new("left"), polygon).expect("a zone");
    (zone.inertia, zone.leave_inertia) = (1, 1);
    zone
}

/// Across the picture from top to bottom, at three quarters of its width.
fn gate() -> Line {
    Line::new(LineId::new("gate"), Point::new(0.75, 0.0), Point::new(0.75, 1.0)).expect("a line")
}

fn track(id: u64, second: u64, x: f32) -> Track {
    Track {
        id: TrackId(id),
        class: ClassId(0),
        score: 0.8,
        top_score: 0.8,
        bbox: BBox::new(x - 0.05, 0.3, 0.1, 0.2),
        velocity: Velocity::default(),
        first_seen: Duration::ZERO,
        last_seen: Duration::from_secs(second),
        hits: 3,
        state: TrackState::Confirmed,
        stationary: false,
    }
}

fn step(rules: &mut Rules, tracks: &[Track], ended: &[Track]) -> Vec<Happening> {
    let at = tracks.iter().chain(ended).map(|track| track.last_seen).max();
    let update = TrackUpdate {
        at: at.unwrap_or_default(),
        tracks: tracks.to_vec(),
        started: Vec::new(),
        ended: ended.to_vec(),
    };
    rules.step(&update, NOON)
}

/// What the local clock shows where that is of no matter: Monday noon.
const NOON: WeekMinute = WeekMinute::new(0, 720);

fn object(happening: &Happening) -> &ObjectSnapshot {
    happening.object.as_ref().expect("an object")
}

fn told(happenings: &[Happening]) -> Vec<String> {
    let line = |h: &Happening| match &h.kind {
        HappeningKind::ObjectStart => "start".into(),
        HappeningKind::ObjectUpdate => "update".into(),
        HappeningKind::ObjectEnd => "end".into(),
        HappeningKind::ZoneEntered { zone } => format!("entered {zone}"),
        HappeningKind::ZoneLeft { zone, dwell, .. } => format!("left {zone} {}", dwell.as_secs()),
        HappeningKind::Loitering { zone, dwell } => {
            format!("loiters {zone} {}", dwell.as_secs())
        }
        HappeningKind::LineCrossed { line, direction, .. } => format!("{line} {direction:?}"),
        HappeningKind::CrowdingStarted { zone, count, .. } => format!("crowd in {zone} {count}"),
        HappeningKind::CrowdingEnded { zone, peak, reason, .. } => {
            format!("crowd gone {zone} {peak} {reason:?}")
        }
    };
    happenings.iter().map(line).collect()
}

#[test]
fn tells_the_story_of_an_object_in_order() {
    let mut zone = left_half();
    zone.loitering = Some(Duration::from_secs(2));
    let mut rules = Rules::new(vec![zone], vec![gate()], &labels());
    assert_eq!(told(&step(&mut rules, &[track(1, 0, 0.2)], &[])), ["start", "entered left"]);
    assert_eq!(told(&step(&mut rules, &[track(1, 1, 0.3)], &[])), ["update"]);
    assert_eq!(told(&step(&mut rules, &[track(1, 2, 0.4)], &[])), ["loiters left 2", "update"]);
    assert_eq!(told(&step(&mut rules, &[track(1, 3, 0.6)], &[])), ["left left 2", "update"]);
    assert_eq!(told(&step(&mut rules, &[track(1, 4, 0.9)], &[])), ["gate Out", "update"]);
    assert_eq!(told(&step(&mut rules, &[], &[track(1, 4, 0.9)])), ["end"]);
    assert_eq!(rules.counts().lines[0].totals.all.outward, 1);
}

#[test]
fn a_snapshot_carries_the_zones_of_its_object() {
    let mut rules = Rules::new(vec![left_half()], vec![], &labels());
    let start = step(&mut rules, &[track(1, 0, 0.2)], &[]);
    assert_eq!(object(&start[0]).zones.current, [ZoneId::new("left")], "from the start on");
    step(&mut rules, &[track(1, 3, 0.2)], &[]);
    step(&mut rules, &[track(1, 4, 0.6)], &[]);
    step(&mut rules, &[track(1, 5, 0.2)], &[]);
    let update = step(&mut rules, &[track(1, 7, 0.2)], &[]);
    let object = object(&update[0]);
    assert_eq!(object.label, "person");
    assert_eq!(object.age, Duration::from_secs(7));
    assert_eq!(object.zones.entered, [ZoneId::new("left")]);
    assert_eq!(object.zones.dwell, [(ZoneId::new("left"), Duration::from_secs(3 + 2))]);
}

#[test]
fn updates_are_rare_unless_there_is_news() {
    let mut rules = Rules::new(vec![], vec![], &labels());
    let soon =
        |top_score| Track { last_seen: Duration::from_millis(200), top_score, ..track(1, 0, 0.2) };
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    assert!(step(&mut rules, &[soon(0.85)], &[]).is_empty());
    assert_eq!(told(&step(&mut rules, &[soon(0.95)], &[])), ["update"]);
    assert!(step(&mut rules, &[soon(0.96)], &[]).is_empty());
    let car = Track { class: ClassId(1), ..soon(0.96) };
    assert_eq!(told(&step(&mut rules, &[car], &[])), ["update"]);
    let parked = |second| Track { stationary: true, ..track(1, second, 0.2) };
    assert_eq!(told(&step(&mut rules, &[parked(1)], &[])), ["update"]);
    assert!(step(&mut rules, &[parked(60)], &[]).is_empty());
    assert_eq!(told(&step(&mut rules, &[parked(61)], &[])), ["update"]);
}

#[test]
fn what_is_lost_stays_where_it_was() {
    let mut rules = Rules::new(vec![left_half()], vec![gate()], &labels());
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    let lost = Track { state: TrackState::Lost, ..track(1, 2, 0.9) };
    assert!(step(&mut rules, &[lost], &[]).is_empty());
    assert_eq!(rules.counts().zones[0].all, 1);
    let end = step(&mut rules, &[], &[track(1, 0, 0.2)]);
    assert_eq!(told(&end), ["left left 0", "end"]);
    assert!(object(&end[0]).zones.current.is_empty());
}

#[test]
fn labels_narrow_zones_and_lines() {
    let mut zone = left_half();
    zone.scope.labels = Some(vec!["car".into()]);
    let mut line = gate();
    line.scope.labels = Some(vec!["car".into(), "unicorn".into()]);
    let mut rules = Rules::new(vec![zone], vec![line], &labels());
    let car = |second, x| Track { class: ClassId(1), ..track(2, second, x) };
    let both = step(&mut rules, &[track(1, 0, 0.2), car(0, 0.2)], &[]);
    assert_eq!(told(&both), ["start", "start", "entered left"]);
    let both = step(&mut rules, &[track(1, 1, 0.9), car(1, 0.9)], &[]);
    assert_eq!(told(&both), ["update", "left left 0", "gate Out", "update"]);
    assert_eq!(rules.counts().lines[0].totals.labels.keys().collect::<Vec<_>>(), ["car"]);
}

#[test]
fn counts_list_labels_that_are_gone_with_zero() {
    let mut rules = Rules::new(vec![left_half()], vec![gate()], &labels());
    step(&mut rules, &[track(1, 0, 0.2), track(2, 0, 0.6)], &[]);
    let counts = rules.counts();
    assert_eq!((counts.all, counts.labels["person"]), (2, 2));
    assert_eq!((counts.zones[0].all, counts.zones[0].labels["person"]), (1, 1));
    assert!(counts.zones[0].occupied() && !counts.labels.contains_key("car"));
    rules.finish(Duration::from_secs(1));
    let counts = rules.counts();
    assert_eq!((counts.all, counts.labels["person"]), (0, 0));
    assert_eq!(counts.zones[0].labels["person"], 0);
}

#[test]
fn a_hot_change_keeps_what_stays_in_its_place() {
    let mut rules = Rules::new(vec![left_half()], vec![gate()], &labels());
    step(&mut rules, &[track(1, 0, 0.2), track(2, 0, 0.6)], &[]);
    step(&mut rules, &[track(1, 1, 0.2), track(2, 1, 0.9)], &[]);
    let mut loitering = left_half();
    loitering.loitering = Some(Duration::from_secs(3));
    let other = Line::new(LineId::new("other"), Point::new(0.1, 0.1), Point::new(0.2, 0.1));
    rules.set(vec![loitering], vec![other.expect("a line"), gate()], &labels());
    let happenings = step(&mut rules, &[track(1, 3, 0.2), track(2, 3, 0.6)], &[]);
    assert_eq!(told(&happenings), ["loiters left 3", "update", "gate In", "update"]);
    let crossings = rules.counts().lines[1].totals.all;
    assert_eq!((crossings.inward, crossings.outward), (1, 1));
}

#[test]
fn a_zone_that_goes_is_left() {
    let mut rules = Rules::new(vec![left_half()], vec![], &labels());
    step(&mut rules, &[track(1, 0, 0.2), track(2, 0, 0.3)], &[]);
    rules.set(vec![], vec![], &labels());
    let happenings = step(&mut rules, &[track(1, 1, 0.2)], &[track(2, 0, 0.3)]);
    assert_eq!(told(&happenings), ["left left 0", "end", "left left 0", "update"]);
}

#[test]
fn a_moved_zone_is_another_one() {
    let mut rules = Rules::new(vec![left_half()], vec![], &labels());
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    let polygon = [(0.0, 0.0), (0.6, 0.0), (0.6, 1.0)].map(|(x, y)| Point::new(x, y));
    let moved = Zone::new(ZoneId::new("left"), polygon.to_vec()).expect("a zone");
    rules.set(vec![moved], vec![], &labels());
    assert_eq!(told(&rules.finish(Duration::from_secs(1))), ["left left 0", "end"]);
}

#[test]
fn nothing_starts_again_after_the_finish() {
    let mut rules = Rules::new(vec![], vec![], &labels());
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    assert_eq!(told(&rules.finish(Duration::from_secs(1))), ["end"]);
    assert!(step(&mut rules, &[track(1, 2, 0.2)], &[track(1, 2, 0.2)]).is_empty());
    assert!(rules.finish(Duration::from_secs(3)).is_empty());
    assert_eq!(told(&step(&mut rules, &[track(2, 4, 0.2)], &[])), ["start"]);
}

#[test]
fn crossings_carry_the_totals_with_themselves() {
    let mut rules = Rules::new(vec![], vec![gate()], &labels());
    step(&mut rules, &[track(1, 0, 0.6)], &[]);
    let out = step(&mut rules, &[track(1, 1, 0.9)], &[]);
    let HappeningKind::LineCrossed { direction, totals, .. } = &out[0].kind else {
        panic!("{out:?}");
    };
    assert_eq!((*direction, totals.all.outward, totals.all.inward), (Direction::Out, 1, 0));
}

/// The left half, crowded by more than one object for two seconds, clear again after one.
fn crowded_left_half() -> Zone {
    let seconds = Duration::from_secs;
    let crowding = Crowding { more_than: 1, after: seconds(2), clear_after: seconds(1) };
    let mut zone = left_half();
    zone.crowding = Some(crowding);
    zone
}

/// What is told of crowds with objects at each of `places`, second by second.
fn crowds(rules: &mut Rules, from: u64, places: &[&[f32]]) -> Vec<String> {
    let mut lines = Vec::new();
    for (second, places) in (from..).zip(places) {
        let tracks: Vec<Track> = (1..).zip(*places).map(|(id, &x)| track(id, second, x)).collect();
        let ended: Vec<Track> = Vec::new();
        let update =
            TrackUpdate { at: Duration::from_secs(second), tracks, started: Vec::new(), ended };
        let happenings = rules.step(&update, NOON);
        lines.extend(told(&happenings).into_iter().filter(|line| line.starts_with("crowd")));
    }
    lines
}

#[test]
fn a_crowd_is_told_once_with_its_count_and_its_peak() {
    let mut rules = Rules::new(vec![crowded_left_half()], vec![], &labels());
    let three: &[f32] = &[0.1, 0.2, 0.3];
    let two: &[f32] = &[0.1, 0.2, 0.9];
    let none: &[f32] = &[];
    let lines = crowds(&mut rules, 0, &[two, three, two, three, none, none, none, none]);
    assert_eq!(lines, ["crowd in left 2", "crowd gone left 3 Over"]);
    assert!(!rules.is_waiting());
}

#[test]
fn a_crowd_ends_with_the_zone_the_wish_to_know_and_the_sight() {
    let two: &[f32] = &[0.1, 0.2];
    let crowd = || {
        let mut rules = Rules::new(vec![crowded_left_half()], vec![], &labels());
        assert_eq!(crowds(&mut rules, 0, &[two, two, two]), ["crowd in left 2"]);
        rules
    };
    let mut rules = crowd();
    rules.set(vec![], vec![], &labels());
    assert!(rules.is_waiting());
    assert_eq!(crowds(&mut rules, 3, &[two, two]), ["crowd gone left 2 RuleChanged"]);
    let mut rules = crowd();
    rules.set(vec![left_half()], vec![], &labels());
    assert_eq!(crowds(&mut rules, 3, &[two, two]), ["crowd gone left 2 RuleChanged"]);
    let finished = crowd().finish(Duration::from_secs(3));
    assert_eq!(told(&finished).last().expect("an end"), "crowd gone left 2 Unseen");
    let mut rules = crowd();
    let mut moved_limits = crowded_left_half();
    moved_limits.crowding.as_mut().expect("limits").more_than = 0;
    rules.set(vec![moved_limits], vec![], &labels());
    assert_eq!(crowds(&mut rules, 3, &[two, two]), Vec::<String>::new(), "goes on");
}

#[test]
fn outside_of_its_schedule_a_zone_or_line_is_silent() {
    let noon_hour = Schedule::new([(WeekMinute::new(0, 720), 60)]);
    let (mut zone, mut gate) = (crowded_left_half(), gate());
    zone.scope.schedule = Some(noon_hour.clone());
    gate.scope.schedule = Some(noon_hour);
    let mut rules = Rules::new(vec![zone], vec![gate], &labels());
    let mut at = |second: u64, minute: u16, x: f32| {
        let tracks = vec![track(1, second, x), track(2, second, 0.1)];
        let at = Duration::from_secs(second);
        let update = TrackUpdate { at, tracks, started: Vec::new(), ended: Vec::new() };
        let mut lines = told(&rules.step(&update, WeekMinute::new(0, minute)));
        lines.retain(|line| !matches!(line.as_str(), "start" | "update"));
        lines
    };
    assert_eq!(at(0, 719, 0.2), Vec::<String>::new(), "not yet");
    assert_eq!(at(1, 720, 0.2), ["entered left", "entered left"]);
    assert_eq!(at(3, 721, 0.2), ["crowd in left 2"]);
    assert_eq!(at(4, 780, 0.2), ["left left 2", "left left 2", "crowd gone left 2 ScheduleEnded"]);
    assert_eq!(at(5, 781, 0.6), Vec::<String>::new());
    assert_eq!(at(6, 782, 0.9), Vec::<String>::new(), "a crossing that nobody asked for");
    assert_eq!(at(7, 720, 0.6), ["gate In", "entered left"], "the side was still known");
}

#[test]
fn a_stay_ends_with_its_schedule_though_the_object_is_lost() {
    let mut zone = left_half();
    zone.scope.schedule = Some(Schedule::new([(WeekMinute::new(0, 720), 60)]));
    let mut rules = Rules::new(vec![zone], vec![], &labels());
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    let lost = Track { state: TrackState::Lost, ..track(1, 0, 0.2) };
    let at = Duration::from_secs(1);
    let update = TrackUpdate { at, tracks: vec![lost], started: Vec::new(), ended: Vec::new() };
    let happenings = rules.step(&update, WeekMinute::new(0, 780));
    let HappeningKind::ZoneLeft { reason, .. } = happenings[0].kind else {
        panic!("{happenings:?}");
    };
    assert_eq!(reason, EndReason::ScheduleEnded);
    assert!(rules.step(&update, WeekMinute::new(0, 781)).is_empty());
}

#[test]
fn a_box_of_the_wrong_size_is_not_seen() {
    let (mut zone, mut gate) = (left_half(), gate());
    // The boxes here are 0.1 wide and 0.2 high.
    zone.scope.size.min_height = Some(0.25);
    gate.scope.size.max_area = Some(0.01);
    let mut rules = Rules::new(vec![zone], vec![gate], &labels());
    step(&mut rules, &[track(1, 0, 0.2)], &[]);
    step(&mut rules, &[track(1, 1, 0.6)], &[]);
    step(&mut rules, &[track(1, 2, 0.9)], &[]);
    let counts = rules.counts();
    assert_eq!((counts.zones[0].labels.len(), counts.lines[0].totals.all.outward), (0, 0));
}

#[test]
fn who_stands_on_the_edge_does_not_come_and_go() {
    let mut rules = Rules::new(vec![left_half()], vec![], &labels());
    let mut lines = Vec::new();
    for second in 0..20 {
        let x = if second % 2 == 0 { 0.499 } else { 0.508 };
        lines.extend(told(&step(&mut rules, &[track(1, second, x)], &[])));
    }
    lines.retain(|line| line.contains("left"));
    assert_eq!(lines, ["entered left"]);
}
