//! Which machine this is, which GStreamer elements it has, and which video devices.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::MediaError;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKind {
    /// Raspberry Pi 4: hardware H.264 up to 1080p30.
    Rpi4,
    /// Raspberry Pi 5: no hardware H.264.
    Rpi5,
    /// Any other.
    Host,
}

/// What the plan must know about the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The machine.
    pub kind: BoardKind,
    /// Factories of the GStreamer elements that are installed, among those that a plan may name.
    pub elements: BTreeSet<String>,
    /// Video devices that are present.
    pub devices: BTreeSet<PathBuf>,
}

impl Board {
    /// Looks at this machine.
    ///
    /// # Errors
    /// When GStreamer does not start.
    pub fn detect() -> Result<Self, MediaError> {
        gstreamer::init().map_err(MediaError::Init)?;
        Ok(Self { kind: BoardKind::Host, elements: BTreeSet::new(), devices: BTreeSet::new() })
    }
}
