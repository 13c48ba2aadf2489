//! Lines across the picture, and who crossed them in which direction.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::geometry::Point;

/// Name of a line, unique within a camera. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(Arc<str>);

impl LineId {
    /// The line called `name`.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why two points are no line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LineError {
    /// An end lies outside the picture or is no number.
    #[error(
        "the {end} end of line {line} is at {x},{y}, outside the picture; \
         give shares of its width and height, 0 to 1"
    )]
    EndOutside {
        /// The line.
        line: LineId,
        /// `"from"` or `"to"`.
        end: &'static str,
        /// Its x.
        x: f32,
        /// Its y.
        y: f32,
    },
    /// The ends are the same point, or nearly so.
    #[error("line {line} is shorter than {least} of the picture; move its ends apart")]
    TooShort {
        /// The line.
        line: LineId,
        /// The least length, in shares.
        least: f32,
    },
}

/// Which way a line was crossed. Walking from `from` to `to` on the picture, *in* is from the left
/// hand to the right hand: for a line drawn from left to right, downwards; for one drawn from top
/// to bottom, to the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the left hand to the right hand.
    In,
    /// From the right hand to the left hand.
    Out,
}

/// A line across the picture. An object crosses it where the path of the middle of the lower edge
/// of its box does.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    id: LineId,
    from: Point,
    to: Point,
    /// Labels that it counts; `None` for all.
    pub labels: Option<Vec<String>>,
    /// How far from the line an object must be to be clearly on a side, in shares of the picture.
    pub margin: f32,
}

impl Line {
    /// Default of [`Line::margin`]: somewhat more than a smoothed box jitters.
    pub const MARGIN: f32 = 0.02;

    /// A line for all labels, with the default margin.
    ///
    /// # Errors
    /// When an end lies outside the picture, or the ends are too close to each other.
    pub fn new(id: LineId, from: Point, to: Point) -> Result<Self, LineError> {
        Ok(Self { id, from, to, labels: None, margin: Self::MARGIN })
    }

    /// Its name.
    pub fn id(&self) -> &LineId {
        &self.id
    }

    /// Where it begins.
    pub fn from(&self) -> Point {
        self.from
    }

    /// Where it ends.
    pub fn to(&self) -> Point {
        self.to
    }
}

/// How often a line was crossed in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossings {
    /// Times in direction [`Direction::In`].
    pub inward: u64,
    /// Times in direction [`Direction::Out`].
    pub outward: u64,
}

/// The crossings of a line since its geometry was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineTotals {
    /// Those of all labels together.
    pub all: Crossings,
    /// Those of each label that ever crossed.
    pub labels: BTreeMap<String, Crossings>,
}
