//! What the rules promise for a path, however often and however shakily it is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edgecam_domain::{
    BBox, ClassId, Crowding, Direction, EndReason, Happening, HappeningKind, Labels, Line, LineId,
    Point, Rules, Schedule, Track, TrackId, TrackState, TrackUpdate, Velocity, WeekMinute, Zone,
    ZoneId,
};
use proptest::prelude::*;

/// What the local clock shows where that is of no matter: Monday noon.
const NOON: WeekMinute = WeekMinute::new(0, 720);

fn labels() -> Labels {
    Labels::new(["person", "car"].map(str::to_owned))
}

/// The middle of the picture, a third of it wide.
fn yard() -> Zone {
    let polygon = [(0.35, 0.0), (0.65, 0.0), (0.65, 1.0), (0.35, 1.0)];
    let polygon = polygon.iter().map(|&(x, y)| Point::new(x, y)).collect();
    Zone::new(ZoneId::new("yard"), polygon).expect("a zone")
}

/// From top to bottom through the middle.
fn gate() -> Line {
    Line::new(LineId::new("gate"), Point::new(0.5, 0.0), Point::new(0.5, 1.0)).expect("a line")
}

fn track(id: u64, at: Duration, foot: Point) -> Track {
    Track {
        id: TrackId(id),
        class: ClassId(0),
        score: 0.8,
        top_score: 0.8,
        bbox: BBox::new(foot.x - 0.05, foot.y - 0.2, 0.1, 0.2),
        velocity: Velocity::default(),
        first_seen: Duration::ZERO,
        last_seen: at,
        hits: 5,
        state: TrackState::Confirmed,
        stationary: false,
    }
}

fn update(at: Duration, tracks: Vec<Track>) -> TrackUpdate {
    TrackUpdate { at, tracks, started: vec![], ended: vec![] }
}

/// Places that an object stays at for some seconds, one after the other.
#[derive(Clone, Debug)]
struct Walk(Vec<(f32, f32)>);

/// Seconds that the way from one place to the next takes.
const WAY: f32 = 2.0;
/// Seconds that it stays there: more than it takes to be sure, at one frame a second.
const STAY: f32 = 6.0;

impl Walk {
    fn seconds(&self) -> f32 {
        self.0.len() as f32 * (WAY + STAY)
    }

    fn at(&self, second: f32) -> Point {
        let leg = (second / (WAY + STAY)) as usize;
        let here = self.0[leg.min(self.0.len() - 1)];
        let from = self.0[leg.saturating_sub(1).min(self.0.len() - 1)];
        let share = ((second % (WAY + STAY)) / WAY).min(1.0);
        Point::new(from.0 + (here.0 - from.0) * share, from.1 + (here.1 - from.1) * share)
    }
}

/// Left of everything, in the yard on either side of the gate, right of everything.
fn walks() -> impl Strategy<Value = Walk> {
    let place = prop_oneof![0.05_f32..0.3, 0.38_f32..0.46, 0.54_f32..0.62, 0.7_f32..0.95];
    prop::collection::vec((place, 0.3_f32..0.9), 2..8).prop_map(Walk)
}

/// The walk as `fps` frames a second show it: the times and the places shake.
fn look(walk: &Walk, fps: u16, shakes: &[(f32, f32, f32)]) -> Vec<Happening> {
    let mut rules = Rules::new(vec![yard()], vec![gate()], &labels());
    let mut story = Vec::new();
    let mut last = Duration::ZERO;
    let frames = (walk.seconds() * f32::from(fps)) as u16;
    for (frame, (dt, dx, dy)) in (1..frames).zip(shakes.iter().cycle()) {
        let second = ((f32::from(frame) + 0.4 * dt) / f32::from(fps)).max(0.0);
        let at = Duration::from_secs_f32(second).max(last);
        last = at;
        let place = walk.at(second);
        let foot = Point::new(place.x + 0.004 * dx, place.y + 0.004 * dy);
        story.extend(rules.step(&update(at, vec![track(1, at, foot)]), NOON));
    }
    story.extend(rules.finish(last));
    story
}

