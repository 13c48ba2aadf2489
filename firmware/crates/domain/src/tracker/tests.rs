//! What the tracker does, case by case; what holds for any input stands in `tests/tracker.rs`.

use super::*;

const PERSON: ClassId = ClassId(0);
const CAR: ClassId = ClassId(2);
const TRUCK: ClassId = ClassId(7);

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn thing(class: ClassId, score: f32, x: f32) -> Detection {
    Detection { class, score, bbox: BBox::new(x, 0.3, 0.1, 0.2) }
}

/// Steps through one frame every 200 ms; a frame is the detections in it.
fn run(tracker: &mut Tracker, frames: &[&[Detection]]) -> Vec<TrackUpdate> {
    let start = tracker.now;
    let times = (1..).map(|frame| start + millis(200) * frame);
    times.zip(frames).map(|(at, frame)| tracker.step(at, frame)).collect()
}

fn ids(update: &TrackUpdate) -> Vec<u64> {
    update.tracks.iter().map(|track| track.id.0).collect()
}

#[test]
fn a_track_is_told_of_once_it_was_seen_often_enough() {
    let mut tracker = Tracker::new(TrackerParams { confirm_hits: 3, ..Default::default() });
    let person = [thing(PERSON, 0.8, 0.2)];
    let updates = run(&mut tracker, &[&person, &person, &person, &person]);
    assert!(updates[1].tracks.is_empty());
    assert_eq!(updates[2].started, [TrackId(1)]);
    assert_eq!(updates[2].tracks[0].first_seen, millis(200));
    assert_eq!(updates[2].tracks[0].hits, 3);
    assert!(updates[3].started.is_empty());
    assert_eq!(ids(&updates[3]), [1]);
}

#[test]
fn a_mistake_of_one_frame_never_becomes_a_track_nor_uses_an_id() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let (left, right) = ([thing(PERSON, 0.8, 0.1)], [thing(PERSON, 0.8, 0.7)]);
    let updates = run(&mut tracker, &[&left, &right, &left, &[], &right, &right]);
    assert!(updates[..5].iter().all(|u| u.tracks.is_empty() && u.ended.is_empty()));
    assert_eq!(ids(&updates[5]), [1]);
}

#[test]
fn a_weak_detection_carries_a_track_on_but_never_starts_one() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let (weak, strong) = ([thing(PERSON, 0.3, 0.2)], [thing(PERSON, 0.8, 0.2)]);
    let updates = run(&mut tracker, &[&weak, &weak, &weak, &strong, &weak, &weak, &strong, &weak]);
    assert!(updates[5].tracks.is_empty(), "weak ones confirm nothing either");
    assert_eq!(updates[6].started, [TrackId(1)], "but kept it alive");
    assert_eq!(updates[7].tracks[0].state, TrackState::Confirmed);
    assert_eq!((updates[7].tracks[0].score, updates[7].tracks[0].top_score), (0.3, 0.8));
    let too_weak = [thing(PERSON, 0.1, 0.2)];
    assert_eq!(run(&mut tracker, &[&too_weak])[0].tracks[0].state, TrackState::Lost);
}

#[test]
fn a_short_miss_keeps_the_id_and_a_long_one_ends_the_track() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let person = [thing(PERSON, 0.8, 0.2)];
    run(&mut tracker, &[&person, &person]);
    let lost = tracker.step(millis(2800), &[]);
    assert_eq!((lost.tracks[0].state, ids(&lost)), (TrackState::Lost, vec![1]));
    let found = tracker.step(millis(2900), &person);
    assert_eq!((found.tracks[0].state, ids(&found)), (TrackState::Confirmed, vec![1]));
    tracker.step(millis(5300), &[]);
    let late = tracker.step(millis(5401), &person);
    assert_eq!(late.ended.len(), 1);
    assert_eq!(late.ended[0].state, TrackState::Ended);
    assert_eq!(ids(&tracker.step(millis(5600), &person)), [2], "too late to come back");
    let gone = tracker.step(millis(8101), &[]);
    assert_eq!(gone.ended.len(), 1, "at once, when the first frame without it comes that late");
}

