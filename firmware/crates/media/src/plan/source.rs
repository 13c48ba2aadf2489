//! Where pictures come from, as elements: everything up to raw frames at the tap.

use config::{CameraConfig, Orientation, Rotation, Source};
use domain::Size;
use percent_encoding::percent_decode_str;
use url::Url;

use super::encoder::RungNeeds;
use super::spec::ElementSpec;
use super::{Pace, TapFit};
use crate::board::{Board, BoardKind};

/// Size of the picture where neither the settings nor the source say one.
pub(crate) const DEFAULT_SIZE: Size = Size::new(1280, 720);
/// Frames per second where neither the settings nor the source say.
pub(crate) const DEFAULT_FPS: u32 = 25;

/// An RTSP source that says nothing for this long is gone.
const RTSP_TIMEOUT_US: u64 = 5_000_000;
/// Room for packets that arrive out of order. Over TCP none do; it only has to cover the
/// server's own jitter.
const RTSP_LATENCY_MS: u32 = 100;

/// What drives the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The generated street, drawn by a thread of ours.
    Scene {
        /// Its seed.
        seed: u64,
        /// Its size.
        size: Size,
        /// Its rate.
        fps: u32,
    },
    /// A clip.
    Clip {
        /// Whether it begins again at its end.
        looped: bool,
    },
    /// A camera of any sort: live, and expected to come back when it goes.
    Live,
}

impl SourceKind {
    pub(crate) fn of(camera: &CameraConfig) -> Self {
        match &camera.source {
            Source::Scene { seed } => Self::Scene {
                seed: *seed,
                size: camera.video.size.unwrap_or(DEFAULT_SIZE),
                fps: camera.video.fps.unwrap_or(DEFAULT_FPS),
            },
            Source::File { looped, .. } => Self::Clip { looped: *looped },
            Source::Rtsp(_) | Source::V4l2 { .. } | Source::Libcamera { .. } => Self::Live,
        }
    }
}

/// A second, small stream that the camera's own hardware scales for the tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowResStream {
    /// Elements from the source's second pad to the tap.
    pub elements: Vec<ElementSpec>,
}

/// The elements from the source to raw frames, for an encoder with these needs.
pub(crate) fn elements(camera: &CameraConfig, needs: &RungNeeds) -> Vec<ElementSpec> {
    let mut elements = upright(camera, needs);
    // Behind everything, so that whoever looks at a frame sees it turned.
    elements.extend(flip(camera.image.orientation));
    elements
}

/// What turns the picture; `None` where it is right as it comes.
fn flip(orientation: Orientation) -> Option<ElementSpec> {
    let Orientation { rotation, mirror } = orientation;
    let direction = match (rotation, mirror) {
        (Rotation::None, false) => return None,
        (Rotation::Quarter, false) => "90r",
        (Rotation::Half, false) => "180",
        (Rotation::ThreeQuarters, false) => "90l",
        (Rotation::None, true) => "horiz",
        (Rotation::Quarter, true) => "ul-lr",
        (Rotation::Half, true) => "vert",
        (Rotation::ThreeQuarters, true) => "ur-ll",
    };
    Some(ElementSpec::new("videoflip", "flip").with("video-direction", direction))
}

/// The same before it is turned.
fn upright(camera: &CameraConfig, needs: &RungNeeds) -> Vec<ElementSpec> {
    match &camera.source {
        Source::Scene { .. } => vec![scene(camera)],
        Source::File { path, .. } => {
            let file =
                ElementSpec::new("filesrc", "source").with("location", path.to_string_lossy());
            decoded(camera, needs, vec![file])
        }
        Source::Rtsp(url) => decoded(camera, needs, vec![rtsp(url)]),
        Source::V4l2 { device } => {
            let source =
                ElementSpec::new("v4l2src", "source").with("device", device.to_string_lossy());
            v4l2(camera, needs, source)
        }
        Source::Libcamera { name } => libcamera(camera, needs, name.as_deref()),
    }
}

fn scene(camera: &CameraConfig) -> ElementSpec {
    let size = camera.video.size.unwrap_or(DEFAULT_SIZE);
    let fps = camera.video.fps.unwrap_or(DEFAULT_FPS);
    let caps = format!(
        "video/x-raw,format=I420,width={},height={},framerate={fps}/1,\
         pixel-aspect-ratio=1/1,interlace-mode=progressive,colorimetry=bt709",
        size.width, size.height
    );
    ElementSpec::new("appsrc", "source")
        .with("format", "time")
        .with("block", true)
        .with("max-buffers", 2)
        .with("max-bytes", 0)
        .with("caps", caps)
}

/// What holds frames back until they are due, for sources that could give them faster.
pub(crate) fn pace(camera: &CameraConfig, pace: Pace) -> Option<ElementSpec> {
    let clock = ElementSpec::new("clocksync", "pace").with("sync", pace == Pace::RealTime);
    matches!(camera.source, Source::Scene { .. } | Source::File { .. }).then_some(clock)
}

