//! Long work as the API sees it.

use api::jobs::Job;
use control::ports::{Answer, Jobs as JobsPort};
use futures::FutureExt;
use tokio::sync::broadcast;

use crate::jobs::Jobs;

impl JobsPort for Jobs {
    fn list(&self) -> Vec<Job> {
        Jobs::list(self)
    }

    fn get(&self, id: &str) -> Option<Job> {
        Jobs::get(self, id)
    }

    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Job>> {
        Jobs::cancel(self, id).boxed()
    }

    fn subscribe(&self) -> broadcast::Receiver<Job> {
        Jobs::subscribe(self)
    }
}
