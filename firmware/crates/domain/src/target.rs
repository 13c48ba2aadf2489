//! What the tracker keeps of one object between frames: its motion, its class votes, its anchor.
//!
//! Motion is a constant velocity, in shares per second, so that it holds for any spacing of frames.
//! The velocity is a mean of measured steps: of all so far at first, later of about the last
//! [`VELOCITY_MEMORY`]. The box is NanoStream's exponential smoothing, but from where the object
//! was expected rather than from where it was, so that smoothing does not trail a moving object.

use std::time::Duration;

use crate::detection::{ClassId, Detection};
use crate::geometry::BBox;
use crate::leaving::Leaving;
use crate::span::Span;
use crate::track::{Track, TrackId, TrackState, Velocity, moved};
use crate::tracker::{StationaryParams, TrackerParams};

/// Time over which velocity is averaged once there are enough samples: as long as what is hidden for a
/// second or two has to be found again by it, though it was seen in part only for the last half second.
pub(crate) const VELOCITY_MEMORY: Duration = Duration::from_millis(1500);

/// Fastest motion that is believed, in shares of the picture per second. A wrong pair over a short
/// time must not send a track off.
const MAX_SPEED: f32 = 5.0;

/// Frames closer than this say nothing of velocity.
const MIN_GAP: Duration = Duration::from_millis(1);

/// Most that a box is widened for matching, on each side, in shares of its size. Twice its size is
/// already a guess.
const MAX_REACH: f32 = 0.5;

/// The same for those who could not be paired otherwise, since they were hidden.
const DISTANT_REACH: f32 = 1.0;

/// The same for those who have just come into view: a quick one goes several times its size between
/// two looks of a slow detector.
const FRESH_REACH: f32 = 2.0;

/// Less of it than this inside the picture is not looked for as a box of its own, in shares of its
/// area.
const STILL_INSIDE: f32 = 0.5;

/// Another class needs this much more collected score than a track's own to take its place: a tie
/// must not make it alternate.
const CLASS_MARGIN: f32 = 1.25;

/// How strong the detection is that carries on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Confirms a tentative target.
    High,
    /// Only keeps it alive.
    Low,
}

/// An object that the tracker follows, tentatively or for good.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What is told of it. Its id means something only after [`Target::confirm`].
    pub(crate) track: Track,
    /// Detections of high score so far.
    pub(crate) confirmations: u32,
    /// Frames in a row in which it was not found.
    pub(crate) missed: u32,
    /// Whether it was found in the frame at hand.
    pub(crate) found: bool,
    /// All of it, as far as that is known: what hides it in part, or the edge of the picture, takes
    /// nothing away.
    whole: BBox,
    velocity_samples: u32,
    /// When it was last found by a look; since then it was held, if anything.
    looked: Duration,
    leaving: Leaving,
    anchor: BBox,
    anchored: Duration,
    votes: Vec<(ClassId, f32)>,
}

impl Target {
    /// A tentative target, from its first detection.
    pub(crate) fn new(at: Duration, detection: &Detection) -> Self {
        let Detection { class, score, bbox } = *detection;
        Self {
            track: Track {
                id: TrackId(0),
                class,
                score,
                top_score: score,
                bbox,
                velocity: Velocity::default(),
                first_seen: at,
                last_seen: at,
                hits: 1,
                state: TrackState::Confirmed,
                stationary: false,
            },
            confirmations: 1,
            missed: 0,
            found: true,
            whole: bbox,
            velocity_samples: 0,
            looked: at,
            leaving: Leaving::NOT,
            anchor: bbox,
            anchored: at,
            votes: vec![(class, score)],
        }
    }

    /// Makes it a track that is told of.
    pub(crate) fn confirm(&mut self, id: TrackId) {
        self.track.id = id;
    }

    /// Time since it was last found, or held.
    pub(crate) fn gap(&self, at: Duration) -> Duration {
        at.saturating_sub(self.track.last_seen)
    }

