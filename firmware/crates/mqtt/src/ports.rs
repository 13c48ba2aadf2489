//! What the session needs from outside: the outbox, and who does what is commanded. `edgecamd`
//! implements them, since siblings do not import siblings.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use api::event::Event;
use tokio::sync::watch;

/// Announcements that wait for the broker, and where to say that it has them.
pub trait Outbox: Send + Sync + 'static {
    /// The oldest waiting announcements with a `seq` greater than `seq`, by growing `seq`, at
    /// most `limit`. Fewer than `limit` means: no more were committed when this was called.
    fn next_after(
        &self,
        seq: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Waiting>, OutboxError>> + Send;

    /// The broker has these; they wait no longer. Unknown ones are of no matter.
    fn ack(&self, seqs: Vec<u64>) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// The newest committed `seq`; must change after the commit, never before.
    fn newest(&self) -> watch::Receiver<u64>;

    /// Announcements that wait now; for the status.
    fn pending(&self) -> u64;
}

/// An announcement that waits for the broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The announcement, as stored.
    pub event: Event,
    /// When it was stored, on the machine's monotonic clock.
    pub stored_at: Duration,
}

/// What a client of the broker asks of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To install what is staged, or the newest version that is known.
    InstallUpdate,
}

/// The outbox could not be read or written; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("the outbox does not answer")]
pub struct OutboxError(#[source] pub Box<dyn Error + Send + Sync>);
