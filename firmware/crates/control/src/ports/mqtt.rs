//! The MQTT session, as the API needs it.

use api::mqtt::{Mqtt, MqttOutbox, MqttTrial};
use serde_json::Value;

use super::Answer;

/// The MQTT session.
pub trait MqttSession: Send + Sync + 'static {
    /// How it is, and its settings without secrets.
    fn status(&self) -> Mqtt;

    /// What waits for the broker.
    fn outbox(&self) -> Answer<'_, MqttOutbox>;

    /// Tries the broker of the settings that `patch`, a merge patch of all settings, would make. Answers
    /// in time for a request.
    fn trial(&self, patch: Value) -> Answer<'_, MqttTrial>;
}
