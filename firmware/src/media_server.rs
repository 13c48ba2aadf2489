//! MediaMTX as a supervised child: found, configured, started, watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base::shutdown::Shutdown;
use config::{CameraId, Config, MediaServerConfig};
use mediamtx::reload::ReloadError;
use mediamtx::{
    Binary, ConfigFile, ControlClient, ControlSecret, PathState, Places, StreamAddresses,
};
use supervise::{ChildHandle, ChildSpec, Health, Limits, LogFormat, Restart, Supervisor};
use tokio::sync::watch;

/// Time between two questions whether it is well.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// It answers for the first time within this time of its start.
const STARTS_WITHIN: Duration = Duration::from_secs(15);
/// A MediaMTX that does not answer for this time hangs.
const SILENCE: Duration = Duration::from_secs(5);

/// A MediaMTX that was found and is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    config: MediaServerConfig,
    binary: Binary,
}

impl Found {
    /// Looks for the binary. Without one the product runs on without streams, and says so here.
    pub(crate) async fn look(config: &MediaServerConfig) -> Option<Self> {
        match Places::of_this_process(config.path.clone()).locate().await {
            Ok(binary) => Some(Self { config: config.clone(), binary }),
            Err(error) => {
                let error = base::error::chain(&error);
                tracing::error!(error, "no streams will be served; everything else works");
                None
            }
        }
    }

    /// Its settings.
    pub(crate) fn config(&self) -> &MediaServerConfig {
        &self.config
    }

    /// Starts it for the cameras of `config`; what watches over it is to be spawned.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub(crate) fn start(
        self,
        supervisor: &Supervisor,
        config: &Config,
        shutdown: Shutdown,
    ) -> anyhow::Result<(MediaServer, impl Future<Output = ()> + use<>)> {
        let secret =
            ControlSecret::random().context("making a secret for MediaMTX's control API")?;
        let file = ConfigFile::in_dir(&config.data.dir.join("run"));
        let cameras = config.cameras.iter().map(|camera| camera.id.clone()).collect();
        file.write(&mediamtx::render(&self.config, &cameras, &secret))
            .context("configuring MediaMTX")?;
        let (wanted, wishes) = watch::channel(cameras);
        let mut spec =
            ChildSpec::new("mediamtx", &self.binary.path).args(mediamtx::arguments(file.path()));
        spec.health = Health::Heartbeat { start_within: STARTS_WITHIN, every: SILENCE };
        spec.limits = Limits { oom_score_adj: Some(200), ..Limits::default() };
        spec.log.format = LogFormat::MediaMtx;
        let server = MediaServer(Arc::new(Inner {
            client: ControlClient::new(self.config.control_listen, secret.clone()),
            child: supervisor.spawn(spec),
            config: self.config,
            file,
            secret,
            wanted,
        }));
        let watching = server.clone().watch(wishes, shutdown);
        Ok((server, watching))
    }
}

/// A running MediaMTX; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct MediaServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: MediaServerConfig,
    client: ControlClient,
    child: ChildHandle,
    file: ConfigFile,
    secret: ControlSecret,
    /// The cameras that may publish.
    wanted: watch::Sender<BTreeSet<CameraId>>,
}

impl MediaServer {
    /// Its process.
    pub(crate) fn child(&self) -> ChildHandle {
        self.0.child.clone()
    }

    /// Where `camera` is watched, for someone who reaches this machine as `host`.
    pub(crate) fn addresses(&self, camera: &CameraId, host: &str) -> StreamAddresses {
        StreamAddresses::new(&self.0.config, camera, host)
    }

    /// The streams that are there now; `None` while it does not answer.
    pub(crate) async fn paths(&self) -> Option<Vec<PathState>> {
        self.0.client.paths().await.ok()
    }

    /// Lets exactly these cameras publish; takes effect within moments, and streams of others go on.
    pub(crate) fn serve(&self, cameras: BTreeSet<CameraId>) {
        self.0.wanted.send_if_modified(|wanted| {
            let differs = *wanted != cameras;
            *wanted = cameras;
            differs
        });
    }

    /// Watches over it and keeps its cameras up to date until the stop.
    async fn watch(self, wishes: watch::Receiver<BTreeSet<CameraId>>, mut shutdown: Shutdown) {
        // Cancel-safe: what is written is written whole.
        tokio::select! {
            () = self.feel_pulse() => {}
            () = self.keep_cameras(wishes) => {}
            () = shutdown.wait() => {}
        }
    }

    /// Tells the supervisor that it is well, as long as it answers.
    async fn feel_pulse(&self) {
        loop {
            if self.0.client.info().await.is_ok() {
                self.0.child.heartbeat();
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Has it take over each change of the cameras that may publish, however often that takes.
    async fn keep_cameras(&self, mut wishes: watch::Receiver<BTreeSet<CameraId>>) {
        // This holds the other end.
        while wishes.changed().await.is_ok() {
            loop {
                let cameras = wishes.borrow_and_update().clone();
                let Err(error) = self.reload(&cameras).await else { break };
                let said = base::error::chain(&error);
                tracing::warn!(error = said, "the media server does not know its cameras yet");
                if let ReloadError::TimedOut = error {
                    let reason = "it did not take over a change of its cameras";
                    self.0.child.restart(Restart::AtOnce, reason).await;
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    }

    async fn reload(&self, cameras: &BTreeSet<CameraId>) -> Result<(), ReloadError> {
        let Inner { config, client, file, secret, .. } = &*self.0;
        let text = mediamtx::render(config, cameras, secret);
        mediamtx::reload::reload(file, &text, cameras, client).await
    }
}
