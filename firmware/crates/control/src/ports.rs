//! What the API needs from the rest of the product. `edgecamd` implements these; nothing here
//! knows HTTP.

mod backups;
mod gpio;
mod jobs;
mod live;
mod machine;
mod models;
mod mqtt;
mod past;
mod settings;
mod updates;
mod viewing;
mod webhooks;

use std::sync::Arc;

use access::Access;
use api::access::AuditEntry;
use api::capabilities::{CameraCapabilities, CameraLatency};
use api::event::{Event, Kind, Phase};
use api::problem::{FieldProblem, Problem};
use api::resources::{Readiness, Stream, System};
use api::status::{CameraStats, CameraStatus, StageTimes};
use api::updates::UpdateCode;
use base::error::{ErrorKind, Kind as ErrorKindOf};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::certificate::Certificates;
use crate::problem::Failure;
use updates::kind_of;

pub use axum::body::Bytes;
pub use backups::Backups;
pub use gpio::GpioPort;
pub use jobs::{Beginner, Jobs};
pub use live::{Live, LiveItem, LiveSource};
pub use machine::{LogQuery, LogSource, Machine};
pub use models::{DetectorBench, ModelPart, ModelReceiver, Models, RuleTrials};
pub use mqtt::MqttSession;
pub use past::{CountQuery, Past, TrackQuery, TracksFound};
pub use settings::{ChangeRequest, InForce, SettingsPort, What};
pub use updates::{UpdateReceiver, Updates};
pub use viewing::{MediaFile, Viewer, Viewing, Whep};
pub use webhooks::Webhooks;

/// Why something that the API asked for cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PortError {
    /// What kind of failure this is: decides the HTTP status.
    pub kind: ErrorKind,
    /// What went wrong, and the way out; shown to the caller, so without secrets.
    pub detail: String,
    /// Fields that are to blame, where it is the input.
    pub errors: Vec<FieldProblem>,
    /// The closer word, where it is about an update: decides the HTTP status then.
    pub update: Option<UpdateCode>,
}

impl PortError {
    /// A failure of `kind`.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), update: None }
    }

    /// Input that is refused for these reasons.
    pub fn input(detail: impl Into<String>, errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..Self::new(ErrorKind::InvalidArgument, detail) }
    }

    /// A refusal about an update.
    pub fn update(code: UpdateCode, detail: impl Into<String>) -> Self {
        Self { update: Some(code), ..Self::new(kind_of(code), detail) }
    }

    /// The same as a body of the API.
    pub fn problem(self) -> Problem {
        Failure::from(self).problem()
    }
}

impl ErrorKindOf for PortError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// An answer that takes a while.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, PortError>>;

/// All ports. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// The cameras.
    pub cameras: Arc<dyn Cameras>,
    /// The event store.
    pub events: Arc<dyn Events>,
    /// The settings.
    pub settings: Arc<dyn SettingsPort>,
    /// The machine.
    pub system: Arc<dyn SystemView>,
    /// The machine below: network, clock, power, log, issues.
    pub machine: Arc<dyn Machine>,
    /// The backups.
    pub backups: Arc<dyn Backups>,
    /// The media server's streams.
    pub streams: Arc<dyn Streams>,
    /// Those who watch them.
    pub viewing: Arc<dyn Viewing>,
    /// What is followed as it happens.
    pub live: Arc<dyn Live>,
    /// The past.
    pub past: Arc<dyn Past>,
    /// The models.
    pub models: Arc<dyn Models>,
    /// The detector, beside the cameras' own work.
    pub detector: Arc<dyn DetectorBench>,
    /// The rules of cameras.
    pub trials: Arc<dyn RuleTrials>,
    /// Long work.
    pub jobs: Arc<dyn Jobs>,
    /// Where announcements are posted to.
    pub webhooks: Arc<dyn Webhooks>,
    /// The MQTT session.
    pub mqtt: Arc<dyn MqttSession>,
    /// Updates of the firmware.
    pub updates: Arc<dyn Updates>,
    /// Inputs and outputs of the device.
    pub gpio: Arc<dyn GpioPort>,
    /// Who may do what.
    pub access: Access,
    /// The record of changes.
    pub audit: Arc<dyn Audit>,
    /// The certificate that HTTPS is served with; `None`: it is not served.
    pub certificates: Option<Arc<Certificates>>,
}

