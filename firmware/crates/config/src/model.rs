//! The checked configuration: what everything runs on. Values here have passed every check, so
//! nothing downstream checks them again.

mod gpio;
mod network;
pub(crate) mod updates;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::settings::{Precision, WhiteBalance};
use domain::tracker::TrackerParams;
use domain::{DetectionParams, MotionParams, PrivacyMask, View, lines::Line, zones::Zone};
use url::Url;

pub use gpio::{EventMatch, GpioActionConfig, GpioConfig, GpioPinConfig, GpioReaction, PinRole};
pub use network::{Cidr, InterfaceConfig, NetworkConfig, TimeConfig, WifiConfig};
pub use updates::UpdateConfig;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Stable id of this device, in topics and payloads.
    pub node_id: String,
    /// Name shown to people.
    pub node_name: String,
    /// The machine's network.
    pub network: NetworkConfig,
    /// The machine's clock.
    pub time: TimeConfig,
    /// The REST API.
    pub api: ApiConfig,
    /// Where data lives.
    pub data: DataConfig,
    /// The MQTT session; `None`: switched off.
    pub mqtt: Option<MqttConfig>,
    /// The media server; `None`: switched off.
    pub media_server: Option<MediaServerConfig>,
    /// Whether a model that is not at hand is fetched from where its manifest says.
    pub download_models: bool,
    /// Inputs and outputs of the device.
    pub gpio: GpioConfig,
    /// Updates of the firmware.
    pub updates: UpdateConfig,
    /// The cameras, by id.
    pub cameras: Vec<CameraConfig>,
}

/// The REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where it listens for plain HTTP.
    pub listen: SocketAddr,
    /// Where it listens for HTTPS; `None`: switched off.
    pub tls_listen: Option<SocketAddr>,
    /// Names under which the device is reached beside its own, in lower case.
    pub hosts: Vec<String>,
    /// Whether the device says on the local network where its API is.
    pub announce: bool,
}

/// Where data lives.
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// Folder for the event store, models and state.
    pub dir: PathBuf,
    /// Most events that wait for the broker.
    pub outbox_max_events: u64,
    /// Most events that are kept.
    pub events_max: u64,
    /// Most bytes of track history.
    pub tracks_max_bytes: u64,
    /// Greatest age of track history.
    pub tracks_max_age: Duration,
}

/// Which broker.
#[derive(Clone, Debug, PartialEq)]
pub enum Broker {
    /// A mosquitto that EdgeCam runs itself, listening there.
    Supervised(SocketAddr),
    /// The owner's, `mqtt://` or `mqtts://`, without credentials.
    Remote(Url),
}

/// The MQTT session.
#[derive(Clone, PartialEq)]
pub struct MqttConfig {
    /// Which broker.
    pub broker: Broker,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// Authorities that the broker's certificate is checked against; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and key.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// First level of every topic.
    pub prefix: String,
    /// First level of Home Assistant's discovery topics; `None`: no discovery.
    pub discovery_prefix: Option<String>,
    /// Whether commands are taken.
    pub commands: bool,
    /// Time between keep-alives.
    pub keep_alive: Duration,
}

impl fmt::Debug for MqttConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttConfig")
            .field("broker", &self.broker)
            .field("credentials", &self.credentials.as_ref().map(|(user, _)| (user, "…")))
            .field("ca_file", &self.ca_file)
            .field("client_cert", &self.client_cert)
            .field("prefix", &self.prefix)
            .field("discovery_prefix", &self.discovery_prefix)
            .field("commands", &self.commands)
            .field("keep_alive", &self.keep_alive)
            .finish()
    }
}

/// The media server.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaServerConfig {
    /// The binary; `None`: looked for.
    pub path: Option<PathBuf>,
    /// RTSP.
    pub rtsp_listen: SocketAddr,
    /// HLS.
    pub hls_listen: SocketAddr,
    /// WebRTC signalling (WHEP).
    pub webrtc_listen: SocketAddr,
    /// WebRTC media, UDP.
    pub webrtc_udp_listen: SocketAddr,
    /// MediaMTX's own control API, on loopback.
    pub control_listen: SocketAddr,
}

/// A camera's id: 1 to 32 lower case letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraId(String);

impl CameraId {
    /// Checks `id`; `None` where it is not one.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ((1..=32).contains(&id.len()) && id.chars().all(allowed)).then(|| Self(id.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One camera, all that its process needs.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraConfig {
    /// Its id.
    pub id: CameraId,
    /// Name shown to people and drawn on the picture.
    pub name: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Where its pictures come from.
    pub source: Source,
    /// Size and rate of the picture.
    pub video: VideoConfig,
    /// How the picture is taken.
    pub image: ImageConfig,
    /// What nobody gets to see of it.
    pub masks: Vec<PrivacyMask>,
    /// How the picture is encoded.
    pub encoder: EncoderConfig,
    /// The detector and its model.
    pub detector: DetectorConfig,
    /// What the detector looks at.
    pub view: View,
    /// Which frames need not be looked at; `None`: all are.
    pub motion: Option<MotionParams>,
    /// What counts as found.
    pub detection: DetectionParams,
    /// How found objects are followed.
    pub tracker: TrackerParams,
    /// Whether the paths of tracks are stored.
    pub history: HistoryConfig,
    /// What is drawn.
    pub overlay: OverlayConfig,
    /// Zones, by id.
    pub zones: Vec<Zone>,
    /// Lines, by id.
    pub lines: Vec<Line>,
    /// Heat; `None`: not watched.
    pub thermal: Option<ThermalConfig>,
    /// The governor; `None`: nothing is ever reduced.
    pub governor: Option<GovernorConfig>,
}

