//! One followed object: what the tracker says about it, and where it will be a little later.

use std::fmt;
use std::time::Duration;

use crate::detection::ClassId;
use crate::geometry::{BBox, Point};

/// Longest time that [`Track::bbox_at`] carries a box on without new evidence: a drawn box must not
/// wander off by itself when the detector stalls.
pub const MAX_EXTRAPOLATION: Duration = Duration::from_secs(2);

/// Number of a track: grows by one with every track that a tracker confirms, and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How fast the middle of a box moves, in shares of the picture per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Velocity {
    /// Shares of the width per second; positive to the right.
    pub x: f32,
    /// Shares of the height per second; positive downwards.
    pub y: f32,
}

/// Where a track stands in its life. Before all of these it is tentative: such tracks stay inside
/// the tracker, since most of them are mistakes of the detector, and have no id yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackState {
    /// Seen in the frame of this update.
    Confirmed,
    /// Not found in the frame of this update, but missed for a shorter time than is allowed.
    Lost,
    /// Missed for too long; only in [`TrackUpdate::ended`].
    Ended,
}

/// An object that is followed from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Its number.
    pub id: TrackId,
    /// What it is: the class that collected the most score, among those that it may change between.
    pub class: ClassId,
    /// Score of its newest detection, 0..=1.
    pub score: f32,
    /// Best score of all its detections, 0..=1.
    pub top_score: f32,
    /// Where it was when it was last seen, smoothed.
    pub bbox: BBox,
    /// How it moved when it was last seen.
    pub velocity: Velocity,
    /// Time of its first detection, before it was confirmed.
    pub first_seen: Duration,
    /// Time of its newest detection.
    pub last_seen: Duration,
    /// Detections that belong to it.
    pub hits: u32,
    /// Where it stands in its life.
    pub state: TrackState,
    /// Whether it has stood in one place for as long as
    /// [`StationaryParams::after`](crate::tracker::StationaryParams::after) says.
    pub stationary: bool,
}

impl Track {
    /// Where it is expected at `at`, for drawing on a frame newer than the detector's: its box moved
    /// with its velocity, for at most [`MAX_EXTRAPOLATION`]. May reach out of the picture. Before
    /// `last_seen` it is where it was last seen.
    pub fn bbox_at(&self, at: Duration) -> BBox {
        let ahead = at.saturating_sub(self.last_seen).min(MAX_EXTRAPOLATION);
        moved(self.bbox, self.velocity, ahead)
    }

    /// Where it touches the ground: the middle of the lower edge of its box. Zones and lines look
    /// at this point only.
    pub fn foot(&self) -> Point {
        self.bbox.bottom_centre()
    }

    /// How long it has been seen.
    pub fn age(&self) -> Duration {
        self.last_seen.saturating_sub(self.first_seen)
    }
}

/// `bbox` after it moved with `velocity` for `time`.
pub(crate) fn moved(bbox: BBox, velocity: Velocity, time: Duration) -> BBox {
    let seconds = time.as_secs_f32();
    BBox::new(bbox.x + velocity.x * seconds, bbox.y + velocity.y * seconds, bbox.w, bbox.h)
}

/// What one step of the tracker yields.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackUpdate {
    /// Time of the frame.
    pub at: Duration,
    /// All live tracks (confirmed and lost), by id.
    pub tracks: Vec<Track>,
    /// Those of `tracks` that were confirmed in this step, by id.
    pub started: Vec<TrackId>,
    /// Tracks that ended in this step, by id: they will not come back.
    pub ended: Vec<Track>,
}