    /// How long it may go without being found.
    pub(crate) fn patience(&self, params: &TrackerParams) -> Duration {
        if self.track.stationary {
            params.max_missed.max(params.stationary.max_missed)
        } else {
            params.max_missed
        }
    }

    /// Where it is expected at `at`. What stands still is expected where it stands, however long
    /// ago it was seen.
    pub(crate) fn expected(&self, at: Duration) -> BBox {
        self.carried(self.track.bbox, at)
    }

    /// `bbox` of the time when it was last seen, at `at`.
    fn carried(&self, bbox: BBox, at: Duration) -> BBox {
        if self.track.stationary { bbox } else { moved(bbox, self.track.velocity, self.gap(at)) }
    }

    /// Overlap of `bbox` with where it is expected at `at`, 0..=1, both widened by what it may have
    /// strayed since it was seen: boxes that do not meet can then still be compared (buffered IoU:
    /// Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It
    /// Easier by Buffering the Matching Space", WACV 2023).
    pub(crate) fn overlap(&self, at: Duration, bbox: BBox, reach_per_second: f32) -> f32 {
        let unseen = at.saturating_sub(self.looked).as_secs_f32();
        let reach = (reach_per_second * unseen).clamp(0.0, MAX_REACH);
        self.overlap_within(at, bbox, reach)
    }

    /// The same with both widened as far as a guess may go: for those who could not be paired
    /// otherwise.
    pub(crate) fn distant_overlap(&self, at: Duration, bbox: BBox) -> f32 {
        self.overlap_within(at, bbox, if self.is_fresh() { FRESH_REACH } else { DISTANT_REACH })
    }

    fn overlap_within(&self, at: Duration, bbox: BBox, reach: f32) -> f32 {
        if self.leaving.excludes(self.whole, bbox) {
            return 0.0;
        }
        let whole = self.carried(self.whole, at);
        let inside = whole.clamped();
        let wide = widened(bbox, reach);
        if inside.w * inside.h < STILL_INSIDE * whole.w * whole.h {
            // It is leaving: what comes into view there now is another one.
            return if inside.w * inside.h > 0.0 { widened(whole, reach).iou(wide) } else { 0.0 };
        }
        let seen = widened(self.expected(at), reach).iou(wide);
        seen.max(widened(inside, reach).iou(wide))
    }

    /// Whether nothing is known yet of how it moves.
    pub(crate) fn is_fresh(&self) -> bool {
        self.velocity_samples == 0
    }

    /// Takes a detection as its own.
    pub(crate) fn take(
        &mut self,
        at: Duration,
        detection: &Detection,
        evidence: Evidence,
        params: &TrackerParams,
    ) {
        let expected = self.expected(at);
        self.measure(at, detection.bbox);
        self.leaving.note(self.whole, self.track.velocity, detection.bbox);
        let track = &mut self.track;
        track.bbox = blended(expected, detection.bbox, params.ema_weight);
        track.score = detection.score;
        track.top_score = track.top_score.max(detection.score);
        track.last_seen = at;
        self.looked = at;
        track.hits = track.hits.saturating_add(1);
        track.state = TrackState::Confirmed;
        self.found = true;
        self.missed = 0;
        if evidence == Evidence::High {
            self.confirmations = self.confirmations.saturating_add(1);
        }
        self.vote(detection);
        self.settle(at, &params.stationary);
    }

    /// Takes it to be where it was: the picture did not change. Its velocity is forgotten as one that is
    /// no longer measured; how far it went in all is measured by the next look.
    pub(crate) fn hold(&mut self, at: Duration, params: &StationaryParams) {
        let kept = (-self.gap(at).as_secs_f32() / VELOCITY_MEMORY.as_secs_f32()).exp();
        let velocity = &mut self.track.velocity;
        (velocity.x, velocity.y) = (velocity.x * kept, velocity.y * kept);
        self.track.last_seen = at;
        self.settle(at, params);
    }

