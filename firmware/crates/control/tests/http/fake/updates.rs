//! Updates in memory: a bundle is any bytes; those that begin with `BAD` are signed by a stranger.

use std::sync::{Arc, Mutex};

use api::jobs::{Job, JobKind};
use api::system::Begun;
use api::updates::{
    InstallUpdate, NewUpload, UpdateBundle, UpdateCode, UpdatePhase, UpdateUpload, Updates as State,
};
use edgecam_control::PortError;
use edgecam_control::ports::{Answer, Beginner, Bytes, UpdateReceiver, Updates};
use futures::FutureExt;
use futures::future::ready;
use tokio::sync::watch;

use super::Fake;
use crate::work::{JOB, job};

/// The upload that there is from the start on: of ten bytes, of which none came.
pub(crate) const UPLOAD: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1F";

/// What is kept of updates; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store(pub(crate) Arc<Kept>);

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) state: watch::Sender<State>,
    pub(crate) upload: Mutex<Option<(NewUpload, UpdateUpload, Vec<u8>)>>,
    /// What was ordered to be installed.
    pub(crate) orders: Mutex<Vec<InstallUpdate>>,
    /// All that is asked is refused with this.
    pub(crate) refuse: Mutex<Option<UpdateCode>>,
}

impl Default for Store {
    fn default() -> Self {
        let state = State { supported: true, version: "0.4.0".into(), ..State::default() };
        let new = NewUpload { size_bytes: 10, sha256: None };
        let upload = UpdateUpload { id: UPLOAD.into(), size_bytes: 10, ..UpdateUpload::default() };
        Self(Arc::new(Kept {
            state: watch::Sender::new(state),
            upload: Mutex::new(Some((new, upload, Vec::new()))),
            orders: Mutex::default(),
            refuse: Mutex::default(),
        }))
    }
}

impl Kept {
    fn go<T>(&self) -> impl FnOnce(T) -> Result<T, PortError> {
        let refuse = *self.refuse.lock().unwrap();
        move |good| match refuse {
            Some(code) => Err(PortError::update(code, "not now")),
            None => Ok(good),
        }
    }

    pub(crate) fn set(&self, phase: UpdatePhase) {
        self.state.send_modify(|state| state.phase = phase);
    }
}

fn refusal(code: UpdateCode) -> PortError {
    PortError::update(code, format!("{code:?}"))
}

struct Receiver(Store);

impl UpdateReceiver for Receiver {
    fn take(&mut self, bytes: Bytes) -> Answer<'_, ()> {
        let mut upload = self.0.0.upload.lock().unwrap();
        let (_, upload, kept) = upload.as_mut().unwrap();
        kept.extend_from_slice(&bytes);
        upload.offset = kept.len() as u64;
        ready(Ok(())).boxed()
    }

    fn finish(self: Box<Self>) -> Answer<'static, UpdateUpload> {
        let mut slot = self.0.0.upload.lock().unwrap();
        let (_, upload, kept) = slot.as_ref().unwrap();
        let upload = upload.clone();
        let bad = kept.starts_with(b"BAD");
        if upload.offset < upload.size_bytes {
            return ready(Ok(upload)).boxed();
        }
        *slot = None;
        if bad {
            self.0.0.set(UpdatePhase::Failed);
            return ready(Err(refusal(UpdateCode::WrongSignature))).boxed();
        }
        self.0.0.state.send_modify(|state| {
            state.phase = UpdatePhase::Staged;
            state.update = Some(UpdateBundle::default());
        });
        ready(Ok(upload)).boxed()
    }
}

impl Updates for Fake {
    fn status(&self) -> State {
        self.updates.0.state.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<State> {
        self.updates.0.state.subscribe()
    }

    fn check(&self) -> Answer<'_, State> {
        ready(self.updates.0.go()(Updates::status(self))).boxed()
    }

    fn begin_upload<'a>(&'a self, new: NewUpload, _: &'a str) -> Answer<'a, UpdateUpload> {
        let upload =
            UpdateUpload { id: UPLOAD.into(), size_bytes: new.size_bytes, ..Default::default() };
        let answer = self.updates.0.go()(upload.clone());
        if answer.is_ok() {
            *self.updates.0.upload.lock().unwrap() = Some((new, upload, Vec::new()));
        }
        ready(answer).boxed()
    }

    fn upload(&self, id: &str) -> Option<UpdateUpload> {
        let upload = self.updates.0.upload.lock().unwrap();
        upload.as_ref().map(|(_, upload, _)| upload.clone()).filter(|upload| upload.id == id)
    }

    fn receive<'a>(&'a self, id: &'a str, offset: u64) -> Answer<'a, Box<dyn UpdateReceiver>> {
        let here = self.upload(id).unwrap().offset;
        if here != offset {
            return ready(Err(refusal(UpdateCode::WrongOffset))).boxed();
        }
        ready(Ok(Box::new(Receiver(self.updates.clone())) as Box<_>)).boxed()
    }

    fn discard_upload<'a>(&'a self, id: &'a str) -> Answer<'a, Option<UpdateUpload>> {
        let known = self.upload(id);
        if known.is_some() {
            self.updates.0.upload.lock().unwrap().take();
        }
        ready(Ok(known)).boxed()
    }

    fn install(&self, what: InstallUpdate, by: Beginner) -> Answer<'_, Job> {
        let begun = Job { kind: JobKind::InstallUpdate, ..job(JOB, None, &by) };
        let answer = self.updates.0.go()(begun);
        if answer.is_ok() {
            self.updates.0.orders.lock().unwrap().push(what);
        }
        ready(answer).boxed()
    }

    fn commit<'a>(&'a self, _: &'a str) -> Answer<'a, State> {
        let waits = Updates::status(self).phase == UpdatePhase::AwaitingConfirmation;
        if !waits {
            return ready(Err(refusal(UpdateCode::NothingToCommit))).boxed();
        }
        self.updates.0.set(UpdatePhase::Committed);
        ready(Ok(Updates::status(self))).boxed()
    }

    fn rollback<'a>(&'a self, _: &'a str) -> Answer<'a, Begun> {
        ready(self.updates.0.go()(Begun { detail: "back".into() })).boxed()
    }

    fn discard<'a>(&'a self, _: &'a str) -> Answer<'a, State> {
        if Updates::status(self).update.is_none() {
            return ready(Err(refusal(UpdateCode::NothingStaged))).boxed();
        }
        self.updates.0.state.send_modify(|state| {
            state.update = None;
            state.phase = UpdatePhase::Idle;
        });
        ready(Ok(Updates::status(self))).boxed()
    }
}
