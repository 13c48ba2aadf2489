//! The life of the daemon: settings → build (binds, starts nothing) → spawn → ready → wait → drain.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::access::Access;
use anyhow::{Context, bail};
use base::shutdown::{Shutdown, Stopper};
use config::Config;
use control::ports::InForce;
use control::{Certificates, ControlServer, Listen, Ports};
use mqtt::{CameraSite, MqttHandle, MqttTask, Node};
use store::{
    CloseReason, OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits,
};
use supervise::{Launcher, Supervisor};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::again::{self, End};
use crate::args::RunArgs;
use crate::cameras::{self, Cameras, LinkServer, Surroundings};
use crate::jobs::Jobs;
use crate::latencies::Latencies;
use crate::media_server::{Found, MediaServer};
use crate::models::{ModelChoice, ModelKeeper, ModelWish};
use crate::ports::{
    AuditPort, ModelPort, PastPort, StoreOutbox, StoredEvents, StreamPort, SystemPort, TrialPort,
    ViewingPort,
};
use crate::recorder;
use crate::settings::{self, Engine, LiveSettings, Opened, OrderMaker, Parts};
use crate::workshop::Workshop;
use crate::{access, banner, broker, found, inform, listen, node, pins, viewers, watchdog};

/// The cameras end what they saw within this time of the stop, or are left behind.
const CAMERAS_END: Duration = Duration::from_secs(8);
/// How long the last events may take to the broker; the next start sends the rest.
const FLUSH: Duration = Duration::from_secs(2);
/// Signals that come closer together than this are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// What still runs when all has been said is left behind after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
/// Everything else ends within this time.
const REST_ENDS: Duration = Duration::from_secs(5);

/// Runs the product until it is told to stop.
pub(crate) fn main(args: &RunArgs) -> anyhow::Result<()> {
    base::trace::init();
    let (opened, _lock) = settings::open(args.sources())?;
    let data = opened.loaded.config.data.dir.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("ec-async")
        .build()
        .context("starting the async runtime")?;
    let ended = runtime.block_on(async {
        let running = async { build(opened).await?.spawn().await }.await;
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

/// What was opened and bound; nothing runs yet but the store.
struct Built {
    opened: Opened,
    keeper: ModelKeeper,
    wish: ModelWish,
    orders: OrderMaker,
    media_server: Option<Found>,
    store: StoreHandle,
    threads: StoreThreads,
    link: LinkServer,
    camera_program: PathBuf,
    access: Access,
    certificates: Option<Certificates>,
}

async fn build(opened: Opened) -> anyhow::Result<Built> {
    let Opened { loaded, library, .. } = &opened;
    let config = &loaded.config;
    let data = &config.data.dir;
    let media_server = match &config.media_server {
        Some(server) => Found::look(server).await?,
        None => None,
    };
    listen::check(config, media_server.is_some()).await?;
    let publish_to = media_server.as_ref().map(Found::publish_to);
    library.sweep();
    if let Err(error) = library.install_demo() {
        tracing::warn!(error = format!("{error:#}"), "the demo model cannot be written");
    }
    let wanted = library.chosen(&loaded.settings.detector)?;
    let (keeper, wish, choice) = ModelKeeper::new(library, &wanted, config.download_models)?;
    let orders = OrderMaker::new(library.clone(), choice, data, publish_to);
    let store = Store::open(store_options(config)).context("opening the event store")?;
    let (store, threads) = store.spawn().context("starting the event store")?;
    let link = LinkServer::bind(&data.join("run")).with_context(|| {
        format!("listening for camera processes in {}", data.join("run").display())
    })?;
    let (access, certificates) = access::open(config)?;
    Ok(Built {
        camera_program: camera_program()?,
        keeper,
        wish,
        orders,
        media_server,
        store,
        threads,
        link,
        access,
        certificates,
        opened,
    })
}

fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        dir: config.data.dir.clone(),
        node: config.node_id.clone(),
        events_max: config.data.events_max,
        outbox: match config.mqtt {
            Some(_) => OutboxPolicy::Keep { max_events: config.data.outbox_max_events },
            None => OutboxPolicy::Off,
        },
        tracks: TrackLimits {
            max_bytes: config.data.tracks_max_bytes,
            max_age: config.data.tracks_max_age,
        },
    }
}

/// `edgecam-camera` is installed beside `edgecamd`.
fn camera_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let camera = own.with_file_name("edgecam-camera");
    if !camera.is_file() {
        bail!(
            "{} is missing: it is installed beside edgecamd (`cargo build` makes both)",
            camera.display()
        );
    }
    Ok(camera)
}

/// Tasks, and what stops them.
struct Group {
    tasks: JoinSet<()>,
    stopper: Stopper,
    shutdown: Shutdown,
}

impl Group {
    fn new() -> Self {
        let (stopper, shutdown) = base::shutdown::channel();
        Self { tasks: JoinSet::new(), stopper, shutdown }
    }

