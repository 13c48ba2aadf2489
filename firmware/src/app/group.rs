//! Tasks that are stopped and waited for together.

use std::time::Duration;

use base::shutdown::{Shutdown, Stopper};
use tokio::task::JoinSet;

/// Tasks, and what stops them.
pub(super) struct Group {
    pub(super) tasks: JoinSet<()>,
    stopper: Stopper,
    pub(super) shutdown: Shutdown,
}

impl Group {
    pub(super) fn new() -> Self {
        let (stopper, shutdown) = base::shutdown::channel();
        Self { tasks: JoinSet::new(), stopper, shutdown }
    }

    /// Runs `task`, which may be cut off anywhere, until it ends or all are stopped.
    pub(super) fn spawn_until_stop(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let mut shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            tokio::select! { () = task => {}, () = shutdown.wait() => {} }
        });
    }

    /// Stops the tasks and waits for them; those that take longer than `within` are aborted.
    pub(super) async fn stop(mut self, what: &str, within: Duration) {
        self.stopper.stop();
        let joined = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, joined).await.is_err() {
            tracing::warn!(what, "did not stop in time: left behind");
        }
    }
}
