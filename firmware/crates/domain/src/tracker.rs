//! Follows objects from frame to frame.

use std::time::Duration;

use crate::detection::{ClassId, Detection, Labels};
use crate::track::TrackUpdate;

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
    /// These parameters with `alike` set to the groups of `labels` that COCO detectors are known to
    /// confuse: car, bus and truck.
    #[must_use]
    pub fn with_alike_of(mut self, labels: &Labels) -> Self {
        self.alike = vec![["car", "bus", "truck"].iter().filter_map(|n| labels.find(n)).collect()];
        self
    }
}

/// Follows objects from frame to frame.
#[derive(Clone, Debug)]
pub struct Tracker {
    params: TrackerParams,
}

impl Tracker {
    /// A tracker that has seen nothing yet.
    pub fn new(params: TrackerParams) -> Self {
        Self { params }
    }

    /// The parameters in force.
    pub fn params(&self) -> &TrackerParams {
        &self.params
    }

    /// Takes new parameters; tracks go on.
    pub fn set_params(&mut self, params: TrackerParams) {
        self.params = params;
    }

    /// Takes what the detector found in the frame of `at`, in any order. An empty slice means that
    /// nothing was found: call this for every frame that was looked at.
    pub fn step(&mut self, at: Duration, _detections: &[Detection]) -> TrackUpdate {
        TrackUpdate { at, tracks: Vec::new(), started: Vec::new(), ended: Vec::new() }
    }

    /// Ends all tracks, as before a change of model or of source. Ids go on growing.
    pub fn end_all(&mut self, at: Duration) -> TrackUpdate {
        TrackUpdate { at, tracks: Vec::new(), started: Vec::new(), ended: Vec::new() }
    }
}
