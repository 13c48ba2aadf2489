//! The daemon at the other end of the link: a task that reads, and a task that writes.

use std::time::Duration;

use link::{FromCamera, LinkError, ToCamera};
use tokio::sync::mpsc;

/// Messages to the daemon that may wait; the detector waits beyond that.
pub(crate) const OUTBOX: usize = 256;

/// Messages to the daemon, each with its blob.
pub(crate) type Out = mpsc::Sender<(FromCamera, Vec<u8>)>;

/// The daemon at the other end of the link.
pub(crate) struct Daemon {
    /// What it is told.
    pub(crate) out: Out,
    /// What it says.
    pub(crate) heard: mpsc::Receiver<ToCamera>,
    writer: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Starts both tasks on the halves of a link.
    pub(crate) fn new(
        mut receiver: link::Receiver<ToCamera>,
        mut sender: link::Sender<FromCamera>,
    ) -> Self {
        let (out, mut queue) = mpsc::channel::<(FromCamera, Vec<u8>)>(OUTBOX);
        let (hear, heard) = mpsc::channel(OUTBOX);
        let writer = tokio::spawn(async move {
            while let Some((message, blob)) = queue.recv().await {
                if let Err(error) = sender.send(&message, &blob).await {
                    log_broken(&error);
                    break;
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let message = receiver.receive().await.unwrap_or_else(|error| {
                    log_broken(&error);
                    None
                });
                let Some((message, _)) = message else { break };
                if hear.send(message).await.is_err() {
                    break;
                }
            }
        });
        Self { out, heard, writer }
    }

    /// Says `message`.
    pub(crate) async fn say(&self, message: FromCamera) {
        // A closed channel means that the link broke, which the reading side reports.
        let _ = self.out.send((message, Vec::new())).await;
    }

    /// Sends what is still waiting.
    pub(crate) async fn close(self) {
        drop(self.out);
        if tokio::time::timeout(Duration::from_secs(1), self.writer).await.is_err() {
            tracing::warn!("edgecamd did not take the last messages in time");
        }
    }
}

fn log_broken(error: &LinkError) {
    tracing::warn!(error = base::error::chain(error), "the link broke");
}
