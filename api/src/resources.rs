//! What the REST API answers beyond events, settings and status: the product, the machine, streams,
//! models, pages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Event;
use crate::settings::{CameraSettings, DetectorSettings};
use crate::status::{CameraStatus, DetectorStatus};

/// What this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Always `EdgeCam`.
    #[schema(example = "EdgeCam")]
    pub product: String,
    /// Version of the firmware.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Newest version of the REST API that is served.
    #[schema(example = "v1")]
    pub api: String,
    /// Schema of the events.
    #[schema(example = "edgecam.event/1")]
    pub event_schema: String,
}

/// The machine and what runs on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// Stable id of this device.
    pub node: String,
    /// Name shown to people.
    pub name: String,
    /// The board, such as `Raspberry Pi 5 Model B Rev 1.0`.
    pub board: String,
    /// Version of the firmware.
    pub version: String,
    /// Changes with every start of the daemon.
    pub boot_id: String,
    /// When the daemon started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// Temperature of the processor in °C; null where there is no sensor.
    pub temperature_c: Option<f32>,
    /// Mean number of processes that want to run, over one minute.
    pub load_1m: f32,
    /// Memory of the machine in bytes.
    pub memory_total_bytes: u64,
    /// Memory that programs can still have, in bytes.
    pub memory_available_bytes: u64,
    /// Space on the disk of the data folder, in bytes.
    pub disk_total_bytes: u64,
    /// Free space there, in bytes.
    pub disk_free_bytes: u64,
    /// The MQTT session.
    pub mqtt: MqttStatus,
    /// Programs that the daemon runs, by name: cameras, media server, broker.
    pub children: BTreeMap<String, ChildStatus>,
}

/// The MQTT session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MqttStatus {
    /// Whether events are announced over MQTT at all.
    pub enabled: bool,
    /// Whether the broker is connected.
    pub connected: bool,
    /// The broker's address, without credentials; null while MQTT is switched off.
    pub broker: Option<String>,
    /// What stands in the way; null when nothing does.
    pub error: Option<String>,
    /// Events that wait for the broker.
    pub outbox_events: u64,
    /// Events that were dropped because too many waited, ever.
    pub dropped_events: u64,
}

/// A program that the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChildStatus {
    /// Process id; null while it does not run.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// Resident memory in bytes; null while it does not run.
    pub memory_bytes: Option<u64>,
    /// Why it does not run, or why it last ended; null if it never did.
    pub last_exit: Option<String>,
}

/// A camera with its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Camera {
    /// What it is doing.
    #[serde(flatten)]
    pub status: CameraStatus,
    /// Its settings, complete, without secrets.
    pub settings: CameraSettings,
}

/// Where a camera's stream can be watched. Addresses are null while they are not served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stream {
    /// The camera.
    pub camera: String,
    /// Whether pictures arrive at the media server now.
    pub ready: bool,
    /// How many watch now; null where the media server does not say.
    pub readers: Option<u32>,
    /// For players such as VLC or ffplay.
    #[schema(example = "rtsp://192.168.1.20:8554/front")]
    pub rtsp: Option<String>,
    /// For browsers and players; some seconds of delay.
    #[schema(example = "http://192.168.1.20:8888/front/index.m3u8")]
    pub hls: Option<String>,
    /// A page that plays it in a browser over WebRTC; a fraction of a second of delay.
    #[schema(example = "http://192.168.1.20:8889/front")]
    pub webrtc: Option<String>,
    /// Where WHEP clients connect.
    #[schema(example = "http://192.168.1.20:8889/front/whep")]
    pub whep: Option<String>,
}

/// The detector: its settings, and what it does for each camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detector {
    /// What holds for all cameras.
    pub settings: DetectorSettings,
    /// What it does, by camera.
    pub cameras: BTreeMap<String, DetectorStatus>,
}

/// A model that this device knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Name by which `detector.model` chooses it.
    #[schema(example = "nanodet-plus-m_320")]
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Width of its input in pixels.
    pub width: u32,
    /// Height of its input in pixels.
    pub height: u32,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Whether its files are on this device.
    pub installed: bool,
    /// Whether it is the one that `detector.model` chooses.
    pub active: bool,
    /// Whether it came with the firmware; such a one cannot be deleted.
    pub built_in: bool,
    /// Names of the classes that it tells apart.
    pub labels: Vec<String>,
}

/// A page of announcements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The announcements, in the order that was asked for.
    pub items: Vec<Event>,
    /// Give this as `cursor` for the page after this one; null on the last page.
    pub next_cursor: Option<String>,
}

/// A message of the event stream: the fields of a server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamMessage {
    /// The announcement's `seq`, in decimals: what `Last-Event-ID` resumes after.
    #[schema(example = "4711")]
    pub id: String,
    /// The announcement's `event_type`, or `gap`.
    #[schema(example = "object_new")]
    pub event: String,
    /// JSON: an `Event`; a `StreamGap` for the event `gap`.
    #[schema(example = r#"{"schema":"edgecam.event/1","seq":4711}"#)]
    pub data: String,
}

/// Data of the event `gap` on the event stream: announcements that the reader has not seen are not
/// kept any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamGap {
    /// The reader has seen everything up to this `seq`. Where it is above `resumes_at`, the event
    /// store was lost and numbers from anew.
    #[schema(example = 120)]
    pub after: u64,
    /// The stream goes on from this `seq`.
    #[schema(example = 4711)]
    pub resumes_at: u64,
}

/// Whether the product can do its work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether all checks pass.
    pub ready: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check of readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What is looked at, such as `store` or `camera front`.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What is wrong, or how it is.
    pub detail: String,
}
