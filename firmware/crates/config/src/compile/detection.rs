//! What counts as found, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use api::settings::{ClassFilter, DetectionSettings, Tiling};
use domain::detection::SizeRule;
use domain::{BBox, DetectionParams, MotionParams, View};

use crate::check::Check;

/// Least side of a region: smaller ones are a slip of the mouse.
const LEAST_SIDE: f32 = 0.05;
/// Where the picture ends, with slack for sums of rounded shares.
const MOST: f32 = 1.0001;

/// Detection settings, checked.
pub(super) struct Found {
    /// Whether the camera detects.
    pub(super) enabled: bool,
    /// Least time between the starts of two inferences.
    pub(super) min_interval: Duration,
    /// What the detector looks at.
    pub(super) view: View,
    /// Which frames need not be looked at.
    pub(super) motion: Option<MotionParams>,
    /// What counts as found.
    pub(super) params: DetectionParams,
}

/// Checks what counts as found.
pub(super) fn detection(check: &mut Check<'_>, settings: &DetectionSettings) -> Found {
    let max_fps = check.number("max_fps", settings.max_fps, 0.1..=60.0);
    let large_cap = check.number("large_cap", settings.large_cap, 0..=300);
    Found {
        enabled: check.need_or("enabled", settings.enabled, false),
        min_interval: Duration::from_secs_f32(1.0 / max_fps),
        view: view(check, settings),
        motion: motion(check, settings),
        params: DetectionParams {
            score_threshold: check.number("score_threshold", settings.score_threshold, 0.0..=1.0),
            class_thresholds: class_thresholds(
                &mut check.below("class_thresholds"),
                settings.class_thresholds.as_ref(),
            ),
            size_thresholds: size_thresholds(&mut check.below("size_thresholds"), settings),
            size_caps: size_caps(&mut check.below("size_caps"), settings),
            large_cap: (large_cap > 0).then_some(large_cap as usize),
            class_filters: class_filters(
                &mut check.below("class_filters"),
                settings.class_filters.as_ref(),
            ),
            top_k: check.number("top_k", settings.top_k, 1..=10_000) as usize,
            iou_threshold: check.number("iou_threshold", settings.iou_threshold, 0.0..=1.0),
            max_detections: check.number("max_detections", settings.max_detections, 1..=300)
                as usize,
            min_box_area_px: check.number("min_box_area_px", settings.min_box_area_px, 0.0..=1e6),
            labels: labels(check, settings.labels.as_deref()),
        },
    }
}

fn motion(check: &mut Check<'_>, settings: &DetectionSettings) -> Option<MotionParams> {
    let refresh = check.number("motion_refresh_s", settings.motion_refresh_s, 0.1..=60.0);
    let gate = check.need_or("motion_gate", settings.motion_gate, false);
    gate.then(|| MotionParams { refresh: Duration::from_secs_f32(refresh) })
}

fn view(check: &mut Check<'_>, settings: &DetectionSettings) -> View {
    let tiling = match check.need_or("tiling", settings.tiling, Tiling::Off) {
        Tiling::Off => domain::Tiling::Off,
        Tiling::Two => domain::Tiling::Two,
        Tiling::TwoAndWhole => domain::Tiling::TwoAndWhole,
    };
    let [x, y, w, h] = check.need_or("region", settings.region, [0.0, 0.0, 1.0, 1.0]);
    let region = BBox::new(x, y, w, h);
    // Written so that what is no number is refused too.
    let inside = x >= 0.0 && y >= 0.0 && region.right() <= MOST && region.bottom() <= MOST;
    if !(inside && w >= LEAST_SIDE && h >= LEAST_SIDE) {
        let reason = format!(
            "must be [x, y, width, height] inside the picture, whose sides are 1, and no side below \
             {LEAST_SIDE}"
        );
        check.wrong("region", settings.region.as_ref().map(|region| region as _), reason);
    }
    View { region: region.clamped(), tiling }
}

/// Labels that are looked for; an empty list is no choice.
pub(super) fn labels(check: &mut Check<'_>, labels: Option<&[String]>) -> Option<Vec<String>> {
    let labels = labels.unwrap_or_default();
    for (index, text) in labels.iter().enumerate() {
        label(&mut check.below("labels").item(index), text);
    }
    (!labels.is_empty()).then(|| labels.to_vec())
}

/// Which labels there are depends on the model, which is not known here.
fn label(check: &mut Check<'_>, label: &str) {
    if label.is_empty() || label.trim() != label || label.contains(char::is_control) {
        let reason = "must be the name of a class of the model, such as person or traffic light";
        check.wrong("", Some(&label), reason);
    }
}

fn class_thresholds(
    check: &mut Check<'_>,
    thresholds: Option<&BTreeMap<String, f32>>,
) -> Vec<(String, f32)> {
    let mut one = |(class, score): (&String, &f32)| {
        label(&mut check.below(class), class);
        (class.clone(), check.within(class, *score, 0.0..=1.0))
    };
    thresholds.into_iter().flatten().map(&mut one).collect()
}

fn class_filters(
    check: &mut Check<'_>,
    filters: Option<&BTreeMap<String, ClassFilter>>,
) -> Vec<(String, domain::ClassFilter)> {
    let mut one = |(class, filter): (&String, &ClassFilter)| {
        let mut check = check.below(class);
        label(&mut check, class);
        if let (Some(least), Some(most)) = (filter.min_aspect, filter.max_aspect)
            && least > most
        {
            check.wrong("min_aspect", Some(&least), format!("is above `max_aspect`, {most}"));
        }
        let filter = domain::ClassFilter {
            max_count: filter.max_count.map(|n| check.within("max_count", n, 1..=300) as usize),
            min_area: filter.min_area.map(|share| check.within("min_area", share, 0.0..=1.0)),
            min_aspect: filter.min_aspect.map(|r| check.within("min_aspect", r, 0.0..=100.0)),
            max_aspect: filter.max_aspect.map(|r| check.within("max_aspect", r, 0.0..=100.0)),
        };
        (class.clone(), filter)
    };
    filters.into_iter().flatten().map(&mut one).collect()
}

fn size_thresholds(check: &mut Check<'_>, settings: &DetectionSettings) -> Vec<SizeRule<f32>> {
    let mut rules = Vec::new();
    for (index, rule) in settings.size_thresholds.iter().flatten().enumerate() {
        let mut check = check.item(index);
        rules.push(SizeRule {
            below_area: check.within("below_area", rule.below_area, 0.0..=1.0),
            value: check.within("min_score", rule.min_score, 0.0..=1.0),
        });
    }
    by_area(check, rules)
}

fn size_caps(check: &mut Check<'_>, settings: &DetectionSettings) -> Vec<SizeRule<usize>> {
    let mut rules = Vec::new();
    for (index, rule) in settings.size_caps.iter().flatten().enumerate() {
        let mut check = check.item(index);
        rules.push(SizeRule {
            below_area: check.within("below_area", rule.below_area, 0.0..=1.0),
            value: check.within("max_per_class", rule.max_per_class, 0..=300) as usize,
        });
    }
    by_area(check, rules)
}

/// The rules, smallest area first, as who applies them expects.
fn by_area<T>(check: &mut Check<'_>, mut rules: Vec<SizeRule<T>>) -> Vec<SizeRule<T>> {
    rules.sort_by(|a, b| a.below_area.total_cmp(&b.below_area));
    if let Some([one, _]) = rules.array_windows().find(|[a, b]| a.below_area == b.below_area) {
        let reason = format!("has two rules for boxes below {}; remove one", one.below_area);
        check.wrong("", None, reason);
    }
    rules
}
