//! One axis of a followed box: where the whole of it lies when only a part is seen.
//!
//! A box that is cut, by what passes in front of it or by the edge of the picture, still has one end
//! that is true. Taking its middle instead would tell a walker behind a bus to turn round, and a
//! person who enters the picture to walk at half the speed.

/// A seen length below this share of the known one is a part.
const WHOLE: f32 = 0.85;
/// Weight of a newly seen whole length against the known one.
const LENGTH_WEIGHT: f32 = 0.4;
/// Time in which a known length that is not seen in whole loses most of its weight, in seconds: a
/// thing that turns or goes away is not hidden.
const LENGTH_MEMORY: f32 = 2.0;
/// Ends this close to the edge of the picture are cut by it, in shares.
const EDGE: f32 = 0.004;

/// From where on and how far, in shares of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) start: f32,
    pub(crate) length: f32,
}

impl Span {
    pub(crate) const fn of(start: f32, length: f32) -> Self {
        Self { start, length }
    }

    fn end(self) -> f32 {
        self.start + self.length
    }

    fn middle(self) -> f32 {
        self.start + self.length / 2.0
    }

    /// The whole span, which was here, is expected at `expected` after `seconds` and is seen in part
    /// or whole as `seen`: where it is now, and by how much it moved, if that can be told.
    pub(crate) fn measure(self, expected: Self, seen: Self, seconds: f32) -> (Self, Option<f32>) {
        let (starts, ends) = (seen.start > EDGE, seen.end() < 1.0 - EDGE);
        let known = self.length;
        let at_edge = known.max(seen.length);
        match (starts, ends) {
            (false, false) => (Self::of(expected.middle() - at_edge / 2.0, at_edge), None),
            (true, false) => (Self::of(seen.start, at_edge), Some(seen.start - self.start)),
            (false, true) => {
                (Self::of(seen.end() - at_edge, at_edge), Some(seen.end() - self.end()))
            }
            (true, true) if seen.length >= WHOLE * known => {
                let length = known + LENGTH_WEIGHT * (seen.length - known);
                let moved = seen.middle() - self.middle();
                (Self::of(seen.middle() - length / 2.0, length), Some(moved))
            }
            (true, true) => {
                let kept = (-seconds / LENGTH_MEMORY).exp();
                let length = seen.length + kept * (known - seen.length);
                let at_start = (seen.start - expected.start).abs();
                if at_start <= (seen.end() - expected.end()).abs() {
                    (Self::of(seen.start, length), Some(seen.start - self.start))
                } else {
                    (Self::of(seen.end() - length, length), Some(seen.end() - self.end()))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_span_moves_by_its_middle() {
        let (span, moved) =
            Span::of(0.4, 0.1).measure(Span::of(0.42, 0.1), Span::of(0.42, 0.1), 0.1);
        assert!((span.start - 0.42).abs() < 1e-6 && (span.length - 0.1).abs() < 1e-6, "{span:?}");
        assert!((moved.unwrap() - 0.02).abs() < 1e-6);
    }

    #[test]
    fn what_is_eaten_from_one_side_goes_on_by_its_other_end() {
        // It goes to the right; its right half is hidden.
        let (span, moved) =
            Span::of(0.4, 0.1).measure(Span::of(0.42, 0.1), Span::of(0.42, 0.05), 0.1);
        assert!((span.start - 0.42).abs() < 1e-6 && span.length > 0.09, "{span:?}");
        assert!((moved.unwrap() - 0.02).abs() < 1e-6);
    }

    #[test]
    fn what_enters_or_leaves_goes_by_the_end_that_is_inside() {
        let (_, moved) = Span::of(0.0, 0.05).measure(Span::of(0.0, 0.05), Span::of(0.0, 0.07), 0.1);
        assert!((moved.unwrap() - 0.02).abs() < 1e-6, "it enters on the left");
        let (span, moved) =
            Span::of(0.9, 0.1).measure(Span::of(0.92, 0.1), Span::of(0.92, 0.08), 0.1);
        assert!((moved.unwrap() - 0.02).abs() < 1e-6, "it leaves on the right");
        assert!((span.length - 0.1).abs() < 1e-6, "and keeps its size: {span:?}");
    }

    #[test]
    fn what_fills_the_picture_tells_nothing_of_its_motion() {
        assert_eq!(Span::of(0.0, 1.0).measure(Span::of(0.0, 1.0), Span::of(0.0, 1.0), 0.1).1, None);
    }
}
