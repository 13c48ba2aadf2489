//! What every handler has at hand.

use std::sync::Arc;

use api::resources::Camera;
use axum::extract::FromRef;
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use tokio::sync::Semaphore;

use crate::limits::Limits;
use crate::ports::Ports;
use crate::problem::Failure;

/// What every handler has at hand; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// The rest of the product.
    pub(crate) ports: Ports,
    /// How much a client may take.
    pub(crate) limits: Limits,
    /// Streams end with it.
    pub(crate) shutdown: Shutdown,
    /// A permit per open event stream.
    pub(crate) streams: Arc<Semaphore>,
}

impl FromRef<App> for Ports {
    fn from_ref(app: &App) -> Self {
        app.ports.clone()
    }
}

impl App {
    /// The state of a server.
    pub(crate) fn new(ports: Ports, limits: Limits, shutdown: Shutdown) -> Self {
        Self { ports, limits, shutdown, streams: Arc::new(Semaphore::new(limits.streams)) }
    }
}

impl Ports {
    /// All cameras with their settings, ordered by id.
    pub(crate) fn all_cameras(&self) -> Vec<Camera> {
        let settings = self.settings.in_force().settings;
        let camera = |status: api::status::CameraStatus| {
            let settings = settings.cameras.get(&status.id).map(config::redact_camera);
            Camera { settings: settings.unwrap_or_default(), status }
        };
        self.cameras.list().into_iter().map(camera).collect()
    }

    /// The camera `id` with its settings.
    pub(crate) fn camera(&self, id: &str) -> Result<Camera, Failure> {
        let mut all = self.all_cameras().into_iter();
        all.find(|camera| camera.status.id == id).ok_or_else(|| no_camera(id))
    }
}

/// There is no such camera.
pub(crate) fn no_camera(id: &str) -> Failure {
    let detail = format!("there is no camera \"{id}\"; /api/v1/cameras lists them");
    Failure::of(ErrorKind::NotFound, detail)
}
