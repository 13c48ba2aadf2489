//! A camera's configuration and a board → the elements to make. Pure: a value that is compared
//! with goldens, and shown in the API as text.

mod encoder;
mod source;
mod spec;

use std::fmt;

use config::CameraConfig;
use domain::Size;

pub(crate) use encoder::{key_frame_period, v4l2_controls};
pub use source::{LowResStream, SourceKind};
pub use spec::ElementSpec;

use crate::board::{Board, BoardKind, package_of};
use crate::event::EncoderRung;

/// Raw frames that may wait for the encoder; the oldest is dropped first, so that an encoder that
/// is too slow costs frames and not delay.
const ENCODER_QUEUE: u32 = 3;

/// Which frames the detector needs where the camera's hardware can scale; where it cannot, the tap
/// takes the pictures as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapFit {
    /// Whole pictures in full size, for who looks at parts of them.
    Full,
    /// As large as fits into this size with the picture's aspect kept.
    Keep(Size),
    /// Exactly this size.
    Stretch(Size),
}

impl TapFit {
    /// Size of the frame to be had of a picture of `source` size; scaled ones are even, at least 2×2.
    pub fn size_for(self, source: Size) -> Size {
        let (fit, keep) = match self {
            Self::Full => return source,
            Self::Keep(size) => (size, true),
            Self::Stretch(size) => (size, false),
        };
        if !keep || source.area() == 0 {
            return fit;
        }
        let scale = (f64::from(fit.width) / f64::from(source.width))
            .min(f64::from(fit.height) / f64::from(source.height));
        let even = |side: u32, limit: u32| {
            let scaled = (f64::from(side) * scale / 2.0).round() as u32 * 2;
            scaled.clamp(2, limit.max(2))
        };
        Size::new(even(source.width, fit.width), even(source.height, fit.height))
    }
}

/// How fast frames of a clip or of the scene go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At the rate that they were made for.
    RealTime,
    /// As fast as the encoder takes them, none dropped: for measurements.
    Free,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// An element is not installed.
    #[error("GStreamer has no element `{element}`; install the package {package}")]
    MissingElement {
        /// Its factory.
        element: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// No rung of the ladder can be tried.
    #[error("there is no H.264 encoder to use: {0}")]
    NoEncoder(String),
}

/// What to make when a rung is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RungPlan {
    /// The rung.
    pub rung: EncoderRung,
    /// From the source to raw frames: one bin, made anew for each pass of a looped clip.
    pub source: Vec<ElementSpec>,
    /// Holds frames back until they are due; `None` where the source is live.
    pub pace: Option<ElementSpec>,
    /// From raw frames to H.264. The overlay is drawn on what leaves the first of these, a queue.
    pub encode: Vec<ElementSpec>,
}

/// A rung that cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRung {
    /// The rung.
    pub rung: EncoderRung,
    /// Why, for the owner.
    pub reason: String,
}

/// The elements to make for a camera on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelinePlan {
    /// The board it was made for.
    pub board: BoardKind,
    /// What drives the frames.
    pub source: SourceKind,
    /// Rungs to try, best first; at least one.
    pub rungs: Vec<RungPlan>,
    /// Rungs that cannot be tried.
    pub missing: Vec<MissingRung>,
    /// Which frames are tapped, also while the camera does not detect: that may change as it runs, and
    /// a frame that nobody wants costs nothing.
    pub tap: TapFit,
    /// The camera's own small stream for the tap; else the tap takes the pictures themselves.
    pub low_res: Option<LowResStream>,
}

impl PipelinePlan {
    /// The plan for `camera` on `board`.
    ///
    /// # Errors
    /// When an element is missing that no other can stand in for.
    pub fn choose(
        camera: &CameraConfig,
        board: &Board,
        tap: TapFit,
        pace: Pace,
    ) -> Result<Self, PlanError> {
        let (mut rungs, mut missing) = (Vec::new(), Vec::new());
        for rung in encoder::LADDER {
            match encoder::check(rung, camera, board) {
                Ok(()) => rungs.push(rung_plan(rung, camera, pace)),
                Err(reason) => missing.push(MissingRung { rung, reason }),
            }
        }
        if rungs.is_empty() {
            let reasons = missing.iter().map(|m| format!("{}: {}", m.rung, m.reason));
            return Err(PlanError::NoEncoder(reasons.collect::<Vec<_>>().join("; ")));
        }
        let low_res = source::low_res(camera, board, tap);
        let source = SourceKind::of(camera);
        let plan = Self { board: board.kind, source, rungs, missing, tap, low_res };
        plan.check_elements(board)?;
        Ok(plan)
    }

    fn check_elements(&self, board: &Board) -> Result<(), PlanError> {
        let low_res = self.low_res.iter().flat_map(|stream| &stream.elements);
        let rungs = self.rungs.iter().flat_map(RungPlan::elements);
        match rungs.chain(low_res).find(|element| !board.has(element.factory)) {
            None => Ok(()),
            Some(ElementSpec { factory, .. }) => {
                Err(PlanError::MissingElement { element: factory, package: package_of(factory) })
            }
        }
    }
}

fn rung_plan(rung: EncoderRung, camera: &CameraConfig, pace: Pace) -> RungPlan {
    let queue = ElementSpec::new("queue", "encoder-queue")
        .with("max-size-buffers", ENCODER_QUEUE)
        .with("max-size-bytes", 0)
        .with("max-size-time", 0)
        .with("leaky", if pace == Pace::Free { "no" } else { "downstream" });
    let mut encode = vec![queue];
    encode.extend(encoder::elements(
        rung,
        camera,
        camera.encoder.bitrate_kbps,
        encoder::software_threads(),
    ));
    let source = source::elements(camera, &encoder::needs(rung));
    RungPlan { rung, source, pace: source::pace(camera, pace), encode }
}

impl RungPlan {
    /// All elements, source first.
    pub fn elements(&self) -> impl Iterator<Item = &ElementSpec> {
        self.source.iter().chain(&self.pace).chain(&self.encode)
    }
}

impl fmt::Display for RungPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.elements().try_for_each(|element| writeln!(f, "  {element}"))
    }
}

impl fmt::Display for PipelinePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "board {}", self.board)?;
        writeln!(f, "source {:?}", self.source)?;
        writeln!(f, "tap {:?}", self.tap)?;
        if let Some(stream) = &self.low_res {
            writeln!(f, "low-resolution stream")?;
            stream.elements.iter().try_for_each(|element| writeln!(f, "  {element}"))?;
        }
        for rung in &self.rungs {
            write!(f, "rung {}\n{rung}", rung.rung)?;
        }
        self.missing.iter().try_for_each(|m| writeln!(f, "no rung {}: {}", m.rung, m.reason))
    }
}
