//! Lines across the picture, and who crossed them in which direction.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::exact::{self, Spot};
use crate::geometry::Point;
use crate::scope::Scope;

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
    ends: (Spot, Spot),
    /// Whom it counts, and when.
    pub scope: Scope,
    /// How far from the line an object must be to be clearly on a side, in shares of the picture.
    pub margin: f32,
}

impl Line {
    /// Default of [`Line::margin`]: somewhat more than a smoothed box jitters.
    pub const MARGIN: f32 = 0.02;

    /// Shortest line that is accepted, in shares of the picture.
    pub const LEAST_LENGTH: f32 = 0.01;

    /// A line for everything, with the default margin.
    ///
    /// # Errors
    /// When an end lies outside the picture, or the ends are too close to each other.
    pub fn new(id: LineId, from: Point, to: Point) -> Result<Self, LineError> {
        let on_grid = |end, point: Point| {
            let Point { x, y } = point;
            let in_picture = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            let spot = Spot::of(point).filter(|_| in_picture);
            spot.ok_or_else(|| LineError::EndOutside { line: id.clone(), end, x, y })
        };
        let ends = (on_grid("from", from)?, on_grid("to", to)?);
        if (to.x - from.x).hypot(to.y - from.y) < Self::LEAST_LENGTH {
            return Err(LineError::TooShort { line: id, least: Self::LEAST_LENGTH });
        }
        Ok(Self { id, from, to, ends, scope: Scope::default(), margin: Self::MARGIN })
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

    /// Whether `other` is the same line, though its settings may differ.
    pub(crate) fn is_in_place_of(&self, other: &Self) -> bool {
        self.id == other.id && self.ends == other.ends
    }

    /// The side on which `spot` lies; the line itself belongs to the right hand.
    fn side(&self, spot: Spot) -> Side {
        if exact::turn(self.ends.0, self.ends.1, spot) < 0 { Side::Left } else { Side::Right }
    }

    /// Whether `spot` is far enough from the line for its side to be beyond doubt.
    fn is_clear(&self, spot: Spot) -> bool {
        exact::distance(self.ends.0, self.ends.1, spot) > f64::from(self.margin.max(0.0))
    }

    /// Whether `point` is about where one is noticed who has just crossed it.
    pub(crate) fn is_near(&self, point: Point) -> bool {
        let (from, to) = self.ends;
        Spot::of(point).is_some_and(|spot| {
            exact::distance_to_segment(from, to, spot) <= 2.0 * f64::from(self.margin.max(0.0))
        })
    }

    /// Which way the straight way from `a` to `b` crosses the line between its ends, if it does.
    fn crossing(&self, a: Spot, b: Spot) -> Option<Direction> {
        let direction = match (self.side(a), self.side(b)) {
            (Side::Left, Side::Right) => Direction::In,
            (Side::Right, Side::Left) => Direction::Out,
            _ => return None,
        };
        let ends = (exact::turn(a, b, self.ends.0), exact::turn(a, b, self.ends.1));
        let between = ends.0.signum() * ends.1.signum() <= 0;
        between.then_some(direction)
    }
}

/// A side of a line, as seen by one who walks from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The way of one object past one line.
///
/// It has crossed when it is clearly (by the line's margin) on another side than it was clearly
/// before, and its way in between led through the line rather than around an end of it. An object
/// that moves to and fro within the margin therefore crosses at most once, and one that turns back
/// crosses back. The first place of an object counts as clear: it may appear close to a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    last: Spot,
    side: Side,
    /// Times that the way led through the line since it was clear, inward less outward.
    net: i32,
}

impl Walk {
    /// Starts at `foot`; `None` if that is no number.
    pub(crate) fn start(line: &Line, foot: Point) -> Option<Self> {
        let last = Spot::of(foot)?;
        Some(Self { last, side: line.side(last), net: 0 })
    }

