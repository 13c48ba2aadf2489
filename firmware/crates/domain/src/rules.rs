//! Turns tracks into happenings: objects that start, change and end, zones, lines.
//!
//! Invariants: the first happening of an id is its only `ObjectStart`, the last its only
//! `ObjectEnd`; every `ZoneEntered` is followed by one `ZoneLeft` of that zone before the object
//! ends, also where the zone is taken away or its schedule ends; every `CrowdingStarted` by one
//! `CrowdingEnded` of that zone; a line's totals are the sum of its `LineCrossed`.
//!
//! In a step, objects that ended come first, then live ones by id, then crowding by zone; of each
//! object: its start, what concerns zones, what concerns lines, its update. All of one object's
//! happenings in a step carry the same snapshot, its state after the step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crowding::{Crowd, Episode, Turn};
use crate::detection::Labels;
use crate::happening::{Counts, EndReason, Happening, HappeningKind, LineCount, ZoneCount};
use crate::lines::{Line, LineTotals};
use crate::object::{LineRule, Object, ZoneRule};
use crate::schedule::WeekMinute;
use crate::scope::Gate;
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
    /// Ends of crowding in zones that went, not yet told.
    cleared: Vec<HappeningKind>,
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
            cleared: Vec::new(),
        };
        rules.set(zones, lines, labels);
        rules
    }

    /// Takes new parameters; everything else stays.
    pub fn set_params(&mut self, params: RuleParams) {
        self.params = params;
    }

    /// Takes new zones and lines. One whose id and geometry stay keeps its dwell times, crowding and
    /// totals, whatever else of it changes; objects inside a zone that goes have left it with the
    /// next step.
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
        self.clear_unless_kept(&old_zones);
        let zone_state = |old: &Option<usize>| {
            old.map_or_else(Default::default, |index| {
                let ZoneRule { crowd, labels, .. } = &self.zones[index];
                (*crowd, labels.clone())
            })
        };
        let totals = |old: &Option<usize>| {
            old.map_or(LineTotals::default(), |index| self.lines[index].totals.clone())
        };
        self.zones = zones
            .into_iter()
            .zip(&old_zones)
            .map(|(zone, old)| {
                let (crowd, seen): (Crowd, BTreeSet<String>) = zone_state(old);
                ZoneRule { gate: Gate::new(&zone.scope, labels), crowd, labels: seen, zone }
            })
            .collect();
        self.lines = lines
            .into_iter()
            .zip(&old_lines)
            .map(|(line, old)| LineRule {
                gate: Gate::new(&line.scope, labels),
                totals: totals(old),
                line,
            })
            .collect();
        self.labels = labels.clone();
    }

    /// Ends crowding in zones that are not among the `kept` ones.
    fn clear_unless_kept(&mut self, kept: &[Option<usize>]) {
        for (index, rule) in self.zones.iter_mut().enumerate() {
            if !kept.contains(&Some(index))
                && let Some(episode) = rule.crowd.end()
            {
                self.cleared.push(cleared(&rule.zone, 0, episode, EndReason::RuleChanged));
            }
        }
    }

    /// What happened with `update`, in the order in which it is to be told. `now` is what the local
    /// clock shows: it decides which zones and lines are in force.
    pub fn step(&mut self, update: &TrackUpdate, now: WeekMinute) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for ZoneRule { zone, gate, .. } in &mut self.zones {
            gate.turn(&zone.scope, now);
        }
        for LineRule { line, gate, .. } in &mut self.lines {
            gate.turn(&line.scope, now);
        }
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
        let crowding = self.see_crowds(update.at);
        happenings.extend(crowding.into_iter().map(|kind| of_zone(update.at, kind)));
        happenings
    }

    /// What became of the crowds.
    fn see_crowds(&mut self, at: Duration) -> Vec<HappeningKind> {
        let mut kinds = std::mem::take(&mut self.cleared);
        for (index, rule) in self.zones.iter_mut().enumerate() {
            if rule.zone.crowding.is_none() && !rule.crowd.is_waiting() {
                continue;
            }
            let inside = self.objects.values().filter(|object| object.is_in(index)).count();
            let count = u32::try_from(inside).unwrap_or(u32::MAX);
            let ended = |episode, reason| cleared(&rule.zone, count, episode, reason);
            kinds.extend(match &rule.zone.crowding {
                Some(_) if !rule.gate.is_open() => {
                    rule.crowd.end().map(|episode| ended(episode, EndReason::ScheduleEnded))
                }
                Some(limits) => rule.crowd.see(at, count, limits).map(|turn| match turn {
                    Turn::Started { since } => HappeningKind::CrowdingStarted {
                        zone: rule.zone.id().clone(),
                        count,
                        limit: limits.more_than,
                        since,
                    },
                    Turn::Ended(episode) => ended(episode, EndReason::Over),
                }),
                None => rule.crowd.end().map(|episode| ended(episode, EndReason::RuleChanged)),
            });
        }
        kinds
    }

    /// Whether time alone, without any object, may still change something: a crowd.
    pub fn is_waiting(&self) -> bool {
        !self.cleared.is_empty() || self.zones.iter().any(|rule| rule.crowd.is_waiting())
    }

    /// Ends all objects and crowding: nothing is seen any more. Tracks that are live now do not
    /// start again.
    pub fn finish(&mut self, at: Duration) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let ids: Vec<TrackId> = self.objects.keys().copied().collect();
        self.finished = self.finished.max(ids.last().copied());
        for id in ids {
            self.end(at, id, None, &mut happenings);
        }
        let mut kinds = std::mem::take(&mut self.cleared);
        for rule in &mut self.zones {
            let episode = rule.crowd.end();
            kinds.extend(episode.map(|e| cleared(&rule.zone, 0, e, EndReason::Unseen)));
        }
        happenings.extend(kinds.into_iter().map(|kind| of_zone(at, kind)));
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
            let tell = |kind| Happening { at, object: Some(snapshot.clone()), kind };
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
        let tell = |kind| Happening { at, object: Some(snapshot.clone()), kind };
        happenings.extend(kinds.into_iter().map(tell));
    }
}

/// The end of an episode of crowding in `zone`.
fn cleared(zone: &Zone, count: u32, episode: Episode, reason: EndReason) -> HappeningKind {
    let Episode { since, peak, limit } = episode;
    HappeningKind::CrowdingEnded { zone: zone.id().clone(), count, peak, limit, since, reason }
}

/// A happening that concerns a zone and no single object.
fn of_zone(at: Duration, kind: HappeningKind) -> Happening {
    Happening { at, object: None, kind }
}

#[cfg(test)]
mod tests;
