//! What models and settings have to do with each other while the daemon runs.

use api::settings::Settings;
use base::error::ErrorKind;
use config::Loaded;
use control::PortError;
use control::ports::What;
use serde_json::Value;
use tokio::task::block_in_place;

use super::Engine;
use crate::models::Refused;

impl Engine {
    /// The settings that `patch` would make, checked; nothing is changed.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub(crate) async fn tried(&self, patch: Value) -> Result<Loaded, PortError> {
        let revisions = self.0.revisions.lock().await;
        self.wanted(&revisions, &What::Patch(patch)).map(|wanted| wanted.loaded)
    }

    /// A model was added or is gone: the settings may choose another one now, and cameras may fall back
    /// to others.
    pub(crate) async fn models_changed(&self) {
        let settings = self.0.live.current();
        match self.0.library.chosen(&settings.detector) {
            Ok(chosen) => block_in_place(|| self.0.models.want(&chosen)),
            Err(error) => tracing::error!(error = format!("{error:#}"), "no model is chosen"),
        }
        self.renew_models().await;
    }

    /// Deletes the model `name`, unless somebody uses it or may want it back.
    ///
    /// # Errors
    /// `FailedPrecondition` when it is in use or came with the firmware, `NotFound`.
    pub(crate) async fn delete_model(&self, name: &str) -> Result<(), PortError> {
        {
            // No change of settings chooses it meanwhile.
            let revisions = self.0.revisions.lock().await;
            if let Some(pending) = revisions.pending() {
                let detail = format!(
                    "revision {} waits to be confirmed, and what was before may come back; confirm it \
                     or go back first",
                    pending.revision
                );
                return Err(PortError::new(ErrorKind::FailedPrecondition, detail));
            }
            self.is_unused(name, &self.0.live.current())?;
            block_in_place(|| self.0.library.delete(name)).map_err(refused)?;
        }
        self.models_changed().await;
        Ok(())
    }

    fn is_unused(&self, name: &str, settings: &Settings) -> Result<(), PortError> {
        let chosen = self.0.library.chosen(&settings.detector).ok();
        let named = settings.detector.model.as_deref() == Some(name);
        let in_use = if named || chosen.is_some_and(|chosen| chosen.name == name) {
            Some("the settings choose it; choose another one first".to_owned())
        } else {
            let runs = |(id, camera): (&String, &crate::cameras::CameraHandle)| {
                let detector = &camera.view().status.detector;
                (detector.running && detector.model == name).then(|| id.clone())
            };
            let camera = self.0.cameras.all().iter().find_map(runs);
            camera.map(|camera| format!("the camera {camera} runs it at this moment"))
        };
        in_use.map_or(Ok(()), |why| {
            let detail = format!("the model \"{name}\" is in use: {why}");
            Err(PortError::new(ErrorKind::FailedPrecondition, detail))
        })
    }
}

/// What the library refuses, for the API.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
pub(crate) fn refused(error: anyhow::Error) -> PortError {
    match error.downcast_ref::<Refused>() {
        Some(refused) => PortError::from(refused),
        None => PortError::new(ErrorKind::Internal, format!("{error:#}")),
    }
}

impl From<&Refused> for PortError {
    fn from(refused: &Refused) -> Self {
        match refused {
            Refused::Manifest(pointer, reason) => PortError::input(
                "the manifest is not taken; nothing was added",
                vec![api::problem::FieldProblem {
                    pointer: (*pointer).to_owned(),
                    detail: reason.clone(),
                }],
            ),
            Refused::InTheWay(detail) => PortError::new(ErrorKind::FailedPrecondition, detail),
            Refused::Unknown(_) => PortError::new(ErrorKind::NotFound, refused.to_string()),
        }
    }
}
