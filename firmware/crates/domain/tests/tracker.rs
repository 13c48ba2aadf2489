//! What the tracker promises for any input: ids, lifecycles, order, numbers, crossings, misses.

use std::collections::BTreeMap;
use std::time::Duration;

use edgecam_domain::{
    BBox, ClassId, Detection, Point, TrackId, TrackState, TrackUpdate, Tracker, TrackerParams,
};
use proptest::num::f32::ANY;
use proptest::prelude::*;

const PERSON: ClassId = ClassId(0);

/// Any detection of a small world, some of them out of the picture, empty or weak.
fn detection() -> impl Strategy<Value = Detection> {
    let side = prop_oneof![4 => 0.05_f32..0.4, 1 => 0.0_f32..0.01];
    (0_u16..4, 0.0_f32..1.0, -0.2_f32..1.1, -0.2_f32..1.1, side.clone(), side).prop_map(
        |(class, score, x, y, w, h)| {
            let bbox = BBox::new(x, y, w, h);
            Detection { class: ClassId(class), score, bbox }
        },
    )
}

/// Frames with the time since the one before, in milliseconds: mostly regular, now and then slow.
fn frames() -> impl Strategy<Value = Vec<(u64, Vec<Detection>)>> {
    let gap = prop_oneof![6 => 60_u64..400, 1 => 1500_u64..4000, 1 => 0_u64..2];
    // Several frames around the same things, so that tracks come about.
    let scene = (prop::collection::vec(detection(), 0..6), 1_usize..5);
    let jitter = prop::collection::vec(-0.02_f32..0.02, 32);
    prop::collection::vec((scene, gap, jitter), 1..10).prop_map(|scenes| {
        let mut frames = Vec::new();
        for ((things, repeats), gap, jitter) in scenes {
            let mut jitter = jitter.into_iter().cycle();
            let mut next = || jitter.next().unwrap_or_default();
            for _ in 0..repeats {
                let mut moved = things.clone();
                for thing in &mut moved {
                    thing.bbox.x += next();
                    thing.bbox.y += next();
                    thing.score = (thing.score + 10.0 * next()).clamp(0.0, 1.0);
                }
                frames.push((gap, moved));
            }
        }
        frames
    })
}

fn params() -> impl Strategy<Value = TrackerParams> {
    (0.05_f32..1.0, 0.0_f32..3.0, 1_u32..4, 100_u64..4000, any::<bool>()).prop_map(
        |(ema_weight, reach_per_second, confirm_hits, max_missed, alike)| TrackerParams {
            ema_weight,
            reach_per_second,
            confirm_hits,
            max_missed: Duration::from_millis(max_missed),
            alike: if alike { vec![vec![ClassId(1), ClassId(2)]] } else { Vec::new() },
            ..TrackerParams::default()
        },
    )
}

fn run(tracker: &mut Tracker, frames: &[(u64, Vec<Detection>)]) -> Vec<TrackUpdate> {
    let mut at = Duration::ZERO;
    let step = |(gap, detections): &(u64, Vec<Detection>)| {
        at += Duration::from_millis(*gap);
        tracker.step(at, detections)
    };
    frames.iter().map(step).collect()
}

fn assert_finite(update: &TrackUpdate) -> Result<(), TestCaseError> {
    for track in update.tracks.iter().chain(&update.ended) {
        let ahead = track.bbox_at(update.at + Duration::from_secs(5));
        let BBox { x, y, w, h } = track.bbox;
        let numbers =
            [x, y, w, h, track.velocity.x, track.velocity.y, track.score, track.top_score];
        prop_assert!(numbers.iter().all(|n| n.is_finite()), "{track:?}");
        prop_assert!([ahead.x, ahead.y, ahead.w, ahead.h].iter().all(|n| n.is_finite()));
        prop_assert!(w > 0.0 && h > 0.0, "{track:?}");
        prop_assert!((0.0..=1.0).contains(&track.score) && track.score <= track.top_score);
    }
    Ok(())
}