/// Crossings, and stays in the yard as they should be told.
fn expected(walk: &Walk) -> (Vec<Direction>, usize) {
    let mut directions = Vec::new();
    let mut stays = 0;
    for (index, (x, _)) in walk.0.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| walk.0[before].0);
        let inside = |x: f32| (0.35..0.65).contains(&x);
        if let Some(before) = before.filter(|before| (*before < 0.5) != (*x < 0.5)) {
            // The gate is drawn downwards: in is to the left.
            directions.push(if before < *x { Direction::Out } else { Direction::In });
        }
        stays += usize::from(inside(*x) && !before.is_some_and(inside));
    }
    (directions, stays)
}

fn shakes() -> impl Strategy<Value = Vec<(f32, f32, f32)>> {
    let shake = || -1.0_f32..1.0;
    prop::collection::vec((shake(), shake(), shake()), 7..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_crossing_counts_once_whatever_the_frame_rate(
        walk in walks(), fps in 1_u16..=60, shakes in shakes(),
    ) {
        let crossings: Vec<Direction> = look(&walk, fps, &shakes)
            .iter()
            .filter_map(|happening| match happening.kind {
                HappeningKind::LineCrossed { direction, .. } => Some(direction),
                _ => None,
            })
            .collect();
        prop_assert_eq!(crossings, expected(&walk).0);
    }

    #[test]
    fn a_stay_is_one_enter_and_one_leave_whatever_the_frame_rate(
        walk in walks(), fps in 1_u16..=60, shakes in shakes(),
    ) {
        // Who only passes through is in for less than it takes at few frames a second.
        let through = |pair: &[(f32, f32)]| (pair[0].0 < 0.35) == (pair[1].0 > 0.65);
        prop_assume!(!walk.0.windows(2).any(|pair| {
            let outside = |x: f32| !(0.35..0.65).contains(&x);
            outside(pair[0].0) && outside(pair[1].0) && through(pair)
        }));
        let story = look(&walk, fps, &shakes);
        let entered = story.iter().filter(|h| matches!(h.kind, HappeningKind::ZoneEntered { .. }));
        let left = story.iter().filter(|h| matches!(h.kind, HappeningKind::ZoneLeft { .. }));
        let stays = expected(&walk).1;
        prop_assert_eq!((entered.count(), left.count()), (stays, stays));
    }

    #[test]
    fn crowding_never_flaps(
        counts in prop::collection::vec((0_u64..6, 50_u64..900), 1..200),
        after in 0_u64..3000,
        clear in 0_u64..3000,
    ) {
        let (after, clear_after) = (Duration::from_millis(after), Duration::from_millis(clear));
        let mut zone = yard();
        (zone.inertia, zone.leave_inertia) = (1, 1);
        zone.crowding = Some(Crowding { more_than: 2, after, clear_after });
        let mut rules = Rules::new(vec![zone], vec![], &labels());
        let (mut at, mut open) = (Duration::ZERO, false);
        // Since when the count has been what it takes to change the state.
        let mut contrary: Option<Duration> = None;
        for (count, gap) in counts {
            at += Duration::from_millis(gap);
            let tracks = (1..=count).map(|id| track(id, at, Point::new(0.5, 0.5))).collect();
            let happenings = rules.step(&update(at, tracks), NOON);
            let turns: Vec<&HappeningKind> = happenings
                .iter()
                .filter(|happening| happening.object.is_none())
                .map(|happening| &happening.kind)
                .collect();
            contrary = ((count > 2) != open).then(|| contrary.unwrap_or(at));
            let needed = if open { clear_after } else { after };
            let due = contrary.is_some_and(|since| at - since >= needed);
            prop_assert_eq!(turns.len(), usize::from(due));
            if due {
                prop_assert_eq!(
                    matches!(turns[0], HappeningKind::CrowdingStarted { .. }), !open
                );
                (open, contrary) = (!open, None);
            }
        }
        let ends = rules.finish(at);
        let ends = ends.iter().filter(|h| matches!(
            h.kind, HappeningKind::CrowdingEnded { reason: EndReason::Unseen, .. }
        ));
        prop_assert_eq!(ends.count(), usize::from(open));
    }

    #[test]
    fn no_schedule_loses_an_end(
        windows in prop::collection::vec((0_u16..7, 0_u16..1440, 1_u16..1440), 0..4),
        // The clock may jump: summer time, or someone who sets it.
        clock in prop::collection::vec((0_u16..10_080, 0_u64..4, 0.2_f32..0.8), 1..120),
        whole in any::<bool>(),
    ) {
        let windows = windows.into_iter().map(|(day, from, for_)| (WeekMinute::new(day, from), for_));
        let schedule = Schedule::new(windows);
        let (mut zone, mut line) = (yard(), gate());
        (zone.inertia, zone.leave_inertia) = (1, 1);
        zone.crowding = Some(Crowding {
            more_than: 0, after: Duration::ZERO, clear_after: Duration::from_secs(2),
        });
        zone.scope.schedule = Some(schedule.clone());
        line.scope.schedule = Some(schedule.clone());
        let mut rules = Rules::new(vec![zone], vec![line], &labels());
        let mut inside: BTreeSet<TrackId> = BTreeSet::new();
        let mut crowd = false;
        let mut listen = |happenings: Vec<Happening>| -> Result<(usize, bool, usize), TestCaseError> {
            let mut crossed = 0;
            for happening in happenings {
                let id = happening.track();
                match happening.kind {
                    HappeningKind::ZoneEntered { .. } => {
                        prop_assert!(id.is_some_and(|id| inside.insert(id)));
                    }
                    HappeningKind::ZoneLeft { .. } => {
                        prop_assert!(id.is_some_and(|id| inside.remove(&id)));
                    }
                    HappeningKind::CrowdingStarted { .. } => {
                        prop_assert!(!std::mem::replace(&mut crowd, true));
                    }
                    HappeningKind::CrowdingEnded { .. } => {
                        prop_assert!(std::mem::replace(&mut crowd, false));
                    }
                    HappeningKind::LineCrossed { .. } => crossed += 1,
                    _ => {}
                }
            }
            Ok((inside.len(), crowd, crossed))
        };
        let mut at = Duration::ZERO;
        for (minute, count, x) in clock {
            at += Duration::from_millis(300);
            let now = if whole { NOON.plus(minute % 60) } else { NOON.plus(minute) };
            let tracks = (1..=count).map(|id| track(id, at, Point::new(x, 0.5))).collect();
            let heard = listen(rules.step(&update(at, tracks), now))?;
            if !schedule.is_active(now) {
                prop_assert_eq!(heard, (0, false, 0), "silent outside of its schedule");
            }
        }
        prop_assert_eq!(listen(rules.finish(at))?, (0, false, 0));
    }
}

#[test]
fn totals_are_kept_by_label_in_each_direction() {
    let mut rules = Rules::new(vec![], vec![gate()], &labels());
    for (second, x) in [(0, 0.4), (1, 0.6), (2, 0.4)] {
        let at = Duration::from_secs(second);
        let mut tracks = vec![track(1, at, Point::new(x, 0.5)), track(2, at, Point::new(x, 0.8))];
        tracks[1].class = ClassId(1);
        if second == 2 {
            tracks.truncate(1);
        }
        rules.step(&update(at, tracks), NOON);
    }
    let totals = &rules.counts().lines[0].totals;
    let both = |(label, crossings): (&String, &edgecam_domain::Crossings)| {
        (label.clone(), (crossings.inward, crossings.outward))
    };
    let labels: BTreeMap<String, (u64, u64)> = totals.labels.iter().map(both).collect();
    assert_eq!(labels, [("car".to_owned(), (0, 1)), ("person".to_owned(), (1, 1))].into());
    assert_eq!((totals.all.inward, totals.all.outward), (1, 2));
}
