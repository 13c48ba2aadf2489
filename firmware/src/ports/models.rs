//! The models as the API sees them.

use api::resources::Model;
use api::settings::DetectorSettings;
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Models};
use futures::FutureExt;

use crate::models::ModelLibrary;
use crate::settings::LiveSettings;

/// The models, and the settings that choose one.
#[derive(Debug)]
pub(crate) struct ModelPort {
    library: ModelLibrary,
    settings: LiveSettings,
}

impl ModelPort {
    pub(crate) fn new(library: ModelLibrary, settings: LiveSettings) -> Self {
        Self { library, settings }
    }
}

impl Models for ModelPort {
    fn list(&self) -> Answer<'_, Vec<Model>> {
        let (library, detector) = (self.library.clone(), self.settings.current().detector.clone());
        async move {
            // Looking for files may block.
            tokio::task::spawn_blocking(move || models(&library, &detector))
                .await
                .map_err(|error| PortError::new(ErrorKind::Internal, error.to_string()))
        }
        .boxed()
    }
}

fn models(library: &ModelLibrary, detector: &DetectorSettings) -> Vec<Model> {
    let active = library.chosen(detector).ok().map(|manifest| manifest.name.as_str());
    let model = |manifest: &api::manifest::ModelManifest| Model {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        width: manifest.input.width,
        height: manifest.input.height,
        licence: manifest.licence.clone(),
        sha256: manifest.bin.sha256.clone(),
        installed: library.is_installed(manifest),
        active: active == Some(manifest.name.as_str()),
        labels: manifest.labels.names(),
    };
    library.all().map(model).collect()
}
