//! Post-training quantization: a floating-point ncnn model → one whose convolutions compute in 8-bit
//! integers, and what that costs. Knows nothing of detection but in [`package`]: pictures come as inputs
//! of the network.
//!
//! | module | owns |
//! |---|---|
//! | [`network`] | the model taken apart: layers, weights, who reads what |
//! | [`weights`] | the blocks of a `.bin` file |
//! | [`run`] | runs on the pictures |
//! | [`calibrate`] | what blobs hold on pictures → thresholds |
//! | [`histogram`], [`threshold`] | magnitudes of a blob → where to cut off (pure) |
//! | [`scales`] | weights → 8 bits (pure) |
//! | [`measure`], [`choose`] | errors → what stays in floating point (pure) |
//! | [`write`] | the quantized model's files |
//! | [`job`] | all of it in a row, with progress and a way to stop it |
//! | [`report`] | what was done |
//! | [`package`] | the quantized model with its manifest in a folder, checked as a camera would |

mod calibrate;
mod choose;
mod error;
pub mod histogram;
mod job;
mod measure;
mod network;
pub mod package;
mod report;
mod run;
mod scales;
pub mod threshold;
mod weights;
mod write;

pub use error::QuantizeError;
pub use job::{Options, Progress, Quantized, Quantizer, Stage};
pub use network::Network;
pub use report::{LayerReport, OutputReport, Report, State};
pub use threshold::Method;
