//! What can go wrong here, in sentences for the owner of the camera.

use base::error::{ErrorKind, Kind};

use crate::plan::PlanError;

/// A failure of the media path.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// GStreamer itself did not start.
    #[error("GStreamer does not start; is it installed whole?")]
    Init(#[source] gstreamer::glib::Error),
    /// The plan cannot be made for this camera on this board.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An element is not installed.
    #[error("GStreamer has no element `{element}`; install the package {package}")]
    MissingElement {
        /// Its factory.
        element: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// An element refused a property.
    #[error("element `{element}` does not take {property}={value}")]
    Property {
        /// Its name in the pipeline.
        element: String,
        /// The property.
        property: String,
        /// What it should have become.
        value: String,
    },
    /// Two elements do not fit together.
    #[error("element `{from}` does not link to `{to}`")]
    Link {
        /// Upstream.
        from: String,
        /// Downstream.
        to: String,
    },
    /// A thread did not start.
    #[error("no thread for {0}")]
    Thread(&'static str, #[source] std::io::Error),
    /// There is no picture yet.
    #[error("the camera has no picture yet")]
    NoPicture,
    /// The picture could not be made a JPEG.
    #[error("the picture could not be made a JPEG: {0}")]
    Snapshot(String),
    /// The pipeline is not up, so that this cannot be done now.
    #[error("the pipeline is not running")]
    NotRunning,
}

impl Kind for MediaError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Plan(_) | Self::MissingElement { .. } => ErrorKind::FailedPrecondition,
            Self::NoPicture | Self::NotRunning => ErrorKind::Unavailable,
            Self::Thread(..) => ErrorKind::ResourceExhausted,
            Self::Init(_) | Self::Property { .. } | Self::Link { .. } | Self::Snapshot(_) => {
                ErrorKind::Internal
            }
        }
    }
}
