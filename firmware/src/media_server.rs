//! MediaMTX as a supervised child: found, configured, started, watched.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base::shutdown::Shutdown;
use config::{CameraId, Config, MediaServerConfig};
use mediamtx::{
    Binary, ConfigFile, ControlClient, ControlSecret, PathState, Places, StreamAddresses,
};
use supervise::{ChildHandle, ChildSpec, Health, Limits, LogFormat, Supervisor};

use crate::units::Units;

/// Its unit.
const UNIT: &str = "mediamtx";
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
        units: &Units,
        config: &Config,
        shutdown: Shutdown,
    ) -> anyhow::Result<(MediaServer, impl Future<Output = ()> + use<>)> {
        let secret =
            ControlSecret::random().context("making a secret for MediaMTX's control API")?;
        let unit = units.get(UNIT);
        let file = match &unit {
            Some(unit) => ConfigFile::in_dir(unit.folder()).for_its_group(),
            None => ConfigFile::in_dir(&config.data.dir.join("run")),
        };
        let cameras = config.cameras.iter().map(|camera| &camera.id);
        file.write(&mediamtx::render(&self.config, cameras, &secret))
            .context("configuring MediaMTX")?;
        let mut spec =
            ChildSpec::new("mediamtx", &self.binary.path).args(mediamtx::arguments(file.path()));
        spec.unit = unit.map(|unit| unit.socket());
        spec.health = Health::Heartbeat { start_within: STARTS_WITHIN, every: SILENCE };
        spec.limits = Limits { oom_score_adj: Some(200), ..Limits::default() };
        spec.log.format = LogFormat::MediaMtx;
        let server = MediaServer(Arc::new(Inner {
            client: ControlClient::new(self.config.control_listen, secret),
            child: supervisor.spawn(spec),
            config: self.config,
        }));
        let watching = server.clone().watch(shutdown);
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

    /// Tells the supervisor that it is well, as long as it answers.
    async fn watch(self, mut shutdown: Shutdown) {
        loop {
            if self.0.client.info().await.is_ok() {
                self.0.child.heartbeat();
            }
            // Cancel-safe: both arms only wait.
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = shutdown.wait() => return,
            }
        }
    }
}
