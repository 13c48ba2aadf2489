//! Kicks systemd's watchdog as long as the daemon is alive where it matters: its async runtime
//! runs this task, and the event store answers.

use std::time::Duration;

use base::shutdown::Shutdown;
use store::StoreHandle;

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
