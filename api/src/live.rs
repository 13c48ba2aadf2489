//! What is going on now: who watches, and what a WebSocket tells as it happens.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::TrackedObject;
use crate::jobs::Job;
use crate::problem::Problem;
use crate::status::CameraStats;

/// By what someone watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewerKind {
    /// RTSP: players and recorders.
    Rtsp,
    /// WebRTC: browsers, with a fraction of a second of delay.
    Webrtc,
    /// HLS: browsers and players, with some seconds of delay.
    Hls,
}

/// Someone who watches a camera. What the media server does not tell is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ViewerSession {
    /// Names the session; a UUID.
    #[schema(example = "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f")]
    pub id: String,
    /// By what.
    pub kind: ViewerKind,
    /// The camera.
    #[schema(example = "front")]
    pub camera: String,
    /// Whose name, password or token let them in.
    #[schema(example = "guard")]
    pub username: Option<String>,
    /// Their address.
    #[schema(example = "192.168.1.7")]
    pub address: String,
    /// What their player says that it is.
    #[schema(example = "LibVLC/3.0.20")]
    pub user_agent: Option<String>,
    /// When they began.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How media reaches them: `tcp` or `udp`.
    #[schema(example = "tcp")]
    pub transport: Option<String>,
    /// Bytes that they were sent.
    pub bytes_sent: u64,
    /// RTP packets that they were sent.
    pub packets_sent: Option<u64>,
    /// RTP packets that their player reported as lost on the way.
    pub packets_lost: Option<u64>,
    /// Packets or frames that were left out because their connection is too slow.
    pub discarded: Option<u64>,
}

/// What can be followed over the WebSocket.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LiveTopic {
    /// The objects in a camera's picture, for each picture that the detector looked at.
    Tracks,
    /// Counters, rates and times of a camera, twice a second.
    Stats,
    /// Long work, on every change of a job.
    Jobs,
}

impl LiveTopic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tracks, Self::Stats, Self::Jobs];
}

/// What a client of the WebSocket wants from now on, in place of what it wanted before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveSubscription {
    /// These topics; none: nothing is sent.
    pub topics: Vec<LiveTopic>,
    /// Of these cameras. Null or absent: of all that the caller sees.
    #[serde(default)]
    #[schema(example = json!(["front"]))]
    pub cameras: Option<Vec<String>>,
}

/// A message of the WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum LiveMessage {
    /// The newest of a topic.
    News(LiveNews),
    /// A subscription was taken; this is what holds now.
    Subscribed(LiveSubscription),
    /// A message of the client was not taken; what held before still holds.
    Problem(Problem),
}

/// The newest of a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveNews {
    /// The topic.
    pub topic: LiveTopic,
    /// The camera; null for a job that is about none.
    #[schema(example = "front")]
    pub camera: Option<String>,
    /// When it was so: for `tracks` the time of the picture.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many of this topic and camera this client was not sent since the one before, because it
    /// reads too slowly: it always gets the newest.
    pub dropped: u64,
    /// What is new: `LiveTracks` for `tracks`, `CameraStats` for `stats`, a `Job` for `jobs`.
    pub data: LiveData,
}

/// What is new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LiveData {
    /// For the topic `tracks`.
    Tracks(LiveTracks),
    /// For the topic `stats`.
    Stats(Box<CameraStats>),
    /// For the topic `jobs`.
    Job(Box<Job>),
}

/// The objects in a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveTracks {
    /// The objects, by id. Those that were missed in this picture are where they were seen last.
    pub objects: Vec<TrackedObject>,
}
