//! Updates of the tracker → stretches.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Path, Sample, Sight, Stretch};
use crate::track::{Track, TrackId, TrackState, TrackUpdate};

/// Writes down what a tracker yields.
#[derive(Debug, Default)]
pub struct Recorder {
    stretch: Stretch,
    /// Tracks that go on.
    live: BTreeSet<TrackId>,
}

impl Recorder {
    /// Writes down one step. `sight` tells whether it is the last one for now; after a blind one
    /// the stretch is to be taken.
    pub fn record(&mut self, update: &TrackUpdate, sight: Sight) {
        let step = u32::try_from(self.stretch.steps.len()).unwrap_or(u32::MAX);
        self.stretch.steps.push(update.at);
        self.stretch.sight = sight;
        for track in &update.tracks {
            if track.state == TrackState::Confirmed {
                self.live.insert(track.id);
                let Track { class, score, bbox, .. } = *track;
                self.path(track).samples.push(Sample { step, class, score, bbox });
            }
        }
        for track in &update.ended {
            // One that was never told of here, as before a restart of the recorder, has no end.
            if self.live.remove(&track.id) {
                self.path(track).ended = Some(step);
            }
        }
    }

    fn path(&mut self, track: &Track) -> &mut Path {
        let paths = &mut self.stretch.paths;
        let index = match paths.binary_search_by_key(&track.id, |path| path.id) {
            Ok(index) => index,
            Err(index) => {
                let Track { id, first_seen, .. } = *track;
                paths.insert(index, Path { id, first_seen, samples: Vec::new(), ended: None });
                index
            }
        };
        &mut paths[index]
    }

    /// Time that the stretch so far spans.
    pub fn span(&self) -> Duration {
        self.stretch.span()
    }

    /// Whether there is something to take, and no track goes on.
    pub fn is_complete(&self) -> bool {
        self.live.is_empty() && !self.stretch.paths.is_empty()
    }

    /// Takes what was written down and begins a new stretch; `None` where there was no track.
    pub fn take(&mut self) -> Option<Stretch> {
        let stretch = std::mem::take(&mut self.stretch);
        (!stretch.paths.is_empty()).then_some(stretch)
    }
}
