//! Each parameter does something, and only what it says.

use domain::BBox;

use super::*;

const NONE: [f32; 0] = [];
const SOURCE: Size = Size::new(1000, 500);

fn labels() -> Labels {
    Labels::new(["person", "car", "traffic_light"].map(String::from))
}

/// Nothing is filtered but by scores below 0.1, and nothing suppressed but the same box.
fn params() -> DetectionParams {
    DetectionParams {
        score_threshold: 0.1,
        class_thresholds: Vec::new(),
        size_thresholds: Vec::new(),
        size_caps: Vec::new(),
        large_cap: None,
        class_filters: Vec::new(),
        top_k: 1000,
        iou_threshold: 1.0,
        max_detections: 1000,
        min_box_area_px: 0.0,
        labels: None,
    }
}

fn filter(change: impl FnOnce(&mut DetectionParams)) -> Filter {
    let mut params = params();
    change(&mut params);
    Filter::compile(&params, &labels()).unwrap()
}

fn found(class: u16, score: f32, x: f32, w: f32, h: f32) -> Detection {
    Detection { class: ClassId(class), score, bbox: BBox::new(x, 0.1, w, h) }
}

/// What is left of `boxes`, by score: thresholds, sizes, suppression, limits.
fn left(filter: &Filter, boxes: &[Detection]) -> Vec<f32> {
    let passes = |d: &&Detection| {
        d.score >= filter.thresholds()[usize::from(d.class.0)] && filter.admits(d, SOURCE)
    };
    let mut boxes: Vec<_> = boxes.iter().filter(passes).copied().collect();
    filter.select(&mut boxes);
    boxes.iter().map(|d| d.score).collect()
}

/// Persons of 10 × 10 % of the picture beside each other.
fn row(scores: &[f32]) -> Vec<Detection> {
    let place = |(i, &score)| found(0, score, i as f32 * 0.11, 0.1, 0.1);
    scores.iter().enumerate().map(place).collect()
}

#[test]
fn score_threshold_drops_weaker_boxes() {
    let boxes = row(&[0.4, 0.5, 0.6]);
    assert_eq!(left(&filter(|_| ()), &boxes), [0.6, 0.5, 0.4]);
    assert_eq!(left(&filter(|p| p.score_threshold = 0.5), &boxes), [0.6, 0.5]);
}

#[test]
fn class_thresholds_replace_the_score_threshold_for_their_class_up_and_down() {
    let boxes = [found(0, 0.4, 0.0, 0.1, 0.1), found(1, 0.4, 0.0, 0.1, 0.1)];
    let up = filter(|p| p.class_thresholds = vec![("car".into(), 0.5)]);
    assert_eq!(left(&up, &boxes).len(), 1);
    let down = filter(|p| {
        p.score_threshold = 0.9;
        p.class_thresholds = vec![("car".into(), 0.3)];
    });
    assert_eq!(left(&down, &boxes).len(), 1);
}

#[test]
fn size_thresholds_ask_more_of_small_boxes_and_the_strictest_wins() {
    // 1 %, 4 % and 9 % of the picture.
    let boxes = |score| [0.1, 0.2, 0.3].map(|side| found(0, score, side, side, side));
    let rules = vec![
        SizeRule { below_area: 0.05, value: 0.45 },
        SizeRule { below_area: 0.02, value: 0.55 },
    ];
    let strict = filter(|p| p.size_thresholds = rules);
    assert_eq!(left(&strict, &boxes(0.4)).len(), 1);
    assert_eq!(left(&strict, &boxes(0.5)).len(), 2);
    assert_eq!(left(&strict, &boxes(0.6)).len(), 3);
    let also_strict = filter(|p| {
        p.score_threshold = 0.58;
        p.size_thresholds = vec![SizeRule { below_area: 0.05, value: 0.45 }];
    });
    assert_eq!(left(&also_strict, &boxes(0.5)).len(), 0);
}

