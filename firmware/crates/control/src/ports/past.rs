//! What the API needs to look back.

use std::time::Duration;

use api::event::Kind;
use api::past::{StoredTrack, TimelineBucket};
use jiff::Timestamp;

use super::Answer;

/// A question for stored tracks.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackQuery {
    /// Of these cameras; `None`: of all.
    pub cameras: Option<Vec<String>>,
    /// Of objects with this label.
    pub label: Option<String>,
    /// What ended before this is left out.
    pub from: Timestamp,
    /// What began then or later is left out.
    pub to: Timestamp,
    /// Least time between two points of a path.
    pub step: Duration,
    /// Where the page before ended; 0: from the beginning.
    pub after: u64,
    /// Tracks after which a page ends; it may have some more, for what was tracked at the same time
    /// stays together.
    pub limit: usize,
}

/// Stored tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracksFound {
    /// The tracks.
    pub items: Vec<StoredTrack>,
    /// Where the page ended, if there is another.
    pub next: Option<u64>,
}

/// A question how many events began when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountQuery {
    /// Begin of the first bucket.
    pub from: Timestamp,
    /// End of the last.
    pub to: Timestamp,
    /// Width of a bucket.
    pub bucket: Duration,
    /// Of these cameras; `None`: of all.
    pub cameras: Option<Vec<String>>,
    /// With an object of this label.
    pub label: Option<String>,
    /// About this.
    pub kind: Option<Kind>,
}

/// The past.
pub trait Past: Send + Sync + 'static {
    /// Stored tracks that `query` asks for.
    fn tracks(&self, query: TrackQuery) -> Answer<'_, TracksFound>;

    /// The buckets of `query` in which events began, by time.
    fn counts(&self, query: CountQuery) -> Answer<'_, Vec<TimelineBucket>>;
}