    /// Notes that it was not found.
    pub(crate) fn miss(&mut self) {
        self.missed = self.missed.saturating_add(1);
        self.track.state = TrackState::Lost;
    }

    /// Counts the score of `detection` for its class; the class with clearly the most is the
    /// target's.
    fn vote(&mut self, detection: &Detection) {
        match self.votes.iter_mut().find(|(class, _)| *class == detection.class) {
            Some((_, sum)) => *sum += detection.score,
            None => self.votes.push((detection.class, detection.score)),
        }
        let own = self.votes_for(self.track.class) * CLASS_MARGIN;
        let best = self.votes.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        if let Some(&(class, sum)) = best
            && sum > own
        {
            self.track.class = class;
        }
    }

    fn votes_for(&self, class: ClassId) -> f32 {
        self.votes.iter().find(|(c, _)| *c == class).map_or(0.0, |(_, sum)| *sum)
    }

    /// Takes what is seen of it as a measure of where all of it is, and how it moves.
    fn measure(&mut self, at: Duration, seen: BBox) {
        let gap = at.saturating_sub(self.looked);
        let expected = self.carried(self.whole, at);
        let (old, seconds) = (self.whole, gap.as_secs_f32());
        let across = Span::of(old.x, old.w).measure(
            Span::of(expected.x, expected.w),
            Span::of(seen.x, seen.w),
            seconds,
        );
        let down = Span::of(old.y, old.h).measure(
            Span::of(expected.y, expected.h),
            Span::of(seen.y, seen.h),
            seconds,
        );
        let ((x, dx), (y, dy)) = (across, down);
        self.whole = BBox::new(x.start, y.start, x.length, y.length);
        if gap < MIN_GAP {
            return;
        }
        self.velocity_samples = self.velocity_samples.saturating_add(1);
        let of_all = 1.0 / self.velocity_samples.min(1000) as f32;
        let of_memory = 1.0 - (-seconds / VELOCITY_MEMORY.as_secs_f32()).exp();
        let weight = of_all.max(of_memory);
        let velocity = &mut self.track.velocity;
        let limited = |v: f32| v.clamp(-MAX_SPEED, MAX_SPEED);
        // Where nothing could be measured, it moves on as it did.
        if let Some(dx) = dx {
            velocity.x += weight * (limited(dx / seconds) - velocity.x);
        }
        if let Some(dy) = dy {
            velocity.y += weight * (limited(dy / seconds) - velocity.y);
        }
    }

    /// Looks whether it stands still: its box keeps to the place of an earlier one, the anchor. Two
    /// limits, so that it does not alternate while something passes in front of it.
    fn settle(&mut self, at: Duration, params: &StationaryParams) {
        let least = if self.track.stationary { params.leave_iou } else { params.enter_iou };
        if self.anchor.iou(self.track.bbox) < least {
            self.anchor = self.track.bbox;
            self.anchored = at;
            self.track.stationary = false;
        } else if at.saturating_sub(self.anchored) >= params.after {
            self.track.stationary = true;
        }
    }
}

/// `bbox` with `by` times its size added on each side.
fn widened(bbox: BBox, by: f32) -> BBox {
    let (dx, dy) = (bbox.w * by, bbox.h * by);
    BBox::new(bbox.x - dx, bbox.y - dy, bbox.w + 2.0 * dx, bbox.h + 2.0 * dy)
}

