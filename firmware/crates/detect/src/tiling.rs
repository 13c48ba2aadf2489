//! Cutting what is looked at into overlapping tiles, and one list of boxes out of what was found in
//! each. Pure.
//!
//! Two tiles lie along the longer side and overlap by [`OVERLAP`] of a tile. What an inner border (an
//! edge of a tile inside the region) cuts, one tile shows in part only. So, among boxes of one class:
//!
//! 1. a box that touches an inner border of its tile goes where an uncut box of another tile covers at
//!    least [`COVERED`] of it: that one shows the whole object;
//! 2. two boxes cut by the borders that face each other, and alike across ([`ALIKE`]), are the two
//!    parts of what is larger than the overlap: they become the box around both, with the better score;
//! 3. of what is left, suppression keeps the best of overlapping boxes, as it does within one look.
//!
//! (Slicing, and overlap measured against the cut box alone: Akyon et al., "Slicing Aided Hyper Inference
//! and Fine-Tuning for Small Object Detection", ICIP 2022. Joining is ours.)

use domain::{BBox, Detection, Size, Tiling, View};

/// Share of a tile that the other one shows too.
pub const OVERLAP: f32 = 0.2;

/// A box this near to a border of its tile, as a share of the tile's side, touches it.
const TOUCH: f32 = 0.01;

/// Share of a cut box that an uncut one must cover to take its place.
const COVERED: f32 = 0.6;

/// What two parts of one object have in common along the border, as a share of what they take up there
/// together.
const ALIKE: f32 = 0.5;

/// Slack of arithmetic on shares.
const SLACK: f32 = 1e-4;

/// The tiles of `view` in a picture of the size `picture`, in shares of the picture.
pub fn tiles(view: &View, picture: Size) -> impl Iterator<Item = BBox> + use<> {
    let region = view.region.clamped();
    let side = 1.0 / (2.0 - OVERLAP);
    let wide = region.w * picture.width as f32 >= region.h * picture.height as f32;
    let (w, h) = if wide { (region.w * side, region.h) } else { (region.w, region.h * side) };
    let first = BBox::new(region.x, region.y, w, h);
    let second = BBox::new(region.right() - w, region.bottom() - h, w, h);
    let tiles = match view.tiling {
        Tiling::Off => [None, None, Some(region)],
        Tiling::Two => [Some(first), Some(second), None],
        Tiling::TwoAndWhole => [Some(first), Some(second), Some(region)],
    };
    tiles.into_iter().flatten()
}

/// What was found in one of several tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// What, in shares of the whole picture.
    pub detection: Detection,
    /// Number of the tile.
    tile: u8,
    cut: Cut,
}

/// Which inner borders of its tile a box touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cut {
    left: bool,
    top: bool,
    right: bool,
    bottom: bool,
}

impl Piece {
    /// `detection`, found in the tile number `number`, which is `tile`, of `region`.
    pub fn new(detection: Detection, number: u8, tile: BBox, region: BBox) -> Self {
        let (b, x, y) = (detection.bbox, TOUCH * tile.w + SLACK, TOUCH * tile.h + SLACK);
        let cut = Cut {
            left: tile.x > region.x + SLACK && b.x <= tile.x + x,
            top: tile.y > region.y + SLACK && b.y <= tile.y + y,
            right: tile.right() < region.right() - SLACK && b.right() >= tile.right() - x,
            bottom: tile.bottom() < region.bottom() - SLACK && b.bottom() >= tile.bottom() - y,
        };
        Self { detection, tile: number, cut }
    }

    fn is_cut(&self) -> bool {
        self.cut != Cut::default()
    }

    /// Whether both may be of one object: of one class, but not of one tile.
    fn may_be(&self, other: &Self) -> bool {
        self.detection.class == other.detection.class && self.tile != other.tile
    }

    /// Whether `other` shows the whole of what is cut here.
    fn loses_to(&self, other: &Self) -> bool {
        let own = self.detection.bbox;
        self.is_cut()
            && !other.is_cut()
            && self.may_be(other)
            && common(own, other.detection.bbox) >= COVERED * own.area()
    }

    /// Whether `other` is the part to the right of this one, or below it.
    fn goes_on_in(&self, other: &Self) -> bool {
        let (a, b) = (self.detection.bbox, other.detection.bbox);
        let beside = self.cut.right && other.cut.left;
        let below = self.cut.bottom && other.cut.top;
        self.may_be(other)
            && common(a, b) > 0.0
            && (beside && alike([a.y, a.bottom()], [b.y, b.bottom()])
                || below && alike([a.x, a.right()], [b.x, b.right()]))
    }
}

/// Leaves no piece of an object that another one shows whole, and joins pieces of one object (rules 1
/// and 2). Never makes more of them; those of one tile are left alone among themselves.
pub fn merge(pieces: &mut Vec<Piece>) {
    let mut at = 0;
    while at < pieces.len() {
        let piece = pieces[at];
        if pieces.iter().any(|other| piece.loses_to(other)) {
            pieces.swap_remove(at);
        } else {
            at += 1;
        }
    }
    // Better ones first, so that what is joined does not depend on the order of the tiles.
    pieces.sort_unstable_by(|a, b| crate::nms::rank(&a.detection, &b.detection));
    let mut first = 0;
    while first < pieces.len() {
        let piece = pieces[first];
        let fits = |other: &Piece| piece.goes_on_in(other) || other.goes_on_in(&piece);
        let rest = &pieces[first + 1..];
        if piece.is_cut()
            && let Some(other) = rest.iter().position(fits)
        {
            let other = pieces.remove(first + 1 + other);
            pieces[first].detection.bbox = around(piece.detection.bbox, other.detection.bbox);
            // It is whole now: a third part there cannot be, with two tiles.
            pieces[first].cut = Cut::default();
        }
        first += 1;
    }
}

/// Area that two boxes have in common.
fn common(a: BBox, b: BBox) -> f32 {
    let w = a.right().min(b.right()) - a.x.max(b.x);
    let h = a.bottom().min(b.bottom()) - a.y.max(b.y);
    w.max(0.0) * h.max(0.0)
}

/// Whether two stretches of one axis are about the same.
fn alike([from, to]: [f32; 2], [other_from, other_to]: [f32; 2]) -> bool {
    let both = to.min(other_to) - from.max(other_from);
    both >= ALIKE * (to.max(other_to) - from.min(other_from))
}

/// The smallest box around both.
fn around(a: BBox, b: BBox) -> BBox {
    let (right, bottom) = (a.right().max(b.right()), a.bottom().max(b.bottom()));
    BBox::from_corners(a.x.min(b.x), a.y.min(b.y), right, bottom)
}

#[cfg(test)]
#[path = "tiling_tests.rs"]
mod tests;
