//! The orders of camera processes, made of settings and of the model that runs.

use std::path::Path;
use std::sync::Arc;

use api::manifest::ModelManifest;
use api::settings::{CameraSettings, Settings};
use config::{CameraId, MediaServerConfig};
use link::CameraOrder;
use tokio::sync::watch;

use crate::models::{ModelChoice, ModelLibrary, Pictures};

/// Makes the orders of camera processes.
#[derive(Clone, Debug)]
pub(crate) struct OrderMaker {
    library: ModelLibrary,
    choice: watch::Receiver<ModelChoice>,
    data: Arc<Path>,
    publish_to: Option<MediaServerConfig>,
}

impl OrderMaker {
    /// Orders to run the model of `choice`, with files of `library`, to keep state under `data` and
    /// to publish to the media server `publish_to`, if there is one.
    pub(crate) fn new(
        library: ModelLibrary,
        choice: watch::Receiver<ModelChoice>,
        data: &Path,
        publish_to: Option<MediaServerConfig>,
    ) -> Self {
        Self { library, choice, data: data.into(), publish_to }
    }

    /// Which model orders name, as that changes.
    pub(crate) fn choice(&self) -> watch::Receiver<ModelChoice> {
        self.choice.clone()
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
        let chosen = self.library.chosen(&settings.detector)?;
        let choice = self.choice.borrow().clone().or_as_set(&chosen);
        let note = choice.note(Pictures::of(of_camera));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Ok(CameraOrder {
            camera: camera.to_owned(),
            settings: match note {
                None => of_camera.clone(),
                Some(_) => narrowed(of_camera, &choice.manifest),
            },
            detector: settings.detector.clone(),
            thermal: settings.thermal.clone(),
            governor: settings.governor.clone(),
            publish_url: self
                .publish_to
                .as_ref()
                .zip(CameraId::new(camera))
                .map(|(server, camera)| mediamtx::publish_url(server, &camera)),
            lighter: match note {
                None => self.library.lighter_than(&choice.manifest),
                Some(_) => Vec::new(),
            },
            model: choice.manifest,
            model_note: note,
            model_dirs: self.library.dirs().iter().map(|dir| text(dir)).collect(),
            state_dir: text(&self.data.join("cameras").join(camera)),
        })
    }

    /// The orders of all cameras of `settings`.
    ///
    /// # Errors
    /// As [`Self::order`].
    pub(crate) fn orders(&self, settings: &Settings) -> anyhow::Result<Vec<CameraOrder>> {
        let cameras = settings.cameras.iter();
        cameras.map(|(id, camera)| self.order(id, camera, settings)).collect()
    }
}

/// `settings` without what they ask of labels that `model`, which only stands in, does not have. A
/// camera that looks for nothing else does not detect meanwhile.
fn narrowed(settings: &CameraSettings, model: &ModelManifest) -> CameraSettings {
    let known = model.labels.names();
    let mut settings = settings.clone();
    let detection = &mut settings.detection;
    if let Some(labels) = detection.labels.as_mut().filter(|labels| !labels.is_empty()) {
        labels.retain(|label| known.contains(label));
        if labels.is_empty() {
            detection.enabled = Some(false);
        }
    }
    if let Some(thresholds) = &mut detection.class_thresholds {
        thresholds.retain(|label, _| known.contains(label));
    }
    if let Some(filters) = &mut detection.class_filters {
        filters.retain(|label, _| known.contains(label));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_stands_in_is_asked_for_the_labels_that_it_has() {
        let data = tempfile::tempdir().unwrap();
        let library = ModelLibrary::open(data.path()).unwrap();
        let model = library.get("edgecam-demo_416x256").unwrap();
        let mut settings = CameraSettings::default();
        settings.detection.labels = Some(vec!["car".into(), "boat".into()]);
        settings.detection.class_thresholds = Some([("boat".to_owned(), 0.5)].into());
        let narrow = narrowed(&settings, &model);
        assert_eq!(narrow.detection.labels, Some(vec!["car".into()]));
        assert_eq!(narrow.detection.class_thresholds, Some([].into()));
        assert_eq!(narrow.detection.enabled, None);
        settings.detection.labels = Some(vec!["boat".into()]);
        assert_eq!(narrowed(&settings, &model).detection.enabled, Some(false));
    }
}
