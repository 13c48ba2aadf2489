//! The models as the API sees them.

mod fetch;
mod quantize;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use api::jobs::Job;
use api::manifest::ModelManifest;
use api::models::{ModelDetail, NewModel, QuantizeModel};
use api::resources::Model;
use api::settings::{DetectorSettings, Precision};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Beginner, ModelReceiver, Models};
use futures::FutureExt;
use link::work::{Task, Work};
use tokio::sync::Semaphore;

use crate::cameras::Cameras;
use crate::jobs::Jobs;
use crate::models::{ModelLibrary, Newcomer, Refused, Staging, is_built_in};
use crate::settings::{Engine, LiveSettings, refused};
use crate::workshop::Workshop;

/// A new model works within this time, or is not taken.
const TRY_WITHIN: Duration = Duration::from_secs(60);

/// The models, and who does something with them; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ModelPort {
    pub(super) library: ModelLibrary,
    pub(super) settings: LiveSettings,
    engine: Engine,
    cameras: Cameras,
    pub(super) jobs: Jobs,
    pub(super) workshop: Workshop,
    /// One upload at a time.
    uploads: Arc<Semaphore>,
}

impl Models for ModelPort {
    fn list(&self) -> Answer<'_, Vec<Model>> {
        let port = self.clone();
        blocking(move || {
            let all = port.library.all();
            Ok(all.iter().map(|manifest| port.shown(manifest)).collect())
        })
        .boxed()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ModelDetail>> {
        let (port, name) = (self.clone(), name.to_owned());
        blocking(move || {
            let found = port.library.find(&name);
            Ok(found.map(|manifest| ModelDetail { model: port.shown(&manifest), manifest }))
        })
        .boxed()
    }

    fn upload(&self) -> Answer<'_, Box<dyn ModelReceiver>> {
        async move { upload::begin(self.clone()).await }.boxed()
    }

    fn fetch(&self, new: NewModel, by: Beginner) -> Answer<'_, Job> {
        async move { fetch::begin(self.clone(), new, by) }.boxed()
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.engine.delete_model(name).boxed()
    }

    fn quantize<'a>(&'a self, name: &'a str, how: QuantizeModel, by: Beginner) -> Answer<'a, Job> {
        async move { quantize::begin(self.clone(), name, &how, by) }.boxed()
    }
}

impl ModelPort {
    /// The models of `library`, of which `settings` choose one and `engine` another; pictures are those
    /// of `cameras`.
    pub(crate) fn new(
        library: ModelLibrary,
        settings: LiveSettings,
        (engine, cameras): (&Engine, &Cameras),
        jobs: &Jobs,
        workshop: Workshop,
    ) -> Self {
        let (engine, cameras, jobs) = (engine.clone(), cameras.clone(), jobs.clone());
        let uploads = Arc::new(Semaphore::new(1));
        Self { library, settings, engine, cameras, jobs, workshop, uploads }
    }

    /// A model as it is shown. Blocks: looks for files.
    fn shown(&self, manifest: &ModelManifest) -> Model {
        let chosen = self.library.chosen(&self.settings.current().detector);
        Model {
            name: manifest.name.clone(),
            title: manifest.title.clone(),
            width: manifest.input.width,
            height: manifest.input.height,
            licence: manifest.licence.clone(),
            sha256: manifest.bin.sha256.clone(),
            installed: self.library.is_installed(manifest),
            active: chosen.is_ok_and(|chosen| chosen.name == manifest.name),
            built_in: is_built_in(&manifest.name),
            labels: manifest.labels.names(),
        }
    }

    /// Sees whether `newcomer`, whose files are in `staging`, works, and adds it.
    async fn add(&self, newcomer: Newcomer, staging: Staging) -> Result<Model, PortError> {
        let model = Box::new(newcomer.manifest.clone());
        let mut work = work(&self.settings.current().detector, Task::Try { model });
        work.dirs = vec![staging.path().display().to_string()];
        self.workshop.look(work, Vec::new(), TRY_WITHIN).await.map_err(|error| PortError {
            detail: format!("the model does not work, and was not added: {}", error.detail),
            ..error
        })?;
        let port = self.clone();
        let added = blocking(move || {
            port.library.admit(&newcomer, &staging).map_err(refused)?;
            Ok(port.shown(&newcomer.manifest))
        });
        let added = added.await?;
        tracing::info!(model = added.name, "a model was added");
        self.engine.models_changed().await;
        Ok(added)
    }

    /// Folders with model files.
    pub(super) fn dirs(&self) -> Vec<String> {
        self.library.dirs().iter().map(|dir| dir.display().to_string()).collect()
    }
}

/// Work on `task` as `detector` says; in no folder yet.
pub(super) fn work(detector: &DetectorSettings, task: Task) -> Work {
    Work {
        dirs: Vec::new(),
        threads: detector.threads.unwrap_or(1).into(),
        precision: detector.precision.unwrap_or(Precision::Auto),
        task,
    }
}

/// Runs `work`, which blocks, where that is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| PortError::new(ErrorKind::Internal, error.to_string()))?
}

/// What is wrong with a manifest that is a part of what was sent, with pointers into that.
fn in_manifest(refused: &Refused) -> PortError {
    let mut error = PortError::from(refused);
    for problem in &mut error.errors {
        problem.pointer.insert_str(0, "/manifest");
    }
    error
}
