//! What the API needs to know of long work.

use api::access::Role;
use api::jobs::Job;
use tokio::sync::broadcast;

use super::Answer;

/// Who begins a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginner {
    /// Name of the user.
    pub by: String,
    /// The role that it took, and takes to cancel the job.
    pub role: Role,
}

/// Long work.
pub trait Jobs: Send + Sync + 'static {
    /// All jobs that are known, the newest first.
    fn list(&self) -> Vec<Job>;

    /// The job `id`; `None`: it is not known, or not any more.
    fn get(&self, id: &str) -> Option<Job>;

    /// Cancels the job `id`, unless it has ended, waits until nothing of it runs any more, and forgets it.
    /// Answers with how it ended; `None`: it is not known.
    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Job>>;

    /// Every job as it changes, from now on. Readers that fall behind see `Lagged` and go back to
    /// [`Jobs::list`].
    fn subscribe(&self) -> broadcast::Receiver<Job>;
}
