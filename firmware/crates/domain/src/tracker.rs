//! Follows objects from frame to frame: which detection is which object, and who comes and goes.
//!
//! The association is ByteTrack's (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating
//! Every Detection Box", ECCV 2022): detections of high score are paired with the predicted boxes of
//! all tracks, lost ones too; then those of low score, mostly objects half hidden, with the tracks
//! left over; what is left of the high ones starts new tracks. Unlike there, motion is a smoothed
//! constant velocity per second instead of a Kalman filter per frame (detectors here run at
//! anything from 15 frames a second to one in two), lost tracks take part in the second pass as in
//! the paper's algorithm (its code leaves them out), and weak detections keep a tentative track
//! alive, but do not confirm it.
//!
//! Life of a track: tentative (inside only) → confirmed ⇄ lost → ended.

use std::mem;
use std::time::Duration;

use crate::association::Worth;
use crate::detection::{ClassId, Detection, Labels};
use crate::geometry::BBox;
use crate::target::{Evidence, Target};
use crate::track::{Track, TrackId, TrackState, TrackUpdate};

/// Smallest side of a box that is looked at, in shares: a tenth of a pixel in 1000.
const MIN_SIDE: f32 = 1e-4;

/// A frame this late still carries on what was there in the frame before, however short
/// `max_missed` is: no look was missed. After a longer gap nothing is taken to be the same.
const MAX_STALL: Duration = Duration::from_secs(10);

/// What a pair of different, though alike, classes is worth less than one of the same class.
const CLASS_STEP: f32 = 0.05;

/// Overlap (IoU) from which two detections of alike classes are one object. Detectors suppress
/// duplicates only within a class.
const SAME_OBJECT_IOU: f32 = 0.55;

/// Boxes are widened by no more than their size anyway.
const MAX_REACH_PER_SECOND: f32 = 100.0;

/// Smoothing of any less weight would not follow anything.
const MIN_EMA_WEIGHT: f32 = 0.05;

/// When an object counts as standing still, and how patient the tracker is with it then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationaryParams {
    /// How long the box must stay in its place.
    pub after: Duration,
    /// Least overlap (IoU) with that place while it is not yet stationary, 0..=1.
    pub enter_iou: f32,
    /// Least overlap (IoU) with that place to stay stationary, 0..=1; not above `enter_iou`.
    pub leave_iou: f32,
    /// How long it survives without being found, where that is longer than
    /// [`TrackerParams::max_missed`].
    pub max_missed: Duration,
}

/// How detections become tracks.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackerParams {
    /// Detections from this score on are matched first, and may start a track, 0..=1.
    pub high_score: f32,
    /// Detections from this score on, but below `high_score`, only carry on tracks that the first
    /// pass left over, 0..=1. Weaker ones are ignored.
    pub low_score: f32,
    /// Least overlap (IoU) of a detection with a predicted box in the first pass, 0..=1.
    pub match_iou: f32,
    /// The same for the second pass (detections of low score), 0..=1.
    pub second_match_iou: f32,
    /// Weight of the new box against the predicted one in smoothing, above 0 and up to 1
    /// (NanoStream's `DET_EMA`).
    pub ema_weight: f32,
    /// How long a track survives without being found.
    pub max_missed: Duration,
    /// Detections of high score that confirm a track; 1 confirms it at once.
    pub confirm_hits: u32,
    /// How much boxes are widened for matching, on each side, in shares of their size per second
    /// since the track was last seen: it lets slow detectors follow quick objects. 0 for none.
    pub reach_per_second: f32,
    /// When an object stands still.
    pub stationary: StationaryParams,
    /// Groups of classes that the detector takes for one another. Within a group a track may match
    /// any class, and takes the one that collected the most score. No class should be in two groups.
    pub alike: Vec<Vec<ClassId>>,
}

impl Default for StationaryParams {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(10),
            enter_iou: 0.7,
            leave_iou: 0.5,
            max_missed: Duration::from_secs(10),
        }
    }
}

impl Default for TrackerParams {
    fn default() -> Self {
        Self {
            high_score: 0.5,
            low_score: 0.2,
            match_iou: 0.2,
            second_match_iou: 0.5,
            ema_weight: 0.6,
            max_missed: Duration::from_millis(2500),
            confirm_hits: 2,
            reach_per_second: 0.5,
            stationary: StationaryParams::default(),
            alike: Vec::new(),
        }
    }
}

impl TrackerParams {
    /// These parameters with `alike` set to the groups of `labels` that detectors are known to
    /// confuse: car, bus and truck; cat and dog.
    #[must_use]
    pub fn with_alike_of(mut self, labels: &Labels) -> Self {
        let group = |names: &[&str]| names.iter().filter_map(|name| labels.find(name)).collect();
        self.alike = vec![group(&["car", "bus", "truck"]), group(&["cat", "dog"])];
        self
    }
}

