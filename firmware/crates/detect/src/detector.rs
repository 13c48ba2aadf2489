//! A frame → what is in it: pre-processing, the network, decoding, filters, in a row and timed.

use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use domain::{BBox, ClassId, Detection, DetectionParams, Frame, Labels};

use crate::decode::{Decoder, Reading};
use crate::model::{DetectorOptions, Model};
use crate::preprocess::Preprocessor;
use crate::{Error, Filter, ModelFiles, ParamsError};

/// Finds objects in frames. One thread uses it at a time; it starts with
/// [`Filter::open`] until parameters are set.
#[derive(Debug)]
pub struct Detector {
    model: Model,
    preprocessor: Preprocessor,
    reading: Reading,
    filter: Filter,
    decoder: Decoder,
    /// What was found last: working memory, so that a frame allocates nothing.
    found: Found,
}

/// What was found in a frame, and what it took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Best first.
    pub detections: Vec<Detection>,
    /// Time from frame to network input.
    pub pre: Duration,
    /// Time in the network.
    pub infer: Duration,
    /// Time from outputs to detections.
    pub post: Duration,
}

impl Detector {
    /// Loads the model that `manifest` describes from `files`, checked against each other.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(
        manifest: &ModelManifest,
        files: &ModelFiles,
        options: DetectorOptions,
    ) -> Result<Self, Error> {
        let model = Model::load(manifest, files, options)?;
        let reading = Reading {
            activation: manifest.class_activation,
            cell_offset: manifest.cell_offset,
            bins: model.bins(),
        };
        Ok(Self {
            preprocessor: Preprocessor::new(manifest.input.clone()),
            reading,
            filter: Filter::open(model.labels()),
            decoder: Decoder::default(),
            found: Found::default(),
            model,
        })
    }

    /// What counts as found, from the next frame on. Parameters that do not fit change nothing.
    ///
    /// # Errors
    /// [`ParamsError`] with all that does not fit.
    pub fn set_params(&mut self, params: &DetectionParams) -> Result<(), ParamsError> {
        self.filter = Filter::compile(params, self.model.labels())?;
        Ok(())
    }

    /// What counts as found now.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What the model is.
    pub fn manifest(&self) -> &ModelManifest {
        self.model.manifest()
    }

    /// Class names, in the order of [`ClassId`].
    pub fn labels(&self) -> &Labels {
        self.model.labels()
    }

    /// Finds what is in `frame`, of any size and format.
    ///
    /// # Errors
    /// [`Error::FrameBytes`], [`Error::Region`] and [`Error::Preprocess`] for the frame, [`Error::Network`] and
    /// [`Error::Misfit`] for the model.
    pub fn detect(&mut self, frame: &Frame) -> Result<&Found, Error> {
        self.detect_in(frame, BBox::WHOLE)
    }

    /// Finds what is in the part `region` of `frame`, in shares of the picture: only that part is
    /// scaled into the network. Boxes are in shares of the whole picture, cut off at the part's edges.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    pub fn detect_in(&mut self, frame: &Frame, region: BBox) -> Result<&Found, Error> {
        let mut watch = Stopwatch::start();
        let (input, placement) = self.preprocessor.run(frame, region)?;
        let Found { detections, pre, infer, post } = &mut self.found;
        *pre = watch.lap();
        (*infer, *post) = (Duration::ZERO, Duration::ZERO);
        detections.clear();
        detections.reserve(self.filter.most_collected());
        let classes = self.model.labels().names().len();
        let filter = &self.filter;
        let mut run = self.model.start(input)?;
        for head in &self.model.manifest().heads {
            let (output, grid) = run.head(head)?;
            *infer += watch.lap();
            let sink = |seen: crate::decode::Seen| {
                let class = ClassId(u16::try_from(seen.class).unwrap_or(u16::MAX));
                let bbox = placement.to_picture(seen.corners);
                let detection = Detection { class, score: seen.score, bbox };
                if filter.admits(&detection, frame.source_size) {
                    filter.collect(detections, detection);
                }
            };
            output.read(classes, |values| {
                self.decoder.decode(values, grid, &self.reading, filter.thresholds(), sink);
            });
            *post += watch.lap();
        }
        drop(run);
        *infer += watch.lap();
        filter.select(detections);
        *post += watch.lap();
        Ok(&self.found)
    }
}

/// Measures one part after the other.
struct Stopwatch(Instant);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the last lap.
    fn lap(&mut self) -> Duration {
        let before = std::mem::replace(&mut self.0, Instant::now());
        self.0 - before
    }
}
