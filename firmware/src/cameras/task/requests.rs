//! What a camera is asked for: passed on to its process, or done about it.

use std::sync::Arc;
use std::time::Duration;

use api::status::CameraPhase;
use base::error::ErrorKind;
use link::{CameraOrder, ToCamera};
use supervise::Restart;

use super::super::open::Open;
use super::super::{CameraError, Request};
use super::{CameraTask, name_of};

/// A request that is not answered within this time fails.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl CameraTask {
    /// Runs on `order` from now on.
    fn take(&mut self, order: CameraOrder) {
        self.order = order;
        self.view.send_modify(|view| {
            let status = &mut Arc::make_mut(view).status;
            status.name = name_of(&self.order);
            status.detector.note.clone_from(&self.order.model_note);
        });
    }

    /// Runs on `order` from now on; another model takes another process, whose tap fits it.
    async fn renew(&mut self, order: CameraOrder) {
        let reason = (order.model != self.order.model).then(|| {
            format!("the model {} takes the place of {}", order.model.name, self.order.model.name)
        });
        self.take(order);
        if reason.is_some() {
            self.view.send_modify(|view| {
                let detector = &mut Arc::make_mut(view).status.detector;
                (detector.model, detector.running) = (self.order.model.name.clone(), false);
            });
        }
        if let (Some(child), Some(reason), true) = (&self.child, reason, self.is_enabled()) {
            child.restart(Restart::Politely, reason).await;
        }
    }

    /// Runs on `order` from now on, in another process; in none when it says so.
    async fn rebuild(&mut self, order: CameraOrder, reason: &str) {
        let was = self.is_enabled();
        self.take(order);
        match (&self.child, self.is_enabled()) {
            (Some(child), true) => {
                let child = child.clone();
                if !was {
                    self.enter(CameraPhase::Starting, None);
                }
                // With another source it may belong into another unit.
                child.replace(self.starter.spec(&self.order), Restart::Politely, reason).await;
            }
            (None, true) => {
                self.enter(CameraPhase::Starting, None);
                self.child = Some(self.starter.start(&self.order));
            }
            (_, false) => {
                self.end("it is switched off").await;
                self.enter(CameraPhase::Disabled, None);
            }
        }
    }

    /// Tells the process when somebody begins to look at its tracks, or nobody does any more.
    pub(super) async fn watch_tracks(&mut self) {
        let tracks = self.news.tracks_are_followed();
        if let Some(process) = &mut self.process
            && process.watched != tracks
        {
            process.watched = tracks;
            // A link that breaks is reported by its reading side.
            let _ = process.sender.send(&ToCamera::Watch { tracks }, &[]).await;
        }
    }

    /// Replaces the process.
    async fn restart(&mut self, reason: &str) -> Result<(), CameraError> {
        let Some(child) = self.child.clone().filter(|_| self.is_enabled()) else {
            let detail = "the camera is switched off; switch it on with `enabled`";
            return Err(CameraError::new(ErrorKind::FailedPrecondition, detail));
        };
        child.restart(Restart::Politely, reason).await;
        Ok(())
    }

    pub(super) fn on_snapshot(&mut self, request: u64, error: Option<String>, jpeg: Vec<u8>) {
        if let Some(Open::Snapshot { answer, .. }) = self.open.remove(&request) {
            let result = match error {
                None => Ok(jpeg),
                Some(detail) => Err(CameraError::new(ErrorKind::Unavailable, detail)),
            };
            let _ = answer.send(result);
        }
    }

    pub(super) fn on_applied(
        &mut self,
        request: u64,
        needs_restart: &[String],
        error: Option<String>,
    ) {
        let Some(Open::Apply { order, answer, .. }) = self.open.remove(&request) else { return };
        let result = match (error, needs_restart) {
            (Some(detail), _) => Err(CameraError::new(ErrorKind::InvalidArgument, detail)),
            (None, []) => {
                self.take(*order);
                Ok(())
            }
            (None, fields) => Err(CameraError::new(
                ErrorKind::FailedPrecondition,
                format!("needs a restart of the camera: {}", fields.join(", ")),
            )),
        };
        let _ = answer.send(result);
    }

    pub(super) async fn ask(&mut self, request: Request) {
        self.next_request += 1;
        let number = self.next_request;
        if let Request::Renew { order, answer } = request {
            self.renew(*order).await;
            let _ = answer.send(Ok(()));
            return;
        }
        if let Request::Rebuild { order, reason, answer } = request {
            self.rebuild(*order, &reason).await;
            let _ = answer.send(Ok(()));
            return;
        }
        if matches!(request, Request::Watch) {
            return self.watch_tracks().await;
        }
        if let Request::Restart { reason, answer } = request {
            let _ = answer.send(self.restart(&reason).await);
            return;
        }
        let Some((message, open)) = Open::new(number, request) else {
            return self.ask_for_key_frame().await;
        };
        let Some(process) = &mut self.process else {
            // Settings for a camera that is not up are simply its next order.
            return match open {
                Open::Apply { order, answer, .. } => {
                    self.take(*order);
                    let _ = answer.send(Ok(()));
                }
                open @ Open::Snapshot { .. } => {
                    let phase = self.view.borrow().status.phase;
                    let detail =
                        format!("the camera shows nothing: it is {phase:?}").to_lowercase();
                    open.fail(CameraError::new(ErrorKind::Unavailable, detail));
                }
            };
        };
        match process.sender.send(&message, &[]).await {
            Ok(()) => drop(self.open.insert(number, open)),
            Err(error) => {
                open.fail(CameraError::new(ErrorKind::Unavailable, base::error::chain(&error)));
            }
        }
    }

    async fn ask_for_key_frame(&mut self) {
        if let Some(process) = &mut self.process {
            // A link that breaks is reported by its reading side.
            let _ = process.sender.send(&ToCamera::KeyFrame, &[]).await;
        }
    }

    /// Fails requests that the camera process did not answer in time.
    pub(super) fn drop_late(&mut self) {
        let late = |open: &Open| open.asked().elapsed() >= ANSWER_WITHIN;
        let numbers: Vec<_> = self.open.iter().filter(|(_, o)| late(o)).map(|(n, _)| *n).collect();
        for open in numbers.into_iter().filter_map(|number| self.open.remove(&number)) {
            let detail = "the camera process did not answer in time";
            open.fail(CameraError::new(ErrorKind::DeadlineExceeded, detail));
        }
    }
}
