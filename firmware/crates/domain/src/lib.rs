//! What a camera means: geometry, frames, detections, tracks, zones, lines, rules.
//!
//! Pure: no IO, no clock, no serde, nothing of ours imported. Time comes in as a monotonic
//! [`std::time::Duration`]; boxes and points are shares of the picture (0..1), so that nothing
//! here depends on a resolution.
//!
//! | module | owns |
//! |---|---|
//! | [`geometry`] | sizes, points, boxes and their overlap |
//! | [`frame`] | a picture in memory with its format and its times |
//! | [`detection`] | what a detector found, and the parameters that decide what counts |

pub mod detection;
pub mod frame;
pub mod geometry;

pub use detection::{ClassId, Detection, DetectionParams, Labels};
pub use frame::{Frame, PixelFormat};
pub use geometry::{BBox, Point, Size};