    /// Runs `task`, which may be cut off anywhere, until it ends or all are stopped.
    fn spawn_until_stop(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let mut shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            tokio::select! { () = task => {}, () = shutdown.wait() => {} }
        });
    }

    /// Stops the tasks and waits for them; those that take longer than `within` are aborted.
    async fn stop(mut self, what: &str, within: Duration) {
        self.stopper.stop();
        let joined = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, joined).await.is_err() {
            tracing::warn!(what, "did not stop in time: left behind");
        }
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

impl Built {
    async fn spawn(self) -> anyhow::Result<Running> {
        let Self { opened, keeper, wish, orders, store, .. } = self;
        let Opened { loaded, sources, revisions, library } = opened;
        let (config, settings) = (loaded.config, Arc::new(loaded.settings));
        let (mut seeing, mut services) = (Group::new(), Group::new());
        let supervisor = Supervisor::start(Launcher::own()).context("starting the supervisor")?;
        store.close_open(None, CloseReason::DaemonRestarted).await.context("ending old events")?;
        let media_server = match self.media_server {
            Some(found) => {
                let stop = services.shutdown.clone();
                let (server, watching) =
                    found.start(&supervisor, &config, &self.access, stop).await?;
                services.tasks.spawn(watching);
                Some(server)
            }
            None => None,
        };
        let broker = match &config.mqtt {
            Some(mqtt) => broker::start(mqtt, &config.data.dir, &supervisor)?,
            None => None,
        };

        let latencies = Latencies::default();
        let (recorder, recording) =
            recorder::new(store.clone(), latencies.clone(), seeing.shutdown.clone());
        seeing.tasks.spawn(recording);
        let worker = self.camera_program.clone();
        let surroundings = Surroundings {
            supervisor: supervisor.clone(),
            recorder: recorder.clone(),
            latencies,
            program: self.camera_program,
        };
        let orders_now = orders.orders(&settings)?;
        let shutdown = seeing.shutdown.clone();
        let cameras =
            cameras::start(orders_now, self.link, surroundings, &shutdown, &mut seeing.tasks)?;
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
        let gpio = pins::start(&live, events, recorder, &shutdown, &mut seeing.tasks)?;
        let mqtt = start_mqtt(&config, &store, &cameras, &live, &mut services);
        let system =
            SystemPort::new(&config, &cameras, &store, &mqtt, media_server.as_ref(), broker);
        let choice = orders.choice();
        let engine = Engine::new(Parts {
            sources,
            revisions,
            library: library.clone(),
            models: wish,
            orders,
            cameras: cameras.clone(),
            media_server: media_server.clone(),
            live: live.clone(),
        });
        services.tasks.spawn(engine.clone().keep(services.shutdown.clone()));
        keep_models(keeper, choice, engine.clone(), cameras.clone(), &mut services);
        let (shown, data) = (cameras.clone(), config.data.dir.clone());
        let jobs = Jobs::start(&mut services.tasks, &services.shutdown);
        let workshop = Workshop::new(supervisor.clone(), worker);
        let models = ModelPort::new(library, live, (&engine, &cameras), &jobs, workshop);
        let ports = Ports {
            cameras: Arc::new(cameras.clone()),
            events: Arc::new(StoredEvents(store.clone())),
            system: Arc::new(system),
            streams: Arc::new(StreamPort::new(cameras.clone(), media_server.clone())),
            viewing: Arc::new(ViewingPort(media_server.clone())),
            live: Arc::new(cameras),
            past: Arc::new(PastPort::new(&config.data.dir, store.clone())),
            models: Arc::new(models.clone()),
            detector: Arc::new(models),
            trials: Arc::new(TrialPort { engine: engine.clone(), jobs: jobs.clone(), data }),
            jobs: Arc::new(jobs),
            settings: Arc::new(engine.clone()),
            gpio: Arc::new(gpio),
            access: self.access.clone(),
            audit: Arc::new(AuditPort(store.clone())),
            certificates: self.certificates.map(Arc::new),
        };
        let listen = Listen { plain: config.api.listen, secure: config.api.tls_listen };
        let bound = ControlServer::bind(listen, access::names(&config), ports).await?;
        let api = bound.local_addr().context("asking where the API listens")?;
        services.tasks.spawn(bound.run(services.shutdown.clone()));
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

/// Signals to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Instant>,
}

impl Signals {
    fn watch() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
        Ok(Self { terminate, interrupt, last: None })
    }

    /// The next signal. One press of Ctrl-C can arrive twice, from the terminal and from a parent: that
    /// is one. Cancel-safe, as receiving a signal is.
    async fn next(&mut self) -> &'static str {
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

fn start_mqtt(
    config: &Config,
    store: &StoreHandle,
    cameras: &Cameras,
    settings: &LiveSettings,
    services: &mut Group,
) -> MqttHandle {
    let Some(mqtt_config) = &config.mqtt else { return MqttHandle::disabled() };
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
    let (handle, task) =
        MqttTask::new(mqtt_config.clone(), node, CameraSite::all_of(config), outbox);
    services.tasks.spawn(task.run(services.shutdown.clone()));
    let informing = inform::keep(handle.clone(), config, cameras, settings, &services.shutdown);
    informing.into_iter().for_each(|task| drop(services.tasks.spawn(task)));
    handle
}
