//! The cameras as the API sees them.

use api::capabilities::{CameraCapabilities, CameraLatency};
use api::status::{CameraStats, CameraStatus, StageTimes};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Cameras as CamerasPort};
use futures::FutureExt;

use crate::cameras::Cameras;

fn unknown(camera: &str) -> PortError {
    PortError::new(ErrorKind::NotFound, format!("there is no camera \"{camera}\""))
}

impl CamerasPort for Cameras {
    fn list(&self) -> Vec<CameraStatus> {
        self.all().values().map(|camera| camera.view().status.clone()).collect()
    }

    fn stats(&self, camera: &str) -> Option<CameraStats> {
        Some(self.get(camera)?.view().stats.clone())
    }

    fn capabilities(&self, camera: &str) -> Option<CameraCapabilities> {
        self.get(camera)?.view().capabilities.as_deref().cloned()
    }

    fn latency(&self, camera: &str) -> Option<CameraLatency> {
        Some(self.latencies().of(camera, &self.get(camera)?.view().stats))
    }

    fn times(&self, camera: &str) -> Vec<StageTimes> {
        let mut times = self.get(camera).map(|one| one.view().times.clone()).unwrap_or_default();
        times.extend(self.latencies().times(camera));
        times
    }

    fn restart<'a>(&'a self, camera: &'a str, by: &'a str) -> Answer<'a, ()> {
        async move {
            let camera = self.get(camera).ok_or_else(|| unknown(camera))?;
            let restarted = camera.restart(&format!("{by} asked for it over the API")).await;
            restarted.map_err(|error| PortError::new(error.kind, error.detail))
        }
        .boxed()
    }

    fn snapshot<'a>(&'a self, camera: &'a str, quality: u8) -> Answer<'a, Vec<u8>> {
        async move {
            let camera = self.get(camera).ok_or_else(|| unknown(camera))?;
            let picture = camera.snapshot(quality).await;
            picture.map_err(|error| PortError::new(error.kind, error.detail))
        }
        .boxed()
    }
}
