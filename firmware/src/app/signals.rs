//! What tells the daemon to stop.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that come closer together than this are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Signals to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Instant>,
}

impl Signals {
    pub(super) fn watch() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
        Ok(Self { terminate, interrupt, last: None })
    }

    /// The next signal. One press of Ctrl-C can arrive twice, from the terminal and from a parent: that
    /// is one. Cancel-safe, as receiving a signal is.
    pub(super) async fn next(&mut self) -> &'static str {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            let again = self.last.is_some_and(|last| last.elapsed() < SAME_SIGNAL);
            self.last.get_or_insert_with(Instant::now);
            if !again {
                return name;
            }
        }
    }
}
