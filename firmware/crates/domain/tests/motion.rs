//! What the motion gate promises for any picture: stillness, light, noise, what appears, what creeps.

use std::time::Duration;

use edgecam_domain::{
    BBox, ClassId, Colours, Detection, Frame, MotionGate, MotionParams, PixelFormat, Size,
    TrackState, Tracker, TrackerParams,
};
use proptest::prelude::*;

const SIZE: Size = Size::new(320, 180);
const REFRESH: Duration = Duration::from_secs(2);

fn gate() -> MotionGate {
    MotionGate::new(MotionParams { refresh: REFRESH }, BBox::WHOLE)
}

fn at(look: u64) -> Duration {
    Duration::from_millis(100 * look)
}

/// A picture with `luma` at each column and row.
fn picture(look: u64, size: Size, mut luma: impl FnMut(usize, usize) -> u8) -> Frame {
    let format = PixelFormat::Nv12;
    let mut data = vec![128; format.bytes(size)];
    let width = size.width as usize;
    for (row, line) in data.chunks_mut(width).take(size.height as usize).enumerate() {
        line.iter_mut().enumerate().for_each(|(column, byte)| *byte = luma(column, row));
    }
    let (at, colours) = (at(look), Colours::default());
    let (pts, captured, tapped) = (at, at, at);
    Frame { seq: look, pts, captured, tapped, size, source_size: size, format, colours, data }
}

/// A yard: things of any brightness that stand there.
fn yard(column: usize, row: usize) -> u8 {
    40 + ((column / 23 * 7919 + row / 17 * 104_729) % 150) as u8
}

/// Noise between -`most` and `most`, different in each picture.
fn noise(seed: u64, most: u8) -> impl FnMut() -> i16 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        // Xorshift (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let span = 2 * i16::from(most) + 1;
        (state >> 32 & 0x3FFF) as i16 % span - i16::from(most)
    }
}

/// The yard as a camera sees it: brighter by `light`, with noise, and a box of `contrast` at `place`.
fn seen(look: u64, light: i16, most: u8, thing: Option<(BBox, i16)>) -> Frame {
    let mut noise = noise(look + 1, most);
    picture(look, SIZE, |column, row| {
        let (x, y) = (column as f32 / SIZE.width as f32, row as f32 / SIZE.height as f32);
        let on = thing.filter(|(b, _)| x >= b.x && x < b.right() && y >= b.y && y < b.bottom());
        let luma = i16::from(yard(column, row)) + light + noise() + on.map_or(0, |(_, by)| by);
        luma.clamp(0, 255) as u8
    })
}

/// Asks about `frame` and looks where that is asked for; whether it was.
fn looks(gate: &mut MotionGate, frame: &Frame) -> bool {
    let looks = !gate.is_still(frame);
    if looks {
        gate.looked();
    }
    looks
}

#[test]
fn a_noisy_yard_in_changing_light_is_looked_at_for_the_refresh_only() {
    let mut gate = gate();
    // A cloud: 30 levels up and down within a minute.
    let light = |look: u64| (30.0 * (look as f32 / 100.0).sin()) as i16;
    let looked = (0..600).filter(|&n| looks(&mut gate, &seen(n, light(n), 6, None))).count();
    assert!((30..=33).contains(&looked), "{looked} looks in a minute");
}

#[test]
fn what_appears_is_looked_at_in_its_first_frame_whatever_the_light_does() {
    for (contrast, light, most) in [(25, 0, 0), (-25, 0, 6), (40, 20, 6), (-40, -20, 3)] {
        let mut gate = gate();
        assert!(looks(&mut gate, &seen(0, 0, most, None)), "the first frame");
        assert!(!looks(&mut gate, &seen(1, 0, most, None)));
        // Two cells wide, as someone far away.
        let thing = BBox::new(0.4, 0.5, 0.03, 0.06);
        assert!(looks(&mut gate, &seen(2, light, most, Some((thing, contrast)))), "{contrast}");
        assert!(!looks(&mut gate, &seen(3, light, most, Some((thing, contrast)))));
        assert!(looks(&mut gate, &seen(4, light, most, None)), "and when it is gone");
    }
}

#[test]
fn what_creeps_adds_up_until_it_is_looked_at() {
    let params = MotionParams { refresh: Duration::from_secs(3600) };
    let mut gate = MotionGate::new(params, BBox::WHOLE);
    // A pixel a second.
    let thing = |look: u64| BBox::new(0.1 + look as f32 / 10.0 / 320.0, 0.5, 0.05, 0.1);
    let looked = (0..600).filter(|&n| looks(&mut gate, &seen(n, 0, 0, Some((thing(n), 60)))));
    let looked: Vec<u64> = looked.collect();
    assert!(looked.len() >= 20, "{looked:?}");
    assert!(looked.windows(2).all(|pair| pair[1] - pair[0] <= 50), "{looked:?}");
}

#[test]
fn what_moves_outside_of_the_region_is_nobodys_business() {
    let left = BBox::new(0.0, 0.0, 0.5, 1.0);
    let mut gate = MotionGate::new(MotionParams { refresh: REFRESH }, left);
    let thing = |x| Some((BBox::new(x, 0.5, 0.05, 0.1), 80));
    assert!(looks(&mut gate, &seen(0, 0, 0, None)));
    assert!(!looks(&mut gate, &seen(1, 0, 0, thing(0.7))));
    assert!(looks(&mut gate, &seen(2, 0, 0, thing(0.3))));
}

