//! What the daemon needs, opened and bound; nothing runs yet but the store.

use std::path::PathBuf;

use ::access::Access;
use anyhow::{Context, bail};
use config::Config;
use control::Certificates;
use store::{OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits};

use crate::cameras::LinkServer;
use crate::media_server::Found;
use crate::models::{ModelKeeper, ModelWish};
use crate::settings::{Opened, OrderMaker};
use crate::{access, listen, watchdog};

/// What was opened and bound; nothing runs yet but the store.
pub(super) struct Built {
    pub(super) opened: Opened,
    pub(super) keeper: ModelKeeper,
    pub(super) wish: ModelWish,
    pub(super) orders: OrderMaker,
    pub(super) media_server: Option<Found>,
    pub(super) store: StoreHandle,
    pub(super) threads: StoreThreads,
    pub(super) link: LinkServer,
    pub(super) camera_program: PathBuf,
    pub(super) access: Access,
    pub(super) certificates: Option<Certificates>,
}

/// Opens and binds what the daemon needs.
///
/// # Errors
/// When any of it cannot be had; nothing is left running then.
pub(super) async fn build(opened: Opened) -> anyhow::Result<Built> {
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
    let options = store_options(config);
    let store = watchdog::patiently(move || Store::open(options)).await?;
    let store = store.context("opening the event store")?;
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
