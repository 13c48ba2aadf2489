//! Happenings and counts of the domain in the words of the link, with ids that last.
//!
//! The domain numbers tracks from 1 in each process; outside, an event and a track have a ULID that
//! no other process of any boot shares.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use api::capabilities::{CameraCapabilities, EncoderOption, ImageControl, VideoMode};
use api::event::{
    CrowdingState, Direction, EndReason, EventType, LineCrossing, ModelRef, Object, Zones,
};
use api::status::{Counts, LineCounts, LineTotals, ZoneCounts};
use domain::{Crossings, HappeningKind, Labels, LineId, ObjectSnapshot, Track, TrackId, ZoneId};
use ulid::Ulid;

/// When the picture of a happening passed where, and which model looked at it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When the tap took it.
    pub(crate) tapped: Duration,
    /// When its inference was done.
    pub(crate) inferred: Duration,
    /// The model.
    pub(crate) model: ModelRef,
}

/// Names tracks and events; holds only what is still going on.
#[derive(Debug)]
pub(crate) struct Names {
    session: Ulid,
    lives: HashMap<TrackId, Ulid>,
    stays: HashMap<(TrackId, ZoneId), (Ulid, Duration)>,
    crowds: HashMap<ZoneId, Ulid>,
}

impl Names {
    /// Names for the tracks that are numbered within `session`.
    pub(crate) fn new(session: Ulid) -> Self {
        Self { session, lives: HashMap::new(), stays: HashMap::new(), crowds: HashMap::new() }
    }

    /// `happening` as it is sent.
    pub(crate) fn happening(
        &mut self,
        happening: &domain::Happening,
        seen: &Seen,
    ) -> link::Happening {
        let told = match &happening.object {
            Some(object) => self.tell_of(object, happening),
            None => self.tell_of_crowd(happening),
        };
        let mut zones = happening.object.as_ref().map(zones).unwrap_or_default();
        zones.subject = told.zone;
        link::Happening {
            event_type: told.event_type,
            event_id: told.event.to_string(),
            at_ns: nanos(happening.at),
            started_ns: nanos(told.started),
            object: happening.object.as_ref().map(|object| self.object(object)),
            zones,
            line: told.line,
            crowding: told.crowding,
            end_reason: told.end_reason,
            model: Some(seen.model.clone()),
            tapped_ns: nanos(seen.tapped),
            inferred_ns: nanos(seen.inferred),
        }
    }

    fn object(&self, object: &ObjectSnapshot) -> Object {
        // The tracker follows objects out of the picture; announcements speak of what is in it.
        let bbox = object.bbox.clamped();
        Object {
            track_id: link::track_id(self.session, object.id.0),
            label: object.label.clone(),
            score: object.score,
            top_score: object.top_score,
            r#box: [bbox.x, bbox.y, bbox.w, bbox.h],
            stationary: object.stationary,
            velocity: [object.velocity.x, object.velocity.y],
            age_ms: millis(object.age),
        }
    }

    /// `track` as it is at `at`; its class is one of `labels`.
    pub(crate) fn track(&self, track: &Track, labels: &Labels, at: Duration) -> Object {
        let bbox = track.bbox.clamped();
        Object {
            track_id: link::track_id(self.session, track.id.0),
            label: labels.name(track.class).to_owned(),
            score: track.score,
            top_score: track.top_score,
            r#box: [bbox.x, bbox.y, bbox.w, bbox.h],
            stationary: track.stationary,
            velocity: [track.velocity.x, track.velocity.y],
            age_ms: millis(at.saturating_sub(track.first_seen)),
        }
    }

