//! Kicks systemd's watchdog as long as the daemon is alive where it matters: its async runtime
//! runs this task, and the event store answers. Keeps it waiting where a start takes long.

use std::time::Duration;

use anyhow::Context;
use base::shutdown::Shutdown;
use store::StoreHandle;

/// Time between two words to systemd that a start goes on.
const WORD_EVERY: Duration = Duration::from_secs(20);
/// How long each of them holds, in microseconds.
const HOLDS_US: u32 = 60_000_000;

/// Does `work` on a thread of its own while systemd is told to go on waiting for the start: the first one
/// after an update may copy a large database.
///
/// # Errors
/// When `work` panics.
pub(crate) async fn patiently<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let mut working = tokio::task::spawn_blocking(work);
    loop {
        // Cancel-safe: both arms only wait.
        tokio::select! {
            done = &mut working => return done.context("a part of the start broke off"),
            () = tokio::time::sleep(WORD_EVERY) => {
                let word = sd_notify::NotifyState::ExtendTimeoutUsec(HOLDS_US);
                // Without systemd there is nobody to tell.
                let _ = sd_notify::notify(&[word]);
            }
        }
    }
}

/// Kicks the watchdog, when systemd set one, until the stop.
pub(crate) async fn keep(store: StoreHandle, mut shutdown: Shutdown) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    let every = within / 3;
    loop {
        kick_if_well(&store, every).await;
        // Cancel-safe: both arms only wait.
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.wait() => return,
        }
    }
}

async fn kick_if_well(store: &StoreHandle, within: Duration) {
    match tokio::time::timeout(within, store.bounds()).await {
        Ok(_) => {
            // Without systemd there is nobody to tell.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
        Err(_) => tracing::error!("the event store does not answer: the watchdog is not kicked"),
    }
}
