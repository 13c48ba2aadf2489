//! From a frame to boxes: model files and their manifest, pre-processing, decoding, suppression and
//! filters. Knows nothing of where frames come from or what follows from boxes; downloads nothing.
//!
//! | module | owns |
//! |---|---|
//! | [`locate`] | where the files of a model are |
//! | [`model`] | whether the files fit the manifest; the loaded network |
//! | `precision` | number formats, and which this CPU is best at |
//! | [`preprocess`] | a frame → the network's input |
//! | `resample` | interpolated samples of a frame (pure) |
//! | `colour` | what they are in the network's input (pure) |
//! | [`decode`] | the network's outputs → boxes with class and score (pure) |
//! | [`nms`] | of overlapping boxes the best (pure) |
//! | [`filter`] | what of it counts: [`domain::DetectionParams`], compiled (pure) |
//! | [`detector`] | all of it in a row |
//! | [`benchmark`] | which model and how many threads a device does best with |
//! | [`quantize`] | a floating-point model → one in 8-bit integers |
//! | [`tiling`] | several looks at one picture: their tiles, and one list of what they found (pure) |
//! | [`tiled`] | the detector behind a view: a part of the picture, in one look or several |
//!
//! Order of a frame, which is the meaning of the parameters: scores are held against the thresholds
//! of their classes; boxes against everything that asks for size and shape; the best `top_k` go into
//! suppression; then the limits by class and size, then the limit of the frame. So a box that does
//! not count suppresses none that does.

pub mod benchmark;
mod colour;
pub mod decode;
pub mod detector;
mod error;
pub mod filter;
pub mod locate;
pub mod model;
pub mod nms;
mod precision;
pub mod preprocess;
pub mod quantize;
mod resample;
pub mod tiled;
pub mod tiling;

pub use detector::{Detector, Found};
pub use error::Error;
pub use filter::{Filter, ParamsError, ParamsProblem};
pub use locate::ModelFiles;
pub use manifest;
pub use model::DetectorOptions;
pub use precision::{Precision, UnknownPrecision};
pub use tiled::TiledDetector;
