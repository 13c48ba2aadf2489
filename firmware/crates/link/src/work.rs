//! What `edgecamd` and `edgecam-camera work` say to each other: one order, then what came of it. Over the
//! process's standard input and output, framed as the link is.

use api::manifest::ModelManifest;
use api::models::{BenchmarkRow, Inference};
use api::settings::Precision;
use serde::{Deserialize, Serialize};

/// To the worker: one [`Work`], then what that needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// What to do.
    Do(Box<Work>),
    /// A picture, JPEG or PNG; the blob. Of [`Work::Infer`] and [`Work::Quantize`].
    Picture,
    /// There are no more pictures.
    Enough,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Folders with model files, looked through in this order.
    pub dirs: Vec<String>,
    /// Threads of one inference, 1..=8.
    pub threads: u32,
    /// Number format.
    pub precision: Precision,
    /// The task.
    pub task: Task,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Task {
    /// Load the model and look at a grey picture. Answered by [`FromWorker::Works`].
    Try {
        /// The model.
        model: Box<ModelManifest>,
    },
    /// Look at the one picture that follows. Answered by [`FromWorker::Seen`].
    Infer {
        /// The model.
        model: Box<ModelManifest>,
        /// Objects with a lower score do not count.
        min_score: f32,
        /// Most pixels of the picture.
        max_pixels: u64,
    },
    /// Measure. Answered by [`FromWorker::Measured`].
    Benchmark {
        /// The models, in order.
        models: Vec<ModelManifest>,
        /// Threads of one inference, each in its turn.
        threads: Vec<u32>,
        /// Time for each, in milliseconds.
        duration_ms: u32,
    },
    /// Make a model in 8-bit integers with the pictures that follow. Answered by [`FromWorker::Made`].
    Quantize {
        /// The model.
        model: Box<ModelManifest>,
        /// Noise that the outputs may have, as a share of their variance.
        noise_budget: f64,
        /// An empty folder for the new model and its manifest.
        into: String,
        /// Most pixels of a picture.
        max_pixels: u64,
    },
}

/// From the worker: progress, and at last one that is something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    /// How far it is.
    Progress {
        /// Share of the task, 0..=1.
        share: f32,
        /// What it is at, for people.
        stage: String,
    },
    /// The model works.
    Works,
    /// What is in the picture.
    Seen(Inference),
    /// What was measured.
    Measured {
        /// A row for each model and number of threads.
        rows: Vec<BenchmarkRow>,
    },
    /// The model is in the folder.
    Made {
        /// Its manifest.
        manifest: Box<ModelManifest>,
        /// Noise of its outputs, as a share of their variance.
        noise: f64,
        /// Layers in 8-bit integers.
        int8_layers: u32,
        /// Layers that could be.
        layers: u32,
        /// Bytes of the old weights.
        float_bytes: u64,
        /// Bytes of the new ones.
        int8_bytes: u64,
        /// Pictures that it was made with.
        pictures: u32,
    },
    /// Nothing came of it.
    Failed {
        /// Whether what was given is to blame: the picture, the model.
        input: bool,
        /// Why.
        detail: String,
    },
}
