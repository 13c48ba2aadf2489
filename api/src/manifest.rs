//! A model's manifest file: what a detector's model is, where it comes from and how it is fed and
//! read. Owns the shape of the file and the named sets of labels; whether a manifest fits its
//! files is checked where they are loaded (`detect`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything that must be known of a model to fetch it, run it and read its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Name by which settings choose the model, such as `nanodet-plus-m_320`.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Architecture, which decides how the heads are decoded.
    pub family: ModelFamily,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Upstream repository and commit, as `owner/name@commit`.
    pub source: String,
    /// The network's structure (ncnn `.param`).
    pub param: ModelFile,
    /// The network's weights (ncnn `.bin`).
    pub bin: ModelFile,
    /// What goes in.
    pub input: ModelInput,
    /// What comes out, one head a stride.
    pub heads: Vec<ModelHead>,
    /// Largest distance from a cell's centre to a side of its box, in strides. Each side is a
    /// distribution over `reg_max + 1` bins.
    pub reg_max: u32,
    /// Whether class outputs are scores already.
    pub class_activation: ClassActivation,
    /// Where in its cell a box's centre lies, in strides: 0.5 (the middle) or 0 (the top left
    /// corner), as the model was trained.
    pub cell_offset: f32,
    /// Class names in the order of the class outputs.
    pub labels: ModelLabels,
    /// Mean average precision on COCO pictures in percent, as `edgecam-model accuracy` measures it;
    /// absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coco_map: Option<f32>,
}

/// A file of a model: how it is called here, where it comes from, and what it must hash to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// File name in a models folder; no path.
    pub file: String,
    /// Where upstream has it; nowhere, if the file comes with the firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 of the whole file, 64 lower case hexadecimal digits.
    pub sha256: String,
}

/// Architecture of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelFamily {
    /// NanoDet.
    Nanodet,
    /// NanoDet-Plus.
    NanodetPlus,
}

/// What a model is fed: `(pixel - mean) * norm`, per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelInput {
    /// Name of the input blob.
    pub blob: String,
    /// Width in pixels, a multiple of 32. With `letterbox` the most, not always the whole.
    pub width: u32,
    /// Height in pixels, a multiple of 32. With `letterbox` the most, not always the whole.
    pub height: u32,
    /// How a picture of another shape is made to fit.
    pub fit: Fit,
    /// Order of the colour channels.
    pub channels: ChannelOrder,
    /// Subtracted from each channel, in the order of `channels`, in 0..=255.
    pub mean: [f32; 3],
    /// Multiplied with each channel after the mean is gone, in the order of `channels`.
    pub norm: [f32; 3],
}

/// How a picture of another shape is made to fit a model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scaled to the input's width and height, whatever that does to its shape.
    Stretch,
    /// Scaled to fit inside with its shape kept, then padded with black on both sides to the next
    /// multiples of 32.
    Letterbox,
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV reads pictures.
    Bgr,
}

/// Whether class outputs are scores already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassActivation {
    /// The network ends in a sigmoid: outputs are scores in 0..=1.
    SigmoidApplied,
    /// Outputs are logits: a sigmoid makes scores of them.
    Logits,
}

/// The outputs of one stride.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "a head is { stride, scores, distances } or { stride, combined }, with names of blobs"
)]
pub enum ModelHead {
    /// Scores and distances in blobs of their own.
    Split(SplitHead),
    /// Both in one blob.
    Combined(CombinedHead),
}

/// A head whose scores and distances are blobs of their own: a row a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitHead {
    /// Pixels of the input that a cell stands for, in both directions.
    pub stride: u32,
    /// Blob of class outputs: cells × classes.
    pub scores: String,
    /// Blob of distances: cells × 4 sides (left, top, right, bottom) × `reg_max + 1` bins.
    pub distances: String,
}

/// A head with one blob: a plane a channel, first the classes, then 4 sides × `reg_max + 1` bins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CombinedHead {
    /// Pixels of the input that a cell stands for, in both directions.
    pub stride: u32,
    /// The blob.
    pub combined: String,
}

