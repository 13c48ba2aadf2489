//! Whether a model's files fit its manifest; the loaded network. Files pass here whole or not at all:
//! by hash, by the names in the structure, by the shapes that a run on a black picture gives.

use std::path::Path;

use api::manifest::{ModelFile, ModelHead, ModelManifest};
use domain::Labels;
use ncnn::{Extractor, Mat, Net, Opt, Output, Param};
use sha2::{Digest, Sha256};

use crate::decode::{Grid, HeadValues, Values};
use crate::precision::Precision;
use crate::{Error, ModelFiles, manifest};

/// How a detector computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorOptions {
    /// Threads of one inference, 1..=64, the calling one included.
    pub threads: u32,
    /// Number format of the network's insides.
    pub precision: Precision,
}

impl Default for DetectorOptions {
    fn default() -> Self {
        Self { threads: 1, precision: Precision::default() }
    }
}

impl DetectorOptions {
    /// The same in ncnn's words.
    pub fn to_ncnn(self) -> Opt {
        let precision = self.precision.resolved();
        let (half, bfloat) = (precision == Precision::Half, precision == Precision::Bfloat);
        Opt {
            threads: self.threads,
            fp16_packed: half,
            fp16_storage: half,
            fp16_arithmetic: half,
            bf16_packed: bfloat,
            bf16_storage: bfloat,
            pools: true,
            ..Opt::default()
        }
    }
}

/// A network that fits its manifest.
#[derive(Debug)]
pub struct Model {
    manifest: ModelManifest,
    labels: Labels,
    net: Net,
}

impl Model {
    /// Loads `files` as the model that `manifest` describes.
    ///
    /// # Errors
    /// [`Error::Manifest`] and [`Error::ReadFile`]; [`Error::Misfit`] for a file that is not
    /// what the manifest says, with what was expected and found; [`Error::Network`].
    pub fn load(
        manifest: &ModelManifest,
        files: &ModelFiles,
        options: DetectorOptions,
    ) -> Result<Self, Error> {
        manifest::check(manifest)?;
        let param = read(manifest, &manifest.param, &files.param)?;
        let bin = read(manifest, &manifest.bin, &files.bin)?;
        let text = String::from_utf8_lossy(&param);
        check_names(manifest, &text)?;
        let net = Net::from_memory(&text, &bin, &options.to_ncnn())
            .map_err(|source| network(manifest, source))?;
        let labels = Labels::new(manifest.labels.names());
        let model = Self { manifest: manifest.clone(), labels, net };
        model.check_shapes()?;
        Ok(model)
    }

    /// What the model is.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
    }

    /// Its class names, in the order of its outputs.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Bins of each side's distribution.
    pub fn bins(&self) -> usize {
        self.manifest.reg_max as usize + 1
    }

    /// Starts a run of the network on `input`. Nothing is computed yet.
    ///
    /// # Errors
    /// [`Error::Network`].
    pub fn start<'a>(&'a self, input: &'a Mat) -> Result<Run<'a>, Error> {
        let start = || {
            let mut extractor = self.net.extractor()?;
            extractor.input(&self.manifest.input.blob, input)?;
            Ok(extractor)
        };
        let extractor = start().map_err(|source| network(&self.manifest, source))?;
        Ok(Run { model: self, extractor, size: (input.width() as u32, input.height() as u32) })
    }

    fn check_shapes(&self) -> Result<(), Error> {
        let input = &self.manifest.input;
        let black = Mat::filled(input.width as usize, input.height as usize, 3, 0.0)
            .map_err(|source| network(&self.manifest, source))?;
        let mut run = self.start(&black)?;
        self.manifest.heads.iter().try_for_each(|head| run.head(head).map(|_| ()))
    }

    /// Whether `output` has the shape that `head` needs on `grid`.
    fn check_shape(
        &self,
        head: &ModelHead,
        output: &HeadOutput<'_>,
        grid: Grid,
    ) -> Result<(), Error> {
        let (classes, sides) = (self.labels.names().len(), 4 * self.bins());
        let rows = |channels: usize| (2, channels, grid.cells(), 1);
        let shape = |o: &Output<'_>| (o.dims(), o.width(), o.height(), o.channels());
        let pairs = match output {
            HeadOutput::Split { scores, distances } => [
                Some((shape(scores), rows(classes), "class scores")),
                Some((shape(distances), rows(sides), "distance bins")),
            ],
            HeadOutput::Combined(both) => [
                Some((
                    shape(both),
                    (3, grid.columns, grid.rows, classes + sides),
                    "class scores and distance bins",
                )),
                None,
            ],
        };
        for ((found, expected, what), blob) in pairs.into_iter().flatten().zip(head.blobs()) {
            if found != expected {
                let channels = |shape: (usize, usize, usize, usize)| match shape {
                    (2, width, height, _) => format!("{width} for each of {height} cells"),
                    (3, width, height, channels) => {
                        format!("{channels} for each of {width}x{height} cells")
                    }
                    (dims, ..) => format!("a blob of {dims} dimensions"),
                };
                let stride = head.stride();
                return Err(misfit(
                    &self.manifest,
                    &self.manifest.param,
                    format!("{what} of stride {stride} in blob {blob:?}: {}", channels(expected)),
                    channels(found),
                ));
            }
        }
        Ok(())
    }
}

