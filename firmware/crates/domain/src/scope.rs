//! Whom a zone or line looks at, and when: classes, sizes, schedule.

use std::collections::BTreeSet;

use crate::detection::{ClassId, Labels};
use crate::geometry::BBox;
use crate::schedule::{Schedule, WeekMinute};

/// Which sizes of box count; `None` for no demand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SizeRange {
    /// Least area, a share of the picture, 0..=1.
    pub min_area: Option<f32>,
    /// Greatest area, a share of the picture, 0..=1.
    pub max_area: Option<f32>,
    /// Least height, a share of the picture's height, 0..=1.
    pub min_height: Option<f32>,
}

impl SizeRange {
    /// Whether the box counts. It is taken as it is, also where it reaches out of the picture.
    pub fn admits(&self, bbox: BBox) -> bool {
        let area = bbox.area();
        self.min_area.is_none_or(|least| area >= least)
            && self.max_area.is_none_or(|most| area <= most)
            && self.min_height.is_none_or(|least| bbox.h >= least)
    }
}

/// Whom a zone or line looks at, and when. The default: everything, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Labels that count; `None` for all.
    pub labels: Option<Vec<String>>,
    /// Sizes that count.
    pub size: SizeRange,
    /// When it is in force; `None` for always. Outside of its schedule a zone or line is silent.
    pub schedule: Option<Schedule>,
}

impl Scope {
    /// Whether it is in force at `now`.
    pub fn is_active(&self, now: WeekMinute) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.is_active(now))
    }
}

/// A scope at work: the classes that its labels mean, and whether it is in force in this step.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    classes: Option<BTreeSet<ClassId>>,
    size: SizeRange,
    open: bool,
}

impl Gate {
    /// The gate of `scope` for a model with `labels`; names that the model does not have mean no
    /// class. Shut until the first [`Gate::turn`].
    pub(crate) fn new(scope: &Scope, labels: &Labels) -> Self {
        let classes = scope.labels.as_ref();
        let classes =
            classes.map(|names| names.iter().filter_map(|name| labels.find(name)).collect());
        Self { classes, size: scope.size, open: false }
    }

    /// Opens or shuts it for a step at `now`.
    pub(crate) fn turn(&mut self, scope: &Scope, now: WeekMinute) {
        self.open = scope.is_active(now);
    }

    /// Whether the schedule lets anything through.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether an object of `class` at `bbox` counts now.
    pub(crate) fn admits(&self, class: ClassId, bbox: BBox) -> bool {
        self.open
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&class))
            && self.size.admits(bbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shares_of_the_picture_and_limits_belong_to_them() {
        let range = SizeRange { min_area: Some(0.25), max_area: Some(0.5), min_height: Some(0.5) };
        assert!(range.admits(BBox::new(0.0, 0.0, 0.5, 0.5)));
        assert!(range.admits(BBox::new(0.0, 0.0, 0.5, 1.0)));
        assert!(!range.admits(BBox::new(0.0, 0.0, 0.49, 0.5)), "too small");
        assert!(!range.admits(BBox::new(0.0, 0.0, 0.6, 1.0)), "too large");
        assert!(!range.admits(BBox::new(0.0, 0.0, 1.0, 0.4)), "too low");
        assert!(SizeRange::default().admits(BBox::new(0.0, 0.0, 0.0, 0.0)));
    }

    #[test]
    fn a_name_that_the_model_does_not_have_admits_nobody() {
        let labels = Labels::new(["person".to_owned()]);
        let scope = Scope { labels: Some(vec!["unicorn".into()]), ..Scope::default() };
        let mut gate = Gate::new(&scope, &labels);
        gate.turn(&scope, WeekMinute::new(0, 0));
        assert!(gate.is_open() && !gate.admits(ClassId(0), BBox::new(0.0, 0.0, 1.0, 1.0)));
    }
}
