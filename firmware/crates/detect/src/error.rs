//! Why there is no detector, or no answer from it. Each error is one sentence that says what does
//! not fit: where, what was expected, what was found.

use std::path::PathBuf;

use base::error::{ErrorKind, Kind};
use domain::{BBox, PixelFormat, Size};
use manifest::ManifestError;

use crate::quantize::QuantizeError;

/// Why there is no detector, or no answer from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the model cannot be read.
    #[error("reading {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("writing {}", path.display())]
    WriteFile {
        /// The file, or the folder for it.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A model cannot be quantized.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// A manifest cannot be taken.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A model's file is in none of the folders.
    #[error("model {name} needs {file}, which is in none of {}", list(dirs))]
    Missing {
        /// Name of the model.
        name: String,
        /// The file.
        file: String,
        /// Folders looked through.
        dirs: Vec<PathBuf>,
    },
    /// A file is not what its manifest says.
    #[error("{file} does not fit the manifest of {name}: expected {expected}, found {found}")]
    Misfit {
        /// Name of the model.
        name: String,
        /// The file.
        file: String,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The network cannot be loaded or run.
    #[error("running the network of {name}")]
    Network {
        /// Name of the model.
        name: String,
        /// Why.
        #[source]
        source: ncnn::Error,
    },
    /// A frame's buffer does not have the length of its picture.
    #[error("a {format:?} frame of {size} takes {expected} bytes, not {found}")]
    FrameBytes {
        /// Its format.
        format: PixelFormat,
        /// Its size.
        size: Size,
        /// Bytes that it takes.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// There is nothing to look at.
    #[error("a frame of {size} has nothing in the part {region:?}")]
    Region {
        /// The frame's size.
        size: Size,
        /// The part, in shares of it.
        region: BBox,
    },
    /// A frame cannot be made into the network's input.
    #[error("making the network's input of a frame of {size}")]
    Preprocess {
        /// Its size.
        size: Size,
        /// Why.
        #[source]
        source: ncnn::Error,
    },
}

impl Kind for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ReadFile { .. }
            | Self::WriteFile { .. }
            | Self::Manifest(ManifestError::Read { .. }) => ErrorKind::Unavailable,
            Self::Missing { .. } => ErrorKind::NotFound,
            Self::Manifest(ManifestError::Syntax { .. } | ManifestError::Contradiction { .. })
            | Self::FrameBytes { .. }
            | Self::Region { .. } => ErrorKind::InvalidArgument,
            Self::Misfit { .. } | Self::Quantize(_) => ErrorKind::FailedPrecondition,
            Self::Preprocess { .. } | Self::Network { .. } => ErrorKind::Internal,
        }
    }
}

fn list(dirs: &[PathBuf]) -> String {
    if dirs.is_empty() {
        return "no folders at all".to_owned();
    }
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}
