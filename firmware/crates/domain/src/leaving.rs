//! Who is leaving the picture: what comes in there at once is another one.
//!
//! Where two pass at the edge of the picture, one on its way out and one on its way in, what is seen
//! of them looks alike for some frames, and a track would turn round there and go on as the other. So
//! what is soon to be out does not come back in; who really turns at the edge is told of anew.

use crate::geometry::BBox;
use crate::track::Velocity;

/// Soon is within this, in seconds.
const SOON: f32 = 3.0;
/// From as near to the edge as this on, the way back is watched: a quarter of its length from it.
const NEAR: f32 = 1.25;
/// Farther back than this it does not come, in shares of its length: cut boxes are not exact.
const BACK: f32 = 0.3;

/// How far something on its way out reached into the picture from the left, right, upper and lower
/// edge: the least so far. Infinite where it is not leaving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving([f32; 4]);

impl Leaving {
    /// Nothing is known to be leaving.
    pub(crate) const NOT: Self = Self([f32::INFINITY; 4]);

    /// Takes it that what is `whole` and moves with `velocity` was `seen`.
    pub(crate) fn note(&mut self, whole: BBox, velocity: Velocity, seen: BBox) {
        let outwards = [-velocity.x, velocity.x, -velocity.y, velocity.y];
        let (reach, seen, lengths) = (reach(whole), reach(seen), lengths(whole));
        for edge in 0..4 {
            let least = &mut self.0[edge];
            let near = reach[edge] < NEAR * lengths[edge] && reach[edge] < SOON * outwards[edge];
            // The next look may be at the one who comes in: that does not end it at once.
            let leaves = near || (least.is_finite() && outwards[edge] > 0.0);
            *least = if leaves { least.min(seen[edge]) } else { f32::INFINITY };
        }
    }

    /// Whether `seen` comes in where what is `whole` was leaving.
    pub(crate) fn excludes(&self, whole: BBox, seen: BBox) -> bool {
        let (seen, lengths) = (reach(seen), lengths(whole));
        (0..4).any(|edge| seen[edge] > self.0[edge] + BACK * lengths[edge])
    }
}

/// How far a box reaches into the picture from each edge.
fn reach(bbox: BBox) -> [f32; 4] {
    [bbox.right(), 1.0 - bbox.x, bbox.bottom(), 1.0 - bbox.y]
}

fn lengths(bbox: BBox) -> [f32; 4] {
    [bbox.w, bbox.w, bbox.h, bbox.h]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_THE_LEFT: Velocity = Velocity { x: -0.1, y: 0.0 };

    /// What is seen of a box that is 0.1 wide and reaches in as far as `reach` from the left.
    fn cut(reach: f32) -> BBox {
        BBox::new(reach - 0.1, 0.4, 0.1, 0.2).clamped()
    }

    fn after(steps: &[(Velocity, f32)]) -> impl Fn(f32) -> bool + use<> {
        let mut leaving = Leaving::NOT;
        let whole = |reach: f32| BBox::new(reach - 0.1, 0.4, 0.1, 0.2);
        steps.iter().for_each(|(v, reach)| leaving.note(whole(*reach), *v, cut(*reach)));
        let last = whole(steps[steps.len() - 1].1);
        move |reach| leaving.excludes(last, cut(reach))
    }

    #[test]
    fn what_goes_out_does_not_come_in_but_may_be_seen_inexactly() {
        let excludes = after(&[0.08, 0.07, 0.06].map(|reach| (TO_THE_LEFT, reach)));
        assert!(!excludes(0.05) && !excludes(0.07) && !excludes(0.089));
        assert!(excludes(0.091));
    }

    #[test]
    fn what_creeps_back_in_is_held_against_the_least_that_was_seen() {
        let excludes = after(&[0.08, 0.09, 0.13].map(|reach| (TO_THE_LEFT, reach)));
        assert!(excludes(0.12), "though it is not near the edge any more");
    }

    #[test]
    fn what_stays_comes_in_or_is_far_from_the_edge_may_go_anywhere() {
        let slow = Velocity { x: -0.01, y: 0.0 };
        let inwards = Velocity { x: 0.1, y: 0.0 };
        assert!(!after(&[(slow, 0.08)])(0.2));
        assert!(!after(&[(inwards, 0.08)])(0.2));
        assert!(!after(&[(TO_THE_LEFT, 0.2)])(0.3));
        assert!(!after(&[(TO_THE_LEFT, 0.08), (inwards, 0.09)])(0.2), "it has turned");
    }
}