/// The cameras.
pub trait Cameras: Send + Sync + 'static {
    /// All cameras, ordered by id. Must be quick: it is asked for every page and every scrape.
    fn list(&self) -> Vec<CameraStatus>;

    /// Newest counters of `camera`; `None`: no such camera. Zeros while it has none yet.
    fn stats(&self, camera: &str) -> Option<CameraStats>;

    /// What `camera` can do; `None`: not known yet, or no such camera.
    fn capabilities(&self, camera: &str) -> Option<CameraCapabilities>;

    /// How long frames and events of `camera` take; `None`: no such camera. Zeros while there are none.
    fn latency(&self, camera: &str) -> Option<CameraLatency>;

    /// How often each stage of frames and events of `camera` took how long, each since the process that
    /// measures it started; empty while there is nothing.
    fn times(&self, camera: &str) -> Vec<StageTimes>;

    /// Has the process of `camera` replaced in order, for the user `by`; answers when that is under way.
    /// `FailedPrecondition`: it is switched off.
    fn restart<'a>(&'a self, camera: &'a str, by: &'a str) -> Answer<'a, ()>;

    /// A JPEG of the newest frame of `camera`, at `quality` 1..=100. Unavailable while the camera
    /// shows nothing.
    fn snapshot<'a>(&'a self, camera: &'a str, quality: u8) -> Answer<'a, Vec<u8>>;
}

/// The record of changes.
pub trait Audit: Send + Sync + 'static {
    /// Stores an entry, under a `seq` that the store gives; answers when it is safe.
    fn append(&self, entry: AuditEntry) -> Answer<'_, ()>;

    /// The newest entries with a `seq` below `before` (`None`: of all), at most `limit`, newest first.
    fn newest(&self, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AuditEntry>>;
}

/// Which announcements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of these cameras only: those that the caller sees. `None`: of all.
    pub within: Option<Vec<String>>,
    /// Of this camera.
    pub camera: Option<String>,
    /// Of objects or inputs with this label.
    pub label: Option<String>,
    /// About this.
    pub kind: Option<Kind>,
    /// In this place of an event's life.
    pub phase: Option<Phase>,
    /// About this zone, or of an object that was in it then.
    pub zone: Option<String>,
    /// Stored at this time or later.
    pub from: Option<Timestamp>,
    /// Stored before this time.
    pub to: Option<Timestamp>,
}

impl EventFilter {
    /// Whether `event`, stored when it happened, is one of them.
    pub fn matches(&self, event: &Event) -> bool {
        let zones = &event.zones;
        let camera = event.camera.as_ref();
        self.within.as_ref().is_none_or(|cameras| camera.is_some_and(|one| cameras.contains(one)))
            && self.camera.as_ref().is_none_or(|wanted| camera == Some(wanted))
            && self.label.as_deref().is_none_or(|wanted| event.label() == Some(wanted))
            && self.kind.is_none_or(|kind| kind == event.kind)
            && self.phase.is_none_or(|phase| phase == event.phase)
            && self.zone.as_ref().is_none_or(|wanted| zones.concerned().any(|zone| zone == wanted))
            && self.from.is_none_or(|from| event.ts >= from)
            && self.to.is_none_or(|to| event.ts < to)
    }
}

/// From where on, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrder {
    /// Growing `seq`, above this one.
    After(u64),
    /// Falling `seq`, below this one; `None`: from the newest.
    Before(Option<u64>),
}

/// A question to the event store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Which announcements.
    pub filter: EventFilter,
    /// From where on, and in which order.
    pub order: EventOrder,
    /// Most announcements in the answer, 1..=1001.
    pub limit: usize,
}

/// Numbers of the oldest and the newest announcement that the store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqBounds {
    /// The oldest that is kept; with an empty store one more than `newest`.
    pub oldest: u64,
    /// The newest that was ever given; 0 before the first.
    pub newest: u64,
}

/// The event store.
pub trait Events: Send + Sync + 'static {
    /// Announcements that `query` asks for.
    fn query(&self, query: EventQuery) -> Answer<'_, Vec<Event>>;

    /// The newest announcement of the event `id` (a ULID); `None`: no such event.
    fn newest<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Event>>;

    /// What the store has.
    fn bounds(&self) -> Answer<'_, SeqBounds>;

    /// Every announcement from now on, sent in `seq` order once it is stored. Readers that fall
    /// behind see `Lagged` and go back to [`Events::query`].
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>>;
}

/// The machine.
pub trait SystemView: Send + Sync + 'static {
    /// The machine and what runs on it.
    fn system(&self) -> System;

    /// Whether the product can do its work.
    fn readiness(&self) -> Readiness;
}

/// The media server's streams.
pub trait Streams: Send + Sync + 'static {
    /// The streams, ordered by camera, with addresses for a client that reached us as `host` (a
    /// name or an address without port, IPv6 in brackets) and this API at `base`, such as
    /// `https://192.168.1.20:8443`.
    fn list<'a>(&'a self, host: &'a str, base: &'a str) -> Answer<'a, Vec<Stream>>;
}
