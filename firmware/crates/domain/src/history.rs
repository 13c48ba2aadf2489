//! What was tracked, kept so that rules can be run over it again.
//!
//! A [`Stretch`] is some seconds of one camera: the times at which it looked, and where each track
//! was seen. As recorded it holds every box as it was; [`encode`] makes a few bytes of it, within
//! the bounds of [`Tolerance`]. Stretches of one session follow each other; a track goes on from
//! one to the next. Times without any track are left out between two stretches.
//!
//! | module | owns |
//! |---|---|
//! | `recorder` | updates of the tracker → stretches |
//! | `curve` | which points of a curve suffice (private) |
//! | `codec` | a stretch as bytes, and back |
//! | `bytes` | variable-length integers (private) |

mod bytes;
mod codec;
mod curve;
mod recorder;

use std::time::Duration;

use crate::detection::ClassId;
use crate::geometry::BBox;
use crate::track::TrackId;

pub use codec::{HistoryError, Tolerance, decode, encode};
pub use recorder::Recorder;

/// Where a track was in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Index of the step in [`Stretch::steps`].
    pub step: u32,
    /// Its class as far as it was known then.
    pub class: ClassId,
    /// Score of its detection, 0..=1.
    pub score: f32,
    /// Its box, smoothed.
    pub bbox: BBox,
}

/// One track within a stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its number, unique within the session.
    pub id: TrackId,
    /// Time of its first detection; may lie before the stretch.
    pub first_seen: Duration,
    /// Where it was seen, by step. In a step that is missing here it was not found.
    pub samples: Vec<Sample>,
    /// The step in which it ended; `None` where it goes on.
    pub ended: Option<u32>,
}

/// Whether more is seen after a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// The detector goes on.
    #[default]
    Seeing,
    /// The detector stopped with the last step: everything ended there.
    Blind,
}

/// Some seconds of what one camera tracked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Times of the steps, in order.
    pub steps: Vec<Duration>,
    /// The tracks, by id; those that were neither seen nor ended in these steps are missing.
    pub paths: Vec<Path>,
    /// Whether it is followed by others.
    pub sight: Sight,
}

impl Stretch {
    /// Time from its first to its last step.
    pub fn span(&self) -> Duration {
        match (self.steps.first(), self.steps.last()) {
            (Some(first), Some(last)) => last.saturating_sub(*first),
            _ => Duration::ZERO,
        }
    }
}