impl ModelHead {
    /// Pixels of the input that a cell stands for, in both directions.
    pub fn stride(&self) -> u32 {
        match self {
            Self::Split(head) => head.stride,
            Self::Combined(head) => head.stride,
        }
    }

    /// Names of the blobs that the head is read from.
    pub fn blobs(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Split(head) => (head.scores.as_str(), Some(head.distances.as_str())),
            Self::Combined(head) => (head.combined.as_str(), None),
        };
        std::iter::once(first).chain(second)
    }
}

/// Class names in the order of the class outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "labels are the name of a set (\"coco80\") or a list of names")]
pub enum ModelLabels {
    /// A named set.
    Set(LabelSet),
    /// The names themselves, lower case with `_` for spaces.
    List(Vec<String>),
}

/// Named sets of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LabelSet {
    /// The 80 classes of COCO's detection task, in the order of their ids.
    Coco80,
}

impl ModelLabels {
    /// The names in the order of the class outputs.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Set(LabelSet::Coco80) => COCO80.iter().map(|&name| name.to_owned()).collect(),
            Self::List(names) => names.clone(),
        }
    }
}

/// COCO's 80 detection classes, lower case with `_` for spaces, in the order of their ids.
pub const COCO80: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic_light",
    "fire_hydrant",
    "stop_sign",
    "parking_meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports_ball",
    "kite",
    "baseball_bat",
    "baseball_glove",
    "skateboard",
    "surfboard",
    "tennis_racket",
    "bottle",
    "wine_glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot_dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted_plant",
    "bed",
    "dining_table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell_phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy_bear",
    "hair_drier",
    "toothbrush",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
        "name": "m", "title": "M", "family": "nanodet-plus", "licence": "Apache-2.0",
        "source": "a/b@c",
        "param": { "file": "m.param", "url": "https://x/m.param", "sha256": "00" },
        "bin": { "file": "m.bin", "url": "https://x/m.bin", "sha256": "00" },
        "input": {
            "blob": "in0", "width": 320, "height": 320, "fit": "letterbox", "channels": "bgr",
            "mean": [103.53, 116.28, 123.675], "norm": [0.017429, 0.017507, 0.017125]
        },
        "heads": [
            { "stride": 8, "combined": "231" },
            { "stride": 16, "scores": "s", "distances": "d" }
        ],
        "reg_max": 7, "class_activation": "logits", "cell_offset": 0.0, "labels": "coco80"
    }"#;

    #[test]
    fn a_manifest_goes_through_json_unchanged() {
        let manifest: ModelManifest = serde_json::from_str(MANIFEST).unwrap();
        let back = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<ModelManifest>(&back).unwrap(), manifest);
        assert_eq!(manifest.family, ModelFamily::NanodetPlus);
        assert_eq!(manifest.labels.names()[9], "traffic_light");
        let blobs: Vec<_> = manifest.heads.iter().flat_map(ModelHead::blobs).collect();
        assert_eq!(blobs, ["231", "s", "d"]);
        assert_eq!(manifest.heads[1].stride(), 16);
    }

    #[test]
    fn a_head_that_is_neither_split_nor_combined_is_refused_with_both_shapes() {
        for head in [
            r#"{ "stride": 8 }"#,
            r#"{ "stride": 8, "scores": "s" }"#,
            r#"{ "combined": "c" }"#,
            r#"{ "stride": 8, "combined": "c", "scores": "s" }"#,
        ] {
            let error = serde_json::from_str::<ModelHead>(head).unwrap_err().to_string();
            assert!(
                error.contains("{ stride, scores, distances } or { stride, combined }"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let text = MANIFEST.replacen("\"title\"", "\"titel\"", 1);
        let error = serde_json::from_str::<ModelManifest>(&text).unwrap_err().to_string();
        assert!(error.contains("unknown field `titel`"), "{error}");
    }

    #[test]
    fn coco_labels_are_80_different_names_without_spaces() {
        let mut names = COCO80.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 80);
        assert!(names.iter().all(|n| n.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
    }
}
