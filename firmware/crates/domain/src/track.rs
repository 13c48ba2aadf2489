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
    /// Seen in the frame of this update, or nothing has changed since it was.
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
    /// Time of its newest detection, or of a later frame in which nothing changed
    /// ([`Tracker::hold`](crate::tracker::Tracker::hold)).
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
    /// with its velocity, for at most [`MAX_EXTRAPOLATION`]; its box as it is where it stands still.
    /// May reach out of the picture. Before `last_seen` it is where it was last seen.
    pub fn bbox_at(&self, at: Duration) -> BBox {
        if self.stationary {
            return self.bbox;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn track() -> Track {
        Track {
            id: TrackId(1),
            class: ClassId(0),
            score: 0.8,
            top_score: 0.8,
            bbox: BBox::new(0.2, 0.3, 0.1, 0.2),
            velocity: Velocity { x: 0.1, y: -0.05 },
            first_seen: Duration::from_secs(1),
            last_seen: Duration::from_secs(10),
            hits: 10,
            state: TrackState::Confirmed,
            stationary: false,
        }
    }

    #[test]
    fn a_box_is_carried_on_to_the_time_of_the_picture() {
        let bbox = track().bbox_at(Duration::from_secs(11));
        assert!((bbox.x - 0.3).abs() < 1e-6 && (bbox.y - 0.25).abs() < 1e-6);
        assert_eq!((bbox.w, bbox.h), (0.1, 0.2));
    }

    #[test]
    fn a_box_is_not_carried_on_for_ever_nor_back_nor_when_it_stands() {
        let track = track();
        assert_eq!(track.bbox_at(Duration::MAX), track.bbox_at(Duration::from_secs(12)));
        assert_eq!(track.bbox_at(Duration::ZERO), track.bbox);
        let stands = Track { stationary: true, ..track };
        assert_eq!(stands.bbox_at(Duration::from_secs(11)), stands.bbox);
    }

    #[test]
    fn the_age_is_the_time_it_was_seen() {
        assert_eq!(track().age(), Duration::from_secs(9));
    }
}
