//! Which points of a curve suffice: those between which a straight line stays close to the rest.
//!
//! Greedy, one pass: from a kept point, the furthest next one such that all points in between are
//! within the tolerance of the line (the cone of lines that pass all of them is kept: J. Sklansky
//! and V. Gonzalez, "Fast polygonal approximation of digitized curves", 1980). Integers only, so
//! that the bound is exact.

use super::HistoryError;
use super::bytes::{Reader, put, put_signed};

/// A point of a curve: a step, and its values there.
pub(super) type Knot<const N: usize> = (u32, [i64; N]);

/// A rise over a run, the run positive.
#[derive(Clone, Copy)]
struct Slope {
    rise: i64,
    run: i64,
}

impl Slope {
    fn is_below(self, other: Self) -> bool {
        self.rise * other.run < other.rise * self.run
    }
}

/// The points of `points` to keep; steps grow. First and last are kept.
pub(super) fn thin<const N: usize>(points: &[Knot<N>], tolerance: i64) -> Vec<Knot<N>> {
    let Some(first) = points.first() else { return Vec::new() };
    let mut kept = vec![*first];
    let mut anchor = 0;
    while anchor + 1 < points.len() {
        anchor = furthest(points, anchor, tolerance);
        kept.push(points[anchor]);
    }
    kept
}

/// The last point that a line from `anchor` can lead to past all points in between.
fn furthest<const N: usize>(points: &[Knot<N>], anchor: usize, tolerance: i64) -> usize {
    let (from, start) = points[anchor];
    let mut cone: [Option<(Slope, Slope)>; N] = [None; N];
    let mut best = anchor + 1;
    for (index, (step, values)) in points.iter().enumerate().skip(anchor + 1) {
        let run = i64::from(step - from);
        let mut fits = true;
        let mut open = true;
        for ((value, start), cone) in values.iter().zip(start).zip(&mut cone) {
            let rise = value - start;
            let low = Slope { rise: rise - tolerance, run };
            let high = Slope { rise: rise + tolerance, run };
            let to_here = Slope { rise, run };
            *cone = Some(match *cone {
                None => (low, high),
                Some((least, most)) => {
                    fits &= !to_here.is_below(least) && !most.is_below(to_here);
                    let least = if least.is_below(low) { low } else { least };
                    let most = if high.is_below(most) { high } else { most };
                    open &= !most.is_below(least);
                    (least, most)
                }
            });
        }
        if fits {
            best = index;
        }
        if !open {
            break;
        }
    }
    best
}

/// Appends `knots`: how many, then each as its difference from the one before.
pub(super) fn put_curve<const N: usize>(bytes: &mut Vec<u8>, knots: &[Knot<N>]) {
    put(bytes, knots.len() as u64);
    let (mut last_step, mut last) = (0, [0; N]);
    for (step, values) in knots {
        put(bytes, u64::from(step - last_step));
        for (value, last) in values.iter().zip(last) {
            put_signed(bytes, value - last);
        }
        (last_step, last) = (*step, *values);
    }
}

/// Reads what [`put_curve`] wrote.
pub(super) fn read_curve<const N: usize>(
    reader: &mut Reader<'_>,
) -> Result<Curve<N>, HistoryError> {
    let count = reader.count()?;
    let mut knots: Vec<Knot<N>> = Vec::with_capacity(count);
    let (mut step, mut values) = (0_u32, [0_i64; N]);
    for index in 0..count {
        let delta = reader.small()?;
        if index > 0 && delta == 0 {
            return Err(HistoryError::Invalid("a curve does not go on"));
        }
        step = step.checked_add(delta).ok_or(HistoryError::Invalid("a step is too large"))?;
        for value in &mut values {
            *value = value.wrapping_add(reader.signed()?);
        }
        knots.push((step, values));
    }
    Ok(Curve { knots, at: 0 })
}

/// A curve that is read from left to right.
pub(super) struct Curve<const N: usize> {
    knots: Vec<Knot<N>>,
    at: usize,
}

impl<const N: usize> Curve<N> {
    /// Its values at `step`, not below those asked for before; before its first and after its last
    /// knot those of that knot. `None`: it has no knots.
    pub(super) fn value(&mut self, step: u32) -> Option<[f64; N]> {
        while self.knots.get(self.at + 1).is_some_and(|(next, _)| *next <= step) {
            self.at += 1;
        }
        let (from, start) = *self.knots.get(self.at)?;
        let start = start.map(|value| value as f64);
        let Some((to, end)) = self.knots.get(self.at + 1) else { return Some(start) };
        let share = f64::from(step.saturating_sub(from)) / f64::from(to - from);
        let mut values = start;
        for (value, end) in values.iter_mut().zip(end) {
            *value += (*end as f64 - *value) * share;
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_point_is_within_the_tolerance_of_what_comes_back(
            gaps in prop::collection::vec((1_u32..9, -40_i64..40, -4000_i64..8000), 1..80),
            tolerance in 0_i64..60,
        ) {
            let (mut step, mut drift) = (0, 0);
            let mut points: Vec<Knot<2>> = Vec::new();
            for (gap, change, jump) in gaps {
                step += gap;
                drift += change;
                points.push((step, [drift, jump]));
            }
            let kept = thin(&points, tolerance);
            let mut bytes = Vec::new();
            put_curve(&mut bytes, &kept);
            let mut curve = read_curve::<2>(&mut Reader(&bytes))?;
            for (step, values) in points {
                let found = curve.value(step).expect("a knot");
                for (found, value) in found.iter().zip(values) {
                    prop_assert!((found - value as f64).abs() <= tolerance as f64 + 1e-6);
                }
            }
        }
    }

    #[test]
    fn a_straight_way_is_two_points() {
        let points: Vec<Knot<1>> = (0..500).map(|step| (step, [i64::from(step) * 3])).collect();
        assert_eq!(thin(&points, 0), [points[0], points[499]]);
    }
}
