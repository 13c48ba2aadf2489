//! The generated street: the same every time, and its truth is what was drawn.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};

use domain::Size;

use edgecam_scene::{I420Mut, SceneRenderer, Truth};

const SIZE: Size = Size::new(640, 360);

/// Draws frame `n`; its luma and its truth.
fn frame(renderer: &mut SceneRenderer, n: u64) -> (Vec<u8>, Vec<Truth>) {
    let (w, h) = (SIZE.width as usize, SIZE.height as usize);
    let (mut y, mut u, mut v) = (vec![0; w * h], vec![0; w * h / 4], vec![0; w * h / 4]);
    let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, w / 2), v: (&mut v, w / 2) };
    let truth = renderer.frame(n, &mut picture);
    ([y, u, v].concat(), truth)
}

fn street(seed: u64) -> SceneRenderer {
    SceneRenderer::new(seed, SIZE, 25)
}

#[test]
fn the_same_seed_draws_the_same_street_in_any_order() {
    let (mut first, mut second) = (street(7), street(7));
    let forward: Vec<_> = [0, 100, 2500].iter().map(|n| frame(&mut first, *n)).collect();
    for (n, seen) in [2500, 100, 0].iter().zip(forward.iter().rev()) {
        assert!(frame(&mut second, *n) == *seen, "frame {n} differs");
    }
    assert!(frame(&mut street(8), 100).0 != forward[1].0);
}

#[test]
fn every_class_comes_along() {
    let mut renderer = street(7);
    let mut seen = BTreeSet::new();
    for n in 0..400 {
        seen.extend(frame(&mut renderer, n * 25).1.into_iter().map(|truth| truth.label));
    }
    let all = ["bicycle", "bus", "car", "cat", "dog", "motorcycle", "person", "truck"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn ids_are_unique_in_a_frame_and_keep_their_label() {
    let mut renderer = street(3);
    let mut labels = BTreeMap::new();
    for n in 0..250 {
        let (_, truth) = frame(&mut renderer, n * 2);
        let ids: BTreeSet<_> = truth.iter().map(|t| t.id).collect();
        assert_eq!(ids.len(), truth.len());
        for t in truth {
            assert_eq!(*labels.entry(t.id).or_insert(t.label), t.label);
        }
    }
}

#[test]
fn boxes_lie_in_the_picture_and_move_smoothly() {
    let mut renderer = street(5);
    let mut last: BTreeMap<u64, Truth> = BTreeMap::new();
    for n in 0..200 {
        let (_, truth) = frame(&mut renderer, n);
        for t in &truth {
            let b = t.bbox;
            assert!(b.x >= 0.0 && b.y >= 0.0 && b.right() <= 1.0 && b.bottom() <= 1.0, "{t:?}");
            assert!(b.w > 0.0 && b.h > 0.0 && (0.0..=1.0).contains(&t.visible), "{t:?}");
            let whole = |t: &Truth| t.visible > 0.99 && t.bbox.x > 0.0 && t.bbox.right() < 1.0;
            if let Some(before) = last.get(&t.id).filter(|before| whole(before) && whole(t)) {
                let step = (before.bbox.centre().x - b.centre().x).abs();
                assert!(step < 0.06, "{step} from {before:?} to {t:?}");
            }
        }
        last = truth.into_iter().map(|t| (t.id, t)).collect();
    }
}

#[test]
fn what_is_hidden_is_told() {
    let mut renderer = street(7);
    let hidden =
        (0..1500).step_by(5).any(|n| frame(&mut renderer, n).1.iter().any(|t| t.visible < 0.7));
    assert!(hidden, "nothing ever hides anything");
}

#[test]
fn what_comes_in_over_the_edge_is_seen_little_by_little() {
    let mut renderer = street(9);
    let at_edge = |t: &Truth| t.bbox.x == 0.0 || t.bbox.right() >= 1.0;
    let mut known: BTreeSet<u64> = frame(&mut renderer, 0).1.into_iter().map(|t| t.id).collect();
    let (mut came, mut sudden) = (0, 0);
    for n in 1..1000 {
        for t in frame(&mut renderer, n).1 {
            if known.insert(t.id) && at_edge(&t) {
                came += 1;
                sudden += u32::from(t.visible >= 0.5);
            }
        }
    }
    // What came in behind someone may be half there when it is seen first.
    assert!(came > 20 && sudden * 10 < came, "{sudden} of {came}");
}
