//! Areas of the picture: their shape, and how long each object has been in them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::crowding::Crowding;
use crate::exact::{self, Spot};
use crate::geometry::Point;
use crate::outline::{self, OutlineError};
use crate::scope::Scope;

/// Name of a zone, unique within a camera. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(Arc<str>);

impl ZoneId {
    /// The zone called `name`.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a polygon is no zone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("zone {zone}: {reason}")]
pub struct ZoneError {
    /// The zone.
    pub zone: ZoneId,
    /// What is wrong with its outline.
    pub reason: OutlineError,
}

/// An area of the picture. An object comes in with the middle of the lower edge of its box, edges
/// included, and is inside until that is farther away than the zone's margin.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    id: ZoneId,
    polygon: Vec<Point>,
    corners: Vec<Spot>,
    /// Whom it looks at, and when.
    pub scope: Scope,
    /// When it is crowded; `None` if that is of no interest.
    pub crowding: Option<Crowding>,
    /// How far from the zone an object must be to have left it, in shares of the picture.
    pub margin: f32,
    /// How long an object stays before it loiters; `None` if that is of no interest.
    pub loitering: Option<Duration>,
    /// Frames in a row that an object must be seen inside before it has entered; 0 counts as 1.
    pub inertia: u32,
    /// Frames in a row that an object must be seen outside before it has left; 0 counts as 1.
    pub leave_inertia: u32,
}

impl Zone {
    /// Default of [`Zone::inertia`] and [`Zone::leave_inertia`]: Frigate's.
    pub const INERTIA: u32 = 3;

    /// Default of [`Zone::margin`]: about as much as a smoothed box jitters. Without it an object
    /// that stands on an edge would come and go, the more often the more frames a second.
    pub const MARGIN: f32 = 0.01;

    /// A zone for everything, without loitering and crowding, with the default margin and the
    /// default inertia both ways.
    ///
    /// # Errors
    /// When `polygon` is not the outline of an area of the picture: says which corner or edge.
    pub fn new(id: ZoneId, polygon: Vec<Point>) -> Result<Self, ZoneError> {
        let corners =
            outline::checked(&polygon).map_err(|reason| ZoneError { zone: id.clone(), reason })?;
        Ok(Self {
            id,
            polygon,
            corners,
            scope: Scope::default(),
            crowding: None,
            margin: Self::MARGIN,
            loitering: None,
            inertia: Self::INERTIA,
            leave_inertia: Self::INERTIA,
        })
    }

    /// Its name.
    pub fn id(&self) -> &ZoneId {
        &self.id
    }

    /// Its corners, in the order in which they were given.
    pub fn polygon(&self) -> &[Point] {
        &self.polygon
    }

    /// Whether `point` lies in it or on its edge; exact on a grid of 2^24 steps a side.
    pub fn contains(&self, point: Point) -> bool {
        Spot::of(point).is_some_and(|spot| exact::in_polygon(&self.corners, spot))
    }

    /// Whether an object at `point` that is inside stays so.
    pub(crate) fn holds(&self, point: Point) -> bool {
        Spot::of(point).is_some_and(|spot| {
            exact::in_polygon(&self.corners, spot)
                || exact::distance_to_outline(&self.corners, spot) <= f64::from(self.margin)
        })
    }

    /// Whether `other` is the same zone, though its settings may differ.
    pub(crate) fn is_in_place_of(&self, other: &Self) -> bool {
        self.id == other.id && self.corners == other.corners
    }
}

/// What a frame changed in the presence of an object in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It has entered.
    Entered,
    /// It has left after a stay of `dwell`.
    Left { dwell: Duration },
}

/// The presence of one object in one zone. Outside: `stay` is the visit that may come of the frames
/// inside so far; inside: the visit itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presence {
    entered: bool,
    stay: Option<Stay>,
    /// Frames in a row that speak for the other state.
    contrary: u32,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    first: Duration,
    last: Duration,
    loitered: bool,
}

impl Presence {
    /// Notes a frame in which the object was seen, `inside` or outside.
    pub(crate) fn see(&mut self, at: Duration, inside: bool, zone: &Zone) -> Option<Passage> {
        if inside {
            let first = Stay { first: at, last: at, loitered: false };
            self.stay.get_or_insert(first).last = at;
        }
        if inside == self.entered {
            self.contrary = 0;
            if !inside {
                self.stay = None;
            }
            return None;
        }
        self.contrary += 1;
        let needed = if inside { zone.inertia } else { zone.leave_inertia };
        if self.contrary < needed {
            return None;
        }
        if inside {
            (self.entered, self.contrary) = (true, 0);
            Some(Passage::Entered)
        } else {
            self.leave().map(|dwell| Passage::Left { dwell })
        }
    }

    /// Ends the stay, if there is one: how long it was.
    pub(crate) fn leave(&mut self) -> Option<Duration> {
        let dwell = self.dwell();
        *self = Self::default();
        dwell
    }

    /// Whether the object is inside.
    pub(crate) fn is_in(&self) -> bool {
        self.entered
    }

