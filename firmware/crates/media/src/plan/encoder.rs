//! The encoder ladder, as elements: best rung first, with the reason why a rung is not there.

use config::{CameraConfig, EncoderLadder, Orientation, Source};

use super::source::{DEFAULT_FPS, DEFAULT_SIZE};
use super::spec::ElementSpec;
use crate::board::{Board, BoardKind, RPI4_ENCODER, package_of};
use crate::event::EncoderRung;

/// All rungs, best first.
pub(crate) const LADDER: [EncoderRung; 4] =
    [EncoderRung::V4l2Dmabuf, EncoderRung::V4l2Mmap, EncoderRung::X264, EncoderRung::Openh264];

/// Longest side that the bcm2835 encoder takes.
const HARDWARE_MAX_SIDE: u32 = 1920;
/// Macroblocks per second of H.264 level 4.0, the rating of the bcm2835 encoder.
const LEVEL_4_MACROBLOCKS: u64 = 245_760;
/// Software encoding leaves the other cores to the detector.
const SOFTWARE_THREADS: u32 = 2;

/// What a rung asks of the raw frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RungNeeds {
    /// Formats in GStreamer's text form.
    pub(crate) formats: &'static str,
    /// Frames must be in memory that the encoder imports.
    pub(crate) dmabuf: bool,
    /// Colorimetry and interlacing must be stated.
    pub(crate) stated_colours: bool,
}

/// What `rung` asks of the raw frames.
pub(crate) fn needs(rung: EncoderRung) -> RungNeeds {
    let hardware = matches!(rung, EncoderRung::V4l2Dmabuf | EncoderRung::V4l2Mmap);
    RungNeeds {
        formats: if rung == EncoderRung::Openh264 { "I420" } else { "{I420,NV12}" },
        dmabuf: rung == EncoderRung::V4l2Dmabuf,
        stated_colours: hardware,
    }
}

/// The factory that a rung encodes with.
pub(crate) fn factory(rung: EncoderRung) -> &'static str {
    match rung {
        EncoderRung::V4l2Dmabuf | EncoderRung::V4l2Mmap => "v4l2h264enc",
        EncoderRung::X264 => "x264enc",
        EncoderRung::Openh264 => "openh264enc",
    }
}

/// Why `rung` cannot be tried for this camera on this board.
///
/// # Errors
/// The reason, for the owner.
pub(crate) fn check(rung: EncoderRung, camera: &CameraConfig, board: &Board) -> Result<(), String> {
    match (rung, camera.encoder.ladder) {
        (EncoderRung::V4l2Dmabuf, EncoderLadder::NoDmabuf | EncoderLadder::Software)
        | (EncoderRung::V4l2Mmap, EncoderLadder::Software) => {
            return Err("switched off in the settings".to_owned());
        }
        _ => {}
    }
    if matches!(rung, EncoderRung::V4l2Dmabuf | EncoderRung::V4l2Mmap) {
        hardware(camera, board)?;
    }
    if rung == EncoderRung::V4l2Dmabuf
        && !matches!(camera.source, Source::V4l2 { .. } | Source::Libcamera { .. })
    {
        return Err("the source's frames are not in memory that the encoder can import".to_owned());
    }
    if rung == EncoderRung::V4l2Dmabuf && camera.image.orientation != Orientation::default() {
        return Err("the processor turns the picture, into memory of its own".to_owned());
    }
    let element = factory(rung);
    if !board.has(element) {
        let package = package_of(element);
        return Err(format!("GStreamer has no element `{element}`; install the package {package}"));
    }
    Ok(())
}

fn hardware(camera: &CameraConfig, board: &Board) -> Result<(), String> {
    match board.kind {
        BoardKind::Rpi5 => return Err("a Raspberry Pi 5 has no hardware H.264 encoder".to_owned()),
        BoardKind::Host => {
            return Err("this machine has no hardware H.264 encoder that EdgeCam uses".to_owned());
        }
        BoardKind::Rpi4 => {}
    }
    if !board.devices.iter().any(|device| device.as_os_str() == RPI4_ENCODER) {
        return Err(format!("the hardware encoder {RPI4_ENCODER} is not there"));
    }
    match camera.video.size {
        Some(size) if size.width.max(size.height) > HARDWARE_MAX_SIDE => Err(format!(
            "the hardware encoder takes at most {HARDWARE_MAX_SIDE} pixels a side, not {size}"
        )),
        _ => Ok(()),
    }
}

