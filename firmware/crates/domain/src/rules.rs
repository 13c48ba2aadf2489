//! Turns tracks into happenings: objects that start, change and end, zones, lines.
//!
//! Invariants: the first happening of an id is its only `ObjectStart`, the last its only
//! `ObjectEnd`; every `ZoneEntered` is followed by one `ZoneLeft` of that zone before the object
//! ends, also where the zone is taken away; a line's totals are the sum of its `LineCrossed`.
//!
//! In a step, objects that ended come first, then live ones by id; of each: its start, what
//! concerns zones, what concerns lines, its update. All of one object's happenings in a step carry
//! the same snapshot, its state after the step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::detection::Labels;
use crate::happening::{Counts, Happening, HappeningKind, LineCount, ZoneCount};
use crate::lines::{Line, LineTotals};
use crate::object::{Filter, LineRule, Object, ZoneRule};
use crate::track::{Track, TrackId, TrackUpdate};
use crate::zones::Zone;

/// How often an object that goes on is reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleParams {
    /// Least time between two updates of an object to which nothing special happens.
    pub update_every: Duration,
    /// The same while it is stationary: a parked car must not fill the event store.
    pub stationary_update_every: Duration,
    /// By how much the best score must have grown since the last report to be reported at once.
    pub score_step: f32,
}

impl Default for RuleParams {
    fn default() -> Self {
        Self {
            update_every: Duration::from_secs(1),
            stationary_update_every: Duration::from_secs(60),
            score_step: 0.1,
        }
    }
}

/// The zones and lines of a camera, and what they know of each object.
#[derive(Clone, Debug)]
pub struct Rules {
    params: RuleParams,
    labels: Labels,
    zones: Vec<ZoneRule>,
    lines: Vec<LineRule>,
    objects: BTreeMap<TrackId, Object>,
    /// Highest id of those that [`Rules::finish`] ended: they do not start again.
    finished: Option<TrackId>,
    /// Labels of which there ever was an object.
    seen: BTreeSet<String>,
}

impl Rules {
    /// Rules without any object yet. `zones` and `lines` have unique ids; `labels` name the classes
    /// of the tracks.
    pub fn new(zones: Vec<Zone>, lines: Vec<Line>, labels: &Labels) -> Self {
        let mut rules = Self {
            params: RuleParams::default(),
            labels: labels.clone(),
            zones: Vec::new(),
            lines: Vec::new(),
            objects: BTreeMap::new(),
            finished: None,
            seen: BTreeSet::new(),
        };
        rules.set(zones, lines, labels);
        rules
    }

    /// Takes new parameters; everything else stays.
    pub fn set_params(&mut self, params: RuleParams) {
        self.params = params;
    }

    /// Takes new zones and lines. One whose id and geometry stay keeps its dwell times and totals,
    /// whatever else of it changes; objects inside a zone that goes have left it with the next step.
    /// Where `labels` are those of another model, end the tracks first ([`Tracker::end_all`]), since
    /// their classes mean something else now.
    ///
    /// [`Tracker::end_all`]: crate::tracker::Tracker::end_all
    pub fn set(&mut self, zones: Vec<Zone>, lines: Vec<Line>, labels: &Labels) {
        let old_zones: Vec<Option<usize>> = zones
            .iter()
            .map(|new| self.zones.iter().position(|old| old.zone.is_in_place_of(new)))
            .collect();
        let old_lines: Vec<Option<usize>> = lines
            .iter()
            .map(|new| self.lines.iter().position(|old| old.line.is_in_place_of(new)))
            .collect();
        for object in self.objects.values_mut() {
            object.move_to(&self.zones, &old_zones, &old_lines);
        }
        let zone_labels = |old: &Option<usize>| {
            old.map_or(BTreeSet::new(), |index| self.zones[index].labels.clone())
        };
        let totals = |old: &Option<usize>| {
            old.map_or(LineTotals::default(), |index| self.lines[index].totals.clone())
        };
        self.zones = zones
            .into_iter()
            .zip(&old_zones)
            .map(|(zone, old)| ZoneRule {
                filter: filter(zone.labels.as_deref(), labels),
                labels: zone_labels(old),
                zone,
            })
            .collect();
        self.lines = lines
            .into_iter()
            .zip(&old_lines)
            .map(|(line, old)| LineRule {
                filter: filter(line.labels.as_deref(), labels),
                totals: totals(old),
                line,
            })
            .collect();
        self.labels = labels.clone();
    }

