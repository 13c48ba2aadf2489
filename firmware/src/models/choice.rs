//! Which model the cameras run, and the sentence that says why it is not the one that the settings
//! choose (pure).

use std::path::PathBuf;

use api::manifest::ModelManifest;
use api::settings::CameraSettings;

/// The model that the cameras run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelChoice {
    /// Its manifest.
    pub(crate) manifest: ModelManifest,
    /// The one that it stands in for.
    missing: Option<Missing>,
}

/// A model that the settings choose and this device does not have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Missing {
    /// Its name.
    pub(crate) name: String,
    /// Where its files belong.
    pub(crate) folder: PathBuf,
    /// A file of it that is there and not what its manifest names.
    pub(crate) damaged: Option<PathBuf>,
    /// What is done to get it.
    pub(crate) fetch: Fetch,
}

/// What is done to get the missing model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fetch {
    /// Nothing: `detector.download` is off.
    Off,
    /// It is being fetched.
    Trying,
    /// That failed, for this reason; it is tried again later.
    Failed(String),
}

/// What a camera sees, as far as the demo model is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pictures {
    /// The drawn street that the demo model knows.
    Drawn,
    /// Anything else.
    Real,
}

impl Pictures {
    /// What a camera with these settings sees.
    pub(crate) fn of(camera: &CameraSettings) -> Self {
        match camera.source.as_deref().map(str::trim) {
            Some("scene") => Self::Drawn,
            _ => Self::Real,
        }
    }
}

impl ModelChoice {
    /// The model that the settings choose.
    pub(crate) fn as_set(manifest: ModelManifest) -> Self {
        Self { manifest, missing: None }
    }

    /// `demo` stands in for what is `missing`.
    pub(crate) fn stand_in(demo: ModelManifest, missing: Missing) -> Self {
        Self { manifest: demo, missing: Some(missing) }
    }

    /// This choice if it was made for the model `chosen`, else `chosen` itself: the settings have
    /// changed since.
    pub(crate) fn or_as_set(self, chosen: &ModelManifest) -> Self {
        let made_for = self.missing.as_ref().map_or(&self.manifest.name, |missing| &missing.name);
        if *made_for == chosen.name { self } else { Self::as_set(chosen.clone()) }
    }

    /// Why a camera with `pictures` does not run the model that the settings choose, and what to do
    /// about it, in one sentence; `None`: it does.
    pub(crate) fn note(&self, pictures: Pictures) -> Option<String> {
        let Missing { name, folder, damaged, fetch } = self.missing.as_ref()?;
        let lacks = match damaged {
            Some(file) => format!(
                "is damaged on this device ({} is not the file that its manifest names)",
                file.display()
            ),
            None => "is not on this device".to_owned(),
        };
        let state = match fetch {
            Fetch::Off => format!("{lacks}, and `detector.download` is off"),
            Fetch::Trying => format!("{lacks} and is being fetched"),
            Fetch::Failed(why) => format!("{lacks} and could not be fetched ({why})"),
        };
        let demo = &self.manifest.name;
        let stands_in = match pictures {
            Pictures::Drawn => format!("{demo}, made for the drawn street, detects in its place"),
            Pictures::Real => format!(
                "{demo} runs in its place, which knows the drawn street only and is of no use on \
                 real pictures"
            ),
        };
        Some(format!(
            "the model {name} {state}: {stands_in}; install it with `make model` in a checkout or \
             `edgecamd install-model {name} --into {}`, which takes `--from FOLDER` where there is \
             no network",
            folder.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::models::ModelLibrary;

    fn stand_in(name: &str, fetch: Fetch) -> ModelChoice {
        let (name, folder) = (name.to_owned(), "/data/models".into());
        let missing = Missing { name, folder, damaged: None, fetch };
        ModelChoice::stand_in(ModelLibrary::demo().unwrap(), missing)
    }

    fn note(fetch: Fetch, pictures: Pictures) -> String {
        stand_in("big", fetch).note(pictures).unwrap()
    }

    #[test]
    fn the_sentence_names_the_model_the_reason_and_the_command() {
        for (fetch, reason) in [
            (Fetch::Off, "`detector.download` is off"),
            (Fetch::Trying, "is being fetched"),
            (Fetch::Failed("no route to host".into()), "could not be fetched (no route to host)"),
        ] {
            let said = note(fetch, Pictures::Drawn);
            let command = "`edgecamd install-model big --into /data/models`";
            for part in ["the model big", reason, "edgecam-demo", "`make model`", command] {
                assert!(said.contains(part), "{said}");
            }
            assert!(!said.contains("of no use"), "{said}");
        }
    }

    #[test]
    fn on_real_pictures_the_sentence_says_that_the_demo_model_is_of_no_use() {
        let said = note(Fetch::Trying, Pictures::Real);
        assert!(said.contains("knows the drawn street only and is of no use"), "{said}");
    }

    #[test]
    fn a_model_that_the_settings_choose_later_is_the_one_that_runs() {
        let library = ModelLibrary::open(Path::new("/nonexistent")).unwrap();
        let [small, big] =
            ["nanodet-m_320", "nanodet-plus-m_416"].map(|name| library.get(name).unwrap());
        let choice = stand_in(&big.name, Fetch::Off);
        assert_eq!(choice.clone().or_as_set(&big), choice);
        assert_eq!(choice.or_as_set(&small), ModelChoice::as_set(small.clone()));
    }

    #[test]
    fn the_demo_model_that_the_settings_choose_needs_no_excuse() {
        let choice = ModelChoice::as_set(ModelLibrary::demo().unwrap());
        assert_eq!(choice.note(Pictures::Real), None);
    }
}