/// Follows objects from frame to frame.
#[derive(Clone, Debug)]
pub struct Tracker {
    params: TrackerParams,
    now: Duration,
    last_id: u64,
    /// Told of, by id.
    live: Vec<Target>,
    /// Not yet told of.
    tentative: Vec<Target>,
}

impl Tracker {
    /// A tracker that has seen nothing yet. Its first track gets id 1.
    pub fn new(params: TrackerParams) -> Self {
        Self {
            params: checked(params),
            now: Duration::ZERO,
            last_id: 0,
            live: Vec::new(),
            tentative: Vec::new(),
        }
    }

    /// The parameters in force.
    pub fn params(&self) -> &TrackerParams {
        &self.params
    }

    /// Takes new parameters; tracks go on.
    pub fn set_params(&mut self, params: TrackerParams) {
        self.params = checked(params);
    }

    /// Takes what the detector found in the frame of `at`, in any order: the answer does not depend
    /// on it. An empty slice means that nothing was found; call this for every frame that was looked
    /// at. A time before that of the last step is taken to be that. Boxes count as far as they lie
    /// in the picture; those that are no numbers are ignored.
    pub fn step(&mut self, at: Duration, detections: &[Detection]) -> TrackUpdate {
        let at = at.max(self.now);
        self.now = at;
        let (mut high, mut low) = self.sorted(detections);
        let mut ended = self.end_overdue(at);
        for target in self.live.iter_mut().chain(&mut self.tentative) {
            target.found = false;
        }

        let Self { params, live, tentative, .. } = self;
        pair(live, at, &mut high, Evidence::High, params);
        pair(live, at, &mut low, Evidence::Low, params);
        pair(tentative, at, &mut high, Evidence::High, params);
        pair(tentative, at, &mut low, Evidence::Low, params);
        pair_distant(live, at, &mut high, params, |target| target.missed > 0);
        pair_distant(tentative, at, &mut high, params, Target::is_fresh);
        // One missed frame is enough to drop what may have been a mistake.
        tentative.retain(|target| target.found);
        tentative.extend(high.iter().map(|detection| Target::new(at, detection)));

        for target in self.live.iter_mut().filter(|target| !target.found) {
            target.miss();
        }
        let impatient = |t: &mut Target| !t.found && t.gap(at) > t.patience(&self.params);
        ended.extend(self.live.extract_if(.., impatient).map(|target| gone(&target)));
        ended.sort_by_key(|track| track.id);
        let started = self.confirm();
        TrackUpdate { at, tracks: self.tracks(), started, ended }
    }

    /// Takes it that the frame of `at`, which nobody looked at, shows what the one before did: whoever was
    /// found there still is, and stands. Only where the tracker [is settled](Self::is_settled), since who
    /// was missed has to be looked for.
    pub fn hold(&mut self, at: Duration) -> TrackUpdate {
        let at = at.max(self.now);
        self.now = at;
        let ended = self.end_overdue(at);
        for target in self.live.iter_mut().filter(|target| target.missed == 0) {
            target.hold(at, &self.params.stationary);
        }
        TrackUpdate { at, tracks: self.tracks(), started: Vec::new(), ended }
    }

    /// Whether all that was found so far is a track, and was found in the frame last looked at.
    pub fn is_settled(&self) -> bool {
        self.tentative.is_empty() && self.live.iter().all(|target| target.missed == 0)
    }

    fn tracks(&self) -> Vec<Track> {
        self.live.iter().map(|target| target.track).collect()
    }

    /// Ends all tracks, as before a change of model or of source. Ids go on growing.
    pub fn end_all(&mut self, at: Duration) -> TrackUpdate {
        self.now = self.now.max(at);
        self.tentative.clear();
        let ended = mem::take(&mut self.live).iter().map(gone).collect();
        TrackUpdate { at: self.now, tracks: Vec::new(), started: Vec::new(), ended }
    }

    /// Detections of high and of low score, each object once, in an order that depends on nothing
    /// but themselves.
    fn sorted(&self, detections: &[Detection]) -> (Vec<Detection>, Vec<Detection>) {
        let mut usable: Vec<Detection> = detections
            .iter()
            .filter(|d| d.score.is_finite() && d.score >= self.params.low_score)
            .filter(|d| [d.bbox.x, d.bbox.y, d.bbox.w, d.bbox.h].iter().all(|v| v.is_finite()))
            .map(|d| Detection { bbox: d.bbox.clamped(), score: d.score.clamp(0.0, 1.0), ..*d })
            .filter(|d| d.bbox.w >= MIN_SIDE && d.bbox.h >= MIN_SIDE)
            .collect();
        usable.sort_by(|a, b| {
            let place = |b: &BBox| [b.x, b.y, b.w, b.h];
            let places = place(&a.bbox).into_iter().zip(place(&b.bbox));
            let by_place = || places.map(|(a, b)| a.total_cmp(&b)).find(|o| o.is_ne());
            (b.score.total_cmp(&a.score))
                .then(a.class.cmp(&b.class))
                .then_with(|| by_place().unwrap_or(std::cmp::Ordering::Equal))
        });
        let mut once: Vec<Detection> = Vec::with_capacity(usable.len());
        for detection in usable {
            if !once.iter().any(|better| self.is_same_object(better, &detection)) {
                once.push(detection);
            }
        }
        once.into_iter().partition(|d| d.score >= self.params.high_score)
    }

