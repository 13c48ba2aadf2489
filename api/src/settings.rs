//! Every setting, every field optional: the shape of the settings files, of the environment
//! (`EDGECAM__SECTION__FIELD`) and of the settings API.
//!
//! Defaults stand in `firmware/config/10-defaults.toml`, not here; `config` merges the layers,
//! checks them and compiles them into what everything runs on.

mod detection;
mod gpio;
mod image;
mod network;
mod rules;
mod updates;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use detection::{ClassFilter, DetectionSettings, SizeCap, SizeThreshold, Tiling};
pub use gpio::{
    ChipChoice, GpioActionSettings, GpioPinSettings, GpioSettings, PinDirection, PinPull,
};
pub use image::{ImageSettings, PrivacyMaskSettings, WhiteBalance};
pub use network::{InterfaceSettings, NetworkSettings, TimeSettings, WifiSettings};
pub use rules::{CrowdingSettings, LineSettings, ZoneSettings};
pub use updates::{UpdateConfirm, UpdateSettings, UpdateTransfer};

/// A text that is neither printed nor logged. On the wire and in files it is plain text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The whole of the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(title = "Settings")]
pub struct Settings {
    /// Who this device is.
    pub node: NodeSettings,
    /// The machine's network.
    pub network: NetworkSettings,
    /// The machine's clock.
    pub time: TimeSettings,
    /// The REST API.
    pub api: ApiSettings,
    /// Where data lives.
    pub data: DataSettings,
    /// The MQTT session.
    pub mqtt: MqttSettings,
    /// The media server (MediaMTX).
    pub media_server: MediaServerSettings,
    /// What holds for the detectors of all cameras.
    pub detector: DetectorSettings,
    /// Heat: where the temperature is read, and what it may be.
    pub thermal: ThermalSettings,
    /// The governor of each camera: what it holds, and how patiently.
    pub governor: GovernorSettings,
    /// Inputs and outputs of the device (GPIO), and what drives the outputs.
    pub gpio: GpioSettings,
    /// Updates of the firmware.
    pub updates: UpdateSettings,
    /// The cameras by id: lower case letters, digits and `-`, at most 32 characters.
    pub cameras: BTreeMap<String, CameraSettings>,
}

/// Who this device is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// Stable id in topics and payloads: lower case letters, digits and `-`. Default: `ec-` and
    /// six hexadecimal digits made from the machine's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name shown to people. Default: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The REST API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Address and port for plain HTTP, such as `0.0.0.0:80`. It answers on this machine only; others
    /// are sent on to HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Whether HTTPS is served, with a certificate that the device makes itself or that was put in its
    /// place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// Address and port for HTTPS, such as `0.0.0.0:443`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_listen: Option<String>,
    /// Names under which the device is reached beside its own (`localhost`, the host's name, the
    /// node's id, each also with `.local`), such as `gate.example.org`. Requests to other names are
    /// refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// Whether the device says on the local network where its API is (DNS-SD, `_edgecam._tcp`), so that
    /// nobody has to type an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announce: Option<bool>,
}

/// Where data lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// Folder for the event store, models and state. Default: `$XDG_DATA_HOME/edgecam`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Most events that wait for the broker, 100..=10000000; beyond it the oldest are dropped and
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox_max_events: Option<u64>,
    /// Most events that are kept, 1000..=100000000; beyond it the oldest announced ones are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_max: Option<u64>,
    /// Most bytes of track history that are kept, in MB, 0..=100000; beyond it the oldest goes. 0 for
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracks_max_mb: Option<u32>,
    /// Days after which track history goes, 1..=3650.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracks_max_days: Option<u32>,
}

/// The MQTT session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MqttSettings {
    /// Whether events are announced over MQTT at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Broker: `mqtt://host[:1883]` or `mqtts://host[:8883]`. Absent: a mosquitto that EdgeCam
    /// runs itself on `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// User name at the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password at the broker. Written, never read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(write_only, value_type = Option<String>)]
    pub password: Option<Secret>,
    /// PEM file with the authorities that the broker's certificate is checked against. Default:
    /// the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// PEM file with the client certificate; goes with `client_key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<String>,
    /// PEM file with the key of the client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<String>,
    /// First level of every topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// First level of Home Assistant's discovery topics; empty: no discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_prefix: Option<String>,
    /// Whether commands are taken over MQTT: whoever may write to the broker then commands the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<bool>,
    /// Address and port of the supervised broker, used when `url` is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Seconds between keep-alives, 5..=300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive_s: Option<u16>,
}

/// The media server (MediaMTX).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MediaServerSettings {
    /// Whether streams are served at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The MediaMTX binary. Default: `EDGECAM_MEDIAMTX`, the `PATH`, the build cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// RTSP address and port, such as `0.0.0.0:8554` for players elsewhere. They show name and password,
    /// or a token; RTSP is not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtsp_listen: Option<String>,
    /// HLS address and port; loopback only: viewers come through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls_listen: Option<String>,
    /// WebRTC signalling (WHEP) address and port; loopback only: viewers come through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webrtc_listen: Option<String>,
    /// WebRTC media address and port, UDP and TCP: what viewers elsewhere must reach, such as
    /// `0.0.0.0:8189`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webrtc_udp_listen: Option<String>,
    /// Address and port of MediaMTX's own control API; loopback only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_listen: Option<String>,
}