/// One run of a network.
#[derive(Debug)]
pub struct Run<'a> {
    model: &'a Model,
    extractor: Extractor<'a>,
    /// Width and height of the input, in pixels.
    size: (u32, u32),
}

impl<'a> Run<'a> {
    /// Computes what `head` puts out, with the grid that it is for. The first head that is asked for
    /// costs most of the network's time: the others share nearly all of it.
    ///
    /// # Errors
    /// [`Error::Network`]; [`Error::Misfit`] for an output of another shape than the manifest's.
    pub fn head(&mut self, head: &ModelHead) -> Result<(HeadOutput<'a>, Grid), Error> {
        let extractor = &mut self.extractor;
        let output = match head {
            ModelHead::Split(head) => extractor.extract(&head.scores).and_then(|scores| {
                let distances = extractor.extract(&head.distances)?;
                Ok(HeadOutput::Split { scores, distances })
            }),
            ModelHead::Combined(head) => {
                extractor.extract(&head.combined).map(HeadOutput::Combined)
            }
        };
        let output = output.map_err(|source| network(&self.model.manifest, source))?;
        let (width, height) = self.size;
        let grid = Grid::new(head.stride(), width, height);
        self.model.check_shape(head, &output, grid)?;
        Ok((output, grid))
    }
}

/// What a head put out.
#[derive(Debug)]
pub enum HeadOutput<'a> {
    /// Two blobs, a row a cell.
    Split {
        /// Class outputs.
        scores: Output<'a>,
        /// Distances.
        distances: Output<'a>,
    },
    /// One blob, a plane a channel.
    Combined(Output<'a>),
}

impl HeadOutput<'_> {
    /// Hands the values, whose shape must have been checked, to `reader`.
    pub fn read<R>(&self, classes: usize, reader: impl FnOnce(&HeadValues<'_>) -> R) -> R {
        match self {
            Self::Split { scores, distances } => {
                let rows = |o| Values::ByCell { data: Output::channel(o, 0), channels: o.width() };
                let (scores, distances) = (rows(scores), rows(distances));
                reader(&HeadValues { scores, distances, first_bin: 0 })
            }
            Self::Combined(both) => {
                let plane = |channel| both.channel(channel);
                let values = Values::ByChannel(&plane);
                reader(&HeadValues { scores: values, distances: values, first_bin: classes })
            }
        }
    }
}

/// The bytes of `path`, if they are what the manifest promises.
pub(crate) fn read(
    manifest: &ModelManifest,
    file: &ModelFile,
    path: &Path,
) -> Result<Vec<u8>, Error> {
    let bytes =
        std::fs::read(path).map_err(|source| Error::ReadFile { path: path.to_owned(), source })?;
    let hash = sha256(&bytes);
    if hash != file.sha256 {
        let found = format!("{hash} ({} bytes)", bytes.len());
        return Err(misfit(manifest, file, format!("SHA-256 {}", file.sha256), found));
    }
    Ok(bytes)
}

/// The SHA-256 of `bytes` as a manifest writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the structure has every blob that the manifest names.
fn check_names(manifest: &ModelManifest, text: &str) -> Result<(), Error> {
    let misfit =
        |expected: String, found: String| Err(misfit(manifest, &manifest.param, expected, found));
    let param = match Param::parse(text) {
        Ok(param) => param,
        Err(error) => return misfit("a network's structure".to_owned(), format!("none ({error})")),
    };
    let input = &manifest.input.blob;
    match param.inputs() {
        [only] if only.name == *input => {
            if let Some(channels) = only.channels
                && channels != 3
            {
                let expected = format!("an input {input:?} of 3 channels");
                return misfit(expected, format!("{channels} channels"));
            }
        }
        inputs => {
            let names: Vec<_> = inputs.iter().map(|input| &input.name).collect();
            return misfit(format!("one input {input:?}"), format!("inputs {names:?}"));
        }
    }
    for head in &manifest.heads {
        if let Some(blob) = head.blobs().find(|blob| !param.has_blob(blob)) {
            let expected = format!("a blob {blob:?} for the head of stride {}", head.stride());
            return misfit(expected, format!("none, with the outputs {:?}", param.outputs()));
        }
    }
    Ok(())
}

fn misfit(manifest: &ModelManifest, file: &ModelFile, expected: String, found: String) -> Error {
    Error::Misfit { name: manifest.name.clone(), file: file.file.clone(), expected, found }
}

fn network(manifest: &ModelManifest, source: ncnn::Error) -> Error {
    Error::Network { name: manifest.name.clone(), source }
}
