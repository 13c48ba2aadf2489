//! What the rules know of one live object: its zones, its way past the lines, what was told of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::crowding::Crowd;
use crate::detection::{ClassId, Labels};
use crate::happening::{EndReason, HappeningKind, ObjectSnapshot, ObjectZones};
use crate::lines::{Line, LineTotals, Walk};
use crate::rules::RuleParams;
use crate::scope::Gate;
use crate::track::{Track, TrackState};
use crate::zones::{Passage, Presence, Zone, ZoneId};

/// A zone in force.
#[derive(Clone, Debug)]
pub(crate) struct ZoneRule {
    pub(crate) zone: Zone,
    pub(crate) gate: Gate,
    pub(crate) crowd: Crowd,
    /// Labels that ever were inside.
    pub(crate) labels: BTreeSet<String>,
}

/// A line in force.
#[derive(Clone, Debug)]
pub(crate) struct LineRule {
    pub(crate) line: Line,
    pub(crate) gate: Gate,
    pub(crate) totals: LineTotals,
}

/// What was last told of an object.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Duration,
    top_score: f32,
    class: ClassId,
    stationary: bool,
}

/// A live object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) track: Track,
    /// By zone, in the order of the rules.
    presence: Vec<Presence>,
    /// By line, in the order of the rules.
    walks: Vec<Option<Walk>>,
    /// Zones ever entered, with the time spent there in stays that are over.
    visited: Vec<(ZoneId, Duration)>,
    /// Leaves of zones that went, not yet told.
    left: Vec<HappeningKind>,
    told: Option<Told>,
}

impl Object {
    pub(crate) fn new(track: Track, zones: usize, lines: usize) -> Self {
        Self {
            track,
            presence: vec![Presence::default(); zones],
            walks: vec![None; lines],
            visited: Vec::new(),
            left: Vec::new(),
            told: None,
        }
    }

    /// Takes the newest state of the track: what that means for zones and lines, in this order.
    /// A lost track says nothing of where the object is.
    pub(crate) fn see(
        &mut self,
        at: Duration,
        track: &Track,
        zones: &mut [ZoneRule],
        lines: &mut [LineRule],
        label: &str,
    ) -> Vec<HappeningKind> {
        self.track = *track;
        let mut kinds = std::mem::take(&mut self.left);
        self.leave(zones, EndReason::ScheduleEnded, |rule| !rule.gate.is_open(), &mut kinds);
        if track.state != TrackState::Confirmed {
            return kinds;
        }
        self.see_zones(at, zones, label, &mut kinds);
        self.see_lines(lines, label, &mut kinds);
        kinds
    }

    fn see_zones(
        &mut self,
        at: Duration,
        zones: &mut [ZoneRule],
        label: &str,
        kinds: &mut Vec<HappeningKind>,
    ) {
        let Track { class, bbox, .. } = self.track;
        let foot = self.track.foot();
        for (presence, rule) in self.presence.iter_mut().zip(zones) {
            let ZoneRule { zone, gate, labels, .. } = rule;
            let there = || if presence.is_in() { zone.holds(foot) } else { zone.contains(foot) };
            let inside = gate.admits(class, bbox) && there();
            match presence.see(at, inside, zone) {
                Some(Passage::Entered) => {
                    visit(&mut self.visited, zone.id(), Duration::ZERO);
                    kinds.push(HappeningKind::ZoneEntered { zone: zone.id().clone() });
                }
                Some(Passage::Left { dwell }) => {
                    visit(&mut self.visited, zone.id(), dwell);
                    let (zone, reason) = (zone.id().clone(), EndReason::Over);
                    kinds.push(HappeningKind::ZoneLeft { zone, dwell, reason });
                }
                None => {}
            }
            if let Some(dwell) = presence.loiters(zone) {
                kinds.push(HappeningKind::Loitering { zone: zone.id().clone(), dwell });
            }
            if presence.is_in() && !labels.contains(label) {
                labels.insert(label.to_owned());
            }
        }
    }

    fn see_lines(&mut self, lines: &mut [LineRule], label: &str, kinds: &mut Vec<HappeningKind>) {
        let Track { class, bbox, .. } = self.track;
        let foot = self.track.foot();
        for (walk, LineRule { line, gate, totals }) in self.walks.iter_mut().zip(lines) {
            let Some(walk) = walk else {
                *walk = Walk::start(line, foot);
                continue;
            };
            if let Some(direction) = walk.go(line, foot)
                && gate.admits(class, bbox)
            {
                totals.count(direction, label);
                let (line, totals) = (line.id().clone(), totals.clone());
                kinds.push(HappeningKind::LineCrossed { line, direction, totals });
            }
        }
    }