/// Number format of a network's insides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// What the CPU computes fastest.
    Auto,
    /// 32-bit floats.
    Full,
    /// 16-bit floats where the CPU has them, else 32-bit.
    Half,
    /// bfloat16 in memory.
    Bfloat,
}

/// What holds for the detectors of all cameras.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorSettings {
    /// Name of the model's manifest, such as `nanodet-plus-m_320`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Threads of one inference, 1..=8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u8>,
    /// Whether the model's version in 8-bit integers (its name with `_int8`) is taken in its place,
    /// if it is installed when the daemon starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer_int8: Option<bool>,
    /// Number format that the network computes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Whether a model that is not at hand is fetched from where its manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<bool>,
}

/// Heat: where the temperature is read, and what it may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ThermalSettings {
    /// Whether the temperature is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// File with the temperature in m°C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// File with the flags of the Raspberry Pi's firmware that say whether it slows the processor
    /// down, as `vcgencmd get_throttled` shows them. Not there on other boards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<String>,
    /// Temperature that the governor holds; in °C, 30..=110.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_temp_c: Option<f32>,
    /// From this temperature on detection pauses; in °C, above `max_temp_c`, 31..=120.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_c: Option<f32>,
}

/// The governor of each camera: it holds the limits of temperature, detector time, missed frames
/// and event latency by steps in this order: detect rate, input size, model, bit rate. The frame
/// rate of the video is never touched. All fields are live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GovernorSettings {
    /// Whether anything is ever reduced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Inferences per second below which the rate is not reduced, 0.1..=60. A camera whose
    /// `max_fps` is lower stays at that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_detect_fps: Option<f32>,
    /// Longest time from the detector's tap to an event in the store, for 95 of 100 events; in
    /// milliseconds, 20..=60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_latency_ms: Option<u32>,
    /// Bit rate below which that of a stream is not reduced, in kbit/s, 100..=25000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_bitrate_kbps: Option<u32>,
    /// Seconds that a step down has to act before the next one, 0.5..=600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_s: Option<f32>,
    /// Seconds that all limits must be held with a margin before a step up, and the least time
    /// between a step down and a step up; 1..=3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calm_s: Option<f32>,
}

/// One camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CameraSettings {
    /// Name shown to people and drawn on the picture. Default: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the camera runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Where its pictures come from: `scene` (a drawn street with known truth), a path or
    /// `file:///…` (a clip), `rtsp://…`, `/dev/video…` or `libcamera[:name]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether a clip starts again when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_clip: Option<bool>,
    /// Seed of the `scene` source: the same seed draws the same street.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene_seed: Option<u64>,
    /// Size and rate of the picture.
    pub video: VideoSettings,
    /// How the picture is taken.
    pub image: ImageSettings,
    /// Areas of the picture that nobody gets to see, by id.
    pub privacy_masks: BTreeMap<String, PrivacyMaskSettings>,
    /// How the picture is encoded.
    pub encoder: EncoderSettings,
    /// What counts as found.
    pub detection: DetectionSettings,
    /// How found objects are followed.
    pub tracker: TrackerSettings,
    /// What is remembered of what was tracked.
    pub history: HistorySettings,
    /// What is drawn on the picture.
    pub overlay: OverlaySettings,
    /// Zones by id.
    pub zones: BTreeMap<String, ZoneSettings>,
    /// Lines by id.
    pub lines: BTreeMap<String, LineSettings>,
}

/// Size and rate of the picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VideoSettings {
    /// Columns, even, 64..=3840. Default: what the source gives; 1280 where it can choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Rows, even, 64..=2160. Default: what the source gives; 720 where it can choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames per second, 1..=120. Default: what the source gives; 30 where it can choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
}

/// Which rung of the encoder ladder is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncoderPreference {
    /// The best that the board has.
    Auto,
    /// V4L2 with mapped buffers, then software: leaves DMABUF import out.
    NoDmabuf,
    /// Software only.
    Software,
}

/// How the picture is encoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderSettings {
    /// Which rung of the ladder is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer: Option<EncoderPreference>,
    /// Target bit rate in kbit/s, 100..=25000. Live: changed without a break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<u32>,
    /// Seconds between key frames, 0.5..=10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_frame_interval_s: Option<f32>,
}

/// How found objects are followed. All fields are live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackerSettings {
    /// Score from which a box can start a track, 0..=1. Weaker boxes only keep tracks alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_score: Option<f32>,
    /// Overlap (IoU) that a box needs with a track's predicted box, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_iou: Option<f32>,
    /// Weight of the new box in smoothing, 0.05..=1; 1 for no smoothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_weight: Option<f32>,
    /// How long a track survives without a box, in milliseconds, 0..=60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_missed_ms: Option<u32>,
    /// Boxes after which a track is announced, 1..=30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_hits: Option<u32>,
}

/// What is remembered of what was tracked, so that changed zones and lines can be tried on the past.
/// Live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// Whether the paths of tracks are stored: class, place, size and time, no pictures. How much is
    /// kept: `data.tracks_max_mb`, `data.tracks_max_days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// What is drawn on the picture. All fields are live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OverlaySettings {
    /// Boxes of the tracked objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boxes: Option<bool>,
    /// Label, score and track id at the boxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<bool>,
    /// Outlines of zones and lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<bool>,
    /// Camera name and wall time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<bool>,
    /// Boxes older than this are not drawn, in milliseconds, 50..=10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u32>,
}