    /// Whether two detections are one object, seen as two classes that are taken for one another.
    fn is_same_object(&self, a: &Detection, b: &Detection) -> bool {
        a.class != b.class
            && are_alike(&self.params.alike, a.class, b.class)
            && a.bbox.iou(b.bbox) >= SAME_OBJECT_IOU
    }

    /// Ends what was lost for too long already before this frame, so that it cannot come back.
    fn end_overdue(&mut self, at: Duration) -> Vec<Track> {
        let params = &self.params;
        let overdue = |target: &mut Target| {
            let patience = target.patience(params);
            let limit = if target.missed == 0 { patience.max(MAX_STALL) } else { patience };
            target.gap(at) > limit
        };
        self.tentative.retain(|target| target.gap(at) <= params.max_missed.max(MAX_STALL));
        self.live.extract_if(.., overdue).map(|target| gone(&target)).collect()
    }

    /// Gives ids to the tentative targets that were seen often enough.
    fn confirm(&mut self) -> Vec<TrackId> {
        let needed = self.params.confirm_hits;
        let mut started = Vec::new();
        for mut target in self.tentative.extract_if(.., |t| t.confirmations >= needed) {
            self.last_id += 1;
            target.confirm(TrackId(self.last_id));
            started.push(target.track.id);
            self.live.push(target);
        }
        started
    }
}

/// `params` within the ranges in which the arithmetic holds.
fn checked(mut params: TrackerParams) -> TrackerParams {
    let within = |v: f32, low: f32, high: f32| if v.is_nan() { low } else { v.clamp(low, high) };
    params.ema_weight = within(params.ema_weight, MIN_EMA_WEIGHT, 1.0);
    params.reach_per_second = within(params.reach_per_second, 0.0, MAX_REACH_PER_SECOND);
    params
}

fn gone(target: &Target) -> Track {
    Track { state: TrackState::Ended, ..target.track }
}

fn are_alike(groups: &[Vec<ClassId>], a: ClassId, b: ClassId) -> bool {
    a == b || groups.iter().any(|group| group.contains(&a) && group.contains(&b))
}

/// Pairs the targets not yet found in this frame with `detections`.
///
/// A pair is worth what its overlap exceeds the least one by: leaving a track and a detection
/// unpaired is then worth as much as the worst pair that is allowed, as in ByteTrack's code, and one
/// good pair is not torn apart for two poor ones.
fn pair(
    targets: &mut [Target],
    at: Duration,
    detections: &mut Vec<Detection>,
    evidence: Evidence,
    params: &TrackerParams,
) {
    let least_iou = match evidence {
        Evidence::High => params.match_iou,
        Evidence::Low => params.second_match_iou,
    };
    let open = targets.iter_mut().filter(|target| !target.found).collect();
    pair_by(open, at, detections, evidence, params, |target, detection| {
        let (class, other) = (target.track.class, detection.class);
        if !are_alike(&params.alike, class, other) {
            return 0.0;
        }
        let step = if class == other { 0.0 } else { CLASS_STEP };
        target.overlap(at, detection.bbox, params.reach_per_second) - least_iou - step
    });
}

/// Pairs those that nothing was near enough for, from farther away: who was lost, and who was seen
/// once only, so that its motion is not known yet. Only within a class, since little else tells.
fn pair_distant(
    targets: &mut [Target],
    at: Duration,
    detections: &mut Vec<Detection>,
    params: &TrackerParams,
    which: impl Fn(&Target) -> bool,
) {
    let open = targets.iter_mut().filter(|target| !target.found && which(target)).collect();
    pair_by(open, at, detections, Evidence::High, params, |target, detection| {
        if target.track.class != detection.class {
            return 0.0;
        }
        target.distant_overlap(at, detection.bbox) - params.match_iou
    });
}

/// Pairs `open` with `detections` by what pairs are worth, and takes the paired ones out.
fn pair_by(
    mut open: Vec<&mut Target>,
    at: Duration,
    detections: &mut Vec<Detection>,
    evidence: Evidence,
    params: &TrackerParams,
    worth: impl Fn(&Target, &Detection) -> f32,
) {
    if open.is_empty() || detections.is_empty() {
        return;
    }
    let worth = Worth::new(open.len(), detections.len(), |row, column| {
        worth(open[row], &detections[column])
    });
    let mut taken = vec![false; detections.len()];
    for (target, column) in open.iter_mut().zip(worth.best_pairs()) {
        if let Some(column) = column {
            target.take(at, &detections[column], evidence, params);
            taken[column] = true;
        }
    }
    let mut taken = taken.into_iter();
    detections.retain(|_| !taken.next().unwrap_or(false));
}

#[cfg(test)]
mod tests;