    /// Goes on, straight, to `foot`: the direction if the object has crossed the line by now.
    pub(crate) fn go(&mut self, line: &Line, foot: Point) -> Option<Direction> {
        let spot = Spot::of(foot)?;
        match line.crossing(self.last, spot) {
            Some(Direction::In) => self.net += 1,
            Some(Direction::Out) => self.net -= 1,
            None => {}
        }
        self.last = spot;
        if !line.is_clear(spot) {
            return None;
        }
        let net = std::mem::take(&mut self.net);
        let before = std::mem::replace(&mut self.side, line.side(spot));
        match (before, self.side) {
            (Side::Left, Side::Right) if net > 0 => Some(Direction::In),
            (Side::Right, Side::Left) if net < 0 => Some(Direction::Out),
            _ => None,
        }
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

impl LineTotals {
    /// Counts one crossing by an object with `label`.
    pub(crate) fn count(&mut self, direction: Direction, label: &str) {
        self.all.count(direction);
        match self.labels.get_mut(label) {
            Some(crossings) => crossings.count(direction),
            None => self.labels.entry(label.to_owned()).or_default().count(direction),
        }
    }
}

impl Crossings {
    fn count(&mut self, direction: Direction) {
        match direction {
            Direction::In => self.inward += 1,
            Direction::Out => self.outward += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: (f32, f32), to: (f32, f32)) -> Result<Line, LineError> {
        Line::new(LineId::new("gate"), Point::new(from.0, from.1), Point::new(to.0, to.1))
    }

    /// Half the picture's width, in its middle, drawn from left to right.
    fn gate() -> Line {
        line((0.25, 0.5), (0.75, 0.5)).expect("a line")
    }

    fn walk(line: &Line, path: &[(f32, f32)]) -> Vec<Direction> {
        let points: Vec<Point> = path.iter().map(|&(x, y)| Point::new(x, y)).collect();
        let mut walk = Walk::start(line, points[0]).expect("a number");
        points[1..].iter().filter_map(|&foot| walk.go(line, foot)).collect()
    }

    #[test]
    fn from_the_left_hand_to_the_right_hand_is_in() {
        assert_eq!(walk(&gate(), &[(0.5, 0.4), (0.5, 0.6)]), [Direction::In]);
        assert_eq!(walk(&gate(), &[(0.5, 0.6), (0.5, 0.4)]), [Direction::Out]);
        let down = line((0.5, 0.2), (0.5, 0.8)).expect("a line");
        assert_eq!(walk(&down, &[(0.6, 0.5), (0.4, 0.5)]), [Direction::In], "to the left");
    }

    #[test]
    fn who_turns_back_is_counted_out_again() {
        let path = [(0.5, 0.4), (0.5, 0.6), (0.5, 0.4), (0.5, 0.6)];
        assert_eq!(walk(&gate(), &path), [Direction::In, Direction::Out, Direction::In]);
    }

    #[test]
    fn a_slow_crossing_counts_once_when_it_is_clear() {
        let path: Vec<(f32, f32)> =
            (0..40_u16).map(|i| (0.5, 0.4 + f32::from(i) * 0.005)).collect();
        assert_eq!(walk(&gate(), &path), [Direction::In]);
        assert_eq!(walk(&gate(), &path[..24]), [], "0.515 is not yet clear");
    }

    #[test]
    fn jitter_on_the_line_counts_nothing() {
        let path = [(0.5, 0.51), (0.5, 0.49), (0.5, 0.515), (0.5, 0.5), (0.5, 0.485), (0.5, 0.5)];
        assert_eq!(walk(&gate(), &path), []);
    }

    #[test]
    fn a_way_that_ends_exactly_on_the_line_is_not_counted_twice() {
        let path = [(0.5, 0.4), (0.5, 0.5), (0.5, 0.6), (0.5, 0.5), (0.5, 0.6)];
        assert_eq!(walk(&gate(), &path), [Direction::In]);
    }

    #[test]
    fn around_the_end_is_no_crossing() {
        assert_eq!(walk(&gate(), &[(0.1, 0.4), (0.1, 0.6)]), []);
        assert_eq!(walk(&gate(), &[(0.7, 0.4), (0.8, 0.49), (0.8, 0.51), (0.7, 0.6)]), []);
        let there_and_around = [(0.5, 0.4), (0.5, 0.6), (0.9, 0.6), (0.9, 0.4), (0.5, 0.4)];
        assert_eq!(walk(&gate(), &there_and_around), [Direction::In]);
    }

    #[test]
    fn through_an_end_is_a_crossing() {
        assert_eq!(walk(&gate(), &[(0.25, 0.4), (0.25, 0.6)]), [Direction::In]);
    }

    #[test]
    fn a_refusal_names_the_line_the_reason_and_the_way_out() {
        assert_eq!(
            line((0.5, 0.5), (0.5, 1.2)).expect_err("outside").to_string(),
            "the to end of line gate is at 0.5,1.2, outside the picture; \
             give shares of its width and height, 0 to 1"
        );
        assert_eq!(
            line((0.5, 0.5), (0.5, 0.505)).expect_err("short").to_string(),
            "line gate is shorter than 0.01 of the picture; move its ends apart"
        );
    }

    #[test]
    fn totals_are_kept_by_direction_and_label() {
        let mut totals = LineTotals::default();
        totals.count(Direction::In, "car");
        totals.count(Direction::In, "person");
        totals.count(Direction::Out, "car");
        assert_eq!(totals.all, Crossings { inward: 2, outward: 1 });
        assert_eq!(totals.labels["car"], Crossings { inward: 1, outward: 1 });
    }
}
