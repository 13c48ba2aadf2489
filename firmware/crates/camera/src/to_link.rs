//! Happenings and counts of the domain in the words of the link, with ids that last.
//!
//! The domain numbers tracks from 1 in each process; outside, an event and a track have a ULID that
//! no other process of any boot shares.

use std::collections::HashMap;
use std::time::Duration;

use api::event::{Direction, EventType, ModelRef};
use api::status::{Counts, LineTotals, ZoneCounts};
use domain::{HappeningKind, TrackId, ZoneId};
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
#[derive(Debug, Default)]
pub(crate) struct Names {
    tracks: HashMap<TrackId, TrackName>,
    stays: HashMap<(TrackId, ZoneId), (Ulid, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct TrackName {
    track: Ulid,
    event: Ulid,
}

impl Names {
    /// `happening` as it is sent.
    pub(crate) fn happening(
        &mut self,
        happening: &domain::Happening,
        seen: &Seen,
    ) -> link::Happening {
        let object = &happening.object;
        let name = *self
            .tracks
            .entry(object.id)
            .or_insert_with(|| TrackName { track: Ulid::generate(), event: Ulid::generate() });
        let told = self.tell(happening, name);
        // The tracker follows objects out of the picture; announcements speak of what is in it.
        let bbox = object.bbox.clamped();
        link::Happening {
            event_type: told.event_type,
            event_id: told.event.to_string(),
            track_id: name.track.to_string(),
            at_ns: nanos(happening.at),
            started_ns: nanos(told.started),
            label: object.label.clone(),
            score: object.score,
            top_score: object.top_score,
            bbox: [bbox.x, bbox.y, bbox.w, bbox.h],
            velocity: [object.velocity.x, object.velocity.y],
            stationary: object.stationary,
            age_ms: millis(object.age),
            zones_current: names(&object.zones.current),
            zones_entered: names(&object.zones.entered),
            dwell_ms: object
                .zones
                .dwell
                .iter()
                .map(|(zone, time)| (zone.to_string(), millis(*time)))
                .collect(),
            zone: told.zone,
            line: told.line,
            model: Some(seen.model.clone()),
            tapped_ns: nanos(seen.tapped),
            inferred_ns: nanos(seen.inferred),
        }
    }

    /// The words for what happened, and which event it belongs to: an object's life and its stay in
    /// a zone are one event each; a crossing and a loitering are events of one moment.
    fn tell(&mut self, happening: &domain::Happening, name: TrackName) -> Told {
        let (at, object) = (happening.at, &happening.object);
        let life = |event_type| Told::new(event_type, name.event, object.first_seen);
        match &happening.kind {
            HappeningKind::ObjectStart => life(EventType::ObjectNew),
            HappeningKind::ObjectUpdate => life(EventType::ObjectUpdate),
            HappeningKind::ObjectEnd => {
                self.tracks.remove(&object.id);
                life(EventType::ObjectEnd)
            }
            HappeningKind::ZoneEntered { zone } => {
                let event = Ulid::generate();
                self.stays.insert((object.id, zone.clone()), (event, at));
                Told::new(EventType::ZoneEntered, event, at).in_zone(zone)
            }
            HappeningKind::ZoneLeft { zone, dwell } => {
                let (event, since) = self
                    .stays
                    .remove(&(object.id, zone.clone()))
                    .unwrap_or_else(|| (Ulid::generate(), at.saturating_sub(*dwell)));
                Told::new(EventType::ZoneLeft, event, since).in_zone(zone)
            }
            HappeningKind::Loitering { zone, dwell } => {
                Told::new(EventType::Loitering, Ulid::generate(), at.saturating_sub(*dwell))
                    .in_zone(zone)
            }
            HappeningKind::LineCrossed { line, direction, totals } => {
                let direction = match direction {
                    domain::Direction::In => Direction::In,
                    domain::Direction::Out => Direction::Out,
                };
                let mut told = Told::new(EventType::LineCrossed, Ulid::generate(), at);
                told.line =
                    Some((line.to_string(), direction, totals.all.inward, totals.all.outward));
                told
            }
        }
    }
}

struct Told {
    event_type: EventType,
    event: Ulid,
    started: Duration,
    zone: Option<String>,
    line: Option<(String, Direction, u64, u64)>,
}

impl Told {
    fn new(event_type: EventType, event: Ulid, started: Duration) -> Self {
        Self { event_type, event, started, zone: None, line: None }
    }

    fn in_zone(self, zone: &ZoneId) -> Self {
        Self { zone: Some(zone.to_string()), ..self }
    }
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
                let all = line.totals.all;
                (line.line.to_string(), LineTotals { r#in: all.inward, out: all.outward })
            })
            .collect(),
    }
}

fn names(zones: &[ZoneId]) -> Vec<String> {
    zones.iter().map(ToString::to_string).collect()
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
    use domain::{BBox, ClassId, ObjectSnapshot, ObjectZones, track::Velocity};

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
        domain::Happening { at: Duration::from_secs(seconds), object, kind }
    }

    #[test]
    fn an_objects_life_is_one_event_and_the_next_object_is_another() {
        let mut names = Names::default();
        let mut tell = |id, at, kind| names.happening(&happening(id, at, kind), &seen());
        let start = tell(1, 2, HappeningKind::ObjectStart);
        let update = tell(1, 3, HappeningKind::ObjectUpdate);
        let end = tell(1, 4, HappeningKind::ObjectEnd);
        let other = tell(2, 5, HappeningKind::ObjectStart);
        assert_eq!(start.event_id, update.event_id);
        assert_eq!(start.event_id, end.event_id);
        assert_eq!(start.track_id, end.track_id);
        assert_ne!(start.event_id, other.event_id);
        assert_eq!(end.started_ns, 1_000_000_000);
    }

    #[test]
    fn a_stay_in_a_zone_is_one_event_apart_from_the_objects_life() {
        let mut names = Names::default();
        let zone = ZoneId::new("drive");
        let entered = HappeningKind::ZoneEntered { zone: zone.clone() };
        let left = HappeningKind::ZoneLeft { zone, dwell: Duration::from_secs(3) };
        let start = names.happening(&happening(1, 2, HappeningKind::ObjectStart), &seen());
        let first = names.happening(&happening(1, 2, entered.clone()), &seen());
        let first_left = names.happening(&happening(1, 5, left), &seen());
        let second = names.happening(&happening(1, 7, entered), &seen());
        assert_eq!(first.event_id, first_left.event_id);
        assert_eq!(first_left.started_ns, first.at_ns);
        assert_eq!(first.zone.as_deref(), Some("drive"));
        assert_ne!(first.event_id, second.event_id);
        assert_ne!(first.event_id, start.event_id);
        assert_eq!(first.track_id, start.track_id);
    }

    #[test]
    fn a_box_that_leaves_the_picture_is_announced_as_far_as_it_is_in_it() {
        let mut leaving = happening(1, 2, HappeningKind::ObjectStart);
        leaving.object.bbox = BBox::new(0.75, -0.25, 0.5, 0.5);
        let told = Names::default().happening(&leaving, &seen());
        assert_eq!(told.bbox, [0.75, 0.0, 0.25, 0.25]);
    }

    #[test]
    fn nothing_is_remembered_of_what_ended() {
        let mut names = Names::default();
        for id in 1..100 {
            names.happening(&happening(id, 2, HappeningKind::ObjectStart), &seen());
            names.happening(&happening(id, 3, HappeningKind::ObjectEnd), &seen());
        }
        assert!(names.tracks.is_empty() && names.stays.is_empty());
    }
}
