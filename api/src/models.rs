//! What is done with models and the detector: adding, quantizing, measuring, trying a picture.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::manifest::ModelManifest;
use crate::resources::Model;
use crate::settings::Precision;

/// A model to fetch: either the address of its manifest with the hash of that, or the manifest itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewModel {
    /// Address of the manifest (TOML or JSON), `https://…` or `http://…`, in the internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://example.org/models/forklifts.toml")]
    pub manifest_url: Option<String>,
    /// SHA-256 of the manifest at that address, 64 lower case hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The manifest itself; its files have a `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ModelManifest>,
}

/// The parts of an upload, `multipart/form-data`, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelUpload {
    /// The manifest, TOML or JSON, at most 256 KiB. It names the SHA-256 of the other two.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    pub manifest: String,
    /// The network's structure (ncnn `.param`), at most 4 MiB.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    pub param: String,
    /// The network's weights (ncnn `.bin`), at most 256 MiB.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    pub bin: String,
}

/// A model with its manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelDetail {
    /// What is told in the list.
    #[serde(flatten)]
    pub model: Model,
    /// The manifest.
    pub manifest: ModelManifest,
}

/// How to make a model in 8-bit integers: with pictures of what a camera sees, so that it sees well there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuantizeModel {
    /// Id of the camera whose pictures are taken, as they are streamed. Default: the first that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "front")]
    pub camera: Option<String>,
    /// Pictures to take, 4..=200. Default: 48.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 4, maximum = 200, default = 48)]
    pub pictures: Option<u32>,
    /// Time between two pictures in milliseconds, 50..=60000: the longer, the more different they
    /// are. Default: 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 50, maximum = 60000, default = 1000)]
    pub interval_ms: Option<u32>,
    /// Noise that the outputs may have, as a share of their variance, 0.0001..=0.1: layers stay in
    /// floating point until it is kept. Default: 0.004.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.0001, maximum = 0.1, default = 0.004)]
    pub noise_budget: Option<f64>,
}

/// A model in 8-bit integers, and what it cost to make it so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuantizedModel {
    /// The new model: the name of the old one with `_int8`.
    pub model: Model,
    /// Pictures that it was made with.
    pub pictures: u32,
    /// Noise of its outputs, as a share of their variance.
    pub noise: f64,
    /// Layers in 8-bit integers.
    pub int8_layers: u32,
    /// Layers that could be.
    pub layers: u32,
    /// Bytes of the old weights.
    pub float_bytes: u64,
    /// Bytes of the new ones.
    pub int8_bytes: u64,
}

/// What to measure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BenchmarkDetector {
    /// Names of the models, at most 16. Default: all that are installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Threads of one inference, each 1..=8, at most 4 of them. Default: that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Vec<u8>>,
    /// Number format. Default: that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Time for each model and number of threads in milliseconds, 100..=60000. At least ten inferences are
    /// made. Default: 2000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 100, maximum = 60000, default = 2000)]
    pub duration_ms: Option<u32>,
}

/// How fast models are on this device, while all that else runs goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DetectorBenchmark {
    /// One row for each model and number of threads, in the order that was asked for.
    pub rows: Vec<BenchmarkRow>,
}

/// How fast a model is: of the whole call, picture of 1280×720 in and boxes out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BenchmarkRow {
    /// Name of the model.
    pub model: String,
    /// Width of its input in pixels.
    pub width: u32,
    /// Height of its input in pixels.
    pub height: u32,
    /// Number format that was computed in: `auto`, `full`, `half` or `bfloat`.
    pub precision: String,
    /// Threads of one inference.
    pub threads: u32,
    /// Half of the calls took no longer, in milliseconds.
    pub median_ms: f32,
    /// 95 of 100 calls took no longer, in milliseconds.
    pub p95_ms: f32,
    /// Time of all processors for one call, in milliseconds.
    pub cpu_ms: f32,
    /// Accuracy on COCO pictures in percent (mAP); null where it is not known.
    pub coco_map: Option<f32>,
}

/// What is in a picture that was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Inference {
    /// Name of the model that looked.
    pub model: String,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// What was found, best first.
    pub objects: Vec<InferredObject>,
    /// Time of the look itself in milliseconds, without loading and reading the picture.
    pub infer_ms: f32,
}

/// An object in a picture that was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InferredObject {
    /// What it is.
    #[schema(example = "car")]
    pub label: String,
    /// How sure that is, 0..=1.
    #[schema(minimum = 0, maximum = 1)]
    pub score: f32,
    /// Left, top, width and height in shares of the picture, 0..=1.
    pub r#box: [f32; 4],
    /// The same in pixels of the picture.
    pub box_px: [f32; 4],
}
