//! Exact tests on points, segments and polygons: on a grid of integers, so that no rounding decides
//! on which side of an edge a point lies.

use crate::geometry::Point;

/// Grid steps in one share of the picture: the spacing of `f32` just below 1, far below a pixel.
const STEPS: f64 = 16_777_216.0;

/// A point of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) x: i64,
    pub(crate) y: i64,
}

impl Spot {
    /// The grid point nearest to `point`; `None` if that is no number. Points far out of the picture
    /// are taken to be one picture away from it, which keeps all products within 64 bits.
    pub(crate) fn of(point: Point) -> Option<Self> {
        if !(point.x.is_finite() && point.y.is_finite()) {
            return None;
        }
        let snap = |share: f32| (f64::from(share.clamp(-1.0, 2.0)) * STEPS).round() as i64;
        Some(Self { x: snap(point.x), y: snap(point.y) })
    }
}

/// Twice the area of the triangle: positive where `c` is on the right hand of one who walks from
/// `a` to `b` on the picture (y grows downwards), 0 where all are on one line.
pub(crate) fn turn(a: Spot, b: Spot, c: Spot) -> i64 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Distance of `point` from the line through `a` and `b`, in shares. These must differ.
pub(crate) fn distance(a: Spot, b: Spot, point: Spot) -> f64 {
    turn(a, b, point).unsigned_abs() as f64 / length(a, b) / STEPS
}

/// Distance of `point` from the outline of a polygon, in shares.
pub(crate) fn distance_to_outline(corners: &[Spot], point: Spot) -> f64 {
    let distances = edges(corners).map(|(a, b)| distance_to_segment(a, b, point));
    distances.fold(f64::INFINITY, f64::min)
}

/// Distance of `point` from the segment from `a` to `b`, in shares. These must differ.
pub(crate) fn distance_to_segment(a: Spot, b: Spot, point: Spot) -> f64 {
    let along = |p: Spot, q: Spot| (q.x - p.x) * (point.x - p.x) + (q.y - p.y) * (point.y - p.y);
    if along(a, b) <= 0 {
        length(a, point) / STEPS
    } else if along(b, a) <= 0 {
        length(b, point) / STEPS
    } else {
        distance(a, b, point)
    }
}

/// Distance between two points, in grid steps.
fn length(a: Spot, b: Spot) -> f64 {
    ((b.x - a.x) as f64).hypot((b.y - a.y) as f64)
}

/// Whether `point` lies on the segment from `a` to `b`, ends included.
pub(crate) fn on_segment(a: Spot, b: Spot, point: Spot) -> bool {
    let within = |p: i64, a: i64, b: i64| p >= a.min(b) && p <= a.max(b);
    turn(a, b, point) == 0 && within(point.x, a.x, b.x) && within(point.y, a.y, b.y)
}

/// Whether two segments have a point in common, ends included.
pub(crate) fn segments_meet(a: Spot, b: Spot, c: Spot, d: Spot) -> bool {
    let apart = |p: i64, q: i64| p.signum() * q.signum() < 0;
    (apart(turn(a, b, c), turn(a, b, d)) && apart(turn(c, d, a), turn(c, d, b)))
        || on_segment(a, b, c)
        || on_segment(a, b, d)
        || on_segment(c, d, a)
        || on_segment(c, d, b)
}

/// The edges of a polygon, the closing one last.
pub(crate) fn edges(corners: &[Spot]) -> impl Iterator<Item = (Spot, Spot)> {
    corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
}

/// Whether `point` lies in the polygon or on its edge (even-odd rule: how many edges a ray to the
/// right passes; Shimrat, "Algorithm 112: Position of point relative to polygon", 1962).
pub(crate) fn in_polygon(corners: &[Spot], point: Spot) -> bool {
    let mut inside = false;
    for (a, b) in edges(corners) {
        if on_segment(a, b, point) {
            return true;
        }
        // An end on the ray's height counts as above it, so that a corner is passed just once.
        let spans = (a.y > point.y) != (b.y > point.y);
        if spans && (turn(a, b, point) > 0) == (b.y > a.y) {
            inside = !inside;
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(x: f32, y: f32) -> Spot {
        Spot::of(Point::new(x, y)).expect("a number")
    }

    #[test]
    fn right_hand_is_downwards_for_a_walk_to_the_right() {
        assert!(turn(spot(0.0, 0.5), spot(1.0, 0.5), spot(0.3, 0.6)) > 0);
        assert!(turn(spot(0.0, 0.5), spot(1.0, 0.5), spot(0.3, 0.4)) < 0);
    }

    #[test]
    fn edges_and_corners_are_inside() {
        let triangle = [spot(0.0, 0.0), spot(0.5, 0.0), spot(0.0, 0.5)];
        for (x, y) in [(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (0.25, 0.25), (0.125, 0.375)] {
            assert!(in_polygon(&triangle, spot(x, y)), "{x},{y}");
        }
        let outside = Spot { x: spot(0.25, 0.25).x + 1, y: spot(0.25, 0.25).y };
        assert!(!in_polygon(&triangle, outside), "one grid step off the edge");
    }

    #[test]
    fn a_ray_through_a_corner_passes_it_once() {
        let diamond = [spot(0.5, 0.0), spot(1.0, 0.5), spot(0.5, 1.0), spot(0.0, 0.5)];
        assert!(in_polygon(&diamond, spot(0.25, 0.5)));
        assert!(!in_polygon(&diamond, spot(-0.25, 0.5)));
        assert!(!in_polygon(&diamond, spot(0.25, 0.0)), "a ray that only touches a corner");
    }

    #[test]
    fn the_notch_of_a_concave_polygon_is_outside() {
        let u = [(0.0, 0.0), (0.2, 0.0), (0.2, 0.8), (0.8, 0.8), (0.8, 0.0), (1.0, 0.0)];
        let mut u: Vec<Spot> = u.iter().map(|&(x, y)| spot(x, y)).collect();
        u.extend([spot(1.0, 1.0), spot(0.0, 1.0)]);
        assert!(in_polygon(&u, spot(0.1, 0.4)) && in_polygon(&u, spot(0.9, 0.4)));
        assert!(!in_polygon(&u, spot(0.5, 0.4)));
    }

    #[test]
    fn what_is_no_number_is_nowhere_and_what_is_far_stays_countable() {
        assert_eq!(Spot::of(Point::new(f32::NAN, 0.0)), None);
        assert_eq!(Spot::of(Point::new(0.0, f32::INFINITY)), None);
        assert_eq!(spot(f32::MAX, f32::MIN), spot(2.0, -1.0));
    }

    #[test]
    fn distance_is_in_shares() {
        let d = distance(spot(0.0, 0.0), spot(0.3, 0.4), spot(0.4, -0.3));
        assert!((d - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_distance_to_an_outline_ends_at_its_corners() {
        let square = [spot(0.25, 0.25), spot(0.75, 0.25), spot(0.75, 0.75), spot(0.25, 0.75)];
        for (x, y, expected) in
            [(0.5, 0.125, 0.125), (0.0, 0.0, 0.125_f64.sqrt()), (0.5, 0.5, 0.25)]
        {
            let d = distance_to_outline(&square, spot(x, y));
            assert!((d - expected).abs() < 1e-9, "{x},{y}: {d}");
        }
    }
}
