//! The past as the API shows it: stored tracks put together again, and events counted over time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::past::{StoredTrack, TimelineBucket, TimelineCount, TrackPoint};
use base::error::{ErrorKind, Kind};
use control::PortError;
use control::ports::{Answer, CountQuery, Past, TrackQuery, TracksFound};
use domain::history::{self, Sample, Stretch, decode};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use store::{StoreError, StoreHandle, StoredTracks, TrackReader};
use ulid::Ulid;

/// Stretches that are read at a time.
const AT_A_TIME: usize = 16;
/// Most stretches of a page, of some seconds each: however little of them is asked for, a page is
/// answered soon.
const MOST: usize = 256;

/// What the store keeps.
#[derive(Debug)]
pub(crate) struct PastPort {
    dir: PathBuf,
    store: StoreHandle,
}

impl PastPort {
    /// Of the store in the data folder `dir`.
    pub(crate) fn new(dir: &Path, store: StoreHandle) -> Self {
        Self { dir: dir.to_owned(), store }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn failed(error: StoreError) -> PortError {
    PortError::new(error.kind(), base::error::chain(&error))
}

impl Past for PastPort {
    fn tracks(&self, query: TrackQuery) -> Answer<'_, TracksFound> {
        let dir = self.dir.clone();
        async move {
            // On a thread and a connection of its own: a long look back makes no other reader wait.
            let page = tokio::task::spawn_blocking(move || page(&dir, &query)).await;
            let broken = |_| PortError::new(ErrorKind::Internal, "looking back broke off");
            page.map_err(broken)?.map_err(failed)
        }
        .boxed()
    }

    fn counts(&self, query: CountQuery) -> Answer<'_, Vec<TimelineBucket>> {
        async move {
            let (from, bucket) = (query.from, query.bucket);
            let counts = self.store.counts(store::CountQuery {
                from,
                to: query.to,
                bucket,
                cameras: query.cameras,
                label: query.label,
                kind: query.kind,
            });
            Ok(buckets(from, bucket, counts.await.map_err(failed)?))
        }
        .boxed()
    }
}

/// `counts`, which are in order, by bucket.
fn buckets(from: Timestamp, width: Duration, counts: Vec<store::Count>) -> Vec<TimelineBucket> {
    let mut buckets: Vec<TimelineBucket> = Vec::new();
    for count in counts {
        let seconds = width.as_secs().saturating_mul(count.bucket);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let begin = from.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(from);
        let store::Count { camera, label, kind, events, .. } = count;
        let count = TimelineCount { camera, label, kind, events };
        match buckets.last_mut() {
            Some(last) if last.from == begin => last.counts.push(count),
            _ => buckets.push(TimelineBucket { from: begin, counts: vec![count] }),
        }
    }
    buckets
}

/// One page of tracks.
fn page(dir: &Path, query: &TrackQuery) -> Result<TracksFound, StoreError> {
    let past = TrackReader::open(dir)?;
    let mut asked = store::TrackQuery {
        cameras: query.cameras.clone(),
        from: query.from,
        to: query.to,
        after_row: query.after,
        limit: AT_A_TIME,
    };
    let (mut joined, mut read) = (Joined::new(query), 0);
    loop {
        let pieces = past.list(&asked)?;
        let last = pieces.len() < AT_A_TIME;
        for piece in pieces {
            (asked.after_row, read) = (piece.row, read + 1);
            match decode(&piece.body, since_epoch(piece.from)) {
                Ok(stretch) => joined.add(&piece, &stretch),
                Err(error) => tracing::warn!(piece.row, %error, "a piece of the past is damaged"),
            }
            if joined.matching() >= query.limit || read >= MOST {
                return Ok(TracksFound { items: joined.tracks(), next: Some(asked.after_row) });
            }
        }
        if last {
            return Ok(TracksFound { items: joined.tracks(), next: None });
        }
    }
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

fn time(since_epoch: Duration) -> Timestamp {
    let ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// Tracks that are put together from stretches.
struct Joined<'a> {
    query: &'a TrackQuery,
    tracks: HashMap<Ulid, Seen>,
}

/// A track as far as it is put together.
struct Seen {
    track: StoredTrack,
    /// Where it was last, whether or not the path has it.
    last: TrackPoint,
}

impl<'a> Joined<'a> {
    fn new(query: &'a TrackQuery) -> Self {
        Self { query, tracks: HashMap::new() }
    }

    fn add(&mut self, piece: &StoredTracks, stretch: &Stretch) {
        for path in &stretch.paths {
            let points = path.samples.iter().filter_map(|sample| {
                let at = time(*stretch.steps.get(sample.step as usize)?);
                (self.query.from <= at && at < self.query.to).then_some((at, sample))
            });
            let points: Vec<_> = points.collect();
            if let Some((at, first)) = points.first() {
                let id = link::track_id(piece.session_id, path.id.0);
                let seen =
                    self.tracks.entry(id).or_insert_with(|| Seen::new(id, piece, path, *at, first));
                let step = self.query.step;
                points.iter().for_each(|(at, sample)| seen.add(piece, *at, sample, step));
                let ended = path.ended.and_then(|step| stretch.steps.get(step as usize));
                seen.track.ended |= ended.is_some_and(|at| time(*at) < self.query.to);
            }
        }
    }

    fn is_asked_for(&self, seen: &Seen) -> bool {
        self.query.label.as_ref().is_none_or(|label| *label == seen.track.label)
    }

    /// How many are there that are asked for.
    fn matching(&self) -> usize {
        self.tracks.values().filter(|seen| self.is_asked_for(seen)).count()
    }

    fn tracks(mut self) -> Vec<StoredTrack> {
        let all = std::mem::take(&mut self.tracks);
        let asked = all.into_values().filter(|seen| self.is_asked_for(seen));
        let mut tracks: Vec<_> = asked.map(Seen::whole).collect();
        tracks.sort_by(|a, b| {
            let first = |track: &StoredTrack| track.path.first().map(|point| point.at);
            (first(a), a.id).cmp(&(first(b), b.id))
        });
        tracks
    }
}

impl Seen {
    fn new(
        id: Ulid,
        piece: &StoredTracks,
        path: &history::Path,
        at: Timestamp,
        first: &Sample,
    ) -> Self {
        let point = point(at, first);
        let track = StoredTrack {
            id,
            camera: piece.camera.clone(),
            label: String::new(),
            first_seen: time(path.first_seen),
            last_seen: at,
            ended: false,
            top_score: 0.0,
            path: vec![point],
        };
        Self { track, last: point }
    }

    fn add(&mut self, piece: &StoredTracks, at: Timestamp, sample: &Sample, step: Duration) {
        let label = piece.labels.get(usize::from(sample.class.0));
        if let Some(label) = label.filter(|label| **label != self.track.label) {
            self.track.label.clone_from(label);
        }
        self.track.top_score = self.track.top_score.max(sample.score);
        self.track.last_seen = at;
        self.last = point(at, sample);
        let last = self.track.path.last().map_or(Timestamp::MIN, |point| point.at);
        if at.duration_since(last).unsigned_abs() >= step {
            self.track.path.push(self.last);
        }
    }

    /// With its last point.
    fn whole(mut self) -> StoredTrack {
        if self.track.path.last().is_some_and(|point| point.at != self.last.at) {
            self.track.path.push(self.last);
        }
        self.track
    }
}

fn point(at: Timestamp, sample: &Sample) -> TrackPoint {
    let bbox = sample.bbox.clamped();
    TrackPoint { at, r#box: [bbox.x, bbox.y, bbox.w, bbox.h] }
}

#[cfg(test)]
mod tests;