fn rtsp(url: &Url) -> ElementSpec {
    let mut bare = url.clone();
    // Both fail only for URLs that cannot have credentials, so that there is nothing to take out.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let source = ElementSpec::new("rtspsrc", "source")
        .with("location", bare)
        .with("protocols", "tcp")
        .with("latency", RTSP_LATENCY_MS)
        .with("tcp-timeout", RTSP_TIMEOUT_US)
        .with("timeout", RTSP_TIMEOUT_US);
    if url.username().is_empty() {
        return source;
    }
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    source
        .with("user-id", plain(url.username()))
        .with_secret("user-pw", plain(url.password().unwrap_or_default()))
}

/// `head`, then a decoder, and what brings its frames to the wanted size, rate and format. The
/// converter passes frames through untouched where nothing has to change.
fn decoded(camera: &CameraConfig, needs: &RungNeeds, head: Vec<ElementSpec>) -> Vec<ElementSpec> {
    let mut elements = head;
    elements.push(ElementSpec::new("decodebin", "decode"));
    elements.push(ElementSpec::new("videoconvertscale", "convert"));
    if camera.video.fps.is_some() {
        elements.push(ElementSpec::new("videorate", "rate").with("skip-to-first", true));
    }
    elements.push(ElementSpec::caps("raw-caps", raw_caps(camera, needs, Unsaid::Open)));
    elements
}

fn v4l2(camera: &CameraConfig, needs: &RungNeeds, source: ElementSpec) -> Vec<ElementSpec> {
    if needs.dmabuf {
        // The encoder allocates and the camera imports: the direction that UVC and HDMI receivers
        // take on the Pi (raspberrypi/firmware#1426).
        let source = source.with("io-mode", "dmabuf-import");
        let caps = ElementSpec::caps("raw-caps", raw_caps(camera, needs, Unsaid::Default));
        return vec![source, caps];
    }
    let mut wanted = String::new();
    if let Some(size) = camera.video.size {
        wanted += &format!(",width={},height={}", size.width, size.height);
    }
    if let Some(fps) = camera.video.fps {
        wanted += &format!(",framerate={fps}/1");
    }
    let caps = format!("video/x-raw{wanted};image/jpeg{wanted}");
    decoded(camera, needs, vec![source, ElementSpec::caps("device-caps", caps)])
}

fn libcamera(camera: &CameraConfig, needs: &RungNeeds, name: Option<&str>) -> Vec<ElementSpec> {
    let mut source = ElementSpec::new("libcamerasrc", "source");
    if let Some(name) = name {
        source = source.with("camera-name", name);
    }
    vec![source, ElementSpec::caps("raw-caps", raw_caps(camera, needs, Unsaid::Default))]
}

/// What becomes of a size and rate that the settings leave open.
#[derive(Clone, Copy, PartialEq)]
enum Unsaid {
    /// The source decides.
    Open,
    /// The default is asked for: a camera without a wish may give its largest still picture.
    Default,
}

fn raw_caps(camera: &CameraConfig, needs: &RungNeeds, unsaid: Unsaid) -> String {
    let mut caps = format!("video/x-raw,format={}", needs.formats);
    let size = camera.video.size.or((unsaid == Unsaid::Default).then_some(DEFAULT_SIZE));
    let fps = camera.video.fps.or((unsaid == Unsaid::Default).then_some(DEFAULT_FPS));
    if let Some(size) = size {
        caps += &format!(",width={},height={}", size.width, size.height);
    }
    if let Some(fps) = fps {
        caps += &format!(",framerate={fps}/1");
    }
    if needs.stated_colours {
        // Left open, the bcm2835 encoder refuses to start: STREAMON "No such process".
        caps += ",interlace-mode=progressive,colorimetry=bt709";
    }
    caps
}

/// The second stream of a camera whose hardware scales: free of charge for the tap.
pub(crate) fn low_res(camera: &CameraConfig, board: &Board, tap: TapFit) -> Option<LowResStream> {
    let Source::Libcamera { .. } = camera.source else { return None };
    // What the hardware scales, it does not turn.
    let turned = camera.image.orientation != Orientation::default();
    if board.kind == BoardKind::Host || tap == TapFit::Full || turned {
        return None;
    }
    let size = tap.size_for(camera.video.size.unwrap_or(DEFAULT_SIZE));
    // The Pi 4's ISP gives its second stream as YUV only; the detector reads it so.
    let caps = format!("video/x-raw,format=I420,width={},height={}", size.width, size.height);
    Some(LowResStream {
        elements: vec![
            ElementSpec::caps("tap-caps", caps),
            ElementSpec::new("queue", "tap-queue")
                .with("leaky", "downstream")
                .with("max-size-buffers", 1),
            ElementSpec::new("appsink", "tap")
                .with("sync", false)
                .with("async", false)
                .with("max-buffers", 1)
                .with("drop", true),
        ],
    })
}