proptest! {
    #[test]
    fn ids_only_grow_and_each_life_is_whole(frames in frames(), params in params()) {
        let mut tracker = Tracker::new(params);
        let mut updates = run(&mut tracker, &frames);
        updates.push(tracker.end_all(Duration::from_secs(1000)));
        let mut live: BTreeMap<TrackId, ClassId> = BTreeMap::new();
        let mut last = TrackId(0);
        for update in &updates {
            prop_assert!(update.tracks.is_sorted_by(|a, b| a.id < b.id));
            for track in &update.ended {
                prop_assert_eq!(track.state, TrackState::Ended);
                prop_assert!(live.remove(&track.id).is_some(), "ended, but not live: {track:?}");
            }
            for id in &update.started {
                prop_assert_eq!(id.0, last.0 + 1, "ids have no gaps either");
                last = *id;
            }
            let started = update.tracks.iter().filter(|t| update.started.contains(&t.id));
            for track in started {
                prop_assert_eq!(track.state, TrackState::Confirmed);
                prop_assert!(live.insert(track.id, track.class).is_none());
            }
            let ids: Vec<TrackId> = update.tracks.iter().map(|track| track.id).collect();
            prop_assert_eq!(ids, live.keys().copied().collect::<Vec<_>>());
        }
        prop_assert!(live.is_empty());
    }

    #[test]
    fn the_order_of_detections_does_not_matter(
        frames in frames(),
        params in params(),
        seed in any::<u64>(),
    ) {
        let shuffled: Vec<_> = frames
            .iter()
            .map(|(gap, detections)| {
                let mut order: Vec<(u64, Detection)> = (1_u64..)
                    .zip(detections)
                    .map(|(i, d)| (seed.wrapping_mul(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)), *d))
                    .collect();
                order.sort_by_key(|(key, _)| *key);
                (*gap, order.into_iter().map(|(_, detection)| detection).collect())
            })
            .collect();
        let straight = run(&mut Tracker::new(params.clone()), &frames);
        prop_assert_eq!(straight, run(&mut Tracker::new(params), &shuffled));
    }

    #[test]
    fn numbers_stay_numbers_and_boxes_boxes(frames in frames(), params in params()) {
        for update in run(&mut Tracker::new(params), &frames) {
            assert_finite(&update)?;
        }
    }

    #[test]
    fn no_input_at_all_yields_a_nan_or_a_panic(
        frames in prop::collection::vec(
            (
                any::<u64>(),
                prop::collection::vec(
                    (0_u16..3, ANY, [ANY, ANY, ANY, ANY]).prop_map(|(class, score, b)| {
                        let bbox = BBox::new(b[0], b[1], b[2], b[3]);
                        Detection { class: ClassId(class), score, bbox }
                    }),
                    0..5,
                ),
            ),
            0..8,
        ),
        ema_weight in ANY,
        reach_per_second in ANY,
        match_iou in ANY,
    ) {
        let params = TrackerParams {
            ema_weight,
            reach_per_second,
            match_iou,
            confirm_hits: 1,
            ..TrackerParams::default()
        };
        let mut tracker = Tracker::new(params);
        for (at, detections) in frames {
            // Twice, so that what was started is also carried on.
            assert_finite(&tracker.step(Duration::from_nanos(at), &detections))?;
            assert_finite(&tracker.step(Duration::from_nanos(at), &detections))?;
        }
    }

    #[test]
    fn empty_frames_end_everything_after_the_allowed_miss(frames in frames(), params in params()) {
        let mut tracker = Tracker::new(params.clone());
        let before = run(&mut tracker, &frames);
        let last = before.last().expect("a frame");
        let mut at = last.at;
        // What stands still is given longer.
        let patience = params.max_missed.max(params.stationary.max_missed);
        while at <= last.at + patience {
            at += Duration::from_millis(100);
            tracker.step(at, &[]);
        }
        prop_assert!(tracker.step(at, &[]).tracks.is_empty());
    }

    #[test]
    fn a_miss_shorter_than_allowed_keeps_the_id(
        speed in (-0.2_f32..0.2, -0.1_f32..0.1),
        missed in 200_u64..1900,
        gap in 66_u64..300,
    ) {
        let at_time = |ms: u64| {
            let s = ms as f32 / 1000.0;
            let bbox = BBox::new(0.45 + speed.0 * (s - 3.0), 0.4 + speed.1 * (s - 3.0), 0.1, 0.2);
            Detection { class: PERSON, score: 0.8, bbox }
        };
        let mut tracker = Tracker::new(TrackerParams::default());
        // With the frames before and after it is unseen for at most 1.9 s and two gaps: 2.5 s.
        let (hidden_from, hidden_to) = (2000, 2000 + missed);
        let mut ms = 0;
        while ms < 5000 {
            let hidden = ms > hidden_from && ms < hidden_to;
            let found = if hidden { vec![] } else { vec![at_time(ms)] };
            let update = tracker.step(Duration::from_millis(ms), &found);
            prop_assert!(update.ended.is_empty() && update.tracks.iter().all(|t| t.id.0 == 1));
            ms += gap;
        }
    }

    #[test]
    fn two_that_pass_each_other_keep_their_ids(
        speeds in (0.05_f32..0.25, -0.25_f32..-0.05),
        beside in -0.05_f32..0.05,
        gaps in prop::collection::vec(60_u64..250, 60..61),
        noise in prop::collection::vec(-0.003_f32..0.003, 240..241),
        hides in any::<bool>(),
    ) {
        check_passing(speeds, beside, &gaps, &noise, hides)?;
    }

    #[test]
    fn one_that_overtakes_another_keeps_its_id(
        slow in 0.02_f32..0.08,
        faster in 0.1_f32..0.2,
        beside in -0.05_f32..0.05,
        gaps in prop::collection::vec(60_u64..250, 60..61),
        noise in prop::collection::vec(-0.003_f32..0.003, 240..241),
        hides in any::<bool>(),
    ) {
        check_passing((slow + faster, slow), beside, &gaps, &noise, hides)?;
    }
}