    /// The words for what happened to an object, and which event it belongs to: an object's life and
    /// its stay in a zone are one event each; a crossing and a loitering are events of one moment.
    fn tell_of(&mut self, object: &ObjectSnapshot, happening: &domain::Happening) -> Told {
        let at = happening.at;
        let event = *self.lives.entry(object.id).or_insert_with(Ulid::generate);
        let life = |event_type| Told::new(event_type, event, object.first_seen);
        match &happening.kind {
            HappeningKind::ObjectStart => life(EventType::ObjectNew),
            HappeningKind::ObjectUpdate => life(EventType::ObjectUpdate),
            HappeningKind::ObjectEnd => {
                self.lives.remove(&object.id);
                life(EventType::ObjectEnd)
            }
            HappeningKind::ZoneEntered { zone } => {
                let event = Ulid::generate();
                self.stays.insert((object.id, zone.clone()), (event, at));
                Told::new(EventType::ZoneEntered, event, at).in_zone(zone)
            }
            HappeningKind::ZoneLeft { zone, dwell, reason } => {
                let (event, since) = self
                    .stays
                    .remove(&(object.id, zone.clone()))
                    .unwrap_or_else(|| (Ulid::generate(), at.saturating_sub(*dwell)));
                Told::new(EventType::ZoneLeft, event, since).in_zone(zone).because(*reason)
            }
            HappeningKind::Loitering { zone, dwell } => {
                Told::new(EventType::Loitering, Ulid::generate(), at.saturating_sub(*dwell))
                    .in_zone(zone)
            }
            HappeningKind::LineCrossed { line, direction, totals } => {
                let mut told = Told::new(EventType::LineCrossed, Ulid::generate(), at);
                told.line = Some(crossing(line, *direction, totals));
                told
            }
            HappeningKind::CrowdingStarted { .. } | HappeningKind::CrowdingEnded { .. } => {
                self.tell_of_crowd(happening)
            }
        }
    }

    /// The words for what became of a crowd: an episode is one event.
    fn tell_of_crowd(&mut self, happening: &domain::Happening) -> Told {
        match &happening.kind {
            HappeningKind::CrowdingStarted { zone, count, limit, since } => {
                let event = Ulid::generate();
                self.crowds.insert(zone.clone(), event);
                let state = CrowdingState { count: *count, peak: *count, limit: *limit };
                Told::new(EventType::CrowdingStarted, event, *since).in_zone(zone).crowd(state)
            }
            HappeningKind::CrowdingEnded { zone, count, peak, limit, since, reason } => {
                let event = self.crowds.remove(zone).unwrap_or_else(Ulid::generate);
                let state = CrowdingState { count: *count, peak: *peak, limit: *limit };
                let told = Told::new(EventType::CrowdingEnded, event, *since).in_zone(zone);
                told.crowd(state).because(*reason)
            }
            // All else has an object.
            _ => Told::new(EventType::ObjectUpdate, Ulid::generate(), happening.at),
        }
    }
}

/// What is told apart from the object.
struct Told {
    event_type: EventType,
    event: Ulid,
    started: Duration,
    zone: Option<String>,
    line: Option<LineCrossing>,
    crowding: Option<CrowdingState>,
    end_reason: Option<EndReason>,
}

impl Told {
    fn new(event_type: EventType, event: Ulid, started: Duration) -> Self {
        let (zone, line, crowding, end_reason) = (None, None, None, None);
        Self { event_type, event, started, zone, line, crowding, end_reason }
    }

    fn in_zone(self, zone: &ZoneId) -> Self {
        Self { zone: Some(zone.to_string()), ..self }
    }

    fn crowd(self, state: CrowdingState) -> Self {
        Self { crowding: Some(state), ..self }
    }

    fn because(self, reason: domain::EndReason) -> Self {
        let reason = match reason {
            domain::EndReason::Over => EndReason::Over,
            domain::EndReason::ObjectEnded => EndReason::ObjectEnded,
            domain::EndReason::ScheduleEnded => EndReason::ScheduleEnded,
            domain::EndReason::RuleChanged => EndReason::RuleChanged,
            domain::EndReason::Unseen => EndReason::Unseen,
        };
        Self { end_reason: Some(reason), ..self }
    }
}