/// Whether the paths of tracks are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryConfig {
    /// They are.
    Kept,
    /// They are not.
    Off,
}

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A drawn street with known truth.
    Scene {
        /// The same seed draws the same street.
        seed: u64,
    },
    /// A clip.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether it starts again when it ends.
        looped: bool,
    },
    /// An IP camera, credentials in the URL.
    Rtsp(Url),
    /// A USB camera or another V4L2 device.
    V4l2 {
        /// `/dev/video…`
        device: PathBuf,
    },
    /// A CSI camera.
    Libcamera {
        /// Its libcamera name; `None`: the first.
        name: Option<String>,
    },
}

impl fmt::Display for Source {
    /// The source as it may be shown: without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scene { seed } => write!(f, "scene (seed {seed})"),
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Rtsp(url) => {
                let host = url.host_str().unwrap_or_default();
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "{}://{host}{port}{}", url.scheme(), url.path())
            }
            Self::V4l2 { device } => write!(f, "{}", device.display()),
            Self::Libcamera { name: Some(name) } => write!(f, "libcamera:{name}"),
            Self::Libcamera { name: None } => f.write_str("libcamera"),
        }
    }
}

/// Size and rate of the picture; `None` where the source decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoConfig {
    /// Columns and rows, both even.
    pub size: Option<domain::Size>,
    /// Frames per second.
    pub fps: Option<u32>,
}

/// How far the picture is turned clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By a quarter.
    Quarter,
    /// By half: upside down.
    Half,
    /// By three quarters.
    ThreeQuarters,
}

/// Which way up the picture is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// How far it is turned.
    pub rotation: Rotation,
    /// Whether left and right change places after that.
    pub mirror: bool,
}

/// How the picture is taken. `None`: left to the camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageConfig {
    /// Which way up it is.
    pub orientation: Orientation,
    /// What the camera is told.
    pub controls: ImageControls,
}

/// What a camera is told about taking pictures. `None`: left to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageControls {
    /// Time of exposure in µs.
    pub exposure_us: Option<u32>,
    /// Analogue gain, a factor.
    pub gain: Option<f32>,
    /// What kind of light white is balanced for.
    pub white_balance: Option<WhiteBalance>,
    /// Gains of red and blue, in place of that.
    pub colour_gains: Option<[f32; 2]>,
    /// What the lens is focused on, in dioptres.
    pub lens_position: Option<f32>,
    /// How much brighter than by itself, in steps of a doubling.
    pub exposure_compensation: Option<f32>,
    /// -1..=1, 0 for none.
    pub brightness: Option<f32>,
    /// A factor.
    pub contrast: Option<f32>,
    /// A factor.
    pub saturation: Option<f32>,
    /// A factor.
    pub sharpness: Option<f32>,
    /// Controls of a V4L2 device by name, in its own numbers.
    pub v4l2: BTreeMap<String, i32>,
}

/// Rungs of the encoder ladder that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderLadder {
    /// All.
    Full,
    /// All but DMABUF import.
    NoDmabuf,
    /// Software only.
    Software,
}

/// How the picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Rungs that may be tried.
    pub ladder: EncoderLadder,
    /// Target bit rate in kbit/s.
    pub bitrate_kbps: u32,
    /// Time between key frames.
    pub key_frame_interval: Duration,
}

/// The detector of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// Whether the camera detects.
    pub enabled: bool,
    /// Name of the model's manifest.
    pub model: String,
    /// Threads of one inference.
    pub threads: u8,
    /// Whether the model's version in 8-bit integers is taken in its place, once it is installed.
    pub prefer_int8: bool,
    /// Number format that the network computes in.
    pub precision: Precision,
    /// Least time between the starts of two inferences.
    pub min_interval: Duration,
}

/// Whether something is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Drawn.
    On,
    /// Not drawn.
    Off,
}

/// What is drawn on the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverlayConfig {
    /// Boxes of the tracked objects.
    pub boxes: Draw,
    /// Label, score and track id at the boxes.
    pub labels: Draw,
    /// Outlines of zones and lines.
    pub zones: Draw,
    /// Camera name and wall time.
    pub timestamp: Draw,
    /// Boxes older than this are not drawn.
    pub max_age: Duration,
}

/// Heat.
#[derive(Clone, Debug, PartialEq)]
pub struct ThermalConfig {
    /// File with the temperature in m°C.
    pub sensor: PathBuf,
    /// File with the firmware's flags, in hexadecimal.
    pub throttled: PathBuf,
    /// What is held, °C.
    pub max_temp_c: f32,
    /// From here on detection pauses, °C.
    pub critical_c: f32,
}

/// The governor of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct GovernorConfig {
    /// Inferences per second below which the rate is not reduced.
    pub min_detect_fps: f32,
    /// Longest time from the tap to the store.
    pub event_latency: Duration,
    /// Bit rate below which that of the stream is not reduced, kbit/s.
    pub min_bitrate_kbps: u32,
    /// Time that a step down has to act before the next.
    pub settle: Duration,
    /// Time that all must be calm before a step up.
    pub calm: Duration,
}
