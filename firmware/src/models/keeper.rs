//! The task that gets the chosen model: the cameras begin with the demo model at once and switch when
//! the chosen one is there, whoever put it there.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use tokio::sync::watch;

use super::choice::{Fetch, Missing};
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
    /// Whether it was there from the beginning.
    is_there: bool,
    choice: watch::Sender<ModelChoice>,
}

impl ModelKeeper {
    /// Looks whether the model `wanted` is there, whole: reads its files through. With `download`,
    /// [`ModelKeeper::run`] fetches it.
    ///
    /// # Errors
    /// Never in a firmware that passed its tests: when the demo model's manifest cannot be read.
    pub(crate) fn new(
        library: &ModelLibrary,
        wanted: &ModelManifest,
        download: bool,
    ) -> anyhow::Result<(Self, watch::Receiver<ModelChoice>)> {
        let (wanted, demo) = (wanted.clone(), ModelLibrary::demo()?);
        let damaged = library.damaged(&wanted);
        let is_there = library.is_installed(&wanted) && damaged.is_none();
        if let Some(file) = &damaged {
            tracing::warn!(model = wanted.name, file = %file.display(), "it is damaged");
        }
        // Nothing stands in where the demo model could not be written: the camera says what is missing.
        let choice = if is_there || !library.is_installed(&demo) {
            ModelChoice::as_set(wanted.clone())
        } else {
            let fetch = if download { Fetch::Trying } else { Fetch::Off };
            ModelChoice::stand_in(demo.clone(), missing(library, &wanted, damaged, fetch))
        };
        let (choice, shown) = watch::channel(choice);
        Ok((Self { library: library.clone(), wanted, demo, download, is_there, choice }, shown))
    }

    /// Runs until the model is there. Cancel-safe: a download that is cut off leaves nothing under
    /// the model's name.
    pub(crate) async fn run(self) {
        if self.is_there {
            return;
        }
        let mut due = Instant::now();
        while !self.has_come().await {
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
    async fn has_come(&self) -> bool {
        let (library, wanted) = (self.library.clone(), self.wanted.clone());
        let look = move || library.is_sound(&wanted);
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }

    async fn fetch(&self) {
        tracing::info!(model = self.wanted.name, "fetching the model");
        let (library, wanted) = (self.library.clone(), self.wanted.clone());
        let fetching = tokio::task::spawn_blocking(move || {
            let failed = library.fetch(&wanted).err()?;
            Some((failed, library.damaged(&wanted)))
        });
        // A task that was cancelled: the daemon is on its way out.
        let Ok(Some((error, damaged))) = fetching.await else { return };
        tracing::error!(
            model = self.wanted.name,
            error = format!("{error:#}"),
            "cannot be fetched"
        );
        let failed = Fetch::Failed(error.root_cause().to_string());
        let missing = missing(&self.library, &self.wanted, damaged, failed);
        let choice = ModelChoice::stand_in(self.demo.clone(), missing);
        if self.library.is_installed(&self.demo) {
            self.choice.send_replace(choice);
        }
    }
}

/// The model `wanted`, which the library does not have whole.
fn missing(
    library: &ModelLibrary,
    wanted: &ModelManifest,
    damaged: Option<PathBuf>,
    fetch: Fetch,
) -> Missing {
    Missing { name: wanted.name.clone(), folder: library.own.clone(), damaged, fetch }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Pictures;

    #[tokio::test]
    async fn a_model_that_is_damaged_is_none_and_the_demo_model_stands_in_until_it_is_mended() {
        let data = tempfile::tempdir().unwrap();
        let mut library = ModelLibrary::open(data.path()).unwrap();
        library.dirs = vec![library.own.clone()];
        library.install_demo().unwrap();
        let demo = ModelLibrary::demo().unwrap();
        let mut wanted = ModelManifest { name: "mine".to_owned(), ..demo.clone() };
        for (file, of_demo) in [(&mut wanted.param, &demo.param), (&mut wanted.bin, &demo.bin)] {
            file.file = format!("mine-{}", file.file);
            std::fs::copy(library.own.join(&of_demo.file), library.own.join(&file.file)).unwrap();
        }
        let whole = std::fs::read(library.own.join(&wanted.bin.file)).unwrap();
        std::fs::write(library.own.join(&wanted.bin.file), &whole[1..]).unwrap();
        let (keeper, mut choice) = ModelKeeper::new(&library, &wanted, false).unwrap();
        assert_eq!(choice.borrow().manifest.name, demo.name);
        let note = choice.borrow().note(Pictures::Drawn).unwrap();
        assert!(note.contains(&wanted.bin.file) && note.contains("is damaged"), "{note}");
        let running = tokio::spawn(keeper.run());
        std::fs::write(library.own.join(&wanted.bin.file), &whole).unwrap();
        choice.changed().await.unwrap();
        assert_eq!(*choice.borrow(), ModelChoice::as_set(wanted.clone()));
        running.await.unwrap();
        let (_, choice) = ModelKeeper::new(&library, &wanted, false).unwrap();
        assert_eq!(*choice.borrow(), ModelChoice::as_set(wanted));
    }
}
