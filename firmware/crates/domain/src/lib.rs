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
//! | [`view`] | what part of the picture a detector looks at, and in how many pieces |
//! | [`motion`] | whether a frame shows anything new |
//! | [`track`] | one followed object, and what a step of the tracker yields |
//! | [`tracker`] | detections of frame after frame → tracks |
//! | [`outline`] | what is the outline of an area |
//! | [`zones`] | areas of the picture: shape, and the stay of an object in one |
//! | [`lines`] | lines across the picture: sides, and the crossing by an object |
//! | [`masks`] | privacy masks: areas that nobody gets to see |
//! | [`scope`] | whom a zone or line looks at, and when |
//! | [`schedule`] | weekly time windows in local time, which comes in as data |
//! | [`crowding`] | too many in a zone for too long |
//! | [`happening`] | what the rules report: happenings with their object, counts |
//! | [`rules`] | tracks → happenings |
//! | [`history`] | what was tracked, as a few bytes, and back |
//! | [`backtest`] | what other rules would have made of it |
//! | `association` | which track is which detection: linear assignment (private) |
//! | `span` | where the whole of a box lies when a part is seen, along one axis (private) |
//! | `leaving` | who leaves the picture, and what cannot be it any more (private) |
//! | `target` | motion, class votes and anchor of one followed object (private) |
//! | `object` | zones, ways past lines and reports of one object (private) |
//! | `exact` | points, segments and polygons without rounding (private) |

mod association;
pub mod backtest;
pub mod crowding;
pub mod detection;
mod exact;
pub mod frame;
pub mod geometry;
pub mod happening;
pub mod history;
mod leaving;
pub mod lines;
pub mod masks;
pub mod motion;
mod object;
pub mod outline;
pub mod rules;
pub mod schedule;
pub mod scope;
mod span;
mod target;
pub mod track;
pub mod tracker;
pub mod view;
pub mod zones;

pub use crowding::Crowding;
pub use detection::{ClassFilter, ClassId, Detection, DetectionParams, Labels};
pub use frame::{Colours, Frame, PixelFormat};
pub use geometry::{BBox, Point, Size};
pub use happening::{
    Counts, EndReason, Happening, HappeningKind, LineCount, ObjectSnapshot, ObjectZones, ZoneCount,
};
pub use lines::{Crossings, Direction, Line, LineError, LineId, LineTotals};
pub use masks::PrivacyMask;
pub use motion::{MotionGate, MotionParams};
pub use outline::OutlineError;
pub use rules::{RuleParams, Rules};
pub use schedule::{LocalClock, Schedule, WeekMinute};
pub use scope::{Scope, SizeRange};
pub use track::{Track, TrackId, TrackState, TrackUpdate, Velocity};
pub use tracker::{StationaryParams, Tracker, TrackerParams};
pub use view::{Tiling, View};
pub use zones::{Zone, ZoneError, ZoneId};
