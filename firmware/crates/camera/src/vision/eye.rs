//! The model in use: a loaded detector whose classes are told in those of the model that the
//! settings ask for, so that whoever follows objects does not notice when a lighter model takes
//! over.

use api::event::ModelRef;
use config::DetectorConfig;
use detect::{Error, Found, ParamsError, TiledDetector};
use domain::{ClassId, DetectionParams, Frame, Labels, View};

use crate::models::ModelSource;

/// Looks at frames. A port: tests put in one that fails as they need it.
pub(crate) trait Look: Send {
    /// What is looked at, from the next frame on.
    fn set_view(&mut self, view: View);
    /// What counts as found, from the next frame on.
    fn set_params(&mut self, params: &DetectionParams) -> Result<(), ParamsError>;
    /// Finds what is in `frame`.
    fn detect(&mut self, frame: &Frame) -> Result<&Found, Error>;
}

impl Look for TiledDetector {
    fn set_view(&mut self, view: View) {
        TiledDetector::set_view(self, view);
    }

    fn set_params(&mut self, params: &DetectionParams) -> Result<(), ParamsError> {
        TiledDetector::set_params(self, params)
    }

    fn detect(&mut self, frame: &Frame) -> Result<&Found, Error> {
        TiledDetector::detect(self, frame)
    }
}

/// Loads a model to compute as the settings say.
pub(crate) type Load =
    Box<dyn Fn(&ModelSource, &DetectorConfig) -> Result<Box<dyn Look>, Error> + Send>;

/// Loads models from their files.
pub(crate) fn from_files() -> Load {
    Box::new(|model, config| model.load(config).map(|detector| Box::new(detector) as Box<dyn Look>))
}

/// A loaded model.
pub(super) struct Eye {
    look: Box<dyn Look>,
    model: ModelRef,
    classes: Option<Vec<Option<ClassId>>>,
    /// Working memory: what was found, in the classes of the camera.
    found: Found,
}

impl Eye {
    /// The model `source`, loaded as `look`, for a camera whose classes are `labels`.
    pub(super) fn new(look: Box<dyn Look>, source: &ModelSource, labels: &Labels) -> Self {
        Self {
            look,
            model: ModelRef {
                name: source.name().to_owned(),
                sha256: source.sha256().to_owned(),
                infer_ms: 0.0,
            },
            classes: translation(&source.labels(), labels),
            found: Found::default(),
        }
    }

    /// Which model it is; the time in it is that of no inference.
    pub(super) fn model(&self) -> &ModelRef {
        &self.model
    }

    /// What is looked at, from the next frame on.
    pub(super) fn set_view(&mut self, view: View) {
        self.look.set_view(view);
    }

    /// What counts as found, from the next frame on.
    pub(super) fn set_params(&mut self, params: &DetectionParams) -> Result<(), ParamsError> {
        self.look.set_params(params)
    }

    /// Finds what is in `frame`. What the camera has no class for is left out.
    pub(super) fn detect(&mut self, frame: &Frame) -> Result<&Found, Error> {
        let found = self.look.detect(frame)?;
        let Some(classes) = &self.classes else { return Ok(found) };
        self.found.clone_from(found);
        self.found.detections.retain_mut(|detection| {
            let class = classes.get(usize::from(detection.class.0)).copied().flatten();
            class.is_some_and(|class| {
                detection.class = class;
                true
            })
        });
        Ok(&self.found)
    }
}

/// The class in `to` of each class in `from`, by name; `None`: they are the same.
fn translation(from: &Labels, to: &Labels) -> Option<Vec<Option<ClassId>>> {
    (from != to).then(|| from.names().iter().map(|name| to.find(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Labels {
        Labels::new(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn classes_are_translated_by_name_and_unknown_ones_left_out() {
        let (model, camera) = (labels(&["car", "ship", "person"]), labels(&["person", "car"]));
        let expected = vec![Some(ClassId(1)), None, Some(ClassId(0))];
        assert_eq!(translation(&model, &camera), Some(expected));
    }

    #[test]
    fn models_of_the_same_labels_need_no_translation() {
        assert_eq!(translation(&labels(&["car"]), &labels(&["car"])), None);
    }
}
