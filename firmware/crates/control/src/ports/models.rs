//! What the API needs of models and the detector.

use api::backtest::RuleTrial;
use api::jobs::Job;
use api::models::{BenchmarkDetector, Inference, ModelDetail, NewModel, QuantizeModel};
use api::resources::Model;

use super::{Answer, Beginner, Bytes};

/// The models.
pub trait Models: Send + Sync + 'static {
    /// The models that this device knows, ordered by name.
    fn list(&self) -> Answer<'_, Vec<Model>>;

    /// The model `name`; `None`: there is none.
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ModelDetail>>;

    /// Takes an upload, of which one runs at a time.
    fn upload(&self) -> Answer<'_, Box<dyn ModelReceiver>>;

    /// Begins to fetch a model. Refused input names fields of `new`.
    fn fetch(&self, new: NewModel, by: Beginner) -> Answer<'_, Job>;

    /// Deletes a model that nothing uses.
    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Begins to make a model in 8-bit integers of the model `name`.
    fn quantize<'a>(&'a self, name: &'a str, how: QuantizeModel, by: Beginner) -> Answer<'a, Job>;
}

/// A part of an upload, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelPart {
    /// The manifest.
    Manifest,
    /// The network's structure.
    Param,
    /// The network's weights.
    Bin,
}

impl ModelPart {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Manifest, Self::Param, Self::Bin];

    /// Its name in the upload.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Param => "param",
            Self::Bin => "bin",
        }
    }
}

/// An upload under way. Dropped before its end, nothing of it is left.
pub trait ModelReceiver: Send {
    /// The next bytes of `part`. Refused input names the part as a field.
    fn take(&mut self, part: ModelPart, bytes: Bytes) -> Answer<'_, ()>;

    /// All is there: the model is checked and added.
    fn finish(self: Box<Self>) -> Answer<'static, Model>;
}

/// The detector, beside the cameras' own work.
pub trait DetectorBench: Send + Sync + 'static {
    /// Begins to measure. Refused input names fields of `what`.
    fn benchmark(&self, what: BenchmarkDetector, by: Beginner) -> Answer<'_, Job>;

    /// Looks at `picture` (JPEG or PNG) with `model` (`None`: that of the settings); objects with a score
    /// below `min_score` do not count.
    fn infer(&self, picture: Bytes, model: Option<String>, min_score: f32)
    -> Answer<'_, Inference>;
}

/// The rules of cameras.
pub trait RuleTrials: Send + Sync + 'static {
    /// Begins to try `trial` on what `camera`, which there is, tracked. Refused input names fields of
    /// the settings, or of `trial`.
    fn backtest<'a>(&'a self, camera: &'a str, trial: RuleTrial, by: Beginner) -> Answer<'a, Job>;
}
