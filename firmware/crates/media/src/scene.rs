//! The generated street: a deterministic renderer and its ground truth. No GStreamer in here.

use domain::BBox;

/// One object that the street shows in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Number of the object: the same in every frame of its passage.
    pub id: u64,
    /// COCO label.
    pub label: &'static str,
    /// The smallest box around its visible pixels, as shares of the picture.
    pub bbox: BBox,
    /// Share of its pixels inside the picture that nothing hides, 0..=1.
    pub visible: f32,
}
