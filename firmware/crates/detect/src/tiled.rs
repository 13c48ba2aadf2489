//! The detector behind a view: a part of the picture, in one look or in several, as one list of boxes.

use std::time::{Duration, Instant};

use domain::{DetectionParams, Frame, Tiling, View};

use crate::tiling::{self, Piece};
use crate::{Detector, Error, Found, ParamsError};

/// Finds objects in what a [`View`] shows of frames.
#[derive(Debug)]
pub struct TiledDetector {
    detector: Detector,
    view: View,
    /// Working memory, so that a frame allocates nothing.
    pieces: Vec<Piece>,
    found: Found,
}

impl TiledDetector {
    /// `detector`, which looks at the whole picture until a view is set.
    pub fn new(detector: Detector) -> Self {
        let (view, found) = Default::default();
        Self { detector, view, pieces: Vec::new(), found }
    }

    /// What is looked at from the next frame on.
    pub fn set_view(&mut self, view: View) {
        self.view = view;
    }

    /// What counts as found, as [`Detector::set_params`]. With several tiles, the limits hold for each
    /// of them and for all together.
    ///
    /// # Errors
    /// As [`Detector::set_params`].
    pub fn set_params(&mut self, params: &DetectionParams) -> Result<(), ParamsError> {
        self.detector.set_params(params)
    }

    /// The detector that does the looking.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Finds what is in the view of `frame`; boxes are in shares of the whole picture, times are those
    /// of all looks together.
    ///
    /// # Errors
    /// As [`Detector::detect_in`].
    pub fn detect(&mut self, frame: &Frame) -> Result<&Found, Error> {
        if self.view.tiling == Tiling::Off {
            return self.detector.detect_in(frame, self.view.region);
        }
        self.pieces.clear();
        let mut times = [Duration::ZERO; 3];
        for (number, tile) in (0..).zip(tiling::tiles(&self.view, frame.source_size)) {
            let found = self.detector.detect_in(frame, tile)?;
            let region = self.view.region;
            let piece = |&detection| Piece::new(detection, number, tile, region);
            self.pieces.extend(found.detections.iter().map(piece));
            for (time, more) in times.iter_mut().zip([found.pre, found.infer, found.post]) {
                *time += more;
            }
        }
        let began = Instant::now();
        tiling::merge(&mut self.pieces);
        let Found { detections, pre, infer, post } = &mut self.found;
        detections.clear();
        detections.extend(self.pieces.iter().map(|piece| piece.detection));
        self.detector.filter().select(detections);
        [*pre, *infer, *post] = times;
        *post += began.elapsed();
        Ok(&self.found)
    }
}
