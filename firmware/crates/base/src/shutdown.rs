//! One stop signal for tasks and threads.
//!
//! Dropping every [`Stopper`] is the stop too, so a task that dies takes its dependants down.

use tokio::sync::watch;

/// Asks everything that holds the matching [`Shutdown`] to stop.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells when to stop; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A stop signal and its receiver.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Asks for the stop; repeated calls change nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Another receiver of this signal.
    pub fn subscribe(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Shutdown {
    /// Whether the stop was asked for; for threads that poll between steps.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Completes when the stop is asked for. Cancel-safe.
    pub async fn wait(&mut self) {
        // An error means that the last stopper is gone, which is a stop as well.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_receiver_sees_the_stop() {
        let (stopper, mut first) = channel();
        let mut second = stopper.subscribe();
        assert!(!first.is_stopping());
        stopper.stop();
        first.wait().await;
        second.wait().await;
        assert!(first.is_stopping() && second.is_stopping());
    }

    #[tokio::test]
    async fn a_dropped_stopper_is_a_stop() {
        let (stopper, mut shutdown) = channel();
        drop(stopper);
        shutdown.wait().await;
        assert!(shutdown.is_stopping());
    }
}
