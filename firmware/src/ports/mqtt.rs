//! The MQTT session as the API sees it.

use std::time::Duration;

use api::mqtt::{Mqtt, MqttOutbox, MqttTrial};
use base::error::{ErrorKind, Kind};
use config::Config;
use control::PortError;
use control::ports::{Answer, MqttSession};
use futures::FutureExt;
use mqtt::{LinkStatus, MqttHandle, trial};
use serde_json::Value;
use store::StoreHandle;

use crate::settings::Engine;

/// Longest time of a try: the API answers in time.
const TRIAL_WITHIN: Duration = Duration::from_secs(8);

/// What tells of the session, and tries others.
#[derive(Debug)]
pub(crate) struct MqttPort {
    node: String,
    broker: Option<String>,
    max_events: Option<u64>,
    handle: MqttHandle,
    store: StoreHandle,
    engine: Engine,
}

impl MqttPort {
    /// Of the session `handle`, which runs on `config`.
    pub(crate) fn new(
        config: &Config,
        handle: &MqttHandle,
        store: &StoreHandle,
        engine: &Engine,
    ) -> Self {
        let mqtt = config.mqtt.as_ref();
        Self {
            node: config.node_id.clone(),
            broker: mqtt.map(|mqtt| trial::shown(&mqtt.broker)),
            max_events: mqtt.map(|_| config.data.outbox_max_events),
            handle: handle.clone(),
            store: store.clone(),
            engine: engine.clone(),
        }
    }
}

impl MqttSession for MqttPort {
    fn status(&self) -> Mqtt {
        let status = self.handle.status().borrow().clone();
        let mut shown = Mqtt {
            enabled: status.link != LinkStatus::Disabled,
            connected: status.is_connected(),
            broker: self.broker.clone(),
            connections: status.connections,
            published: status.published,
            replayed: status.replayed,
            acknowledged: status.acknowledged,
            pending: self.store.outbox_status().pending,
            settings: config::redact(&self.engine.in_force().settings).mqtt,
            ..Mqtt::default()
        };
        match status.link {
            LinkStatus::Connecting { since, attempts, error, next_try } => {
                shown.since = Some(since);
                (shown.attempts, shown.error, shown.next_try_at) = (attempts, error, next_try);
            }
            LinkStatus::Connected { since } => shown.since = Some(since),
            LinkStatus::Disabled | LinkStatus::Stopped => {}
        }
        shown
    }

    fn outbox(&self) -> Answer<'_, MqttOutbox> {
        async move {
            let extent = self.store.outbox_extent().await;
            let extent =
                extent.map_err(|error| PortError::new(error.kind(), base::error::chain(&error)))?;
            let outbox = self.store.outbox_status();
            Ok(MqttOutbox {
                events: outbox.pending,
                bytes: extent.bytes,
                oldest_seq: outbox.oldest_seq,
                oldest_at: extent.oldest_at,
                in_flight: self.handle.status().borrow().in_flight,
                dropped: outbox.dropped_total,
                max_events: self.max_events,
            })
        }
        .boxed()
    }

    fn trial(&self, patch: Value) -> Answer<'_, MqttTrial> {
        async move {
            let tried = self.engine.tried(patch).await?;
            let Some(mqtt) = tried.config.mqtt else {
                let detail = "MQTT is switched off; try it with {\"enabled\": true}";
                return Err(PortError::new(ErrorKind::FailedPrecondition, detail));
            };
            Ok(trial::trial(&mqtt, &self.node, TRIAL_WITHIN).await)
        }
        .boxed()
    }
}