#[test]
fn size_caps_keep_the_best_of_each_class_and_size() {
    let small = row(&[0.3, 0.9, 0.5, 0.7]);
    let large = found(0, 0.2, 0.5, 0.4, 0.4);
    let car = found(1, 0.25, 0.9, 0.1, 0.1);
    let boxes: Vec<_> = small.into_iter().chain([large, car]).collect();
    let capped = filter(|p| p.size_caps = vec![SizeRule { below_area: 0.02, value: 2 }]);
    assert_eq!(left(&capped, &boxes), [0.9, 0.7, 0.25, 0.2]);
}

#[test]
fn a_box_counts_for_the_smallest_size_cap_that_it_falls_under() {
    // 1 % and 4 %: the order in which the rules are written does not matter.
    let boxes = [
        found(0, 0.9, 0.0, 0.1, 0.1),
        found(0, 0.8, 0.2, 0.1, 0.1),
        found(0, 0.7, 0.4, 0.2, 0.2),
        found(0, 0.6, 0.7, 0.2, 0.2),
    ];
    let capped = filter(|p| {
        p.size_caps =
            vec![SizeRule { below_area: 0.08, value: 2 }, SizeRule { below_area: 0.02, value: 1 }];
    });
    assert_eq!(left(&capped, &boxes), [0.9, 0.7, 0.6]);
}

#[test]
fn large_cap_limits_boxes_that_no_size_cap_speaks_of() {
    let boxes: Vec<_> = [0.9, 0.8, 0.7]
        .iter()
        .enumerate()
        .map(|(i, &score)| found(0, score, i as f32 * 0.3, 0.3, 0.5))
        .chain(row(&[0.3, 0.4]))
        .collect();
    let capped = filter(|p| {
        p.size_caps = vec![SizeRule { below_area: 0.08, value: 9 }];
        p.large_cap = Some(1);
    });
    assert_eq!(left(&capped, &boxes), [0.9, 0.4, 0.3]);
    assert_eq!(left(&filter(|p| p.large_cap = Some(1)), &boxes), [0.9]);
}

#[test]
fn class_filters_act_on_their_class_only() {
    // Areas 1 % and 9 %; 200 px wide and 50 high (4:1), 300 px wide and 150 high (2:1).
    let boxes = |class| [found(class, 0.5, 0.0, 0.2, 0.1), found(class, 0.4, 0.3, 0.3, 0.3)];
    let both = || boxes(0).into_iter().chain(boxes(1)).collect::<Vec<_>>();
    let demand = |filter: ClassFilter| {
        left(&super::tests::filter(|p| p.class_filters = vec![("person".into(), filter)]), &both())
    };
    let none = ClassFilter { max_count: None, min_area: None, min_aspect: None, max_aspect: None };
    assert_eq!(demand(none), [0.5, 0.5, 0.4, 0.4]);
    assert_eq!(demand(ClassFilter { max_count: Some(1), ..none }), [0.5, 0.5, 0.4]);
    assert_eq!(demand(ClassFilter { min_area: Some(0.05), ..none }), [0.5, 0.4, 0.4]);
    assert_eq!(demand(ClassFilter { min_aspect: Some(3.0), ..none }), [0.5, 0.5, 0.4]);
    assert_eq!(demand(ClassFilter { max_aspect: Some(3.0), ..none }), [0.5, 0.4, 0.4]);
}

#[test]
fn top_k_lets_the_best_by_score_into_suppression_not_the_first() {
    let boxes = row(&[0.2, 0.3, 0.9, 0.8]);
    assert_eq!(left(&filter(|p| p.top_k = 2), &boxes), [0.9, 0.8]);
}

#[test]
fn iou_threshold_decides_how_much_overlap_suppresses() {
    // Two boxes of 10 % that share 2/3 of their width: IoU 0.5.
    let boxes = [found(0, 0.9, 0.0, 0.3, 0.3), found(0, 0.8, 0.1, 0.3, 0.3)];
    assert_eq!(left(&filter(|p| p.iou_threshold = 0.6), &boxes).len(), 2);
    assert_eq!(left(&filter(|p| p.iou_threshold = 0.4), &boxes), [0.9]);
}

