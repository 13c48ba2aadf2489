//! Finding and loading the detector's model.

use std::path::PathBuf;

use api::manifest::{Fit, ModelManifest};
use config::DetectorConfig;
use detect::{Detector, DetectorOptions, Error, TiledDetector, locate};
use domain::{Labels, Size, View};
use link::CameraOrder;
use media::TapFit;

use crate::governor::Candidate;

/// A model: its manifest, and where its files may be.
#[derive(Debug)]
pub(crate) struct ModelSource {
    manifest: ModelManifest,
    dirs: Vec<PathBuf>,
}

impl ModelSource {
    /// The model that `order` asks for.
    pub(crate) fn asked(order: &CameraOrder) -> Self {
        Self::of(&order.model, &order.model_dirs)
    }

    /// The lighter models that `order` leaves to the governor.
    pub(crate) fn lighter(order: &CameraOrder) -> Vec<Self> {
        order.lighter.iter().map(|manifest| Self::of(manifest, &order.model_dirs)).collect()
    }

    /// A model whose files are in one of `dirs`.
    pub(crate) fn of(manifest: &ModelManifest, dirs: &[String]) -> Self {
        let dirs = dirs.iter().map(PathBuf::from).collect();
        Self { manifest: manifest.clone(), dirs }
    }

    /// What the governor has to know of it.
    pub(crate) fn candidate(&self) -> Candidate {
        Candidate::of(&self.manifest)
    }

    /// Name of the manifest.
    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// SHA-256 of the weights.
    pub(crate) fn sha256(&self) -> &str {
        &self.manifest.bin.sha256
    }

    /// Names of the classes.
    pub(crate) fn labels(&self) -> Labels {
        Labels::new(self.manifest.labels.names())
    }

    /// The picture that a camera which scales is to give, so that little is left to do here: parts of
    /// the picture are cut from one in full size.
    pub(crate) fn tap_fit(&self, view: View) -> TapFit {
        if view != View::default() {
            return TapFit::Full;
        }
        let size = Size::new(self.manifest.input.width, self.manifest.input.height);
        match self.manifest.input.fit {
            Fit::Stretch => TapFit::Stretch(size),
            Fit::Letterbox => TapFit::Keep(size),
        }
    }

    /// Finds the files, checks them against the manifest and loads them.
    ///
    /// # Errors
    /// When a file is missing or does not fit; the sentence names it.
    pub(crate) fn load(&self, config: &DetectorConfig) -> Result<TiledDetector, Error> {
        let files = locate::locate(&self.manifest, &self.dirs)?;
        let (threads, precision) = (config.threads.into(), config.precision.into());
        let options = DetectorOptions { threads, precision };
        Detector::load(&self.manifest, &files, options).map(TiledDetector::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{BBox, Tiling};

    #[test]
    fn who_looks_at_a_part_of_the_picture_is_given_it_in_full_size() {
        let manifest = detect::manifest::built_in().remove(0);
        let model = ModelSource::of(&manifest, &[]);
        assert_ne!(model.tap_fit(View::default()), TapFit::Full);
        let right = View { region: BBox::new(0.5, 0.0, 0.5, 1.0), ..View::default() };
        let halves = View { tiling: Tiling::Two, ..View::default() };
        assert_eq!([right, halves].map(|view| model.tap_fit(view)), [TapFit::Full; 2]);
    }
}
