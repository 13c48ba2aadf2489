//! The task that gets the chosen model: the cameras begin with the demo model at once and switch when
//! the chosen one is there, whoever put it there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use tokio::sync::watch;

use super::choice::{Fetch, Missing};
use super::{ModelChoice, ModelLibrary};

/// How long to wait before a failed fetch is tried again.
const FETCH_AGAIN: Duration = Duration::from_secs(300);
/// How often the folders are looked through meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Which model is to be there; clones wish together.
#[derive(Clone, Debug)]
pub(crate) struct ModelWish {
    wanted: Arc<watch::Sender<ModelManifest>>,
    shelf: Shelf,
}

impl ModelWish {
    /// Has `model` in the place of the one before. Blocks: reads its files through. What the cameras run meanwhile stands in the watch
    /// of [`ModelKeeper::new`] when this returns.
    pub(crate) fn want(&self, model: &ModelManifest) {
        if *self.wanted.borrow() != *model {
            self.shelf.offer(model);
            self.wanted.send_replace(model.clone());
        }
    }
}

/// What there is, and what the cameras are to run.
#[derive(Clone, Debug)]
struct Shelf {
    library: ModelLibrary,
    demo: ModelManifest,
    download: bool,
    choice: Arc<watch::Sender<ModelChoice>>,
}

impl Shelf {
    /// What the cameras run while `wanted` is to be there. Blocks: reads its files through.
    fn choice(&self, wanted: &ModelManifest) -> ModelChoice {
        let (library, demo) = (&self.library, &self.demo);
        let damaged = library.damaged(wanted);
        let is_there = library.is_installed(wanted) && damaged.is_none();
        if let Some(file) = &damaged {
            tracing::warn!(model = wanted.name, file = %file.display(), "it is damaged");
        }
        // Nothing stands in where the demo model could not be written: the camera says what is missing.
        if is_there || !library.is_installed(demo) {
            return ModelChoice::as_set(wanted.clone());
        }
        let fetch = if self.download { Fetch::Trying } else { Fetch::Off };
        ModelChoice::stand_in(demo.clone(), self.missing(wanted, damaged, fetch))
    }

    /// The model `wanted`, which the library does not have whole.
    fn missing(&self, wanted: &ModelManifest, damaged: Option<PathBuf>, fetch: Fetch) -> Missing {
        let (name, folder) = (wanted.name.clone(), self.library.own.clone());
        Missing { name, folder, damaged, fetch }
    }

    fn offer(&self, wanted: &ModelManifest) {
        self.choice.send_replace(self.choice(wanted));
    }
}

/// Gets the chosen model.
#[derive(Debug)]
pub(crate) struct ModelKeeper {
    wanted: watch::Receiver<ModelManifest>,
    shelf: Shelf,
}

impl ModelKeeper {
    /// Looks whether the model `wanted` is there, whole: reads its files through. With `download`,
    /// [`ModelKeeper::run`] fetches it. The wish is for another one later; the watch shows what the
    /// cameras are to run.
    ///
    /// # Errors
    /// Never in a firmware that passed its tests: when the demo model's manifest cannot be read.
    pub(crate) fn new(
        library: &ModelLibrary,
        wanted: &ModelManifest,
        download: bool,
    ) -> anyhow::Result<(Self, ModelWish, watch::Receiver<ModelChoice>)> {
        let demo = ModelLibrary::demo()?;
        let choice = Arc::new(watch::Sender::new(ModelChoice::as_set(wanted.clone())));
        let shelf = Shelf { library: library.clone(), demo, download, choice };
        shelf.offer(wanted);
        let shown = shelf.choice.subscribe();
        let (wish, wanted) = watch::channel(wanted.clone());
        let wish = ModelWish { wanted: Arc::new(wish), shelf: shelf.clone() };
        Ok((Self { wanted, shelf }, wish, shown))
    }

    /// Runs as long as somebody may wish for another model. Cancel-safe: a download that is cut off
    /// leaves nothing under the model's name.
    pub(crate) async fn run(mut self) {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let shelf = self.shelf.clone();
            // Cancel-safe, see above.
            tokio::select! {
                () = shelf.get(&wanted) => if self.wanted.changed().await.is_err() { return },
                changed = self.wanted.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Shelf {
    /// Runs until the model `wanted` is there.
    async fn get(&self, wanted: &ModelManifest) {
        let is_set = *self.choice.borrow() == ModelChoice::as_set(wanted.clone());
        if is_set && self.has_come(wanted).await {
            return;
        }
        let mut due = Instant::now();
        while !self.has_come(wanted).await {
            if self.download && Instant::now() >= due {
                self.fetch(wanted).await;
                due = Instant::now() + FETCH_AGAIN;
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        tracing::info!(model = wanted.name, "the model is there: the cameras switch to it");
        self.choice.send_replace(ModelChoice::as_set(wanted.clone()));
    }

    /// Files that are still being copied are not there yet.
    async fn has_come(&self, wanted: &ModelManifest) -> bool {
        let (library, wanted) = (self.library.clone(), wanted.clone());
        let look = move || library.is_sound(&wanted);
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }

    async fn fetch(&self, wanted: &ModelManifest) {
        tracing::info!(model = wanted.name, "fetching the model");
        let (library, manifest) = (self.library.clone(), wanted.clone());
        let fetching = tokio::task::spawn_blocking(move || {
            let failed = library.fetch(&manifest).err()?;
            Some((failed, library.damaged(&manifest)))
        });
        // A task that was cancelled: the daemon is on its way out.
        let Ok(Some((error, damaged))) = fetching.await else { return };
        tracing::error!(model = wanted.name, error = format!("{error:#}"), "cannot be fetched");
        let failed = Fetch::Failed(error.root_cause().to_string());
        let choice =
            ModelChoice::stand_in(self.demo.clone(), self.missing(wanted, damaged, failed));
        if self.library.is_installed(&self.demo) {
            self.choice.send_replace(choice);
        }
    }
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
        let (keeper, wish, mut choice) = ModelKeeper::new(&library, &wanted, false).unwrap();
        assert_eq!(choice.borrow().manifest.name, demo.name);
        let note = choice.borrow().note(Pictures::Drawn).unwrap();
        assert!(note.contains(&wanted.bin.file) && note.contains("is damaged"), "{note}");
        let running = tokio::spawn(keeper.run());
        std::fs::write(library.own.join(&wanted.bin.file), &whole).unwrap();
        choice.changed().await.unwrap();
        assert_eq!(*choice.borrow(), ModelChoice::as_set(wanted.clone()));
        drop(wish);
        running.await.unwrap();
        let (_, _, choice) = ModelKeeper::new(&library, &wanted, false).unwrap();
        assert_eq!(*choice.borrow(), ModelChoice::as_set(wanted));
    }
}