#[test]
fn boxes_that_meet_too_little_are_two_objects() {
    let params = TrackerParams { reach_per_second: 0.0, match_iou: 0.3, ..Default::default() };
    let mut tracker = Tracker::new(params);
    // By half its width a box overlaps its shifted self by a third, by 0.6 of it by a quarter.
    let (first, near) = ([thing(PERSON, 0.8, 0.2)], [thing(PERSON, 0.8, 0.25)]);
    let far = [thing(PERSON, 0.8, 0.26)];
    let updates = run(&mut tracker.clone(), &[&first, &first, &near]);
    assert_eq!(updates[2].tracks[0].state, TrackState::Confirmed);
    let updates = run(&mut tracker, &[&first, &first, &far, &far]);
    assert_eq!(updates[2].tracks[0].state, TrackState::Lost);
    assert_eq!(ids(&updates[3]), [1, 2]);
}

#[test]
fn a_box_counts_as_far_as_it_lies_in_the_picture() {
    let mut tracker = Tracker::new(TrackerParams { confirm_hits: 1, ..Default::default() });
    let leaving = Detection { bbox: BBox::new(0.9, 0.9, 0.4, 0.2), ..thing(PERSON, 0.8, 0.0) };
    let outside = Detection { bbox: BBox::new(1.1, 0.2, 0.4, 0.2), ..leaving };
    let no_number = Detection { bbox: BBox::new(0.1, f32::NAN, 0.4, 0.2), ..leaving };
    let update = tracker.step(millis(0), &[leaving, outside, no_number]);
    assert_eq!(ids(&update), [1]);
    assert!((update.tracks[0].bbox.right() - 1.0).abs() < 1e-6);
    assert!((update.tracks[0].bbox.bottom() - 1.0).abs() < 1e-6);
}

#[test]
fn a_slow_frame_is_no_miss_but_a_stall_ends_everything() {
    let params = TrackerParams { max_missed: millis(500), ..Default::default() };
    let mut tracker = Tracker::new(params);
    let person = [thing(PERSON, 0.8, 0.2)];
    run(&mut tracker, &[&person, &person]);
    assert_eq!(ids(&tracker.step(millis(4400), &person)), [1]);
    let stalled = tracker.step(millis(15_000), &person);
    assert_eq!((stalled.ended.len(), stalled.tracks.len()), (1, 0));
}

#[test]
fn a_track_keeps_its_class() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let (car, person) = ([thing(CAR, 0.8, 0.2)], [thing(PERSON, 0.8, 0.2)]);
    let updates = run(&mut tracker, &[&car, &car, &person, &person]);
    assert_eq!(ids(&updates[3]), [1, 2]);
    assert_eq!(updates[3].tracks[0].class, CAR);
    assert_eq!(updates[3].tracks[0].state, TrackState::Lost);
}

#[test]
fn alike_classes_are_one_track_that_takes_the_class_of_most_score() {
    let labels = ["person", "bicycle", "car", "m", "a", "bus", "t", "truck"];
    let labels = Labels::new(labels.map(str::to_owned));
    let mut tracker = Tracker::new(TrackerParams::default().with_alike_of(&labels));
    let (car, truck) = ([thing(CAR, 0.6, 0.2)], [thing(TRUCK, 0.7, 0.2)]);
    let both = [thing(CAR, 0.6, 0.2), thing(TRUCK, 0.55, 0.205)];
    let frames: [&[Detection]; 7] = [&both, &both, &truck, &both, &truck, &truck, &truck];
    let updates = run(&mut tracker, &frames);
    assert!(updates[1..].iter().all(|update| ids(update) == [1]), "both are one object");
    assert_eq!(updates[3].tracks[0].class, CAR, "so far it is a car in most frames");
    assert_eq!(updates[6].tracks[0].class, TRUCK);
    assert_eq!(ids(&run(&mut tracker, &[&car])[0]), [1]);
}

#[test]
fn a_quick_object_is_followed_at_two_frames_a_second() {
    let mut tracker = Tracker::new(TrackerParams::default());
    for frame in 0..8_u16 {
        let x = f32::from(frame) * 0.1;
        tracker.step(millis(500) * u32::from(frame), &[thing(PERSON, 0.8, x)]);
    }
    let last = tracker.step(millis(4000), &[thing(PERSON, 0.8, 0.8)]);
    assert_eq!(ids(&last), [1], "although no box meets the one before");
    assert!((last.tracks[0].velocity.x - 0.2).abs() < 0.01);
}