fn zones(object: &ObjectSnapshot) -> Zones {
    let names = |zones: &[ZoneId]| zones.iter().map(ToString::to_string).collect();
    let dwell = object.zones.dwell.iter();
    Zones {
        current: names(&object.zones.current),
        entered: names(&object.zones.entered),
        dwell_ms: dwell.map(|(zone, time)| (zone.to_string(), millis(*time))).collect(),
        subject: None,
    }
}

fn crossing(
    line: &LineId,
    direction: domain::Direction,
    totals: &domain::LineTotals,
) -> LineCrossing {
    LineCrossing {
        id: line.to_string(),
        direction: match direction {
            domain::Direction::In => Direction::In,
            domain::Direction::Out => Direction::Out,
        },
        total_in: totals.all.inward,
        total_out: totals.all.outward,
        labels: by_label(totals),
    }
}

fn by_label(totals: &domain::LineTotals) -> BTreeMap<String, LineTotals> {
    let of_label = |(label, crossings): (&String, &Crossings)| {
        (label.clone(), LineTotals { r#in: crossings.inward, out: crossings.outward })
    };
    totals.labels.iter().map(of_label).collect()
}

/// Counts as they are sent.
pub(crate) fn counts(counts: &domain::Counts) -> Counts {
    Counts {
        labels: counts.labels.clone(),
        zones: counts
            .zones
            .iter()
            .map(|zone| (zone.zone.to_string(), ZoneCounts { labels: zone.labels.clone() }))
            .collect(),
        lines: counts
            .lines
            .iter()
            .map(|line| {
                let Crossings { inward, outward } = line.totals.all;
                let labels = by_label(&line.totals);
                (line.line.to_string(), LineCounts { r#in: inward, out: outward, labels })
            })
            .collect(),
    }
}

/// What a running pipeline can do, as it is sent.
pub(crate) fn capabilities(running: &media::Running) -> CameraCapabilities {
    let media::Capabilities { controls, modes, encoders } = &running.capabilities;
    let control = |one: &media::ImageControl| ImageControl {
        setting: one.setting.clone(),
        supported: one.supported,
        minimum: one.range.map(|(minimum, _)| minimum),
        maximum: one.range.map(|(_, maximum)| maximum),
    };
    let mode = |mode: &media::VideoMode| VideoMode {
        width: mode.width,
        height: mode.height,
        max_fps: mode.max_fps,
    };
    let encoder = |(rung, trouble): &(media::EncoderRung, Option<String>)| EncoderOption {
        name: rung.to_string(),
        in_use: *rung == running.rung,
        trouble: trouble.clone(),
    };
    CameraCapabilities {
        controls: controls.iter().map(control).collect(),
        modes: modes.iter().map(mode).collect(),
        encoders: encoders.iter().map(encoder).collect(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{BBox, ClassId, ObjectZones, track::Velocity};

    fn fresh() -> Names {
        Names::new(Ulid::from(7 << 70))
    }

    fn track(happening: &link::Happening) -> Ulid {
        happening.object.as_ref().expect("an object").track_id
    }

    fn seen() -> Seen {
        let model = ModelRef { name: "m".into(), sha256: "00".into(), infer_ms: 1.0 };
        Seen { tapped: Duration::from_secs(1), inferred: Duration::from_secs(2), model }
    }

    fn happening(id: u64, seconds: u64, kind: HappeningKind) -> domain::Happening {
        let object = ObjectSnapshot {
            id: TrackId(id),
            class: ClassId(2),
            label: "car".into(),
            score: 0.5,
            top_score: 0.6,
            bbox: BBox::new(0.1, 0.2, 0.3, 0.4),
            velocity: Velocity::default(),
            stationary: false,
            first_seen: Duration::from_secs(1),
            last_seen: Duration::from_secs(seconds),
            age: Duration::from_secs(seconds - 1),
            zones: ObjectZones::default(),
        };
        domain::Happening { at: Duration::from_secs(seconds), object: Some(object), kind }
    }

    #[test]
    fn an_objects_life_is_one_event_and_the_next_object_is_another() {
        let mut names = fresh();
        let mut tell = |id, at, kind| names.happening(&happening(id, at, kind), &seen());
        let start = tell(1, 2, HappeningKind::ObjectStart);
        let update = tell(1, 3, HappeningKind::ObjectUpdate);
        let end = tell(1, 4, HappeningKind::ObjectEnd);
        let other = tell(2, 5, HappeningKind::ObjectStart);
        assert_eq!(start.event_id, update.event_id);
        assert_eq!(start.event_id, end.event_id);
        assert_eq!(track(&start), track(&end));
        assert_eq!(track(&start), link::track_id(fresh().session, 1));
        assert_ne!(track(&start), track(&other));
        assert_ne!(start.event_id, other.event_id);
        assert_eq!(end.started_ns, 1_000_000_000);
    }

    #[test]
    fn a_stay_in_a_zone_is_one_event_apart_from_the_objects_life() {
        let mut names = fresh();
        let (zone, reason) = (ZoneId::new("drive"), domain::EndReason::Over);
        let entered = HappeningKind::ZoneEntered { zone: zone.clone() };
        let left = HappeningKind::ZoneLeft { zone, dwell: Duration::from_secs(3), reason };
        let start = names.happening(&happening(1, 2, HappeningKind::ObjectStart), &seen());
        let first = names.happening(&happening(1, 2, entered.clone()), &seen());
        let first_left = names.happening(&happening(1, 5, left), &seen());
        let second = names.happening(&happening(1, 7, entered), &seen());
        assert_eq!(first.event_id, first_left.event_id);
        assert_eq!(first_left.started_ns, first.at_ns);
        assert_eq!(first.zones.subject.as_deref(), Some("drive"));
        assert_ne!(first.event_id, second.event_id);
        assert_ne!(first.event_id, start.event_id);
        assert_eq!(track(&first), track(&start));
    }

    #[test]
    fn an_episode_of_crowding_is_one_event_without_an_object() {
        let mut names = fresh();
        let zone = ZoneId::new("drive");
        let since = Duration::from_secs(2);
        let (count, peak, limit, reason) = (4, 6, 3, domain::EndReason::Over);
        let mut tell = |seconds, kind| {
            let at = Duration::from_secs(seconds);
            names.happening(&domain::Happening { at, object: None, kind }, &seen())
        };
        let zone_of = || zone.clone();
        let started = HappeningKind::CrowdingStarted { zone: zone_of(), count, limit, since };
        let start = tell(5, started.clone());
        let over =
            HappeningKind::CrowdingEnded { zone: zone_of(), count: 1, peak, limit, since, reason };
        let end = tell(9, over);
        assert_eq!((&start.event_id, start.started_ns), (&end.event_id, 2_000_000_000));
        assert_eq!(end.crowding, Some(CrowdingState { count: 1, peak: 6, limit: 3 }));
        assert_eq!(end.end_reason, Some(EndReason::Over));
        assert_eq!((end.zones.subject.as_deref(), end.object), (Some("drive"), None));
        assert_ne!(tell(12, started).event_id, end.event_id);
    }

    #[test]
    fn a_box_that_leaves_the_picture_is_announced_as_far_as_it_is_in_it() {
        let mut leaving = happening(1, 2, HappeningKind::ObjectStart);
        leaving.object.as_mut().expect("an object").bbox = BBox::new(0.75, -0.25, 0.5, 0.5);
        let told = fresh().happening(&leaving, &seen());
        assert_eq!(told.object.expect("an object").r#box, [0.75, 0.0, 0.25, 0.25]);
    }

    #[test]
    fn nothing_is_remembered_of_what_ended() {
        let mut names = fresh();
        for id in 1..100 {
            names.happening(&happening(id, 2, HappeningKind::ObjectStart), &seen());
            names.happening(&happening(id, 3, HappeningKind::ObjectEnd), &seen());
        }
        assert!(names.lives.is_empty() && names.stays.is_empty());
    }
}
