//! Promises of [`super`].

use domain::ClassId;
use proptest::prelude::*;

use super::*;

const WIDE: Size = Size::new(1280, 720);

fn view(tiling: Tiling) -> View {
    View { region: BBox::WHOLE, tiling }
}

fn object(bbox: BBox) -> Detection {
    Detection { class: ClassId(0), score: 0.8, bbox }
}

/// What is left of `bbox` in `tile`; `None` where hardly anything is.
fn part(bbox: BBox, tile: BBox) -> Option<BBox> {
    let part = BBox::from_corners(
        bbox.x.max(tile.x),
        bbox.y.max(tile.y),
        bbox.right().min(tile.right()),
        bbox.bottom().min(tile.bottom()),
    );
    (part.area() > 0.05 * bbox.area()).then_some(part)
}

/// What a detector without fault finds of `bboxes` in the tiles of `view`, merged and suppressed.
fn seen(bboxes: &[BBox], view: &View, picture: Size) -> Vec<Detection> {
    let mut pieces = Vec::new();
    for (number, tile) in (0..).zip(tiles(view, picture)) {
        let parts = bboxes.iter().filter_map(|&bbox| part(bbox, tile));
        pieces.extend(parts.map(|bbox| Piece::new(object(bbox), number, tile, view.region)));
    }
    merge(&mut pieces);
    let mut left = pieces.iter().map(|piece| piece.detection).collect();
    crate::nms::suppress(&mut left, 0.5);
    left
}

fn near(a: BBox, b: BBox) -> bool {
    let pairs = [(a.x, b.x), (a.y, b.y), (a.w, b.w), (a.h, b.h)];
    pairs.iter().all(|(a, b)| (a - b).abs() < 1e-5)
}

fn inside(bbox: BBox, tile: BBox) -> bool {
    part(bbox, tile).is_some_and(|part| near(part, bbox))
}

#[test]
fn two_tiles_cover_the_longer_side_and_share_a_fifth_of_themselves() {
    let [left, right] = tiles(&view(Tiling::Two), WIDE).collect::<Vec<_>>()[..] else { panic!() };
    assert!(near(left, BBox::new(0.0, 0.0, 5.0 / 9.0, 1.0)), "{left:?}");
    assert!(near(right, BBox::new(4.0 / 9.0, 0.0, 5.0 / 9.0, 1.0)), "{right:?}");
    assert!((left.right() - right.x - OVERLAP * left.w).abs() < 1e-6);
    let upright = tiles(&view(Tiling::Two), Size::new(720, 1280)).next();
    assert!(near(upright.unwrap(), BBox::new(0.0, 0.0, 1.0, 5.0 / 9.0)), "{upright:?}");
}

#[test]
fn tiles_stay_within_the_region_and_the_shape_of_the_region_decides_how_they_lie() {
    let region = BBox::new(0.2, 0.1, 0.3, 0.8);
    let upright = View { region, tiling: Tiling::TwoAndWhole };
    let all: Vec<_> = tiles(&upright, WIDE).collect();
    assert_eq!((all.len(), all[2]), (3, region));
    assert!(all.iter().all(|tile| inside(*tile, region)), "{all:?}");
    assert!(all[0].h < region.h && all[0].w == region.w);
}

#[test]
fn a_box_cut_by_an_inner_border_goes_for_the_whole_one_however_well_it_scored() {
    let all: Vec<_> = tiles(&view(Tiling::Two), WIDE).collect();
    let whole = Detection { score: 0.3, ..object(BBox::new(0.46, 0.3, 0.3, 0.2)) };
    let cut = Detection { score: 0.9, ..object(BBox::new(0.46, 0.3, 5.0 / 9.0 - 0.46, 0.2)) };
    let mut pieces =
        vec![Piece::new(cut, 0, all[0], BBox::WHOLE), Piece::new(whole, 1, all[1], BBox::WHOLE)];
    merge(&mut pieces);
    assert_eq!(pieces.iter().map(|p| p.detection).collect::<Vec<_>>(), [whole]);
}

#[test]
fn a_small_object_in_front_of_a_cut_one_does_not_take_its_place() {
    let all: Vec<_> = tiles(&view(Tiling::Two), WIDE).collect();
    let bus = object(BBox::new(0.1, 0.2, 5.0 / 9.0 - 0.1, 0.5));
    let car = object(BBox::new(0.47, 0.5, 0.08, 0.1));
    let mut pieces =
        vec![Piece::new(bus, 0, all[0], BBox::WHOLE), Piece::new(car, 1, all[1], BBox::WHOLE)];
    merge(&mut pieces);
    assert_eq!(pieces.len(), 2);
}

