//! Requests that wait for a camera's answer.

use link::{CameraOrder, ToCamera};
use tokio::time::Instant;

use super::{Answer, CameraError, Request};

/// A request that waits for the camera's answer.
pub(super) enum Open {
    Snapshot { answer: Answer<Vec<u8>>, asked: Instant },
    Apply { order: Box<CameraOrder>, answer: Answer<()>, asked: Instant },
}

impl Open {
    /// The message that asks for `request` under `number`, and what waits for its answer; `None`:
    /// it is one without an answer.
    pub(super) fn new(number: u64, request: Request) -> Option<(ToCamera, Self)> {
        let asked = Instant::now();
        match request {
            Request::Snapshot { quality, answer } => Some((
                ToCamera::Snapshot { request: number, quality },
                Self::Snapshot { answer, asked },
            )),
            Request::Apply { order, answer } => Some((
                ToCamera::Apply { request: number, order: order.clone() },
                Self::Apply { order, answer, asked },
            )),
            Request::KeyFrame
            | Request::Watch
            | Request::Renew { .. }
            | Request::Rebuild { .. }
            | Request::Restart { .. }
            | Request::End { .. } => None,
        }
    }

    /// When it was asked.
    pub(super) fn asked(&self) -> Instant {
        match self {
            Self::Snapshot { asked, .. } | Self::Apply { asked, .. } => *asked,
        }
    }

    /// Answers that it failed.
    pub(super) fn fail(self, error: CameraError) {
        // Whoever asked may have gone meanwhile.
        match self {
            Self::Snapshot { answer, .. } => drop(answer.send(Err(error))),
            Self::Apply { answer, .. } => drop(answer.send(Err(error))),
        }
    }
}
