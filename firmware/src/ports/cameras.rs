//! The cameras as the API sees them.

use api::status::{CameraStats, CameraStatus};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Cameras as CamerasPort};
use futures::FutureExt;

use crate::cameras::Cameras;

impl CamerasPort for Cameras {
    fn list(&self) -> Vec<CameraStatus> {
        self.all().values().map(|camera| camera.view().status.clone()).collect()
    }

    fn stats(&self, camera: &str) -> Option<CameraStats> {
        Some(self.get(camera)?.view().stats.clone())
    }

    fn snapshot<'a>(&'a self, camera: &'a str, quality: u8) -> Answer<'a, Vec<u8>> {
        async move {
            let unknown =
                || PortError::new(ErrorKind::NotFound, format!("there is no camera \"{camera}\""));
            let camera = self.get(camera).ok_or_else(unknown)?;
            let picture = camera.snapshot(quality).await;
            picture.map_err(|error| PortError::new(error.kind, error.detail))
        }
        .boxed()
    }
}