#[test]
fn max_detections_keeps_the_best_of_the_frame() {
    let boxes = row(&[0.2, 0.3, 0.9, 0.8]);
    assert_eq!(left(&filter(|p| p.max_detections = 3), &boxes), [0.9, 0.8, 0.3]);
    assert_eq!(left(&filter(|p| p.max_detections = 0), &boxes), NONE);
}

#[test]
fn min_box_area_px_is_counted_in_pixels_of_the_source() {
    // 0.1 × 0.1 of 1000 × 500: 5000 square pixels.
    let boxes = row(&[0.9]);
    assert_eq!(left(&filter(|p| p.min_box_area_px = 5000.0), &boxes).len(), 1);
    assert_eq!(left(&filter(|p| p.min_box_area_px = 5001.0), &boxes).len(), 0);
}

#[test]
fn labels_shut_out_all_other_classes() {
    let boxes = [found(0, 0.9, 0.0, 0.1, 0.1), found(1, 0.8, 0.2, 0.1, 0.1)];
    let cars = filter(|p| p.labels = Some(vec!["car".into()]));
    assert_eq!(left(&cars, &boxes), [0.8]);
    let nothing = filter(|p| p.labels = Some(Vec::new()));
    assert_eq!(left(&nothing, &boxes), NONE);
    assert_eq!(left(&filter(|p| p.labels = None), &boxes).len(), 2);
}

#[test]
fn a_box_that_does_not_count_suppresses_none_that_does() {
    let small_but_sure = found(0, 0.9, 0.0, 0.1, 0.1);
    let larger = found(0, 0.6, 0.0, 0.11, 0.11);
    let strict = filter(|p| {
        p.iou_threshold = 0.5;
        p.min_box_area_px = 5500.0;
    });
    assert_eq!(left(&strict, &[small_but_sure, larger]), [0.6]);
}

#[test]
fn a_box_without_area_or_without_numbers_never_counts() {
    for bbox in [BBox::new(0.5, 0.5, 0.0, 0.1), BBox::new(f32::NAN, 0.5, f32::NAN, 0.1)] {
        let broken = Detection { class: ClassId(0), score: 0.9, bbox };
        assert!(!filter(|_| ()).admits(&broken, SOURCE));
    }
}

#[test]
fn unknown_labels_are_refused_all_at_once_with_near_ones() {
    let mut params = params();
    params.labels = Some(vec!["persn".into(), "car".into(), "unicorn".into()]);
    params.class_thresholds = vec![("Traffic Light".into(), 0.5)];
    params.class_filters = vec![(
        "cars".into(),
        ClassFilter { max_count: None, min_area: None, min_aspect: None, max_aspect: None },
    )];
    let error = Filter::compile(&params, &labels()).unwrap_err().to_string();
    assert_eq!(
        error,
        "class_thresholds: the model has no label \"Traffic Light\"; near ones: \"traffic_light\"; \
         labels: the model has no label \"persn\"; near ones: \"person\"; \
         labels: the model has no label \"unicorn\"; \
         class_filters: the model has no label \"cars\"; near ones: \"car\""
    );
}

#[test]
fn values_out_of_range_are_refused_all_at_once() {
    let mut params = params();
    params.score_threshold = 1.5;
    params.iou_threshold = f32::NAN;
    params.min_box_area_px = -1.0;
    params.size_thresholds = vec![SizeRule { below_area: 2.0, value: 0.5 }];
    params.size_caps = vec![SizeRule { below_area: -0.1, value: 1 }];
    let problems = Filter::compile(&params, &labels()).unwrap_err().problems;
    let fields: Vec<_> = problems
        .iter()
        .map(|problem| match problem {
            ParamsProblem::OutOfRange { field, .. } => *field,
            ParamsProblem::UnknownLabel { .. } => panic!("{problem}"),
        })
        .collect();
    let expected =
        ["score_threshold", "iou_threshold", "min_box_area_px", "size_thresholds", "size_caps"];
    assert_eq!(fields, expected);
}
