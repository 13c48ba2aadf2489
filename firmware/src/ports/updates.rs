//! Updates as the API sees them where the firmware does not run from an EdgeCam image.

use api::jobs::Job;
use api::system::Begun;
use api::updates::{InstallUpdate, NewUpload, UpdateCode, UpdateUpload, Updates as Status};
use control::PortError;
use control::ports::{Answer, Beginner, UpdateReceiver, Updates};
use futures::FutureExt;
use futures::future::ready;
use tokio::sync::watch;

const REASON: &str = "this firmware does not run from an EdgeCam image";

/// There are no updates here.
#[derive(Debug)]
pub(crate) struct NoUpdates(watch::Sender<Status>);

impl NoUpdates {
    /// For the version that runs.
    pub(crate) fn new() -> Self {
        let status = Status {
            reason: Some(REASON.to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Status::default()
        };
        Self(watch::Sender::new(status))
    }
}

impl Updates for NoUpdates {
    fn status(&self) -> Status {
        self.0.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    fn check(&self) -> Answer<'_, Status> {
        refused()
    }

    fn begin_upload<'a>(&'a self, _: NewUpload, _: &'a str) -> Answer<'a, UpdateUpload> {
        refused()
    }

    fn upload(&self, _: &str) -> Option<UpdateUpload> {
        None
    }

    fn receive<'a>(&'a self, _: &'a str, _: u64) -> Answer<'a, Box<dyn UpdateReceiver>> {
        refused()
    }

    fn discard_upload<'a>(&'a self, _: &'a str) -> Answer<'a, Option<UpdateUpload>> {
        ready(Ok(None)).boxed()
    }

    fn install(&self, _: InstallUpdate, _: Beginner) -> Answer<'_, Job> {
        refused()
    }

    fn commit<'a>(&'a self, _: &'a str) -> Answer<'a, Status> {
        refused()
    }

    fn rollback<'a>(&'a self, _: &'a str) -> Answer<'a, Begun> {
        refused()
    }

    fn discard<'a>(&'a self, _: &'a str) -> Answer<'a, Status> {
        refused()
    }
}

fn refused<'a, T: Send + 'a>() -> Answer<'a, T> {
    let detail = format!("{REASON}: update it the way it was installed");
    ready(Err(PortError::update(UpdateCode::UpdatesNotSupported, detail))).boxed()
}
