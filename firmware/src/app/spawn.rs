//! Starts everything, in order.

use std::path::PathBuf;
use std::sync::Arc;

use ::access::Access;
use anyhow::Context;
use base::log_ring::LogRing;
use config::Config;
use control::ports::InForce;
use control::{ControlServer, Listen, Ports};
use link::CameraOrder;
use mqtt::{CameraSite, MqttHandle, MqttTask, Node};
use store::{CloseReason, StoreHandle};
use supervise::{Launcher, Supervisor};
use tokio::sync::watch;
use webhooks::{Tuning, Webhooks};

use super::Running;
use super::build::Built;
use super::group::Group;
use crate::backups::Keeper;
use crate::cameras::{self, Cameras, LinkServer, Surroundings};
use crate::commands::Commands;
use crate::hands::Hands;
use crate::jobs::Jobs;
use crate::latencies::Latencies;
use crate::media_server::{Found, MediaServer};
use crate::models::{ModelChoice, ModelKeeper};
use crate::ports::{
    AuditPort, MachineParts, MachinePort, ModelPort, MqttPort, PastPort, StoreOutbox, StoredEvents,
    StreamPort, SystemPort, TrialPort, ViewingPort, WebhookPort,
};
use crate::recorder::Recorder;
use crate::settings::{Engine, LiveSettings, Opened, Parts};
use crate::units::Units;
use crate::updates::{self, Updater};
use crate::workshop::Workshop;
use crate::{
    access, banner, broker, commands, found, inform, node, pins, recorder, viewers, watchdog,
};

impl Built {
    /// Starts everything.
    pub(super) async fn spawn(self, log: LogRing) -> anyhow::Result<Running> {
        let Self { opened, keeper, wish, orders, store, .. } = self;
        let Opened { loaded, sources, revisions, library } = opened;
        let units = Units::of_this_process();
        let (config, settings) = (loaded.config, Arc::new(loaded.settings));
        let (mut seeing, mut services) = (Group::new(), Group::new());
        let supervisor = Supervisor::start(Launcher::own()).context("starting the supervisor")?;
        store.close_open(None, CloseReason::DaemonRestarted).await.context("ending old events")?;
        let base = Base { units: &units, supervisor: &supervisor, config: &config };
        let media_server =
            start_media_server(self.media_server, base, &self.access, &mut services).await?;
        let broker = match &config.mqtt {
            Some(mqtt) => broker::start(mqtt, &config.data.dir, &units, &supervisor)?,
            None => None,
        };

        let worker = self.camera_program.clone();
        let now = orders.orders(&settings)?;
        let (cameras, recorder) =
            start_cameras(self.link, self.camera_program, now, base, &store, &mut seeing)?;
        if let Some(server) = media_server.clone() {
            let stop = services.shutdown.clone();
            services.tasks.spawn(viewers::welcome(server, cameras.clone(), stop));
        }

        let live = LiveSettings::new(InForce {
            revision: revisions.number(),
            settings,
            made: Arc::new(revisions.settings()),
        });
        let events = StoredEvents(store.clone());
        let shutdown = seeing.shutdown.clone();
        let gpio = pins::start(&live, events, recorder, &shutdown, &mut seeing.tasks)?;
        let (mqtt, commands) = start_mqtt(&config, &store, &cameras, &live, &mut services);
        let system =
            SystemPort::new(&config, &cameras, &store, &mqtt, media_server.as_ref(), broker);
        let choice = orders.choice();
        let hands = Hands::new(&units, &config);
        let engine = Engine::new(Parts {
            sources,
            revisions,
            library: library.clone(),
            models: wish,
            orders,
            cameras: cameras.clone(),
            media_server: media_server.clone(),
            live: live.clone(),
            hands: hands.clone(),
        });
        services.tasks.spawn(engine.clone().keep(services.shutdown.clone()));
        keep_models(keeper, choice, engine.clone(), cameras.clone(), &mut services);
        let (system, certificates) = (Arc::new(system), self.certificates.map(Arc::new));
        let machine = MachinePort::new(
            &config,
            MachineParts {
                system: system.clone(),
                cameras: cameras.clone(),
                engine: engine.clone(),
                hands: hands.clone(),
                log,
                certificates: certificates.clone(),
                has_media_server: media_server.is_some(),
            },
        );
        services.spawn_until_stop(machine.clone().keep());
        let backups =
            Keeper::new(&config.node_id, &config.data.dir, engine.clone(), self.access.clone());
        let (shown, data) = (cameras.clone(), config.data.dir.clone());
        let jobs = Jobs::start(&mut services.tasks, &services.shutdown);
        let updater = Updater::open(updates::Parts {
            data: data.clone(),
            cameras: cameras.clone(),
            store: store.clone(),
            live: live.clone(),
            hands,
            jobs: jobs.clone(),
        });
        let workshop = Workshop::new(supervisor.clone(), worker, &units);
        let models = ModelPort::new(library, live, (&engine, &cameras), &jobs, workshop);
        let ports = Ports {
            cameras: Arc::new(cameras.clone()),
            events: Arc::new(StoredEvents(store.clone())),
            system,
            machine: Arc::new(machine),
            backups: Arc::new(backups),
            streams: Arc::new(StreamPort::new(cameras.clone(), media_server.clone())),
            viewing: Arc::new(ViewingPort(media_server.clone())),
            live: Arc::new(cameras),
            past: Arc::new(PastPort::new(&config.data.dir, store.clone())),
            models: Arc::new(models.clone()),
            detector: Arc::new(models),
            trials: Arc::new(TrialPort { engine: engine.clone(), jobs: jobs.clone(), data }),
            jobs: Arc::new(jobs),
            settings: Arc::new(engine.clone()),
            webhooks: Arc::new(start_webhooks(&config, &store, &mut services)),
            mqtt: Arc::new(MqttPort::new(&config, &mqtt, &store, &engine)),
            updates: Arc::new(updater.clone()),
            gpio: Arc::new(gpio),
            access: self.access.clone(),
            audit: Arc::new(AuditPort(store.clone())),
            certificates,
        };
        let telling = inform::of_updates(mqtt.clone(), ports.updates.watch(), &services.shutdown);
        services.tasks.spawn(telling);
        services.spawn_until_stop(commands::obey(commands, &ports));
        let listen = Listen { plain: config.api.listen, secure: config.api.tls_listen };
        let bound = ControlServer::bind(listen, access::names(&config), ports).await?;
        let api = bound.local_addr().context("asking where the API listens")?;
        services.tasks.spawn(bound.run(services.shutdown.clone()));
        services.tasks.spawn(updater.run(api, services.shutdown.clone()));
        services.tasks.spawn(found::keep(config.clone(), services.shutdown.clone()));
        services.tasks.spawn(watchdog::keep(store.clone(), services.shutdown.clone()));
        Ok(Running {
            cameras: seeing,
            services,
            supervisor,
            store,
            threads: self.threads,
            mqtt,
            media_server,
            shown,
            engine,
            api,
            access: self.access,
            config,
        })
    }
}

