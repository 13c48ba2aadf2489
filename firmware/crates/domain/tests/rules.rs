//! What the rules promise for any input: whole lifecycles, balanced zones, true line counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edgecam_domain::{
    BBox, ClassId, Detection, Direction, Happening, HappeningKind, Labels, Line, LineId, Point,
    RuleParams, Rules, Track, TrackId, TrackState, TrackUpdate, Tracker, TrackerParams, Velocity,
    WeekMinute, Zone, ZoneId,
};
use proptest::prelude::*;

fn labels() -> Labels {
    Labels::new(["person", "car", "truck"].map(str::to_owned))
}

/// What the local clock shows where that is of no matter: Monday noon.
const NOON: WeekMinute = WeekMinute::new(0, 720);

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn zone(name: &str, corners: &[(f32, f32)]) -> Zone {
    let polygon = corners.iter().map(|&(x, y)| Point::new(x, y)).collect();
    Zone::new(ZoneId::new(name), polygon).expect("a zone")
}

fn line(from: (f32, f32), to: (f32, f32)) -> Line {
    let (from, to) = (Point::new(from.0, from.1), Point::new(to.0, to.1));
    Line::new(LineId::new("gate"), from, to).expect("a line")
}

/// An update in which one object, always seen, stands at `foot`.
fn stands(ms: u64, foot: Point) -> TrackUpdate {
    let track = Track {
        id: TrackId(1),
        class: ClassId(0),
        score: 0.8,
        top_score: 0.8,
        bbox: BBox::new(foot.x - 0.05, foot.y - 0.2, 0.1, 0.2),
        velocity: Velocity::default(),
        first_seen: Duration::ZERO,
        last_seen: millis(ms),
        hits: 5,
        state: TrackState::Confirmed,
        stationary: false,
    };
    TrackUpdate { at: millis(ms), tracks: vec![track], started: vec![], ended: vec![] }
}

/// The directions in which an object crosses `line` that is seen at each of `path` in turn.
fn crossings(line: &Line, path: &[Point]) -> Vec<Direction> {
    let mut rules = Rules::new(vec![], vec![line.clone()], &labels());
    let mut directions = Vec::new();
    for (ms, foot) in (0..).step_by(200).zip(path) {
        for happening in rules.step(&stands(ms, *foot), NOON) {
            if let HappeningKind::LineCrossed { direction, totals, .. } = happening.kind {
                directions.push(direction);
                let of = |d| directions.iter().filter(|&&direction| direction == d).count() as u64;
                assert_eq!(totals.all.inward, of(Direction::In));
                assert_eq!(totals.all.outward, of(Direction::Out));
                assert_eq!(totals.labels["person"], totals.all);
                assert_eq!(rules.counts().lines[0].totals, totals);
            }
        }
    }
    directions
}

/// A line somewhere, long enough to walk through.
fn any_line() -> impl Strategy<Value = Line> {
    let end = || (0.2_f32..0.8, 0.2_f32..0.8);
    (end(), end())
        .prop_filter("too short", |(a, b)| (a.0 - b.0).hypot(a.1 - b.1) > 0.1)
        .prop_map(|(a, b)| line(a, b))
}

/// The point `along` the line (0 at its begin, 1 at its end), `off` shares to its right hand.
fn beside(line: &Line, along: f32, off: f32) -> Point {
    let (from, to) = (line.from(), line.to());
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy);
    Point::new(from.x + along * dx - off * dy / length, from.y + along * dy + off * dx / length)
}

