//! What a failure means for the owner of the camera: GStreamer's errors in the words of the source.

use std::time::Duration;

use config::Source;
use gstreamer as gst;
use gstreamer::prelude::*;

use crate::attempt::Outcome;

/// Where in the pipeline an error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Source,
    Encoder,
}

/// Knows the source by the name that the owner gave it.
#[derive(Debug)]
pub(crate) struct Blame(Source);

impl Blame {
    pub(crate) fn new(source: &Source) -> Self {
        Self(source.clone())
    }

    /// What can be said before anything is tried: `Err` with the reason when the source is absent.
    pub(crate) fn absent(&self) -> Result<(), String> {
        match &self.0 {
            Source::File { path, .. } if !path.exists() => {
                Err(self.with_remedy(&format!("there is no clip at {}", path.display())))
            }
            Source::V4l2 { device } if !device.exists() => {
                Err(self.with_remedy(&format!("there is no camera at {}", device.display())))
            }
            _ => Ok(()),
        }
    }

    /// What an error on the bus comes to.
    pub(crate) fn error(
        &self,
        error: &gst::message::Error,
        place: Place,
        had_frames: bool,
    ) -> Outcome {
        let element = error.src().map(|src| src.name().to_string()).unwrap_or_default();
        let details = error.debug().unwrap_or_default();
        tracing::debug!(element, error = %error.error(), %details, "error from GStreamer");
        let said = error.error().to_string();
        if place == Place::Encoder {
            return Outcome::RungFailed(format!("element `{element}`: {said}"));
        }
        let of_content = error.error().is::<gst::StreamError>();
        let said = said.trim_end_matches('.');
        match &self.0 {
            Source::File { path, .. } if of_content && !had_frames => {
                let reason = format!("{} is no video: {said}", path.display());
                Outcome::SourceUnusable(self.with_remedy(&reason))
            }
            _ => Outcome::SourceLost(self.with_remedy(&format!("{}: {said}", self.trouble()))),
        }
    }

    /// No frame came for `patience`.
    pub(crate) fn silent(&self, patience: Duration) -> Outcome {
        let reason = format!("{}: no picture in {} s", self.trouble(), patience.as_secs());
        Outcome::SourceLost(self.with_remedy(&reason))
    }

    /// The source ended its stream.
    pub(crate) fn hung_up(&self) -> Outcome {
        Outcome::SourceLost(format!("{}: it ended the stream", self.trouble()))
    }

    /// The source was read to its end without a frame.
    pub(crate) fn no_picture_in_it(&self) -> Outcome {
        Outcome::SourceUnusable(match &self.0 {
            Source::File { path, .. } => {
                self.with_remedy(&format!("{} is no video: it has no frames", path.display()))
            }
            _ => self.with_remedy(&self.trouble()),
        })
    }

    /// `reason`, and what its reader can do about it.
    fn with_remedy(&self, reason: &str) -> String {
        const ANOTHER: &str = "or name another source with `cameras.<id>.source` or --source";
        match &self.0 {
            Source::Scene { .. } => reason.to_owned(),
            Source::File { .. } => format!("{reason}; put a clip there, {ANOTHER}"),
            Source::V4l2 { .. } => format!("{reason}; plug a camera in, {ANOTHER}"),
            Source::Libcamera { .. } => {
                format!("{reason}; see to its cable (`cam -l` lists what is found), {ANOTHER}")
            }
            Source::Rtsp(_) => format!(
                "{reason}; see that it is on, that this machine reaches it, and that the address, \
                 user and password are right: it is tried again and again"
            ),
        }
    }

    fn trouble(&self) -> String {
        match &self.0 {
            Source::Scene { .. } => "the generated scene stopped".to_owned(),
            Source::File { path, .. } => format!("the clip {} cannot be read", path.display()),
            Source::Rtsp(url) => {
                let host = url.host_str().unwrap_or("?");
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("the camera at rtsp://{host}{port}{} does not answer", url.path())
            }
            Source::V4l2 { device } => {
                format!("the camera at {} gives no picture", device.display())
            }
            Source::Libcamera { name: None } => "the CSI camera gives no picture".to_owned(),
            Source::Libcamera { name: Some(name) } => {
                format!("the CSI camera {name} gives no picture")
            }
        }
    }
}