#[test]
fn boxes_of_other_classes_are_left_alone() {
    let all: Vec<_> = tiles(&view(Tiling::Two), WIDE).collect();
    let dog = object(BBox::new(0.46, 0.3, 5.0 / 9.0 - 0.46, 0.2));
    let cat = Detection { class: ClassId(1), ..object(BBox::new(0.46, 0.3, 0.3, 0.2)) };
    let mut pieces =
        vec![Piece::new(dog, 0, all[0], BBox::WHOLE), Piece::new(cat, 1, all[1], BBox::WHOLE)];
    merge(&mut pieces);
    assert_eq!(pieces.len(), 2);
}

#[test]
fn what_reaches_over_both_tiles_is_put_together() {
    let bus = BBox::new(0.2, 0.3, 0.6, 0.4);
    for tiling in [Tiling::Two, Tiling::TwoAndWhole] {
        let found = seen(&[bus], &view(tiling), WIDE);
        assert!(found.len() == 1 && near(found[0].bbox, bus), "{tiling:?}: {found:?}");
    }
}

prop_compose! {
    fn any_box()(x in 0.0f32..0.95, y in 0.0f32..0.95, w in 0.01f32..0.9, h in 0.01f32..0.9)
        -> BBox
    {
        BBox::new(x, y, w, h).clamped()
    }
}

fn any_tiling() -> impl Strategy<Value = Tiling> {
    prop_oneof![Just(Tiling::Off), Just(Tiling::Two), Just(Tiling::TwoAndWhole)]
}

prop_compose! {
    fn any_piece()(bbox in any_box(), class in 0u16..3, score in 0u8..20, tile in 0u8..3)
        -> (Detection, u8)
    {
        let score = f32::from(score) / 20.0;
        (Detection { class: ClassId(class), score, bbox }, tile)
    }
}

fn any_pieces(view: &View, found: &[(Detection, u8)]) -> Vec<Piece> {
    let all: Vec<_> = tiles(view, WIDE).collect();
    let piece = |&(detection, tile): &(Detection, u8)| {
        let tile_box = all[usize::from(tile) % all.len()];
        let bbox = part(detection.bbox, tile_box).unwrap_or(tile_box);
        Piece::new(Detection { bbox, ..detection }, tile % all.len() as u8, tile_box, view.region)
    };
    found.iter().map(piece).collect()
}

proptest! {
    #[test]
    fn an_object_wholly_inside_one_tile_is_found_once_as_it_is(
        bbox in any_box(), tiling in any_tiling(), upright in any::<bool>(),
    ) {
        let picture = if upright { Size::new(720, 1280) } else { WIDE };
        let view = view(tiling);
        prop_assume!(tiles(&view, picture).any(|tile| inside(bbox, tile)));
        let found = seen(&[bbox], &view, picture);
        prop_assert_eq!(found.len(), 1, "{:?}", found);
        prop_assert!(near(found[0].bbox, bbox), "{:?} instead of {:?}", found, bbox);
    }

    #[test]
    fn there_are_never_more_boxes_than_were_found_and_none_of_a_class_that_was_not(
        found in prop::collection::vec(any_piece(), 0..40), tiling in any_tiling(),
    ) {
        let before = any_pieces(&view(tiling), &found);
        let mut after = before.clone();
        merge(&mut after);
        prop_assert!(after.len() <= before.len());
        for piece in &after {
            let (class, score) = (piece.detection.class, piece.detection.score);
            prop_assert!(before.iter().any(|p| p.detection.class == class && p.detection.score == score));
        }
    }

    #[test]
    fn merging_tiles_that_are_the_same_changes_nothing(
        found in prop::collection::vec(any_piece(), 0..40),
    ) {
        let same = |&(detection, tile): &(Detection, u8)| Piece::new(detection, tile, BBox::WHOLE, BBox::WHOLE);
        let before: Vec<_> = found.iter().map(same).collect();
        let mut after = before.clone();
        merge(&mut after);
        prop_assert_eq!(after.len(), before.len());
        prop_assert!(before.iter().all(|piece| after.contains(piece)));
    }
}
