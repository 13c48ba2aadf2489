//! MediaMTX as a supervised child: found, configured, started, watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::access::Access;
use anyhow::Context;
use base::shutdown::Shutdown;
use config::{CameraId, Config, MediaServerConfig};
use mediamtx::reload::ReloadError;
use mediamtx::{
    Binary, ConfigFile, ControlClient, ControlSecret, Hook, HookAddress, PathState, Places,
    PublishKey, Relay, Watcher, Way,
};
use supervise::{ChildHandle, ChildSpec, Health, Limits, LogFormat, Restart, Supervisor};
use tokio::sync::watch;

use crate::units::Units;
use crate::viewing::Door;

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
    secret: ControlSecret,
    key: PublishKey,
}

/// Where cameras publish.
#[derive(Clone, Debug)]
pub(crate) struct PublishTo {
    config: MediaServerConfig,
    key: PublishKey,
}

impl PublishTo {
    /// The address for the process of `camera`, with its password.
    pub(crate) fn url(&self, camera: &CameraId) -> String {
        mediamtx::publish_url(&self.config, camera, &self.key)
    }
}

impl Found {
    /// Looks for the binary. Without one the product runs on without streams, and says so here.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) async fn look(config: &MediaServerConfig) -> anyhow::Result<Option<Self>> {
        match Places::of_this_process(config.path.clone()).locate().await {
            Ok(binary) => {
                let secret = ControlSecret::random();
                let secret = secret.context("making a secret for MediaMTX's control API")?;
                let key = PublishKey::random().context("making the passwords of cameras")?;
                Ok(Some(Self { config: config.clone(), binary, secret, key }))
            }
            Err(error) => {
                let error = base::error::chain(&error);
                tracing::error!(error, "no streams will be served; everything else works");
                Ok(None)
            }
        }
    }

    /// Where cameras publish.
    pub(crate) fn publish_to(&self) -> PublishTo {
        PublishTo { config: self.config.clone(), key: self.key.clone() }
    }

    /// Starts it for the cameras of `config` and for viewers whom `access` knows; what watches over it
    /// is to be spawned.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub(crate) async fn start(
        self,
        supervisor: &Supervisor,
        units: &Units,
        config: &Config,
        access: &Access,
        shutdown: Shutdown,
    ) -> anyhow::Result<(MediaServer, impl Future<Output = ()> + use<>)> {
        let hook = Hook::bind(self.secret.clone()).await;
        let hook = hook.context("listening for MediaMTX's questions who may come in")?;
        let unit = units.get(UNIT);
        let file = match &unit {
            Some(unit) => ConfigFile::in_dir(unit.folder()).for_its_group(),
            None => ConfigFile::in_dir(&config.data.dir.join("run")),
        };
        let cameras = config.cameras.iter().map(|camera| camera.id.clone()).collect();
        let address = hook.address();
        file.write(&mediamtx::render(&self.config, &cameras, &address))
            .context("configuring MediaMTX")?;
        let (wanted, wishes) = watch::channel(cameras);
        let mut spec =
            ChildSpec::new("mediamtx", &self.binary.path).args(mediamtx::arguments(file.path()));
        spec.unit = unit.map(|unit| unit.socket());
        spec.health = Health::Heartbeat { start_within: STARTS_WITHIN, every: SILENCE };
        spec.limits = Limits { oom_score_adj: Some(200), ..Limits::default() };
        spec.log.format = LogFormat::MediaMtx;
        let door = Door::new(access.clone(), self.secret.clone(), self.key);
        let server = MediaServer(Arc::new(Inner {
            client: ControlClient::new(self.config.control_listen, self.secret),
            relay: Relay::new(&self.config),
            child: supervisor.spawn(spec),
            door: door.clone(),
            config: self.config,
            file,
            hook: address,
            wanted,
        }));
        let answering = hook.run(Arc::new(door.clone()), shutdown.clone());
        let keeping = door.keep(server.clone(), shutdown.clone());
        let watching = server.clone().watch(wishes, shutdown);
        let all = async {
            futures::join!(answering, keeping, watching);
        };
        Ok((server, all))
    }
}

/// A running MediaMTX; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct MediaServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: MediaServerConfig,
    client: ControlClient,
    relay: Relay,
    child: ChildHandle,
    door: Door,
    file: ConfigFile,
    /// Where it asks who may come in.
    hook: HookAddress,
    /// The cameras that may publish.
    wanted: watch::Sender<BTreeSet<CameraId>>,
}

impl MediaServer {
    /// Its process.
    pub(crate) fn child(&self) -> ChildHandle {
        self.0.child.clone()
    }

    /// Where `camera` is watched by RTSP, for someone who reaches this machine as `host`.
    pub(crate) fn rtsp(&self, camera: &CameraId, host: &str) -> String {
        mediamtx::rtsp_url(&self.0.config, camera, host)
    }

    /// The way of viewers of WebRTC and HLS.
    pub(crate) fn relay(&self) -> &Relay {
        &self.0.relay
    }

    /// Who lets viewers in.
    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    /// Those who watch now; `None` while it does not answer.
    pub(crate) async fn watchers(&self) -> Option<Vec<Watcher>> {
        self.0.client.watchers().await.ok()
    }

    /// Ends a viewer's session; whether it could be asked.
    pub(crate) async fn kick(&self, way: Way, id: &str) -> bool {
        self.0.client.kick(way, id).await.is_ok()
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
        let Inner { config, client, file, hook, .. } = &*self.0;
        let text = mediamtx::render(config, cameras, hook);
        mediamtx::reload::reload(file, &text, cameras, client).await
    }
}
