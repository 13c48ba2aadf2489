//! The past: what was tracked, and how much happened when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::event::Kind;

/// A page of stored tracks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackPage {
    /// The tracks, by time of their first point here. One that goes on after this page comes again on
    /// the next, under the same id and with the points that lie there.
    pub items: Vec<StoredTrack>,
    /// `cursor` of the next page; null on the last.
    #[schema(example = "4711")]
    pub next_cursor: Option<String>,
}

/// Where an object was, as it was followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredTrack {
    /// The track's id, a ULID: `object.track_id` of its events.
    #[schema(value_type = String, example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")]
    pub id: Ulid,
    /// The camera.
    #[schema(example = "front")]
    pub camera: String,
    /// Its class as it was known at its last point here.
    #[schema(example = "car")]
    pub label: String,
    /// When it was first seen; may lie before its first point here.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last seen within this page.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// Whether it ended within this page.
    pub ended: bool,
    /// Best score of its detections here, 0..=1.
    pub top_score: f32,
    /// Where it was, in order.
    pub path: Vec<TrackPoint>,
}

/// Where an object was at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrackPoint {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `[x, y, w, h]`, shares of the picture; kept to about half a hundredth.
    #[schema(value_type = Vec<f32>, min_items = 4, max_items = 4)]
    pub r#box: [f32; 4],
}

/// How many events began when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Begin of the first bucket.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// End of the last bucket.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Width of a bucket, in seconds.
    pub bucket_s: u32,
    /// The buckets in which something happened, by time.
    pub buckets: Vec<TimelineBucket>,
}

/// What happened in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineBucket {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Events that began in it, by camera, label and kind.
    pub counts: Vec<TimelineCount>,
}

/// Events of one kind with objects of one label in front of one camera.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct TimelineCount {
    /// The camera; null for what happened to the device itself.
    #[schema(example = "front")]
    pub camera: Option<String>,
    /// Class of the object, or label of the input; null for events without one.
    #[schema(example = "car")]
    pub label: Option<String>,
    /// What the events are about.
    pub kind: Kind,
    /// How many began.
    pub events: u64,
}
