//! The cameras as the API sees them.

use std::sync::Arc;

use api::settings::CameraSettings;
use api::status::{CameraStats, CameraStatus};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Cameras as CamerasPort};
use futures::FutureExt;

use crate::cameras::{CameraError, CameraHandle, Cameras};
use crate::settings::{LiveSettings, OrderMaker};

/// The cameras, and the settings that they run on.
#[derive(Clone, Debug)]
pub(crate) struct CameraPort {
    cameras: Cameras,
    settings: LiveSettings,
    orders: OrderMaker,
    /// One change at a time, so that the settings in force are those that ran last.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl CameraPort {
    pub(crate) fn new(cameras: Cameras, settings: LiveSettings, orders: OrderMaker) -> Self {
        Self { cameras, settings, orders, changing: Arc::default() }
    }

    fn get(&self, camera: &str) -> Result<&CameraHandle, PortError> {
        let unknown =
            || PortError::new(ErrorKind::NotFound, format!("there is no camera \"{camera}\""));
        self.cameras.get(camera).ok_or_else(unknown)
    }
}

impl CameraPort {
    /// Gives every camera the model of its order as it is now.
    pub(crate) async fn renew_models(&self) {
        let _changing = self.changing.lock().await;
        let settings = self.settings.current();
        for (id, handle) in self.cameras.iter() {
            let Some(of_camera) = settings.cameras.get(id) else { continue };
            let renewed = match self.orders.order(id, of_camera, &settings) {
                Ok(order) => handle.renew(order).await.map_err(|error| error.detail),
                Err(error) => Err(format!("{error:#}")),
            };
            if let Err(error) = renewed {
                tracing::warn!(camera = id, error, "the camera keeps its model");
            }
        }
    }

    async fn change(&self, camera: &str, settings: CameraSettings) -> Result<(), PortError> {
        let _changing = self.changing.lock().await;
        let handle = self.get(camera)?;
        let order = self.orders.order(camera, &settings, &self.settings.current());
        let order = order
            .map_err(|error| PortError::new(ErrorKind::InvalidArgument, format!("{error:#}")))?;
        handle.apply(order).await.map_err(failed)?;
        self.settings.set_camera(camera, settings);
        Ok(())
    }
}

fn failed(error: CameraError) -> PortError {
    PortError::new(error.kind, error.detail)
}

impl CamerasPort for CameraPort {
    fn list(&self) -> Vec<CameraStatus> {
        self.cameras.iter().map(|(_, camera)| camera.view().status.clone()).collect()
    }

    fn stats(&self, camera: &str) -> Option<CameraStats> {
        Some(self.cameras.get(camera)?.view().stats.clone())
    }

    fn snapshot<'a>(&'a self, camera: &'a str, quality: u8) -> Answer<'a, Vec<u8>> {
        async move { self.get(camera)?.snapshot(quality).await.map_err(failed) }.boxed()
    }

    fn apply<'a>(&'a self, camera: &'a str, settings: CameraSettings) -> Answer<'a, ()> {
        // A task of its own: a caller who hangs up must not leave the camera on one set of settings
        // and the rest of the product on another.
        let (port, camera) = (self.clone(), camera.to_owned());
        let change = tokio::spawn(async move { port.change(&camera, settings).await });
        async move {
            let internal = |error: tokio::task::JoinError| {
                PortError::new(ErrorKind::Internal, error.to_string())
            };
            change.await.map_err(internal)?
        }
        .boxed()
    }
}
