//! Stretches → the updates that the tracker gave, as far as rules look at them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::{Path, Sample, Sight, Stretch};
use crate::track::{Track, TrackId, TrackState, TrackUpdate, Velocity};

/// Time between the idle steps that stand for those that nobody kept, since nothing was there.
const IDLE_STEP: Duration = Duration::from_secs(1);

/// A track that was not seen for longer ended in a piece of history that is missing: no tracker
/// remembers one for so long (a minute at most by the settings, and the look that ends it may be ten
/// seconds after the one before).
const LONGEST_MEMORY: Duration = Duration::from_secs(75);

/// Goes through the stretches of one session.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    live: BTreeMap<TrackId, Track>,
    last: Option<Duration>,
}

impl Replay {
    /// Time of the newest step.
    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// A step in which nothing was there, somewhat after the newest and before `next`; `None` where
    /// there is no room for one or a track goes on.
    pub fn idle_before(&mut self, next: Duration) -> Option<TrackUpdate> {
        let at = self.last? + IDLE_STEP;
        if at >= next || !self.live.is_empty() {
            return None;
        }
        self.last = Some(at);
        Some(TrackUpdate { at, tracks: Vec::new(), started: Vec::new(), ended: Vec::new() })
    }

    /// The end, with the newest step, of the tracks whose own end before `next` nobody wrote down.
    fn outlived(&mut self, next: Duration) -> Option<TrackUpdate> {
        let at = self.last?;
        let gone = |track: &Track| next.saturating_sub(track.last_seen) > LONGEST_MEMORY;
        let ended: Vec<Track> =
            self.live.extract_if(.., |_, track| gone(track)).map(|(_, t)| t).collect();
        if ended.is_empty() {
            return None;
        }
        let ended = ended.into_iter().map(|track| Track { state: TrackState::Ended, ..track });
        Some(TrackUpdate {
            at,
            tracks: self.tracks(at).collect(),
            started: Vec::new(),
            ended: ended.collect(),
        })
    }

    /// All that is tracked at `at`.
    fn tracks(&self, at: Duration) -> impl Iterator<Item = Track> {
        self.live.values().map(move |track| match track.last_seen == at {
            true => *track,
            false => Track { state: TrackState::Lost, ..*track },
        })
    }

    /// Hands every step of `stretch` to `each`.
    pub fn play(&mut self, stretch: &Stretch, mut each: impl FnMut(&TrackUpdate)) {
        let mut next = vec![0_usize; stretch.paths.len()];
        for (step, &at) in (0_u32..).zip(&stretch.steps) {
            if let Some(update) = self.outlived(at) {
                each(&update);
            }
            let mut update =
                TrackUpdate { at, tracks: Vec::new(), started: Vec::new(), ended: Vec::new() };
            for (path, next) in stretch.paths.iter().zip(&mut next) {
                if let Some(sample) = path.samples.get(*next).filter(|s| s.step == step) {
                    *next += 1;
                    if self.see(path, sample, at) {
                        update.started.push(path.id);
                    }
                }
                if path.ended == Some(step)
                    && let Some(track) = self.live.remove(&path.id)
                {
                    update.ended.push(Track { state: TrackState::Ended, ..track });
                }
            }
            update.tracks.extend(self.tracks(at));
            self.last = Some(at);
            each(&update);
        }
        if stretch.sight == Sight::Blind {
            self.live.clear();
        }
    }

    /// Takes a track's newest box; whether this is its first.
    fn see(&mut self, path: &Path, sample: &Sample, at: Duration) -> bool {
        let Sample { class, score, bbox, .. } = *sample;
        let before = self.live.get(&path.id);
        let is_new = before.is_none();
        let track = Track {
            id: path.id,
            class,
            score,
            top_score: before.map_or(score, |track| track.top_score.max(score)),
            bbox,
            velocity: Velocity::default(),
            first_seen: path.first_seen,
            last_seen: at,
            hits: before.map_or(1, |track| track.hits.saturating_add(1)),
            state: TrackState::Confirmed,
            stationary: false,
        };
        self.live.insert(path.id, track);
        is_new
    }
}
