//! Any boxes, numbers or not, through the choice of the best and suppression.
#![no_main]

use detect::nms::{keep_best, rank, suppress};
use domain::{BBox, ClassId, Detection};
use libfuzzer_sys::fuzz_target;

/// Class, score, box.
type Box = (u8, f32, [f32; 4]);

fuzz_target!(|input: (Vec<Box>, u16, f32)| {
    let (boxes, top_k, iou) = input;
    let mut boxes: Vec<_> = boxes.into_iter().map(detection).collect();
    let all = boxes.len();
    keep_best(&mut boxes, top_k.into());
    assert_eq!(boxes.len(), all.min(top_k.into()));
    suppress(&mut boxes, iou);
    assert!(boxes.is_sorted_by(|a, b| rank(a, b).is_le()));
    for (n, a) in boxes.iter().enumerate() {
        let overlap = boxes[..n].iter().find(|b| b.class == a.class && b.bbox.iou(a.bbox) >= iou);
        assert!(overlap.is_none(), "{a:?} overlaps {overlap:?}");
    }
});

fn detection((class, score, [x, y, w, h]): Box) -> Detection {
    Detection { class: ClassId(u16::from(class % 4)), score, bbox: BBox::new(x, y, w, h) }
}