/// What everything stands on.
#[derive(Clone, Copy)]
struct Base<'a> {
    units: &'a Units,
    supervisor: &'a Supervisor,
    config: &'a Config,
}

async fn start_media_server(
    found: Option<Found>,
    base: Base<'_>,
    access: &Access,
    services: &mut Group,
) -> anyhow::Result<Option<MediaServer>> {
    let Some(found) = found else { return Ok(None) };
    let Base { units, supervisor, config } = base;
    let stop = services.shutdown.clone();
    let (server, watching) = found.start(supervisor, units, config, access, stop).await?;
    services.tasks.spawn(watching);
    Ok(Some(server))
}

fn start_cameras(
    link: LinkServer,
    program: PathBuf,
    orders: Vec<CameraOrder>,
    base: Base<'_>,
    store: &StoreHandle,
    seeing: &mut Group,
) -> anyhow::Result<(Cameras, Recorder)> {
    let (latencies, shutdown) = (Latencies::default(), seeing.shutdown.clone());
    let (recorder, recording) = recorder::new(store.clone(), latencies.clone(), shutdown.clone());
    seeing.tasks.spawn(recording);
    let surroundings = Surroundings {
        supervisor: base.supervisor.clone(),
        recorder: recorder.clone(),
        latencies,
        program,
        units: base.units.clone(),
    };
    let cameras = cameras::start(orders, link, surroundings, &shutdown, &mut seeing.tasks)?;
    Ok((cameras, recorder))
}

/// Gets the chosen model in the background and gives it to the cameras; says where they stand.
fn keep_models(
    keeper: ModelKeeper,
    mut choice: watch::Receiver<ModelChoice>,
    engine: Engine,
    cameras: Cameras,
    services: &mut Group,
) {
    services.spawn_until_stop(keeper.run());
    services.spawn_until_stop(async move {
        // Ends with the keeper.
        while choice.changed().await.is_ok() {
            engine.renew_models().await;
            banner::print_models(&cameras);
        }
    });
}

fn start_webhooks(config: &Config, store: &StoreHandle, services: &mut Group) -> WebhookPort {
    let (folder, node) = (&config.data.dir, &config.node_id);
    let (webhooks, keeper) = Webhooks::open(folder, node, store.clone(), Tuning::default());
    services.tasks.spawn(keeper.run(services.shutdown.clone()));
    WebhookPort(webhooks)
}

fn start_mqtt(
    config: &Config,
    store: &StoreHandle,
    cameras: &Cameras,
    settings: &LiveSettings,
    services: &mut Group,
) -> (MqttHandle, Commands) {
    let (orders, commands) = commands::channel();
    let Some(mqtt_config) = &config.mqtt else { return (MqttHandle::disabled(), commands) };
    let node = Node {
        id: config.node_id.clone(),
        name: config.node_name.clone(),
        boot_id: store.boot_id().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        board: Some(node::model()),
        serial: None,
        api_url: Some(access::url(config)),
    };
    let outbox = Arc::new(StoreOutbox::new(store.clone(), cameras.latencies().clone()));
    let (handle, mut task) =
        MqttTask::new(mqtt_config.clone(), node, CameraSite::all_of(config), outbox);
    if mqtt_config.commands {
        task = task.with_commands(orders);
    }
    services.tasks.spawn(task.run(services.shutdown.clone()));
    let informing = inform::keep(handle.clone(), config, cameras, settings, &services.shutdown);
    informing.into_iter().for_each(|task| drop(services.tasks.spawn(task)));
    (handle, commands)
}
