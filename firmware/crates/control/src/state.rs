//! What every handler has at hand.

use std::sync::Arc;

use access::Principal;
use api::resources::Camera;
use axum::extract::FromRef;
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use tokio::sync::Semaphore;

use crate::gate::deprecation::Deprecations;
use crate::gate::idempotency::Answers;
use crate::gate::origin::Hosts;
use crate::gate::permits::Permits;
use crate::gate::rate::Rate;
use crate::limits::Limits;
use crate::metrics::Answered;
use crate::ports::Ports;
use crate::problem::Failure;
use crate::routes;

/// What every handler has at hand; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// The rest of the product.
    pub(crate) ports: Ports,
    /// How much a client may take.
    pub(crate) limits: Limits,
    /// Which operation needs what.
    pub(crate) permits: Arc<Permits>,
    /// Which operation is on its way out.
    pub(crate) deprecations: Arc<Deprecations>,
    /// Names that we answer to.
    pub(crate) hosts: Arc<Hosts>,
    /// Requests by address.
    pub(crate) rate: Arc<Rate>,
    /// What was answered to requests with an `Idempotency-Key`.
    pub(crate) answers: Arc<Answers>,
    /// How long answers took.
    pub(crate) answered: Arc<Answered>,
    /// Streams end with it.
    pub(crate) shutdown: Shutdown,
    /// A permit per open event stream.
    pub(crate) streams: Arc<Semaphore>,
    /// A permit per open WebSocket.
    pub(crate) sockets: Arc<Semaphore>,
}

impl FromRef<App> for Ports {
    fn from_ref(app: &App) -> Self {
        app.ports.clone()
    }
}

impl App {
    /// The state of a server.
    pub(crate) fn new(ports: Ports, limits: Limits, hosts: Hosts, shutdown: Shutdown) -> Self {
        let document = routes::all().into_openapi();
        Self {
            permits: Arc::new(Permits::of_document(&document)),
            deprecations: Arc::new(Deprecations::of_document(&document)),
            hosts: Arc::new(hosts),
            rate: Arc::new(Rate::new(limits.per_second, limits.burst)),
            answers: Arc::default(),
            answered: Arc::default(),
            ports,
            limits,
            shutdown,
            streams: Arc::new(Semaphore::new(limits.streams)),
            sockets: Arc::new(Semaphore::new(limits.sockets)),
        }
    }
}

impl App {
    /// Event streams and WebSockets that are open.
    pub(crate) fn following(&self) -> [(&'static str, usize); 2] {
        let open = |most: usize, left: &Semaphore| most.saturating_sub(left.available_permits());
        [
            ("events", open(self.limits.streams, &self.streams)),
            ("websocket", open(self.limits.sockets, &self.sockets)),
        ]
    }
}

impl Ports {
    /// The cameras that `caller` sees with their settings, ordered by id.
    pub(crate) fn all_cameras(&self, caller: &Principal) -> Vec<Camera> {
        let settings = self.settings.in_force().settings;
        let camera = |status: api::status::CameraStatus| {
            let settings = settings.cameras.get(&status.id).map(config::redact_camera);
            Camera { settings: settings.unwrap_or_default(), status }
        };
        let seen = self.cameras.list().into_iter().filter(|status| caller.sees(&status.id));
        seen.map(camera).collect()
    }

    /// The camera `id` with its settings.
    pub(crate) fn camera(&self, id: &str) -> Result<Camera, Failure> {
        let status = self.cameras.list().into_iter().find(|status| status.id == id);
        let status = status.ok_or_else(|| no_camera(id))?;
        let settings = self.settings.in_force().settings.cameras.get(id).map(config::redact_camera);
        Ok(Camera { settings: settings.unwrap_or_default(), status })
    }
}

/// There is no such camera.
pub(crate) fn no_camera(id: &str) -> Failure {
    let detail = format!("there is no camera \"{id}\"; /api/v1/cameras lists them");
    Failure::of(ErrorKind::NotFound, detail)
}
