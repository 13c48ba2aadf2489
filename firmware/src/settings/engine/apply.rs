//! Has the cameras take settings over.

use std::collections::BTreeMap;

use api::settings::Settings;
use base::error::ErrorKind;
use config::CameraId;
use futures::future::join_all;
use link::CameraOrder;
use tokio::task::block_in_place;

use super::{Engine, Inner, Work};
use crate::cameras::{CameraError, CameraHandle};

impl Inner {
    /// Gives the cameras of `work` their orders under `settings`, all at once: none waits for another's
    /// answer. Those that settings have no more end, those that are not there yet start. Answers with the
    /// first failure.
    pub(super) async fn apply(
        &self,
        work: &BTreeMap<String, Work>,
        settings: &Settings,
    ) -> Result<(), CameraError> {
        let broken = |error: anyhow::Error| {
            CameraError::new(ErrorKind::Internal, format!("making an order: {error:#}"))
        };
        // Orders name the model that is to be there, or what stands in for it.
        let chosen = self.library.chosen(&settings.detector).map_err(broken)?;
        block_in_place(|| self.models.want(&chosen));
        let before: Vec<_> = self.cameras.all().keys().cloned().collect();
        // A camera that is ending may still publish.
        self.serve(before.iter().chain(settings.cameras.keys()));
        let mut given = Vec::new();
        for (id, work) in work {
            let order = match settings.cameras.get(id) {
                Some(camera) => Some(self.orders.order(id, camera, settings).map_err(broken)?),
                None => None,
            };
            given.push(self.bring(id, order, *work));
        }
        let done = join_all(given).await.into_iter().collect();
        self.serve(settings.cameras.keys());
        done
    }

    /// Has the camera `id` do what `order` says: none, to be no more.
    async fn bring(
        &self,
        id: &str,
        order: Option<CameraOrder>,
        work: Work,
    ) -> Result<(), CameraError> {
        match (self.cameras.get(id), order) {
            (Some(handle), Some(order)) => give(&handle, order, work).await,
            (None, Some(order)) => self.cameras.start(order).await,
            (Some(_), None) => self.cameras.remove(id).await,
            (None, None) => Ok(()),
        }
    }

    /// Lets these cameras publish.
    fn serve<'a>(&self, cameras: impl Iterator<Item = &'a String>) {
        if let Some(server) = &self.media_server {
            server.serve(cameras.filter_map(|id| CameraId::new(id)).collect());
        }
    }
}

impl Inner {
    /// Gives machine and cameras what they had before, as far as they take it.
    pub(super) async fn put_back(&self, work: &BTreeMap<String, Work>, settings: &Settings) {
        if let Err(error) = self.hands.apply(settings).await {
            tracing::error!(error = error.detail, "the machine does not take its settings back");
        }
        if let Err(error) = self.apply(work, settings).await {
            tracing::error!(error = error.detail, "a camera does not take its old settings back");
        }
    }
}

/// Gives a camera its order. One that cannot take it over as it runs, or does not answer, starts again
/// with it.
async fn give(handle: &CameraHandle, order: CameraOrder, work: Work) -> Result<(), CameraError> {
    let id = order.camera.clone();
    let given = match work {
        Work::Rebuild => handle.rebuild(order, "its settings have changed").await,
        Work::Live => match handle.apply(order.clone()).await {
            Err(error) if error.kind != ErrorKind::InvalidArgument => {
                tracing::warn!(camera = id, error = error.detail, "starts again for a setting");
                handle.rebuild(order, "its settings could not be changed as it ran").await
            }
            done => done,
        },
    };
    let named = |error: CameraError| {
        let detail = format!("the camera {id}: {}", error.detail);
        CameraError { detail, ..error }
    };
    given.map_err(named)
}

impl Engine {
    /// Gives every camera the model of its order as it is now.
    pub(crate) async fn renew_models(&self) {
        // Not in the middle of a change.
        let _changing = self.0.revisions.lock().await;
        let settings = self.0.live.current();
        for (id, handle) in self.0.cameras.all().iter() {
            let Some(of_camera) = settings.cameras.get(id) else { continue };
            let renewed = match self.0.orders.order(id, of_camera, &settings) {
                Ok(order) => handle.renew(order).await.map_err(|error| error.detail),
                Err(error) => Err(format!("{error:#}")),
            };
            if let Err(error) = renewed {
                tracing::warn!(camera = id, error, "the camera keeps its model");
            }
        }
    }
}
