//! The life of the daemon: build (binds, starts nothing) → spawn → ready → wait → drain.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::access::Access;
use anyhow::{Context, bail};
use base::shutdown::{Shutdown, Stopper};
use config::{Config, Loaded};
use control::{Certificates, ControlServer, Listen, Ports};
use mqtt::{CameraSite, MqttHandle, MqttTask, Node};
use rustix::fs::{FlockOperation, flock};
use store::{
    CloseReason, OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits,
};
use supervise::{Launcher, Supervisor};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::args::RunArgs;
use crate::cameras::{self, Cameras, LinkServer, Surroundings};
use crate::media_server::{Found, MediaServer};
use crate::models::{ModelChoice, ModelKeeper, ModelLibrary};
use crate::ports::{
    AuditPort, CameraPort, ModelPort, StoreOutbox, StoredEvents, StreamPort, SystemPort,
};
use crate::recorder;
use crate::settings::{LiveSettings, OrderMaker};
use crate::{access, banner, broker, inform, listen, node, viewers, watchdog};

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
    let loaded = args.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("ec-async")
        .build()
        .context("starting the async runtime")?;
    let ended = runtime.block_on(async {
        let built = build(loaded).await?;
        let running = built.spawn().await?;
        running.ready();
        let again = wait_for_stop().await?;
        running.drain(again).await
    });
    // After a start that failed half way, tasks still hold what others wait for.
    runtime.shutdown_timeout(LEFT_BEHIND);
    ended
}

/// What was opened and bound; nothing runs yet but the store.
struct Built {
    loaded: Loaded,
    library: ModelLibrary,
    keeper: ModelKeeper,
    orders: OrderMaker,
    media_server: Option<Found>,
    store: StoreHandle,
    threads: StoreThreads,
    link: LinkServer,
    camera_program: PathBuf,
    settings: LiveSettings,
    access: Access,
    certificates: Option<Certificates>,
    _lock: File,
}

async fn build(loaded: Loaded) -> anyhow::Result<Built> {
    let config = &loaded.config;
    let data = &config.data.dir;
    let lock = take(data)?;
    let library = ModelLibrary::open(data)?;
    let media_server = match &config.media_server {
        Some(server) => Found::look(server).await,
        None => None,
    };
    listen::check(config, media_server.is_some()).await?;
    let publish_to = media_server.as_ref().map(|found| found.config().clone());
    if let Err(error) = library.install_demo() {
        tracing::warn!(error = format!("{error:#}"), "the demo model cannot be written");
    }
    let wanted = library.chosen(&loaded.settings.detector)?;
    let (keeper, choice) = ModelKeeper::new(&library, wanted, config.download_models)?;
    let orders = OrderMaker::new(library.clone(), choice, data, publish_to);
    orders.orders(&loaded.settings)?;
    let store = Store::open(store_options(config)).context("opening the event store")?;
    let (store, threads) = store.spawn().context("starting the event store")?;
    let link = LinkServer::bind(&data.join("run")).with_context(|| {
        format!("listening for camera processes in {}", data.join("run").display())
    })?;
    let settings = LiveSettings::new(&loaded);
    let (access, certificates) = access::open(config)?;
    Ok(Built {
        camera_program: camera_program()?,
        library,
        keeper,
        orders,
        media_server,
        store,
        threads,
        link,
        settings,
        access,
        certificates,
        loaded,
        _lock: lock,
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

/// Makes the data folder ours: writable, and no other daemon's.
pub(crate) fn take(data: &Path) -> anyhow::Result<File> {
    let run = data.join("run");
    let hint = "choose another with `data.dir` or EDGECAM__DATA__DIR, or make it writable";
    fs::create_dir_all(&run)
        .with_context(|| format!("the data folder {} cannot be used; {hint}", data.display()))?;
    let path = run.join("lock");
    let lock = File::create(&path)
        .with_context(|| format!("the data folder {} cannot be written; {hint}", data.display()))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!(
            "another edgecamd uses the data folder {}; stop it, or choose another with `data.dir` \
             or EDGECAM__DATA__DIR",
            data.display()
        );
    }
    Ok(lock)
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
    api: std::net::SocketAddr,
    access: Access,
    _lock: File,
}

impl Built {
    async fn spawn(self) -> anyhow::Result<Running> {
        let Self { loaded, library, keeper, orders, store, settings, .. } = self;
        let config = loaded.config;
        let (mut seeing, mut services) = (Group::new(), Group::new());
        let supervisor = Supervisor::start(Launcher::own()).context("starting the supervisor")?;
        store.close_open(None, CloseReason::DaemonRestarted).await.context("ending old events")?;
        let media_server = match self.media_server {
            Some(found) => {
                let (server, watching) =
                    found.start(&supervisor, &config, services.shutdown.clone())?;
                services.tasks.spawn(watching);
                Some(server)
            }
            None => None,
        };
        let broker = match &config.mqtt {
            Some(mqtt) => broker::start(mqtt, &config.data.dir, &supervisor)?,
            None => None,
        };

        let latencies = recorder::Latencies::default();
        let (recorder, recording) =
            recorder::new(store.clone(), latencies.clone(), seeing.shutdown.clone());
        seeing.tasks.spawn(recording);
        let surroundings = Surroundings {
            supervisor: supervisor.clone(),
            recorder,
            latencies,
            program: self.camera_program,
        };
        let orders_now = orders.orders(&loaded.settings)?;
        let shutdown = seeing.shutdown.clone();
        let cameras =
            cameras::start(orders_now, self.link, &surroundings, &shutdown, &mut seeing.tasks)?;
        // The recorder ends when the last camera's queue to it is gone.
        drop(surroundings);
        if let Some(server) = media_server.clone() {
            let stop = services.shutdown.clone();
            services.tasks.spawn(viewers::welcome(server, cameras.clone(), stop));
        }

        let mqtt = start_mqtt(&config, &store, &cameras, &settings, &mut services);
        let system =
            SystemPort::new(&config, &cameras, &store, &mqtt, media_server.as_ref(), broker);
        let choice = orders.choice();
        let port = CameraPort::new(cameras.clone(), settings.clone(), orders);
        keep_models(keeper, choice, port.clone(), cameras.clone(), &mut services);
        let shown = cameras.clone();
        let ports = Ports {
            cameras: Arc::new(port),
            events: Arc::new(StoredEvents(store.clone())),
            system: Arc::new(system),
            streams: Arc::new(StreamPort::new(cameras, media_server.clone())),
            models: Arc::new(ModelPort::new(library, settings.clone())),
            settings: Arc::new(settings),
            access: self.access.clone(),
            audit: Arc::new(AuditPort(store.clone())),
            certificates: self.certificates.map(Arc::new),
        };
        let listen = Listen { plain: config.api.listen, secure: config.api.tls_listen };
        let bound = ControlServer::bind(listen, access::names(&config), ports).await?;
        let api = bound.local_addr().context("asking where the API listens")?;
        services.tasks.spawn(bound.run(services.shutdown.clone()));
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
            api,
            access: self.access,
            config,
            _lock: self._lock,
        })
    }
}