    /// How long the object has been inside; `None` where it is not.
    pub(crate) fn dwell(&self) -> Option<Duration> {
        let stay = self.stay.filter(|_| self.entered)?;
        Some(stay.last.saturating_sub(stay.first))
    }

    /// How long the object has been inside, the first time that this is too long for the zone.
    pub(crate) fn loiters(&mut self, zone: &Zone) -> Option<Duration> {
        let dwell = self.dwell()?;
        let stay = self.stay.as_mut().filter(|stay| !stay.loitered)?;
        let loiters = zone.loitering.is_some_and(|limit| dwell >= limit);
        stay.loitered = loiters;
        loiters.then_some(dwell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(corners: &[(f32, f32)]) -> Result<Zone, ZoneError> {
        let polygon = corners.iter().map(|&(x, y)| Point::new(x, y)).collect();
        Zone::new(ZoneId::new("drive"), polygon)
    }

    fn square() -> Zone {
        zone(&[(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]).expect("a square")
    }

    fn refused(corners: &[(f32, f32)]) -> String {
        zone(corners).expect_err("no zone").to_string()
    }

    fn frames(zone: &Zone, seen: &str) -> (Presence, Vec<(u32, Passage)>) {
        let mut presence = Presence::default();
        let mut passages = Vec::new();
        for (frame, inside) in (0_u32..).zip(seen.chars()) {
            let at = Duration::from_secs(frame.into());
            let passage = presence.see(at, inside == 'i', zone);
            passages.extend(passage.map(|passage| (frame, passage)));
        }
        (presence, passages)
    }

    #[test]
    fn the_whole_picture_and_a_concave_outline_are_zones() {
        assert!(zone(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]).is_ok());
        assert!(zone(&[(0.1, 0.1), (0.9, 0.1), (0.5, 0.3), (0.9, 0.9)]).is_ok());
        assert!(
            zone(&[(0.9, 0.9), (0.5, 0.3), (0.9, 0.1), (0.1, 0.1)]).is_ok(),
            "either way round"
        );
    }

    #[test]
    fn a_corner_within_an_edge_is_allowed() {
        assert!(zone(&[(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 1.0)]).is_ok());
    }

    #[test]
    fn a_refusal_names_the_zone_the_reason_and_the_way_out() {
        assert_eq!(
            refused(&[(0.1, 0.1), (0.9, 0.1)]),
            "zone drive: there are 2 corners; draw at least 3"
        );
        assert_eq!(
            refused(&[(0.1, 0.1), (640.0, 0.1), (0.5, 0.5)]),
            "zone drive: corner 1 is at 640,0.1, outside the picture; \
             give shares of its width and height, 0 to 1"
        );
        assert!(refused(&[(0.1, f32::NAN), (0.9, 0.1), (0.5, 0.5)]).contains("corner 0"));
        assert_eq!(
            refused(&[(0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.1, 0.1)]),
            "zone drive: corners 3 and 0 are the same point; remove one of them"
        );
        assert_eq!(
            refused(&[(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)]),
            "zone drive: there is no area: the corners lie on one line; move one of them off it"
        );
        assert_eq!(
            refused(&[(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]),
            "zone drive: the outline crosses itself: the edge from corner 0 meets the edge from \
             corner 2; give the corners in the order in which you walk around the area"
        );
    }

    #[test]
    fn refuses_edges_that_run_back_or_touch() {
        let spike = [(0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.5, 0.9)];
        assert!(refused(&spike).contains("crosses itself"));
        let touching = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.0), (0.0, 1.0)];
        assert!(refused(&touching).contains("crosses itself"));
    }

    #[test]
    fn edges_are_inside_and_what_is_no_number_is_not() {
        let zone = square();
        assert!(zone.contains(Point::new(0.2, 0.2)) && zone.contains(Point::new(0.5, 0.8)));
        assert!(!zone.contains(Point::new(0.5, 0.800_001)));
        assert!(!zone.contains(Point::new(f32::NAN, 0.5)));
    }

    #[test]
    fn enters_and_leaves_only_after_frames_in_a_row() {
        let (_, passages) = frames(&square(), "iioiiioiooioooo");
        let dwell = Duration::from_secs(10 - 3);
        assert_eq!(passages, [(5, Passage::Entered), (13, Passage::Left { dwell })]);
    }

    #[test]
    fn an_inertia_of_zero_counts_as_one() {
        let zone = Zone { inertia: 0, leave_inertia: 0, ..square() };
        let dwell = Duration::ZERO;
        assert_eq!(frames(&zone, "io").1, [(0, Passage::Entered), (1, Passage::Left { dwell })]);
    }

    #[test]
    fn loitering_is_told_once_a_stay() {
        let zone = Zone { loitering: Some(Duration::from_secs(4)), ..square() };
        let (mut presence, _) = frames(&zone, "iiii");
        assert_eq!(presence.loiters(&zone), None);
        let (mut presence, _) = frames(&zone, "iiiii");
        assert_eq!(presence.loiters(&zone), Some(Duration::from_secs(4)));
        assert_eq!(presence.loiters(&zone), None);
    }
}
