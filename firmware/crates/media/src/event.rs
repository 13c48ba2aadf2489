//! What a pipeline reports while it lives.

use std::fmt;
use std::time::Duration;

use domain::Size;
use serde::{Deserialize, Serialize};

/// A rung of the encoder ladder, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderRung {
    /// Hardware, fed without a copy.
    V4l2Dmabuf,
    /// Hardware, frames copied into its buffers.
    V4l2Mmap,
    /// Software, x264.
    X264,
    /// Software, OpenH264.
    Openh264,
}

impl EncoderRung {
    /// The rung's name in the API, in files and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4l2Dmabuf => "v4l2-dmabuf",
            Self::V4l2Mmap => "v4l2-mmap",
            Self::X264 => "x264",
            Self::Openh264 => "openh264",
        }
    }
}

impl fmt::Display for EncoderRung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A running pipeline, told after its first key frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// The plan as text: elements and caps.
    pub description: String,
    /// The encoder in use.
    pub rung: EncoderRung,
    /// Why this one: what is wrong with each better one.
    pub rung_reason: String,
    /// Size of the picture.
    pub size: Size,
    /// Nominal frames per second; 0 where the source does not say.
    pub fps: f64,
    /// What the camera can do beside.
    pub capabilities: Capabilities,
}

/// What a camera can do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capabilities {
    /// Settings of `image`.
    pub controls: Vec<ImageControl>,
    /// Sizes and rates that the source offers; empty where it takes any, or gives what it gives.
    pub modes: Vec<VideoMode>,
    /// The encoder ladder, best first, with why a rung cannot be used.
    pub encoders: Vec<(EncoderRung, Option<String>)>,
}

/// A setting of `image`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageControl {
    /// Its name.
    pub setting: String,
    /// Whether the source takes it over.
    pub supported: bool,
    /// Least and greatest value; `None` where it is no number.
    pub range: Option<(f32, f32)>,
}

/// A size of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoMode {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Most frames per second; `None` where the source does not say.
    pub max_fps: Option<f32>,
}

/// What a pipeline reports, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// Key frames come out.
    Running(Running),
    /// The source does not give a picture; it is tried again by itself.
    Waiting {
        /// Why, for the owner.
        reason: String,
        /// Time until the next try.
        retry_in: Duration,
    },
    /// An encoder rung was given up; the next one is tried.
    RungFailed {
        /// Which.
        rung: EncoderRung,
        /// Why.
        reason: String,
    },
    /// The media server takes the stream.
    Publishing,
    /// The media server does not take the stream; it is tried again by itself. The pipeline runs on.
    PublishWaiting {
        /// Why.
        reason: String,
    },
    /// A clip that is not looped came to its end. Nothing follows.
    Ended,
    /// Trying again would not help. Nothing follows.
    Failed {
        /// Why, for the owner.
        reason: String,
    },
}