#[test]
fn what_stands_still_survives_longer_misses() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let car = [thing(CAR, 0.8, 0.2)];
    for frame in 0..=60_u32 {
        tracker.step(millis(200) * frame, &car);
    }
    for frame in 61..=108_u32 {
        let update = tracker.step(millis(200) * frame, &[]);
        assert!(update.tracks[0].stationary);
    }
    assert_eq!(ids(&tracker.step(millis(21_800), &car)), [1]);
}

#[test]
fn new_parameters_keep_the_tracks() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let person = [thing(PERSON, 0.6, 0.2)];
    run(&mut tracker, &[&person, &person]);
    tracker.set_params(TrackerParams { high_score: 0.7, ..Default::default() });
    let updates = run(&mut tracker, &[&person]);
    assert_eq!((ids(&updates[0]), updates[0].tracks[0].state), (vec![1], TrackState::Confirmed));
}

#[test]
fn after_the_end_of_all_ids_go_on() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let person = [thing(PERSON, 0.8, 0.2)];
    run(&mut tracker, &[&person, &person]);
    let end = tracker.end_all(millis(600));
    assert_eq!((end.ended.len(), end.tracks.len()), (1, 0));
    assert_eq!(ids(&run(&mut tracker, &[&person, &person])[1]), [2]);
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let mut tracker = Tracker::new(TrackerParams::default());
    let person = [thing(PERSON, 0.8, 0.2)];
    run(&mut tracker, &[&person, &person]);
    let update = tracker.step(Duration::ZERO, &person);
    assert_eq!((update.at, update.tracks[0].last_seen), (millis(400), millis(400)));
}

#[test]
fn parameters_that_are_no_numbers_do_no_harm() {
    let params = TrackerParams {
        ema_weight: f32::NAN,
        reach_per_second: f32::NAN,
        ..TrackerParams::default()
    };
    let mut tracker = Tracker::new(params);
    let person = [thing(PERSON, 0.8, 0.2)];
    let updates = run(&mut tracker, &[&person, &person, &person]);
    assert_eq!(updates[2].tracks[0].hits, 3);
    assert!((updates[2].tracks[0].bbox.x - 0.2).abs() < 1e-6);
}

#[test]
fn who_goes_out_and_who_comes_in_at_the_same_edge_are_two() {
    let mut tracker = Tracker::new(TrackerParams { confirm_hits: 3, ..Default::default() });
    // One walks out to the left; the other comes in there, seen once the first one is not any more.
    let walker = |reach: f32| Detection {
        bbox: BBox::new(reach - 0.03, 0.4, 0.03, 0.12).clamped(),
        ..thing(PERSON, 0.8, 0.0)
    };
    let mut started = Vec::new();
    let mut last = None;
    for look in 0_u16..60 {
        let walked = 0.005 * f32::from(look);
        let out = 0.15 - walked;
        let seen = if out > 0.01 { walker(out) } else { walker(walked - 0.13) };
        let update = tracker.step(millis(100 * u64::from(look)), &[seen]);
        started.extend(update.started);
        let confirmed = update.tracks.into_iter().find(|t| t.state == TrackState::Confirmed);
        last = confirmed.or(last);
    }
    assert_eq!(started, [TrackId(1), TrackId(2)]);
    assert_eq!(last.map(|track| track.id), Some(TrackId(2)));
}

#[test]
fn a_quick_narrow_thing_is_one_at_three_looks_a_second() {
    let mut tracker = Tracker::new(TrackerParams { confirm_hits: 3, ..Default::default() });
    let rider = |look: u64| {
        let bbox = BBox::new(0.15 * look as f32, 0.4, 0.05, 0.2);
        Detection { bbox, ..thing(PERSON, 0.8, 0.0) }
    };
    let updates: Vec<_> =
        (0..6).map(|look| tracker.step(millis(300 * look), &[rider(look)])).collect();
    assert_eq!(updates[2].started, [TrackId(1)]);
    assert!(updates[3..].iter().all(|update| ids(update) == [1] && update.started.is_empty()));
}