/// Two persons walk at the given speeds and meet in the middle at 3 s. Where one hides the other
/// while they overlap much, as suppression of overlapping boxes makes it, only the first is found.
fn check_passing(
    speeds: (f32, f32),
    beside: f32,
    gaps: &[u64],
    noise: &[f32],
    hides: bool,
) -> Result<(), TestCaseError> {
    const MEETING_MS: u64 = 3000;
    let mut tracker = Tracker::new(TrackerParams::default());
    let mut noise = noise.iter().copied().cycle();
    let mut noisy = |x: f32, y: f32| {
        let mut next = || noise.next().unwrap_or_default();
        BBox::new(x + next(), y + next(), 0.1, 0.25)
    };
    let mut first_ids: Option<(TrackId, TrackId)> = None;
    let mut ms = 0;
    for gap in gaps.iter().cycle() {
        ms += gap;
        if ms > 2 * MEETING_MS {
            break;
        }
        let s = (ms as f32 - MEETING_MS as f32) / 1000.0;
        let a = noisy(0.45 + speeds.0 * s, 0.4);
        let b = noisy(0.45 + speeds.1 * s, 0.4 + beside);
        let in_view = |bbox: &BBox| bbox.x >= 0.0 && bbox.right() <= 1.0;
        if !in_view(&a) || !in_view(&b) {
            // Whoever leaves the picture is not what this is about.
            if first_ids.is_some() && ms > MEETING_MS { break } else { continue }
        }
        let one = hides && a.iou(b) > 0.6;
        let boxes = if one { vec![a] } else { vec![a, b] };
        let found: Vec<Detection> =
            boxes.iter().map(|&bbox| Detection { class: PERSON, score: 0.8, bbox }).collect();
        let update = tracker.step(Duration::from_millis(ms), &found);
        prop_assert!(update.tracks.len() <= 2, "a third track at {ms} ms");
        let nearest = |bbox: BBox| {
            let off = |p: Point| (p.x - bbox.centre().x).hypot(p.y - bbox.centre().y);
            let key = |t: &&edgecam_domain::Track| off(t.bbox.centre());
            update.tracks.iter().min_by(|s, t| key(s).total_cmp(&key(t))).map(|track| track.id)
        };
        let apart = (a.centre().x - b.centre().x).abs() > 0.12;
        if let (true, Some(of_a), Some(of_b)) = (apart, nearest(a), nearest(b))
            && of_a != of_b
        {
            let first = *first_ids.get_or_insert((of_a, of_b));
            prop_assert_eq!((of_a, of_b), first, "swapped at {} ms", ms);
        }
    }
    Ok(())
}