proptest! {
    #[test]
    fn a_walk_that_crosses_k_times_clearly_counts_k(
        line in any_line(),
        starts_right in any::<bool>(),
        legs in prop::collection::vec(
            // Where it stays on this side, jitter on the line before it goes over, and where.
            (
                prop::collection::vec((0.05_f32..0.95, 0.03_f32..0.3), 1..5),
                prop::collection::vec((0.05_f32..0.95, -0.019_f32..0.019), 0..6),
            ),
            1..10,
        ),
    ) {
        let mut path = Vec::new();
        let mut expected = Vec::new();
        let mut right = starts_right;
        for (index, (stay, jitter)) in legs.iter().enumerate() {
            if index > 0 {
                right = !right;
                expected.push(if right { Direction::In } else { Direction::Out });
            }
            let side = if right { 1.0 } else { -1.0 };
            path.extend(stay.iter().map(|&(along, off)| beside(&line, along, side * off)));
            path.extend(jitter.iter().map(|&(along, off)| beside(&line, along, off)));
        }
        prop_assert_eq!(crossings(&line, &path), expected);
    }

    #[test]
    fn jitter_within_the_margin_never_counts(
        line in any_line(),
        jitter in prop::collection::vec((-0.1_f32..1.1, -0.019_f32..0.019), 1..40),
    ) {
        let path: Vec<Point> =
            jitter.iter().map(|&(along, off)| beside(&line, along, off)).collect();
        prop_assert!(crossings(&line, &path).is_empty());
    }

    #[test]
    fn who_goes_around_the_ends_never_counts(
        line in any_line(),
        path in prop::collection::vec(
            (prop_oneof![-0.5_f32..-0.01, 1.01_f32..1.5], -0.3_f32..0.3), 1..20,
        ),
    ) {
        // Each way from one end to the other leads past the line at a distance.
        let mut feet = Vec::new();
        let mut last: Option<f32> = None;
        for (along, off) in path {
            if last.is_some_and(|last| (last < 0.5) != (along < 0.5)) {
                feet.push(beside(&line, last.unwrap_or(along), 0.4));
                feet.push(beside(&line, along, 0.4));
            }
            feet.push(beside(&line, along, off));
            last = Some(along);
        }
        prop_assert!(crossings(&line, &feet).is_empty());
    }

    #[test]
    fn on_any_walk_through_a_gate_across_the_picture_directions_alternate(
        path in prop::collection::vec((0.01_f32..0.99, 0.0_f32..1.0), 1..60),
    ) {
        let gate = line((0.0, 0.5), (1.0, 0.5));
        let path: Vec<Point> = path.iter().map(|&(x, y)| Point::new(x, y)).collect();
        let directions = crossings(&gate, &path);
        prop_assert!(directions.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

/// What a listener makes of the happenings, and what it finds wrong with them.
#[derive(Default)]
struct Listener {
    open: BTreeMap<TrackId, Heard>,
    ended: BTreeSet<TrackId>,
    crossed: (u64, u64),
}

struct Heard {
    at: Duration,
    top_score: f32,
    class: ClassId,
    stationary: bool,
    /// Zones it is in, and whether it has loitered there in this stay.
    zones: BTreeMap<ZoneId, bool>,
}

impl Listener {
    fn hear(&mut self, happenings: &[Happening], params: &RuleParams) -> Result<(), TestCaseError> {
        let zone_news: BTreeSet<TrackId> = happenings
            .iter()
            .filter(|h| {
                matches!(h.kind, HappeningKind::ZoneEntered { .. } | HappeningKind::ZoneLeft { .. })
            })
            .filter_map(Happening::track)
            .collect();
        for happening in happenings {
            let Happening { at, object, kind } = happening;
            let object = object.as_ref().expect("nothing here looks for crowds");
            let (id, top_score) = (object.id, object.top_score);
            prop_assert!(!self.ended.contains(&id), "{id} goes on after its end");
            prop_assert_eq!(object.age, object.last_seen - object.first_seen);
            prop_assert!(object.label == labels().name(object.class));
            let news = Heard {
                at: *at,
                top_score,
                class: object.class,
                stationary: object.stationary,
                zones: BTreeMap::new(),
            };
            if *kind == HappeningKind::ObjectStart {
                prop_assert!(self.open.insert(id, news).is_none(), "{id} starts twice");
                continue;
            }
            let Some(heard) = self.open.get_mut(&id) else {
                return Err(TestCaseError::fail(format!("{id} did not start: {kind:?}")));
            };
            match kind {
                HappeningKind::ObjectStart
                | HappeningKind::CrowdingStarted { .. }
                | HappeningKind::CrowdingEnded { .. } => {}
                HappeningKind::ObjectUpdate => {
                    let due = *at - heard.at >= params.update_every;
                    let reason = zone_news.contains(&id)
                        || top_score - heard.top_score >= params.score_step
                        || object.class != heard.class
                        || object.stationary != heard.stationary;
                    prop_assert!(due || reason, "{id} is told of too often");
                    let zones = std::mem::take(&mut heard.zones);
                    *heard = Heard { zones, ..news };
                }
                HappeningKind::ObjectEnd => {
                    prop_assert!(heard.zones.is_empty(), "{id} ends in a zone");
                    self.open.remove(&id);
                    self.ended.insert(id);
                }
                HappeningKind::ZoneEntered { zone } => {
                    prop_assert!(heard.zones.insert(zone.clone(), false).is_none());
                    prop_assert!(object.zones.entered.contains(zone));
                }
                HappeningKind::ZoneLeft { zone, dwell, .. } => {
                    prop_assert!(heard.zones.remove(zone).is_some());
                    let whole = object.zones.dwell.iter().find(|(id, _)| id == zone);
                    prop_assert!(whole.is_some_and(|(_, whole)| whole >= dwell));
                    prop_assert!(*dwell <= object.age);
                }
                HappeningKind::Loitering { zone, dwell } => {
                    prop_assert_eq!(heard.zones.insert(zone.clone(), true), Some(false));
                    prop_assert!(*dwell >= LOITERING);
                }
                HappeningKind::LineCrossed { direction: Direction::In, .. } => self.crossed.0 += 1,
                HappeningKind::LineCrossed { direction: Direction::Out, .. } => self.crossed.1 += 1,
            }
        }
        // The last of an object's happenings in a step tells where it is after all of them.
        for (id, heard) in &self.open {
            if let Some(last) = happenings.iter().rfind(|h| h.track() == Some(*id)) {
                let zones = last.object.as_ref().map(|object| &object.zones.current);
                let current: BTreeSet<&ZoneId> = zones.into_iter().flatten().collect();
                prop_assert_eq!(current, heard.zones.keys().collect());
            }
        }
        Ok(())
    }
}

const LOITERING: Duration = Duration::from_secs(1);

/// One of several sets of zones: some stay from set to set, some move, some come and go.
fn zones(set: u8, inertia: u32) -> Vec<Zone> {
    let mut zones = vec![
        zone("left", &[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]),
        zone("right", &[(0.4, 0.2), (1.0, 0.0), (1.0, 1.0), (0.4, 0.9)]),
    ];
    match set {
        0 => {}
        1 => zones.reverse(),
        2 => zones[0] = zone("left", &[(0.0, 0.0), (0.6, 0.0), (0.3, 1.0)]),
        3 => zones.push(zone("all", &[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])),
        _ => zones.clear(),
    }
    for zone in &mut zones {
        (zone.inertia, zone.leave_inertia) = (inertia, inertia + 1);
        zone.loitering = Some(LOITERING);
        if set == 1 {
            zone.scope.labels = Some(vec!["car".to_owned()]);
        }
    }
    zones
}

/// Where some objects are, frame by frame, as random walks with misses and a change of class.
fn walks() -> impl Strategy<Value = Vec<(u64, Vec<Detection>)>> {
    let start = (0_u16..3, 0.1_f32..0.9, 0.1_f32..0.9);
    let frame = (
        prop_oneof![5 => 60_u64..400, 1 => 1500_u64..3000],
        prop::collection::vec((-0.06_f32..0.06, -0.06_f32..0.06, 0.0_f32..1.1, 0_u8..20), 4),
    );
    (prop::collection::vec(start, 0..4), prop::collection::vec(frame, 1..60)).prop_map(
        |(mut objects, frames)| {
            let mut walks = Vec::new();
            for (gap, steps) in frames {
                let mut found = Vec::new();
                for ((class, x, y), (dx, dy, score, whim)) in objects.iter_mut().zip(steps) {
                    (*x, *y) = ((*x + dx).clamp(0.0, 1.0), (*y + dy).clamp(0.0, 1.0));
                    let class = if whim == 0 && *class > 0 { 3 - *class } else { *class };
                    if score < 1.0 {
                        let bbox = BBox::new(*x - 0.1, *y - 0.3, 0.2, 0.3);
                        let score = 0.4 + 0.6 * score;
                        found.push(Detection { class: ClassId(class), score, bbox });
                    }
                }
                walks.push((gap, found));
            }
            walks
        },
    )
}

proptest! {
    #[test]
    fn every_life_is_whole_and_every_stay_balanced(
        walks in walks(),
        changes in prop::collection::btree_map(0_usize..60, 0_u8..5, 0..6),
        inertia in 0_u32..4,
        alike in any::<bool>(),
    ) {
        let mut tracker = Tracker::new(TrackerParams {
            alike: if alike { vec![vec![ClassId(1), ClassId(2)]] } else { vec![] },
            ..TrackerParams::default()
        });
        let gate = line((0.1, 0.5), (0.9, 0.6));
        let mut rules = Rules::new(zones(0, inertia), vec![gate.clone()], &labels());
        let params = RuleParams::default();
        let mut listener = Listener::default();
        let mut at = Duration::ZERO;
        for (frame, (gap, found)) in walks.iter().enumerate() {
            at += millis(*gap);
            if let Some(set) = changes.get(&frame) {
                rules.set(zones(*set, inertia), vec![gate.clone()], &labels());
            }
            let update = tracker.step(at, found);
            listener.hear(&rules.step(&update, NOON), &params)?;

            let counts = rules.counts();
            prop_assert_eq!(counts.all as usize, listener.open.len());
            prop_assert_eq!(counts.all as usize, update.tracks.len());
            prop_assert_eq!(counts.all, counts.labels.values().sum::<u32>());
            for zone in &counts.zones {
                let inside = listener.open.values().filter(|o| o.zones.contains_key(&zone.zone));
                prop_assert_eq!(zone.all as usize, inside.count());
                prop_assert_eq!(zone.all, zone.labels.values().sum::<u32>());
            }
            let totals = counts.lines[0].totals.all;
            prop_assert_eq!((totals.inward, totals.outward), listener.crossed);
        }
        listener.hear(&rules.finish(at), &params)?;
        prop_assert!(listener.open.is_empty(), "the finish ends everything");
        let late = tracker.step(at + millis(100), &walks[walks.len() - 1].1);
        let goes_on = rules.step(&late, NOON);
        listener.hear(&goes_on, &params)?;
    }

    #[test]
    fn a_path_gives_the_same_events_at_five_and_at_fifteen_frames_a_second(
        speed in 0.06_f32..0.15,
        y in 0.45_f32..0.9,
        phase in 0_u64..66,
    ) {
        let story = |gap: u64| {
            let mut tracker = Tracker::new(TrackerParams::default());
            let mut yard = zone("yard", &[(0.3, 0.3), (0.6, 0.3), (0.6, 1.0), (0.3, 1.0)]);
            yard.loitering = Some(LOITERING);
            let mut rules = Rules::new(vec![yard], vec![line((0.8, 0.0), (0.8, 1.0))], &labels());
            let mut story = Vec::new();
            let mut ms = phase;
            // Walks from 0.1 to 0.9, then is out of sight.
            while ms < 25_000 {
                let x = 0.1 + speed * ms as f32 / 1000.0;
                let bbox = BBox::new(x - 0.05, y - 0.3, 0.1, 0.3);
                let seen = Detection { class: ClassId(0), score: 0.8, bbox };
                let found = if x < 0.9 { vec![seen] } else { vec![] };
                for happening in rules.step(&tracker.step(millis(ms), &found), NOON) {
                    let name = match &happening.kind {
                        // How many there are depends on where a second ends.
                        HappeningKind::ObjectUpdate => continue,
                        HappeningKind::ObjectStart => "start".to_owned(),
                        HappeningKind::ObjectEnd => "end".to_owned(),
                        HappeningKind::ZoneEntered { zone } => format!("entered {zone}"),
                        HappeningKind::ZoneLeft { zone, dwell, .. } => {
                            let seconds = dwell.as_secs_f32();
                            assert!((seconds - 0.3 / speed).abs() < 0.5, "{seconds} s in the yard");
                            format!("left {zone}")
                        }
                        HappeningKind::Loitering { zone, .. } => format!("loiters {zone}"),
                        HappeningKind::CrowdingStarted { .. }
                        | HappeningKind::CrowdingEnded { .. } => "crowd".to_owned(),
                        HappeningKind::LineCrossed { line, direction, .. } => {
                            format!("{line} {direction:?}")
                        }
                    };
                    story.push((happening.track(), name));
                }
                ms += gap;
            }
            story
        };
        let slow = story(200);
        let names: Vec<&str> = slow.iter().map(|(_, name)| name.as_str()).collect();
        let whole = ["start", "entered yard", "loiters yard", "left yard", "gate Out", "end"];
        prop_assert_eq!(names, whole);
        prop_assert_eq!(slow, story(66));
    }
}