    /// Whether the object is in the zone at `index`.
    pub(crate) fn is_in(&self, index: usize) -> bool {
        self.presence.get(index).is_some_and(Presence::is_in)
    }

    /// Ends all stays, since the object ends: the leaves to tell.
    pub(crate) fn leave_all(&mut self, zones: &[ZoneRule]) -> Vec<HappeningKind> {
        let mut kinds = std::mem::take(&mut self.left);
        self.leave(zones, EndReason::ObjectEnded, |_| true, &mut kinds);
        kinds
    }

    /// Ends the stays in those of `zones` that `which` holds for.
    fn leave(
        &mut self,
        zones: &[ZoneRule],
        reason: EndReason,
        which: impl Fn(&ZoneRule) -> bool,
        kinds: &mut Vec<HappeningKind>,
    ) {
        for (presence, rule) in self.presence.iter_mut().zip(zones) {
            if which(rule)
                && let Some(dwell) = presence.leave()
            {
                let zone = rule.zone.id().clone();
                visit(&mut self.visited, &zone, dwell);
                kinds.push(HappeningKind::ZoneLeft { zone, dwell, reason });
            }
        }
    }

    /// Takes over other zones and lines. For each of the new ones `zones` and `lines` tell the index
    /// of the old one that it is, if any. Stays in zones that went are over, to be told with the
    /// next [`Object::see`].
    pub(crate) fn move_to(
        &mut self,
        old: &[ZoneRule],
        zones: &[Option<usize>],
        lines: &[Option<usize>],
    ) {
        let kept = |index: &Option<usize>| index.map_or(Presence::default(), |i| self.presence[i]);
        let presence: Vec<Presence> = zones.iter().map(kept).collect();
        for index in zones.iter().flatten() {
            self.presence[*index] = Presence::default();
        }
        let mut left = std::mem::take(&mut self.left);
        self.leave(old, EndReason::RuleChanged, |_| true, &mut left);
        self.left = left;
        self.presence = presence;
        self.walks = lines.iter().map(|index| index.and_then(|i| self.walks[i])).collect();
    }

    /// Whether an update is to be told now.
    pub(crate) fn is_news(&self, at: Duration, zones_changed: bool, params: &RuleParams) -> bool {
        let Some(told) = self.told else { return false };
        let track = &self.track;
        let every =
            if track.stationary { params.stationary_update_every } else { params.update_every };
        let due = at.saturating_sub(told.at) >= every && track.state == TrackState::Confirmed;
        due || zones_changed
            || track.top_score - told.top_score >= params.score_step
            || track.class != told.class
            || track.stationary != told.stationary
    }

    /// Whether nothing has been told of it yet.
    pub(crate) fn is_untold(&self) -> bool {
        self.told.is_none()
    }

    /// Notes that its present state is being told.
    pub(crate) fn tell(&mut self, at: Duration) {
        let Track { top_score, class, stationary, .. } = self.track;
        self.told = Some(Told { at, top_score, class, stationary });
    }

    /// Its state for a happening.
    pub(crate) fn snapshot(&self, zones: &[ZoneRule], labels: &Labels) -> ObjectSnapshot {
        let track = &self.track;
        let mut dwell = self.visited.clone();
        let mut current = Vec::new();
        for (presence, rule) in self.presence.iter().zip(zones) {
            if let Some(stay) = presence.dwell() {
                current.push(rule.zone.id().clone());
                visit(&mut dwell, rule.zone.id(), stay);
            }
        }
        ObjectSnapshot {
            id: track.id,
            class: track.class,
            label: labels.name(track.class).to_owned(),
            score: track.score,
            top_score: track.top_score,
            bbox: track.bbox,
            velocity: track.velocity,
            stationary: track.stationary,
            first_seen: track.first_seen,
            last_seen: track.last_seen,
            age: track.age(),
            zones: ObjectZones {
                current,
                entered: self.visited.iter().map(|(zone, _)| zone.clone()).collect(),
                dwell,
            },
        }
    }
}

/// Adds `dwell` to what was spent in `zone`.
fn visit(visited: &mut Vec<(ZoneId, Duration)>, zone: &ZoneId, dwell: Duration) {
    match visited.iter_mut().find(|(id, _)| id == zone) {
        Some((_, sum)) => *sum = sum.saturating_add(dwell),
        None => visited.push((zone.clone(), dwell)),
    }
}
