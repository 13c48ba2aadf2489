//! What part of the picture the detector looks at, and in how many pieces. Pure.

use crate::geometry::BBox;

/// Into how many pieces what is looked at is cut: the smaller a piece, the larger an object is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiling {
    /// One look.
    #[default]
    Off,
    /// Two looks: overlapping halves along the longer side.
    Two,
    /// Three looks: the halves, and the whole for what is larger than a half.
    TwoAndWhole,
}

/// What the detector looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The part of the picture, in shares of it.
    pub region: BBox,
    /// Pieces of that part.
    pub tiling: Tiling,
}

impl Default for View {
    /// The whole picture in one look.
    fn default() -> Self {
        Self { region: BBox::WHOLE, tiling: Tiling::Off }
    }
}