#[test]
fn another_size_a_gap_in_time_and_forgetting_ask_for_a_look() {
    let mut gate = gate();
    let flat = |look, size| picture(look, size, |_, _| 90);
    assert!(looks(&mut gate, &flat(0, SIZE)));
    assert!(!looks(&mut gate, &flat(1, SIZE)));
    assert!(looks(&mut gate, &flat(2, Size::new(180, 320))));
    assert!(looks(&mut gate, &flat(100, Size::new(180, 320))));
    assert!(looks(&mut gate, &flat(30, Size::new(180, 320))), "time that went back");
    gate.forget();
    assert!(looks(&mut gate, &flat(31, Size::new(180, 320))));
    let cut = Frame { data: Vec::new(), ..flat(32, Size::new(180, 320)) };
    assert!(looks(&mut gate, &cut), "what is no picture is the detector's to refuse");
}

fn size() -> impl Strategy<Value = Size> {
    let side = || prop_oneof![1_u32..8, 8_u32..200, Just(1000)];
    (side(), side()).prop_map(|(width, height)| Size::new(width, height))
}

proptest! {
    #[test]
    fn a_picture_that_only_gets_brighter_or_darker_is_still(
        size in size(),
        seed in any::<u64>(),
        light in -40_i16..40,
    ) {
        let mut gate = gate();
        let of = |look, light: i16| {
            let mut values = noise(seed, 80);
            picture(look, size, |_, _| (128 + values() + light).clamp(0, 255) as u8)
        };
        prop_assert!(looks(&mut gate, &of(0, 0)));
        prop_assert!(!looks(&mut gate, &of(1, 0)), "the same picture");
        prop_assert!(!looks(&mut gate, &of(2, light)), "in another light");
    }

    #[test]
    fn a_dark_or_bright_thing_is_seen_wherever_it_is_and_whatever_its_size(
        x in 0.0_f32..0.97,
        y in 0.0_f32..0.93,
        w in 0.03_f32..0.6,
        h in 0.06_f32..0.6,
        contrast in prop_oneof![-60_i16..-20, 20_i16..60],
        light in -15_i16..15,
    ) {
        let mut gate = gate();
        prop_assert!(looks(&mut gate, &seen(0, 0, 4, None)));
        let thing = BBox::new(x, y, w, h).clamped();
        prop_assert!(looks(&mut gate, &seen(1, light, 4, Some((thing, contrast)))));
    }

    #[test]
    fn no_picture_and_no_region_make_it_panic(
        size in size(),
        region in [-1.0_f32..2.0, -1.0_f32..2.0, 0.0_f32..2.0, 0.0_f32..2.0],
        bytes in 0_usize..5000,
        format in prop_oneof![Just(PixelFormat::Rgb), Just(PixelFormat::Bgr), Just(PixelFormat::I420)],
    ) {
        let [x, y, w, h] = region;
        let mut gate = MotionGate::new(MotionParams { refresh: REFRESH }, BBox::new(x, y, w, h));
        let whole = Frame { format, data: vec![7; format.bytes(size)], ..picture(0, size, |_, _| 0) };
        let cut = Frame { data: vec![7; bytes], ..whole.clone() };
        for frame in [&whole, &cut, &whole, &whole] {
            looks(&mut gate, frame);
        }
    }

    #[test]
    fn holding_changes_nothing_but_the_time_and_settled_tracks_survive_any_number_of_holds(
        boxes in prop::collection::vec((0.0_f32..0.9, 0.0_f32..0.9), 1..5),
        holds in 1_u64..600,
    ) {
        let mut tracker = Tracker::new(TrackerParams::default());
        let found: Vec<Detection> = (0..).zip(&boxes).map(|(n, &(x, y))| {
            Detection { class: ClassId(n), score: 0.9, bbox: BBox::new(x, y, 0.08, 0.08) }
        }).collect();
        prop_assert!(tracker.is_settled());
        tracker.step(at(0), &found);
        prop_assert!(!tracker.is_settled(), "nobody is confirmed by one look");
        let seen = tracker.step(at(1), &found);
        prop_assert!(tracker.is_settled());
        for n in 0..holds {
            let held = tracker.hold(at(2 + n));
            prop_assert!(held.started.is_empty() && held.ended.is_empty());
            prop_assert_eq!(held.tracks.len(), seen.tracks.len());
            for (now, then) in held.tracks.iter().zip(&seen.tracks) {
                prop_assert_eq!((now.id, now.bbox, now.hits), (then.id, then.bbox, then.hits));
                prop_assert_eq!((now.last_seen, now.state), (at(2 + n), TrackState::Confirmed));
            }
        }
        let after = tracker.step(at(2 + holds), &found);
        prop_assert_eq!(after.tracks.len(), seen.tracks.len());
        tracker.step(at(3 + holds), &[]);
        prop_assert!(!tracker.is_settled(), "who was missed is to be looked for");
    }
}

#[test]
fn who_stands_while_nobody_looks_becomes_stationary_and_who_crept_keeps_the_speed_of_all_of_it() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let found =
        |x| [Detection { class: ClassId(0), score: 0.9, bbox: BBox::new(x, 0.4, 0.1, 0.2) }];
    (0..3).for_each(|n| drop(tracker.step(at(n), &found(0.4))));
    let held: Vec<_> = (3..150).map(|n| tracker.hold(at(n)).tracks[0].stationary).collect();
    assert!(!held[0] && held[146]);

    let mut tracker = Tracker::new(TrackerParams::default());
    (0..3).for_each(|n| drop(tracker.step(at(n), &found(0.4))));
    (3..22).for_each(|n| drop(tracker.hold(at(n))));
    let speed = tracker.step(at(22), &found(0.44)).tracks[0].velocity.x;
    assert!(
        speed > 0.01 && speed < 0.021,
        "4 % of the picture in two seconds, not in a tenth: {speed}"
    );
}