impl Running {
    /// Tells systemd and the person who started this.
    fn ready(&self) {
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        banner::print(&self.config, self.api, self.media_server.as_ref(), &self.shown);
        if let Some(code) = self.access.claim_code() {
            banner::print_claim(&self.config, self.api, &code);
        }
        tracing::info!(api = %self.api, "ready");
    }

    /// Stops the cameras, lets the last events out, then stops all else. A second signal ends it
    /// at once: the store is safe, and children die with this process.
    async fn drain(self, again: oneshot::Receiver<()>) -> anyhow::Result<()> {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let Self { cameras, services, supervisor, store, threads, mqtt, .. } = self;
        let orderly = async move {
            cameras.stop("cameras", CAMERAS_END).await;
            flush(&store, &mqtt).await;
            services.stop("services", REST_ENDS).await;
            supervisor.shutdown().await;
            drop(store);
            threads.stop().await;
        };
        // Cancel-safe: what is left undone is what the second signal asked for.
        tokio::select! {
            () = orderly => Ok(()),
            _ = again => bail!("stopped at once by a second signal"),
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

/// Completes with the first signal to stop; what it answers completes with the second.
async fn wait_for_stop() -> anyhow::Result<oneshot::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut next = async move || {
        // Cancel-safe: a signal that is not received here stays for the next call.
        tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" }
    };
    tracing::info!(signal = next().await, "stopping");
    let (second, again) = oneshot::channel();
    tokio::spawn(async move {
        // One press of Ctrl-C can arrive twice: from the terminal and from a parent.
        let first = Instant::now();
        while first.elapsed() < SAME_SIGNAL {
            next().await;
        }
        let _ = second.send(());
    });
    Ok(again)
}

/// Gets the chosen model in the background and gives it to the cameras; says where they stand.
fn keep_models(
    keeper: ModelKeeper,
    mut choice: watch::Receiver<ModelChoice>,
    port: CameraPort,
    cameras: Cameras,
    services: &mut Group,
) {
    services.spawn_until_stop(keeper.run());
    services.spawn_until_stop(async move {
        // Ends with the keeper.
        while choice.changed().await.is_ok() {
            port.renew_models().await;
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
    let outbox = Arc::new(StoreOutbox(store.clone()));
    let (handle, task) =
        MqttTask::new(mqtt_config.clone(), node, CameraSite::all_of(config), outbox);
    services.tasks.spawn(task.run(services.shutdown.clone()));
    let informing = inform::keep(handle.clone(), config, cameras, settings, &services.shutdown);
    informing.into_iter().for_each(|task| drop(services.tasks.spawn(task)));
    handle
}
