//! Non-maximum suppression by class: of overlapping boxes of one class the best. Pure.
//!
//! Greedy, as in Viola and Jones and every detector since: best first, each box that overlaps one
//! already kept goes.

use std::cmp::Ordering;

use domain::Detection;

/// Best score first; equal scores by class and place, so that the order in which boxes were found
/// does not decide.
pub fn rank(a: &Detection, b: &Detection) -> Ordering {
    let place = |d: &Detection| [d.bbox.x, d.bbox.y, d.bbox.w, d.bbox.h];
    b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)).then_with(|| {
        let pairs = place(a).into_iter().zip(place(b));
        pairs.map(|(a, b)| a.total_cmp(&b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// Leaves the best `top_k` of `boxes`, by score over all of them, in no particular order.
pub fn keep_best(boxes: &mut Vec<Detection>, top_k: usize) {
    if top_k < boxes.len() {
        boxes.select_nth_unstable_by(top_k, rank);
        boxes.truncate(top_k);
    }
}

/// Leaves no two boxes of one class that overlap by `iou_threshold` (IoU) or more; sorts the rest best
/// first.
pub fn suppress(boxes: &mut Vec<Detection>, iou_threshold: f32) {
    boxes.sort_unstable_by(rank);
    let mut kept = 0;
    for i in 0..boxes.len() {
        let candidate = boxes[i];
        let overlaps = |k: &Detection| {
            k.class == candidate.class && k.bbox.iou(candidate.bbox) >= iou_threshold
        };
        if !boxes[..kept].iter().any(overlaps) {
            boxes[kept] = candidate;
            kept += 1;
        }
    }
    boxes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use domain::{BBox, ClassId};
    use proptest::prelude::*;

    use super::*;

    fn found(class: u16, score: f32, x: f32) -> Detection {
        Detection { class: ClassId(class), score, bbox: BBox::new(x, 0.2, 0.2, 0.2) }
    }

    fn suppressed(mut boxes: Vec<Detection>, iou: f32) -> Vec<Detection> {
        suppress(&mut boxes, iou);
        boxes
    }

    #[test]
    fn the_better_of_two_overlapping_boxes_of_a_class_stays() {
        let boxes = vec![found(0, 0.5, 0.3), found(0, 0.9, 0.31), found(0, 0.4, 0.8)];
        assert_eq!(suppressed(boxes, 0.5), [found(0, 0.9, 0.31), found(0, 0.4, 0.8)]);
    }

    #[test]
    fn boxes_of_different_classes_do_not_suppress_each_other() {
        let boxes = vec![found(0, 0.5, 0.3), found(1, 0.9, 0.3)];
        assert_eq!(suppressed(boxes, 0.1).len(), 2);
    }

    #[test]
    fn the_best_of_all_stay_wherever_they_stand_in_the_list() {
        let mut boxes: Vec<_> = (0..100u16).map(|n| found(n, f32::from(n) / 100.0, 0.5)).collect();
        keep_best(&mut boxes, 3);
        boxes.sort_unstable_by(rank);
        assert_eq!(boxes.iter().map(|b| b.class.0).collect::<Vec<_>>(), [99, 98, 97]);
        keep_best(&mut boxes, 10);
        assert_eq!(boxes.len(), 3);
        keep_best(&mut boxes, 0);
        assert_eq!(boxes, []);
    }

    prop_compose! {
        fn any_box()(
            class in 0u16..3, score in 0u8..20,
            x in 0.0f32..0.8, y in 0.0f32..0.8, w in 0.0f32..0.4, h in 0.0f32..0.4,
        ) -> Detection {
            // Few scores, so that ties happen.
            let score = f32::from(score) / 20.0;
            Detection { class: ClassId(class), score, bbox: BBox::new(x, y, w, h) }
        }
    }

    fn any_boxes() -> impl Strategy<Value = Vec<Detection>> {
        prop::collection::vec(any_box(), 0..60)
    }

    proptest! {
        #[test]
        fn suppressing_twice_changes_nothing(boxes in any_boxes(), iou in 0.05f32..0.95) {
            let once = suppressed(boxes, iou);
            prop_assert_eq!(suppressed(once.clone(), iou), once);
        }

        #[test]
        fn the_order_of_the_boxes_does_not_matter(
            (boxes, shuffled) in any_boxes().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
            iou in 0.05f32..0.95, top_k in 0usize..80,
        ) {
            let run = |mut boxes: Vec<Detection>| {
                keep_best(&mut boxes, top_k);
                suppressed(boxes, iou)
            };
            prop_assert_eq!(run(boxes), run(shuffled));
        }

        #[test]
        fn no_two_boxes_of_a_class_overlap_by_the_threshold(boxes in any_boxes(), iou in 0.05f32..0.95) {
            let kept = suppressed(boxes, iou);
            for (i, a) in kept.iter().enumerate() {
                for b in &kept[..i] {
                    prop_assert!(a.class != b.class || a.bbox.iou(b.bbox) < iou);
                }
            }
        }

        #[test]
        fn what_goes_overlaps_something_at_least_as_good_that_stays(
            boxes in any_boxes(), iou in 0.05f32..0.95,
        ) {
            let kept = suppressed(boxes.clone(), iou);
            for gone in boxes.iter().filter(|b| !kept.contains(b)) {
                prop_assert!(kept.iter().any(|k| k.class == gone.class
                    && k.score >= gone.score
                    && k.bbox.iou(gone.bbox) >= iou));
            }
        }
    }
}
