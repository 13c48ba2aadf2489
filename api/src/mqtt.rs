//! The MQTT session: how it is, what waits for it, and a try of its settings.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::MqttSettings;

/// The MQTT session and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mqtt {
    /// Whether events are announced over MQTT at all.
    pub enabled: bool,
    /// Whether the broker is connected.
    pub connected: bool,
    /// The broker's address, without credentials; null while MQTT is switched off.
    #[schema(example = "mqtts://broker.lan:8883")]
    pub broker: Option<String>,
    /// Since when it is connected, or is not; null while MQTT is switched off.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why the last try to connect failed; null while connected, or on the first try.
    pub error: Option<String>,
    /// Tries to connect that failed since `since`.
    pub attempts: u32,
    /// When the next one is made; null while none is waited for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<Timestamp>,
    /// Connections that the broker accepted since the daemon started.
    pub connections: u64,
    /// Announcements sent since the daemon started, those sent again included.
    pub published: u64,
    /// Of these, marked `replayed`.
    pub replayed: u64,
    /// Announcements that the broker acknowledged since the daemon started.
    pub acknowledged: u64,
    /// Announcements that wait in the outbox, those in flight included.
    pub pending: u64,
    /// The settings in force, without the password.
    pub settings: MqttSettings,
}

/// What waits for the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MqttOutbox {
    /// Announcements that wait, those in flight included.
    pub events: u64,
    /// Bytes of these, as JSON.
    pub bytes: u64,
    /// Number of the oldest; null when none waits.
    #[schema(example = 4711)]
    pub oldest_seq: Option<u64>,
    /// When the oldest was stored; null when none waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest_at: Option<Timestamp>,
    /// Announcements that were sent and not acknowledged yet.
    pub in_flight: u64,
    /// Announcements that were dropped because too many waited, ever.
    pub dropped: u64,
    /// Most announcements that may wait: `data.outbox_max_events`; null while MQTT is switched off.
    #[schema(example = 100_000)]
    pub max_events: Option<u64>,
}

/// A step on the way to a broker, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MqttStep {
    /// The broker's name is resolved.
    Resolve,
    /// A connection is made.
    Connect,
    /// The broker shows its certificate, and the device its own, if it has one.
    Tls,
    /// User name and password are taken.
    SignIn,
    /// The broker takes a message.
    Publish,
    /// The message comes back.
    Receive,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MqttStepResult {
    /// The step.
    pub step: MqttStep,
    /// Whether it went well. Of those that did not there is one, the last.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed; null when it did not.
    pub error: Option<String>,
}

/// What came of a try of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MqttTrial {
    /// Whether all steps went well.
    pub ok: bool,
    /// The broker's address, without credentials.
    #[schema(example = "mqtts://broker.lan:8883")]
    pub broker: String,
    /// The topic that was written to and read from.
    #[schema(example = "edgecam/test")]
    pub topic: String,
    /// The steps that were made; `tls` is left out where it is not used.
    pub steps: Vec<MqttStepResult>,
}
