//! Outlines of areas of the picture: polygons that do not cross themselves.

use crate::exact::{self, Spot};
use crate::geometry::Point;

/// Why a polygon is no outline of an area. Corners are numbered from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OutlineError {
    /// It has fewer than three corners.
    #[error("there are {count} corners; draw at least 3")]
    TooFewCorners {
        /// Its corners.
        count: usize,
    },
    /// A corner lies outside the picture or is no number.
    #[error(
        "corner {corner} is at {x},{y}, outside the picture; \
         give shares of its width and height, 0 to 1"
    )]
    CornerOutside {
        /// The first such corner.
        corner: usize,
        /// Its x.
        x: f32,
        /// Its y.
        y: f32,
    },
    /// Two corners that follow each other are the same point.
    #[error("corners {corner} and {next} are the same point; remove one of them")]
    RepeatedCorner {
        /// The first of the two.
        corner: usize,
        /// The second of the two.
        next: usize,
    },
    /// All corners lie on one line.
    #[error("there is no area: the corners lie on one line; move one of them off it")]
    NoArea,
    /// Two edges meet where they must not.
    #[error(
        "the outline crosses itself: the edge from corner {edge} meets the edge from corner \
         {other}; give the corners in the order in which you walk around the area"
    )]
    SelfIntersecting {
        /// Corner at which the first edge begins.
        edge: usize,
        /// Corner at which the second edge begins.
        other: usize,
    },
}

/// The corners of `polygon` on the grid, when they are the outline of an area.
pub(crate) fn checked(polygon: &[Point]) -> Result<Vec<Spot>, OutlineError> {
    let count = polygon.len();
    if count < 3 {
        return Err(OutlineError::TooFewCorners { count });
    }
    let mut corners = Vec::with_capacity(count);
    for (corner, point) in polygon.iter().enumerate() {
        let in_picture = (0.0..=1.0).contains(&point.x) && (0.0..=1.0).contains(&point.y);
        match Spot::of(*point).filter(|_| in_picture) {
            Some(spot) => corners.push(spot),
            None => {
                let Point { x, y } = *point;
                return Err(OutlineError::CornerOutside { corner, x, y });
            }
        }
    }
    let edges: Vec<(Spot, Spot)> = exact::edges(&corners).collect();
    if let Some(corner) = edges.iter().position(|(a, b)| a == b) {
        return Err(OutlineError::RepeatedCorner { corner, next: (corner + 1) % count });
    }
    if corners.iter().all(|&corner| exact::turn(corners[0], corners[1], corner) == 0) {
        return Err(OutlineError::NoArea);
    }
    for (edge, &(a, b)) in edges.iter().enumerate() {
        for (other, &(c, d)) in edges.iter().enumerate().skip(edge + 1) {
            // Neighbours share a corner; they may not run back over each other.
            let meet = if b == c {
                exact::on_segment(a, b, d) || exact::on_segment(c, d, a)
            } else if d == a {
                exact::on_segment(a, b, c) || exact::on_segment(c, d, b)
            } else {
                exact::segments_meet(a, b, c, d)
            };
            if meet {
                return Err(OutlineError::SelfIntersecting { edge, other });
            }
        }
    }
    Ok(corners)
}
