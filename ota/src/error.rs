//! Why RAUC could not be asked, or would not.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why RAUC could not be asked, or would not.
#[derive(Debug, thiserror::Error)]
pub enum RaucError {
    /// There is no message bus.
    #[error("there is no D-Bus system bus here")]
    NoBus(#[source] zbus::Error),
    /// Nobody on the bus has RAUC's name.
    #[error("RAUC is not there: {0}")]
    Absent(String),
    /// It is at something else.
    #[error("RAUC is busy with something else")]
    Busy,
    /// It did not answer in time.
    #[error("RAUC did not answer {what} within {} s", .within.as_secs_f32())]
    Late {
        /// What it was asked.
        what: &'static str,
        /// How long that may take.
        within: Duration,
    },
    /// It says why not.
    #[error("{0}")]
    Refused(String),
    /// The line to it broke, or it said what nobody understands.
    #[error("RAUC cannot be asked {what}")]
    Line {
        /// What it was asked.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<zbus::Error>,
    },
    /// It answered what makes no sense.
    #[error("RAUC's answer to {what} makes no sense: {why}")]
    Odd {
        /// What it was asked.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a file of an update's could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}", .path.display())]
pub struct FileError {
    /// What was tried, such as `writing`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}
