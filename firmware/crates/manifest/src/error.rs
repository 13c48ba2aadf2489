//! Why a manifest cannot be taken: one sentence that names the file or the model.

use std::path::PathBuf;

/// Why a manifest cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Its file cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or not what a manifest is made of.
    #[error("{origin} is not a model manifest: line {line}: {reason}")]
    Syntax {
        /// Name of the file.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What the reader says.
        reason: String,
    },
    /// What it says contradicts itself.
    #[error("the manifest of {name} does not hold together: {reason}")]
    Contradiction {
        /// Name of the model.
        name: String,
        /// What contradicts what.
        reason: String,
    },
}
