//! The life of the daemon: settings → build (binds, starts nothing) → spawn → ready → wait → drain.
//!
//! | module | owns |
//! |---|---|
//! | [`build`] | what is opened and bound |
//! | [`spawn`] | what is started, in order |
//! | [`group`] | tasks that are stopped together |
//! | [`signals`] | what tells the daemon to stop |

mod build;
mod group;
mod signals;
mod spawn;

use std::pin::pin;
use std::time::Duration;

use ::access::Access;
use anyhow::{Context, bail};
use config::Config;
use mqtt::MqttHandle;
use store::{StoreHandle, StoreThreads};
use supervise::Supervisor;

use group::Group;
use signals::Signals;

use crate::again::{self, End};
use crate::args::RunArgs;
use crate::banner;
use crate::cameras::Cameras;
use crate::media_server::MediaServer;
use crate::reserve;
use crate::settings::{self, Engine};

/// The cameras end what they saw within this time of the stop, or are left behind.
const CAMERAS_END: Duration = Duration::from_secs(8);
/// How long the last events may take to the broker; the next start sends the rest.
const FLUSH: Duration = Duration::from_secs(2);
/// What still runs when all has been said is left behind after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
/// Everything else ends within this time.
const REST_ENDS: Duration = Duration::from_secs(5);

/// Runs the product until it is told to stop.
pub(crate) fn main(args: &RunArgs) -> anyhow::Result<()> {
    let log = base::trace::init_and_keep();
    let (opened, _lock) = settings::open(args.sources())?;
    let data = opened.loaded.config.data.dir.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("ec-async")
        .build()
        .context("starting the async runtime")?;
    let ended = runtime.block_on(async {
        let running = async { build::build(opened).await?.spawn(log).await }.await;
        let running = match running {
            Ok(running) => running,
            // New settings that nobody has confirmed may be what stands in the way.
            Err(error) if settings::take_back(&data, &format!("{error:#}")) => {
                return Ok(End::Again);
            }
            Err(error) => return Err(error),
        };
        // Whoever hears that it is ready may stop it.
        let mut signals = Signals::watch()?;
        reserve::keep(&data);
        running.ready().await;
        let end = running.wait(&mut signals).await;
        running.drain(end, &mut signals).await
    });
    // After a start that failed half way, tasks still hold what others wait for.
    runtime.shutdown_timeout(LEFT_BEHIND);
    match ended? {
        End::Stop => Ok(()),
        End::Again => again::start(),
    }
}

/// The running product. The cameras stop first, so that what they saw last is stored and announced.
struct Running {
    config: Config,
    cameras: Group,
    services: Group,
    supervisor: Supervisor,
    store: StoreHandle,
    threads: StoreThreads,
    mqtt: MqttHandle,
    media_server: Option<MediaServer>,
    shown: Cameras,
    engine: Engine,
    api: std::net::SocketAddr,
    access: Access,
}

impl Running {
    /// Tells systemd and the person who started this.
    async fn ready(&self) {
        self.engine.has_started().await;
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        banner::print(&self.config, self.api, self.media_server.as_ref(), &self.shown);
        if let Some(code) = self.access.claim_code() {
            banner::print_claim(&self.config, self.api, &code);
        }
        tracing::info!(api = %self.api, "ready");
    }

    /// Waits for a signal to stop, or for settings that take another start.
    async fn wait(&self, signals: &mut Signals) -> End {
        // Cancel-safe: a signal that is not received here stays for the next call.
        tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "stopping");
                End::Stop
            }
            () = self.engine.wants_restart() => {
                tracing::info!("starting again to take settings over");
                End::Again
            }
        }
    }

    /// Stops the cameras, lets the last events out, then stops all else. A signal makes another start a
    /// stop; a second one ends it at once: the store is safe, and children die with this process.
    async fn drain(self, mut end: End, signals: &mut Signals) -> anyhow::Result<End> {
        again::tell_systemd(end);
        let Self { cameras, services, supervisor, store, threads, mqtt, .. } = self;
        let mut orderly = pin!(async move {
            cameras.stop("cameras", CAMERAS_END).await;
            flush(&store, &mqtt).await;
            services.stop("services", REST_ENDS).await;
            supervisor.shutdown().await;
            drop(store);
            threads.stop().await;
        });
        loop {
            // Cancel-safe: what is left undone is what the second signal asked for.
            tokio::select! {
                () = &mut orderly => return Ok(end),
                _ = signals.next() => match end {
                    End::Again => end = End::Stop,
                    End::Stop => bail!("stopped at once by a second signal"),
                },
            }
        }
    }
}

/// Waits until the broker has the last events, as long as it is there.
async fn flush(store: &StoreHandle, mqtt: &MqttHandle) {
    let mut status = mqtt.status();
    let empty = async {
        while status.borrow_and_update().is_connected() && store.outbox_status().pending > 0 {
            if status.changed().await.is_err() {
                break;
            }
        }
    };
    if tokio::time::timeout(FLUSH, empty).await.is_err() {
        let pending = store.outbox_status().pending;
        tracing::info!(pending, "events wait in the outbox for the next start");
    }
}
