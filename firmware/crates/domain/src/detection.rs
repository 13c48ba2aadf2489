//! What a detector found, and the parameters that decide what counts as found.

use std::sync::Arc;

use crate::geometry::BBox;

/// Index of a class in the [`Labels`] of the model that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub u16);

/// One object found in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// What it is.
    pub class: ClassId,
    /// How sure the detector is, 0..=1.
    pub score: f32,
    /// Where it is, as shares of the frame.
    pub bbox: BBox,
}

/// Class names of a model, in the order of its outputs. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Arc<[String]>);

impl Labels {
    /// Labels in the order of the model's class outputs.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The name of `class`; `"unknown"` for a class that the model does not have.
    pub fn name(&self, class: ClassId) -> &str {
        self.0.get(usize::from(class.0)).map_or("unknown", String::as_str)
    }

    /// The class called `name`.
    pub fn find(&self, name: &str) -> Option<ClassId> {
        let index = self.0.iter().position(|n| n == name)?;
        u16::try_from(index).ok().map(ClassId)
    }

    /// All names, in class order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// A rule for boxes below a share of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeRule<T> {
    /// The rule holds for boxes whose area is below this share of the picture, 0..=1.
    pub below_area: f32,
    /// What it demands.
    pub value: T,
}

/// What boxes of one class must be like; `None` for no demand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassFilter {
    /// Most boxes of the class in a frame; the best by score stay.
    pub max_count: Option<usize>,
    /// Least area, a share of the picture, 0..=1.
    pub min_area: Option<f32>,
    /// Least width divided by height, in pixels of the source picture.
    pub min_aspect: Option<f32>,
    /// Greatest width divided by height, in pixels of the source picture.
    pub max_aspect: Option<f32>,
}

/// What counts as found. Where several rules apply to a box, the strictest wins.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionParams {
    /// Least score of a box, 0..=1.
    pub score_threshold: f32,
    /// Least score for single classes, by label; replaces `score_threshold` for them.
    pub class_thresholds: Vec<(String, f32)>,
    /// Higher least scores for small boxes.
    pub size_thresholds: Vec<SizeRule<f32>>,
    /// Most boxes of one class kept among those below a size: the best by score stay. A box
    /// counts for the first rule (smallest area) that it falls under.
    pub size_caps: Vec<SizeRule<usize>>,
    /// Most boxes of one class that no rule of `size_caps` speaks of; `None` for no limit.
    pub large_cap: Option<usize>,
    /// Demands on single classes, by label.
    pub class_filters: Vec<(String, ClassFilter)>,
    /// Candidates by score that go into suppression, over all heads together.
    pub top_k: usize,
    /// Overlap (IoU) from which the weaker of two boxes of one class is suppressed, 0..=1.
    pub iou_threshold: f32,
    /// Most boxes of a frame; the best by score stay.
    pub max_detections: usize,
    /// Smaller boxes are dropped; in square pixels of the source picture.
    pub min_box_area_px: f32,
    /// Labels that are looked for; `None` for all of the model's.
    pub labels: Option<Vec<String>>,
}
