//! The settings in force: those that were loaded, and what was changed over the API since.

use std::path::Path;
use std::sync::Arc;

use api::settings::{CameraSettings, Settings};
use config::{CameraId, Loaded, MediaServerConfig};
use link::CameraOrder;
use tokio::sync::watch;

use crate::models::ModelLibrary;

/// The settings in force; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct LiveSettings {
    base: Arc<Settings>,
    current: Arc<watch::Sender<Arc<Settings>>>,
}

impl LiveSettings {
    /// What was loaded is in force.
    pub(crate) fn new(loaded: &Loaded) -> Self {
        let base = Arc::new(loaded.settings.clone());
        let (current, _) = watch::channel(base.clone());
        Self { base, current: Arc::new(current) }
    }

    /// As loaded, without what was changed since.
    pub(crate) fn base(&self) -> Arc<Settings> {
        self.base.clone()
    }

    /// As they are now.
    pub(crate) fn current(&self) -> Arc<Settings> {
        self.current.borrow().clone()
    }

    /// The same as they change.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.current.subscribe()
    }

    /// Remembers new settings of a camera that runs on them already.
    pub(crate) fn set_camera(&self, camera: &str, settings: CameraSettings) {
        self.current.send_modify(|current| {
            let mut new = Settings::clone(current);
            new.cameras.insert(camera.to_owned(), settings);
            *current = Arc::new(new);
        });
    }
}

/// Makes the orders of camera processes.
#[derive(Clone, Debug)]
pub(crate) struct OrderMaker {
    library: ModelLibrary,
    data: Arc<Path>,
    publish_to: Option<MediaServerConfig>,
}

impl OrderMaker {
    /// Orders that name models of `library`, keep their state under `data` and publish to the
    /// media server `publish_to`, if there is one.
    pub(crate) fn new(
        library: ModelLibrary,
        data: &Path,
        publish_to: Option<MediaServerConfig>,
    ) -> Self {
        Self { library, data: data.into(), publish_to }
    }

    /// The order of `camera` under `settings`.
    ///
    /// # Errors
    /// When the settings name an unknown model.
    pub(crate) fn order(
        &self,
        camera: &str,
        of_camera: &CameraSettings,
        settings: &Settings,
    ) -> anyhow::Result<CameraOrder> {
        let model = settings.detector.model.as_deref().unwrap_or_default();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Ok(CameraOrder {
            camera: camera.to_owned(),
            settings: of_camera.clone(),
            detector: settings.detector.clone(),
            thermal: settings.thermal.clone(),
            publish_url: self
                .publish_to
                .as_ref()
                .zip(CameraId::new(camera))
                .map(|(server, camera)| mediamtx::publish_url(server, &camera)),
            model: self.library.get(model)?.clone(),
            model_dirs: self.library.dirs().iter().map(|dir| text(dir)).collect(),
            state_dir: text(&self.data.join("cameras").join(camera)),
        })
    }

    /// The orders of all cameras of `settings`.
    ///
    /// # Errors
    /// When the settings name an unknown model.
    pub(crate) fn orders(&self, settings: &Settings) -> anyhow::Result<Vec<CameraOrder>> {
        let cameras = settings.cameras.iter();
        cameras.map(|(id, camera)| self.order(id, camera, settings)).collect()
    }
}
