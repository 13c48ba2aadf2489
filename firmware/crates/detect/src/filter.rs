//! What of the found boxes counts: [`DetectionParams`], checked against a model's labels and compiled
//! to class indices. Pure.

use domain::{ClassFilter, ClassId, Detection, DetectionParams, Labels, Size, detection::SizeRule};

/// [`DetectionParams`] for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Least score by class; infinite for classes that are not looked for.
    thresholds: Vec<f32>,
    size_thresholds: Vec<SizeRule<f32>>,
    /// By rising size.
    size_caps: Vec<SizeRule<usize>>,
    large_cap: Option<usize>,
    /// By class; `None` for classes without demands of their own.
    class_filters: Vec<Option<ClassFilter>>,
    top_k: usize,
    iou_threshold: f32,
    max_detections: usize,
    min_box_area_px: f32,
}

/// Parameters that a model cannot run with: all that is wrong with them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ParamsError {
    /// Each thing that is wrong.
    pub problems: Vec<ParamsProblem>,
}

/// One thing that is wrong with parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParamsProblem {
    /// The model does not know the label.
    #[error("{field}: the model has no label {label:?}{}", suggest(near))]
    UnknownLabel {
        /// Parameter with the label.
        field: &'static str,
        /// The label.
        label: String,
        /// Labels of the model that are written alike.
        near: Vec<String>,
    },
    /// A value is outside its range.
    #[error("{field}: {value} is outside {range}")]
    OutOfRange {
        /// Parameter with the value.
        field: &'static str,
        /// The value.
        value: f32,
        /// What it may be.
        range: &'static str,
    },
}

impl Filter {
    /// Everything the model knows with a score of at least 0.3: what counts until parameters are set.
    pub fn open(labels: &Labels) -> Self {
        Self {
            thresholds: vec![0.3; labels.names().len()],
            size_thresholds: Vec::new(),
            size_caps: Vec::new(),
            large_cap: None,
            class_filters: vec![None; labels.names().len()],
            top_k: 1000,
            iou_threshold: 0.6,
            max_detections: 100,
            min_box_area_px: 0.0,
        }
    }

    /// Checks `params` and translates their labels.
    ///
    /// # Errors
    /// All unknown labels (with labels written alike) and all values out of range.
    pub fn compile(params: &DetectionParams, labels: &Labels) -> Result<Self, ParamsError> {
        let mut check = Check { labels, problems: Vec::new() };
        let classes = labels.names().len();
        check.share("score_threshold", params.score_threshold);
        check.share("iou_threshold", params.iou_threshold);
        check.at_least_0("min_box_area_px", params.min_box_area_px);
        let mut thresholds = vec![params.score_threshold; classes];
        for (label, threshold) in &params.class_thresholds {
            check.share("class_thresholds", *threshold);
            if let Some(class) = check.class("class_thresholds", label) {
                thresholds[class] = *threshold;
            }
        }
        if let Some(wanted) = &params.labels {
            let wanted: Vec<_> = wanted.iter().filter_map(|l| check.class("labels", l)).collect();
            for (class, threshold) in thresholds.iter_mut().enumerate() {
                if !wanted.contains(&class) {
                    *threshold = f32::INFINITY;
                }
            }
        }
        for rule in &params.size_thresholds {
            check.share("size_thresholds", rule.below_area);
            check.share("size_thresholds", rule.value);
        }
        let mut size_caps = params.size_caps.clone();
        size_caps.iter().for_each(|rule| check.share("size_caps", rule.below_area));
        size_caps.sort_by(|a, b| a.below_area.total_cmp(&b.below_area));
        let mut class_filters = vec![None; classes];
        for (label, filter) in &params.class_filters {
            filter.min_area.into_iter().for_each(|v| check.share("class_filters", v));
            let aspects = [filter.min_aspect, filter.max_aspect];
            aspects.into_iter().flatten().for_each(|v| check.at_least_0("class_filters", v));
            if let Some(class) = check.class("class_filters", label) {
                class_filters[class] = Some(*filter);
            }
        }
        if !check.problems.is_empty() {
            return Err(ParamsError { problems: check.problems });
        }
        Ok(Self {
            thresholds,
            size_thresholds: params.size_thresholds.clone(),
            size_caps,
            large_cap: params.large_cap,
            class_filters,
            top_k: params.top_k,
            iou_threshold: params.iou_threshold,
            max_detections: params.max_detections,
            min_box_area_px: params.min_box_area_px,
        })
    }

