//! What is drawn on the picture, in place on its luma and chroma planes: no colour conversion, so
//! that it costs the same on every encoder rung.
//!
//! [`canvas`] knows planes, [`paint`] what goes where; both work without GStreamer.

pub mod canvas;
mod glyphs;
pub(crate) mod hook;
pub mod paint;
pub mod palette;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{BBox, Line, TrackId, Velocity, Zone};

/// A box to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayBox {
    /// Where the object was at `at`, as shares of the picture.
    pub bbox: BBox,
    /// What it is.
    pub label: Arc<str>,
    /// How sure the detector is, 0..=1.
    pub score: f32,
    /// Its track.
    pub track: Option<TrackId>,
    /// Index of its class: chooses the colour.
    pub class: u16,
    /// How it moves: the box is drawn where it is expected at the frame's time.
    pub velocity: Velocity,
    /// `Frame::pts` of the frame that it was found in.
    pub at: Duration,
}

/// All that may be drawn; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverlayScene {
    /// Name of the camera.
    pub name: Arc<str>,
    /// Boxes of the tracked objects.
    pub boxes: Arc<[OverlayBox]>,
    /// Zones to outline.
    pub zones: Arc<[Zone]>,
    /// Lines to draw.
    pub lines: Arc<[Line]>,
}

/// Says what to draw from the next frame on; the newest wins. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct OverlayHandle(Arc<Mutex<OverlayScene>>);

impl OverlayHandle {
    /// Replaces everything.
    pub fn set(&self, scene: OverlayScene) {
        *self.lock() = scene;
    }

    /// Replaces the boxes only: once per detection.
    pub fn set_boxes(&self, boxes: Vec<OverlayBox>) {
        let boxes = boxes.into();
        self.lock().boxes = boxes;
    }

    /// Replaces all but the boxes: when the configuration changes.
    pub fn set_marks(&self, name: &str, zones: &[Zone], lines: &[Line]) {
        let (name, zones, lines) = (name.into(), zones.into(), lines.into());
        let mut scene = self.lock();
        scene.name = name;
        scene.zones = zones;
        scene.lines = lines;
    }

    /// What is drawn now.
    pub fn get(&self) -> OverlayScene {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, OverlayScene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
