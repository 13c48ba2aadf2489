//! Privacy masks: areas of the picture that nobody gets to see, not even the detector.

use crate::geometry::Point;
use crate::outline::{self, OutlineError};

/// An area that is painted over before anyone looks at the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PrivacyMask(Vec<Point>);

impl PrivacyMask {
    /// The area within `polygon`, edges included.
    ///
    /// # Errors
    /// When `polygon` is not the outline of an area of the picture: says which corner or edge.
    pub fn new(polygon: Vec<Point>) -> Result<Self, OutlineError> {
        outline::checked(&polygon).map(|_| Self(polygon))
    }

    /// Its corners, in the order in which they were given.
    pub fn polygon(&self) -> &[Point] {
        &self.0
    }
}
