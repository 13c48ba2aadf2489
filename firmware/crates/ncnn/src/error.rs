//! What can go wrong between a model file and an output.

use std::path::PathBuf;

use crate::param::ParamError;

/// Why ncnn was not asked, or what it answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model file cannot be read.
    #[error("reading {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The structure is not one that ncnn can be trusted with.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// ncnn does not take the structure.
    #[error(
        "ncnn refuses the structure (code {code}): a layer of a kind that it lacks, or with parameters that it cannot read"
    )]
    LoadParam {
        /// What ncnn returned.
        code: i32,
    },
    /// The weights end before the structure is filled.
    #[error("the weights are too short for the structure: {len} bytes are not enough")]
    WeightsTooShort {
        /// Bytes that there are.
        len: usize,
    },
    /// Weights are left over when the structure is filled.
    #[error("the weights are too long for the structure: it takes {taken} of {len} bytes")]
    WeightsTooLong {
        /// Bytes that the structure takes.
        taken: usize,
        /// Bytes that there are.
        len: usize,
    },
    /// ncnn does not take the weights.
    #[error("ncnn refuses the weights (code {code})")]
    LoadWeights {
        /// What ncnn returned.
        code: i32,
    },
    /// The net has no blob of that name.
    #[error("the net has no blob {name:?}; its inputs are {inputs:?}, its outputs {outputs:?}")]
    UnknownBlob {
        /// The name.
        name: String,
        /// The net's inputs.
        inputs: Vec<String>,
        /// The net's outputs.
        outputs: Vec<String>,
    },
    /// The blob exists but is not where a net is fed.
    #[error("blob {name:?} is not an input of the net; its inputs are {inputs:?}")]
    NotAnInput {
        /// The name.
        name: String,
        /// The net's inputs.
        inputs: Vec<String>,
    },
    /// An input has another number of channels than the layer behind it.
    #[error("input {name:?} takes {expected} channels, not {found}")]
    InputChannels {
        /// The input.
        name: String,
        /// Channels that the layer behind it takes.
        expected: usize,
        /// Channels of the Mat.
        found: usize,
    },
    /// Something was extracted before all inputs were given.
    #[error("input {name:?} is not given yet")]
    MissingInput {
        /// The input.
        name: String,
    },
    /// ncnn could not compute a blob.
    #[error("ncnn cannot compute blob {name:?} (code {code})")]
    Extract {
        /// The blob.
        name: String,
        /// What ncnn returned.
        code: i32,
    },
    /// A blob is not made of plain 32-bit floats.
    #[error("blob {name:?} has elements of {element_bytes} bytes in packs of {pack}, not floats")]
    NotFloats {
        /// The blob.
        name: String,
        /// Bytes of an element.
        element_bytes: usize,
        /// Elements packed together.
        pack: i32,
    },
    /// A pixel buffer does not have the length of its picture.
    #[error(
        "a picture of {width}x{height} with 3 bytes a pixel takes {expected} bytes, not {found}"
    )]
    PixelBytes {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes that it takes.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// A size that ncnn cannot work with.
    #[error("{what} of {width}x{height} is outside {min}x{min} to {max}x{max}", max = crate::mat::MAX_SIDE)]
    Size {
        /// What has the size.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Least of each side.
        min: usize,
    },
    /// As many values are needed as the Mat has channels.
    #[error("{found} values for {channels} channels")]
    ChannelValues {
        /// Channels of the Mat.
        channels: usize,
        /// Values given.
        found: usize,
    },
    /// ncnn could not allocate.
    #[error("no memory for {what}")]
    OutOfMemory {
        /// What it was for.
        what: &'static str,
    },
}