/// `weight` of `new` and the rest of `old`.
fn blended(old: BBox, new: BBox, weight: f32) -> BBox {
    let mix = |old: f32, new: f32| old + weight * (new - old);
    BBox::new(mix(old.x, new.x), mix(old.y, new.y), mix(old.w, new.w), mix(old.h, new.h))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAR: ClassId = ClassId(2);
    const TRUCK: ClassId = ClassId(7);

    fn seconds(s: f32) -> Duration {
        Duration::from_secs_f32(s)
    }

    fn car_at(x: f32) -> Detection {
        Detection { class: CAR, score: 0.6, bbox: BBox::new(x, 0.4, 0.2, 0.1) }
    }

    fn take(target: &mut Target, at: f32, detection: &Detection) {
        target.take(seconds(at), detection, Evidence::High, &TrackerParams::default());
    }

    #[test]
    fn a_box_that_stands_is_smoothed_with_the_weight() {
        let mut target = Target::new(seconds(0.0), &car_at(0.4));
        take(&mut target, 0.0, &car_at(0.5));
        assert!((target.track.bbox.x - 0.46).abs() < 1e-6);
    }

    #[test]
    fn smoothing_does_not_trail_a_steady_motion_at_irregular_times() {
        let mut target = Target::new(seconds(0.0), &car_at(0.0));
        for at in [0.1, 0.4, 0.5, 1.5, 1.6, 1.9, 2.1] {
            take(&mut target, at, &car_at(at * 0.2));
        }
        assert!((target.track.velocity.x - 0.2).abs() < 1e-3);
        assert!((target.track.bbox.x - 0.42).abs() < 1e-3, "{:?}", target.track.bbox);
        assert!((target.expected(seconds(3.1)).x - 0.62).abs() < 2e-3);
    }

    #[test]
    fn velocity_follows_a_turn_within_twice_its_memory() {
        let mut target = Target::new(seconds(0.0), &car_at(0.2));
        for step in 1_u16..=10 {
            take(&mut target, f32::from(step) * 0.2, &car_at(0.2 + f32::from(step) * 0.02));
        }
        for step in 1_u16..=15 {
            take(&mut target, 2.0 + f32::from(step) * 0.2, &car_at(0.4 - f32::from(step) * 0.02));
        }
        assert!(target.track.velocity.x < -0.07, "{:?}", target.track.velocity);
    }

    #[test]
    fn frames_of_the_same_time_say_nothing_of_velocity() {
        let mut target = Target::new(seconds(1.0), &car_at(0.0));
        take(&mut target, 1.0, &car_at(0.5));
        assert_eq!(target.track.velocity, Velocity::default());
    }

    #[test]
    fn the_class_with_clearly_the_most_score_wins() {
        let mut target = Target::new(seconds(0.0), &car_at(0.0));
        let truck = Detection { class: TRUCK, ..car_at(0.0) };
        target.vote(&truck);
        assert_eq!(target.track.class, CAR, "a tie changes nothing");
        target.vote(&truck);
        assert_eq!(target.track.class, TRUCK);
        target.vote(&car_at(0.0));
        assert_eq!(target.track.class, TRUCK, "nor does it change back at once");
    }

    #[test]
    fn stands_still_after_the_set_time_and_moves_when_it_leaves_its_place() {
        let mut target = Target::new(seconds(0.0), &car_at(0.4));
        for step in 1_u16..=49 {
            take(&mut target, f32::from(step) * 0.2, &car_at(0.4 + 0.002 * f32::from(step % 2)));
            assert!(!target.track.stationary);
        }
        take(&mut target, 10.0, &car_at(0.4));
        assert!(target.track.stationary);
        take(&mut target, 10.2, &car_at(0.45));
        assert!(target.track.stationary, "a shift of a quarter of its width is none yet");
        take(&mut target, 10.4, &car_at(0.55));
        take(&mut target, 10.6, &car_at(0.6));
        assert!(!target.track.stationary);
    }

    #[test]
    fn reach_grows_with_the_time_unseen() {
        let target = Target::new(seconds(0.0), &car_at(0.0));
        let beside = BBox::new(0.2, 0.4, 0.2, 0.1);
        assert_eq!(target.overlap(seconds(0.5), beside, 0.0), 0.0);
        let soon = target.overlap(seconds(0.1), beside, 0.5);
        let later = target.overlap(seconds(0.5), beside, 0.5);
        assert!(soon < later && later > 0.15, "{soon} {later}");
    }
}