    /// What happened with `update`, in the order in which it is to be told.
    pub fn step(&mut self, update: &TrackUpdate) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for track in &update.ended {
            self.end(update.at, track.id, Some(track), &mut happenings);
        }
        let live: BTreeSet<TrackId> = update.tracks.iter().map(|track| track.id).collect();
        // Not the tracker's way, but an object that nobody follows any more must end all the same.
        let lost: Vec<TrackId> =
            self.objects.keys().filter(|id| !live.contains(id)).copied().collect();
        for id in lost {
            self.end(update.at, id, None, &mut happenings);
        }
        for track in &update.tracks {
            if self.finished.is_none_or(|finished| track.id > finished) {
                self.see(update.at, track, &mut happenings);
            }
        }
        happenings
    }

    /// Ends all objects, for a clean stop. Tracks that are live now do not start again.
    pub fn finish(&mut self, at: Duration) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let ids: Vec<TrackId> = self.objects.keys().copied().collect();
        self.finished = self.finished.max(ids.last().copied());
        for id in ids {
            self.end(at, id, None, &mut happenings);
        }
        happenings
    }

    /// How many objects there are now, and how many crossed so far.
    pub fn counts(&self) -> Counts {
        let labels = self.count(&self.seen, |_| true);
        let zone = |(index, rule): (usize, &ZoneRule)| {
            let labels = self.count(&rule.labels, |object| object.is_in(index));
            ZoneCount { zone: rule.zone.id().clone(), all: labels.values().sum(), labels }
        };
        let line = |rule: &LineRule| LineCount {
            line: rule.line.id().clone(),
            totals: rule.totals.clone(),
        };
        Counts {
            all: labels.values().sum(),
            labels,
            zones: self.zones.iter().enumerate().map(zone).collect(),
            lines: self.lines.iter().map(line).collect(),
        }
    }

    /// Objects of each of `labels` that `counts` holds for.
    fn count(
        &self,
        labels: &BTreeSet<String>,
        counts: impl Fn(&Object) -> bool,
    ) -> BTreeMap<String, u32> {
        let mut by_label: BTreeMap<String, u32> =
            labels.iter().map(|label| (label.clone(), 0)).collect();
        for object in self.objects.values().filter(|object| counts(object)) {
            *by_label.entry(self.labels.name(object.track.class).to_owned()).or_default() += 1;
        }
        by_label
    }

    fn see(&mut self, at: Duration, track: &Track, happenings: &mut Vec<Happening>) {
        let (zones, lines) = (&mut self.zones, &mut self.lines);
        let object = self
            .objects
            .entry(track.id)
            .or_insert_with(|| Object::new(*track, zones.len(), lines.len()));
        let label = self.labels.name(track.class);
        if !self.seen.contains(label) {
            self.seen.insert(label.to_owned());
        }
        let mut kinds = object.see(at, track, zones, lines, label);
        let zones_changed = kinds.iter().any(|kind| {
            matches!(kind, HappeningKind::ZoneEntered { .. } | HappeningKind::ZoneLeft { .. })
        });
        if object.is_news(at, zones_changed, &self.params) {
            object.tell(at);
            kinds.push(HappeningKind::ObjectUpdate);
        } else if object.is_untold() {
            object.tell(at);
            kinds.insert(0, HappeningKind::ObjectStart);
        }
        if !kinds.is_empty() {
            let snapshot = object.snapshot(zones, &self.labels);
            let tell = |kind| Happening { at, object: snapshot.clone(), kind };
            happenings.extend(kinds.into_iter().map(tell));
        }
    }

    fn end(
        &mut self,
        at: Duration,
        id: TrackId,
        track: Option<&Track>,
        happenings: &mut Vec<Happening>,
    ) {
        let Some(mut object) = self.objects.remove(&id) else { return };
        if let Some(track) = track {
            object.track = *track;
        }
        let mut kinds = object.leave_all(&self.zones);
        kinds.push(HappeningKind::ObjectEnd);
        let snapshot = object.snapshot(&self.zones, &self.labels);
        let tell = |kind| Happening { at, object: snapshot.clone(), kind };
        happenings.extend(kinds.into_iter().map(tell));
    }
}

/// The classes that `names` mean; names that the model does not have mean none.
fn filter(names: Option<&[String]>, labels: &Labels) -> Filter {
    names.map(|names| names.iter().filter_map(|name| labels.find(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::ClassId;
    use crate::geometry::{BBox, Point};
    use crate::lines::{Direction, LineId};
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
        Line::new(LineId::new("gate"), Point::new(0.75, 0.0), Point::new(0.75, 1.0))
            .expect("a line")
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
        rules.step(&TrackUpdate {
            at: at.unwrap_or_default(),
            tracks: tracks.to_vec(),
            started: Vec::new(),
            ended: ended.to_vec(),
        })
    }

    fn told(happenings: &[Happening]) -> Vec<String> {
        let line = |h: &Happening| match &h.kind {
            HappeningKind::ObjectStart => "start".into(),
            HappeningKind::ObjectUpdate => "update".into(),
            HappeningKind::ObjectEnd => "end".into(),
            HappeningKind::ZoneEntered { zone } => format!("entered {zone}"),
            HappeningKind::ZoneLeft { zone, dwell } => format!("left {zone} {}", dwell.as_secs()),
            HappeningKind::Loitering { zone, dwell } => {
                format!("loiters {zone} {}", dwell.as_secs())
            }
            HappeningKind::LineCrossed { line, direction, .. } => format!("{line} {direction:?}"),
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
        assert_eq!(start[0].object.zones.current, [ZoneId::new("left")], "from the start on");
        step(&mut rules, &[track(1, 3, 0.2)], &[]);
        step(&mut rules, &[track(1, 4, 0.6)], &[]);
        step(&mut rules, &[track(1, 5, 0.2)], &[]);
        let update = step(&mut rules, &[track(1, 7, 0.2)], &[]);
        let object = &update[0].object;
        assert_eq!(object.label, "person");
        assert_eq!(object.age, Duration::from_secs(7));
        assert_eq!(object.zones.entered, [ZoneId::new("left")]);
        assert_eq!(object.zones.dwell, [(ZoneId::new("left"), Duration::from_secs(3 + 2))]);
    }

    #[test]
    fn updates_are_rare_unless_there_is_news() {
        let mut rules = Rules::new(vec![], vec![], &labels());
        let soon = |top_score| Track {
            last_seen: Duration::from_millis(200),
            top_score,
            ..track(1, 0, 0.2)
        };
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
        assert!(end[0].object.zones.current.is_empty());
    }

    #[test]
    fn labels_narrow_zones_and_lines() {
        let mut zone = left_half();
        zone.labels = Some(vec!["car".into()]);
        let mut line = gate();
        line.labels = Some(vec!["car".into(), "unicorn".into()]);
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
}
