//! The task that gets the chosen model: the cameras begin with the demo model at once and switch when
//! the chosen one is there, whoever put it there.

use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use tokio::sync::watch;

use super::choice::Fetch;
use super::{ModelChoice, ModelLibrary};

/// How long to wait before a failed fetch is tried again.
const FETCH_AGAIN: Duration = Duration::from_secs(300);
/// How often the folders are looked through meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Gets the chosen model. What the cameras are to run meanwhile stands in the watch of
/// [`ModelKeeper::new`].
#[derive(Debug)]
pub(crate) struct ModelKeeper {
    library: ModelLibrary,
    wanted: ModelManifest,
    demo: ModelManifest,
    download: bool,
    choice: watch::Sender<ModelChoice>,
}

impl ModelKeeper {
    /// Looks whether the model `wanted` is there. With `download`, [`ModelKeeper::run`] fetches it.
    ///
    /// # Errors
    /// Never in a firmware that passed its tests: when the demo model's manifest cannot be read.
    pub(crate) fn new(
        library: &ModelLibrary,
        wanted: &ModelManifest,
        download: bool,
    ) -> anyhow::Result<(Self, watch::Receiver<ModelChoice>)> {
        let (wanted, demo) = (wanted.clone(), ModelLibrary::demo()?);
        // Nothing stands in where the demo model could not be written: the camera says what is missing.
        let choice = if library.is_installed(&wanted) || !library.is_installed(&demo) {
            ModelChoice::as_set(wanted.clone())
        } else {
            let fetch = if download { Fetch::Trying } else { Fetch::Off };
            ModelChoice::stand_in(demo.clone(), &wanted.name, &library.own, fetch)
        };
        let (choice, shown) = watch::channel(choice);
        Ok((Self { library: library.clone(), wanted, demo, download, choice }, shown))
    }

    /// Runs until the model is there. Cancel-safe: a download that is cut off leaves nothing under
    /// the model's name.
    pub(crate) async fn run(self) {
        if self.library.is_installed(&self.wanted) {
            return;
        }
        let mut due = Instant::now();
        while !self.is_there().await {
            if self.download && Instant::now() >= due {
                self.fetch().await;
                due = Instant::now() + FETCH_AGAIN;
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        tracing::info!(model = self.wanted.name, "the model is there: the cameras switch to it");
        self.choice.send_replace(ModelChoice::as_set(self.wanted));
    }

    /// Files that are still being copied are not there yet.
    async fn is_there(&self) -> bool {
        let (library, wanted) = (self.library.clone(), self.wanted.clone());
        let look = move || library.is_installed(&wanted) && library.is_sound(&wanted);
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }

    async fn fetch(&self) {
        tracing::info!(model = self.wanted.name, "fetching the model");
        let (library, wanted) = (self.library.clone(), self.wanted.clone());
        // A task that was cancelled: the daemon is on its way out.
        let Ok(fetched) = tokio::task::spawn_blocking(move || library.fetch(&wanted)).await else {
            return;
        };
        let Err(error) = fetched else { return };
        tracing::error!(
            model = self.wanted.name,
            error = format!("{error:#}"),
            "cannot be fetched"
        );
        let failed = Fetch::Failed(error.root_cause().to_string());
        let (name, folder) = (&self.wanted.name, &self.library.own);
        let choice = ModelChoice::stand_in(self.demo.clone(), name, folder, failed);
        if self.library.is_installed(&self.demo) {
            self.choice.send_replace(choice);
        }
    }
}