    /// Least score by class; infinite for classes that are not looked for.
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// Whether a box that passed its class's threshold counts, by its size and shape.
    pub fn admits(&self, found: &Detection, source: Size) -> bool {
        let area = found.bbox.area();
        let area_px = area * source.area() as f32;
        if area.is_nan() || area <= 0.0 || area_px < self.min_box_area_px {
            return false;
        }
        let too_weak = |r: &SizeRule<f32>| area < r.below_area && found.score < r.value;
        if self.size_thresholds.iter().any(too_weak) {
            return false;
        }
        let Some(Some(demands)) = self.class_filters.get(usize::from(found.class.0)) else {
            return true;
        };
        let aspect = found.bbox.w * source.width as f32 / (found.bbox.h * source.height as f32);
        demands.min_area.is_none_or(|least| area >= least)
            && demands.min_aspect.is_none_or(|least| aspect >= least)
            && demands.max_aspect.is_none_or(|most| aspect <= most)
    }

    /// Adds an admitted box to those of the frame. Where they get to be twice as many as go into
    /// suppression, the worse half goes at once: the outcome is the same, and neither memory nor time
    /// grows with what a network may make up.
    pub fn collect(&self, boxes: &mut Vec<Detection>, found: Detection) {
        if boxes.len() >= self.most_collected() {
            crate::nms::keep_best(boxes, self.top_k);
        }
        boxes.push(found);
    }

    /// As many boxes as are ever collected.
    pub fn most_collected(&self) -> usize {
        self.top_k.saturating_mul(2).max(1)
    }

    /// Leaves of the admitted boxes those that count, best first: the best `top_k`, suppressed,
    /// limited by class and size, then altogether.
    pub fn select(&self, boxes: &mut Vec<Detection>) {
        crate::nms::keep_best(boxes, self.top_k);
        crate::nms::suppress(boxes, self.iou_threshold);
        let mut kept = 0;
        for i in 0..boxes.len() {
            let candidate = boxes[i];
            if kept < self.max_detections && self.has_room(&boxes[..kept], &candidate) {
                boxes[kept] = candidate;
                kept += 1;
            }
        }
        boxes.truncate(kept);
    }

    /// Whether the limits by class and size leave room for `next` beside the better boxes `kept`.
    fn has_room(&self, kept: &[Detection], next: &Detection) -> bool {
        let same_class = || kept.iter().filter(|k| k.class == next.class);
        if let Some(most) = self.class_filter(next.class).and_then(|filter| filter.max_count)
            && same_class().count() >= most
        {
            return false;
        }
        let size = self.size_of(next);
        let most = self.size_caps.get(size).map(|rule| rule.value).or(self.large_cap);
        most.is_none_or(|most| same_class().filter(|k| self.size_of(k) == size).count() < most)
    }

    /// Which of the size caps speaks of the box: the first that it falls under, else one past the last.
    fn size_of(&self, found: &Detection) -> usize {
        let under = |rule: &SizeRule<usize>| found.bbox.area() < rule.below_area;
        self.size_caps.iter().position(under).unwrap_or(self.size_caps.len())
    }

    fn class_filter(&self, class: ClassId) -> Option<&ClassFilter> {
        self.class_filters.get(usize::from(class.0))?.as_ref()
    }
}

struct Check<'a> {
    labels: &'a Labels,
    problems: Vec<ParamsProblem>,
}

impl Check<'_> {
    fn share(&mut self, field: &'static str, value: f32) {
        if !(0.0..=1.0).contains(&value) {
            self.problems.push(ParamsProblem::OutOfRange { field, value, range: "0..=1" });
        }
    }

    fn at_least_0(&mut self, field: &'static str, value: f32) {
        if !(value >= 0.0 && value.is_finite()) {
            self.problems.push(ParamsProblem::OutOfRange { field, value, range: "0 and above" });
        }
    }

    fn class(&mut self, field: &'static str, label: &str) -> Option<usize> {
        let class = self.labels.find(label).map(|class| usize::from(class.0));
        if class.is_none() {
            let near = near(label, self.labels);
            self.problems.push(ParamsProblem::UnknownLabel { field, label: label.into(), near });
        }
        class
    }
}

/// At most three labels that are written like `label`, likest first.
fn near(label: &str, labels: &Labels) -> Vec<String> {
    let label = label.trim().to_lowercase().replace([' ', '-'], "_");
    let mut scored: Vec<(f64, &String)> = labels
        .names()
        .iter()
        .map(|name| {
            let inside =
                label.len() > 2 && (name.contains(&label) || label.contains(name.as_str()));
            let likeness = strsim::jaro_winkler(&label, name);
            (if inside { likeness.max(0.9) } else { likeness }, name)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

fn suggest(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<_> = near.iter().map(|name| format!("{name:?}")).collect();
    format!("; near ones: {}", quoted.join(", "))
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