/// The elements from raw frames to H.264 in whole access units.
pub(crate) fn elements(
    rung: EncoderRung,
    camera: &CameraConfig,
    bitrate_kbps: u32,
    threads: u32,
) -> Vec<ElementSpec> {
    let mut elements = match rung {
        EncoderRung::V4l2Dmabuf | EncoderRung::V4l2Mmap => {
            hardware_elements(rung, camera, bitrate_kbps)
        }
        EncoderRung::X264 => vec![x264(camera, bitrate_kbps, threads)],
        EncoderRung::Openh264 => vec![openh264(camera, bitrate_kbps, threads)],
    };
    elements.push(ElementSpec::new("h264parse", "parse").with("config-interval", -1));
    elements.push(ElementSpec::caps(
        "encoded-caps",
        "video/x-h264,stream-format=byte-stream,alignment=au",
    ));
    elements.push(ElementSpec::new("appsink", "encoded").with("sync", false).with("async", false));
    elements
}

/// Threads of a software encoder on any board.
pub(crate) fn software_threads() -> u32 {
    SOFTWARE_THREADS
}

/// Frames between key frames. A source may turn out slower than thought: the interval in time is
/// kept by asking for key frames, this is the bound.
pub(crate) fn key_frame_period(camera: &CameraConfig) -> u32 {
    let fps = camera.video.fps.unwrap_or(DEFAULT_FPS);
    let frames = camera.encoder.key_frame_interval.as_secs_f64() * f64::from(fps);
    (frames.round() as u32).max(1)
}

fn hardware_elements(rung: EncoderRung, camera: &CameraConfig, kbps: u32) -> Vec<ElementSpec> {
    let from_libcamera = matches!(camera.source, Source::Libcamera { .. });
    let encoder = ElementSpec::new("v4l2h264enc", "encoder")
        .with("extra-controls", v4l2_controls(kbps, key_frame_period(camera)));
    let encoder = match rung {
        // libcamera brings its own buffers; for a UVC camera the encoder allocates them.
        EncoderRung::V4l2Dmabuf if from_libcamera => {
            encoder.with("output-io-mode", "dmabuf-import")
        }
        EncoderRung::V4l2Dmabuf => encoder.with("output-io-mode", "dmabuf"),
        _ => encoder.with("output-io-mode", "mmap"),
    };
    // Without a level the driver assumes one that is too low, and STREAMON fails.
    let caps = format!(
        "video/x-h264,profile=(string)constrained-baseline,level=(string){}",
        level(camera)
    );
    vec![encoder, ElementSpec::caps("level-caps", caps)]
}

/// V4L2 controls of the bcm2835 encoder, in GStreamer's text form.
pub(crate) fn v4l2_controls(kbps: u32, key_frame_period: u32) -> String {
    format!(
        "controls,repeat_sequence_header=1,h264_i_frame_period={key_frame_period},\
         video_bitrate_mode=0,video_bitrate={}",
        u64::from(kbps) * 1000
    )
}

fn level(camera: &CameraConfig) -> &'static str {
    let size = camera.video.size.unwrap_or(DEFAULT_SIZE);
    let fps = u64::from(camera.video.fps.unwrap_or(DEFAULT_FPS));
    let macroblocks =
        u64::from(size.width.div_ceil(16)) * u64::from(size.height.div_ceil(16)) * fps;
    if macroblocks <= LEVEL_4_MACROBLOCKS { "4" } else { "4.2" }
}

fn x264(camera: &CameraConfig, kbps: u32, threads: u32) -> ElementSpec {
    ElementSpec::new("x264enc", "encoder")
        .with("speed-preset", "ultrafast")
        .with("tune", "zerolatency")
        .with("bframes", 0)
        .with("key-int-max", key_frame_period(camera))
        .with("byte-stream", true)
        .with("threads", threads)
        .with("bitrate", kbps)
}

fn openh264(camera: &CameraConfig, kbps: u32, threads: u32) -> ElementSpec {
    ElementSpec::new("openh264enc", "encoder")
        .with("complexity", "low")
        .with("rate-control", "bitrate")
        .with("gop-size", key_frame_period(camera))
        .with("multi-thread", threads)
        .with("bitrate", u64::from(kbps) * 1000)
}
