//! Webhooks and the MQTT session in memory.

use std::sync::Mutex;

use api::mqtt::{Mqtt, MqttOutbox, MqttTrial};
use api::webhooks::{
    CreatedWebhook, DeliveryOutcome, NewWebhook, Webhook, WebhookChange, WebhookDelivery,
    WebhookStatus, WebhookTrial,
};
use base::error::ErrorKind;
use edgecam_control::PortError;
use edgecam_control::ports::{Answer, MqttSession, SettingsPort, Webhooks};
use futures::FutureExt;
use serde_json::Value;

use super::Fake;

/// The webhook that there is.
pub(crate) const HOOK: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D2E";
/// What it signs with.
pub(crate) const SECRET: &str = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5";

/// What is kept of them.
#[derive(Debug)]
pub(crate) struct Hooks {
    pub(crate) list: Mutex<Vec<Webhook>>,
    /// Patches of settings whose broker was tried.
    pub(crate) tried: Mutex<Vec<Value>>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { list: Mutex::new(vec![hook(HOOK)]), tried: Mutex::default() }
    }
}

fn hook(id: &str) -> Webhook {
    Webhook {
        id: id.into(),
        created_at: "2026-07-01T12:00:00Z".parse().unwrap(),
        name: String::new(),
        url: "https://example.org/x".into(),
        enabled: true,
        allow_private: false,
        filter: Default::default(),
        disabled_reason: None,
        status: WebhookStatus {
            backlog: 3,
            delivered: 5,
            refused: 2,
            last_success_at: Some("2026-07-01T12:00:00Z".parse().unwrap()),
            ..WebhookStatus::default()
        },
    }
}

impl Webhooks for Fake {
    fn list(&self) -> Result<Vec<Webhook>, PortError> {
        Ok(self.hooks.list.lock().unwrap().clone())
    }

    fn get(&self, id: &str) -> Result<Webhook, PortError> {
        let found = Webhooks::list(self)?.into_iter().find(|hook| hook.id == id);
        found.ok_or_else(|| PortError::new(ErrorKind::NotFound, "there is no such webhook"))
    }

    fn create(&self, new: NewWebhook) -> Answer<'_, CreatedWebhook> {
        async move {
            let webhook = Webhook { url: new.url, ..hook("01K4Z9T7QW3X5Y6Z7A8B9C0D3E") };
            self.hooks.list.lock().unwrap().push(webhook.clone());
            Ok(CreatedWebhook { webhook, secret: Some(SECRET.into()) })
        }
        .boxed()
    }

    fn change<'a>(&'a self, id: &'a str, change: WebhookChange) -> Answer<'a, Webhook> {
        async move {
            let hook = Webhooks::get(self, id)?;
            Ok(Webhook { enabled: change.enabled.unwrap_or(hook.enabled), ..hook })
        }
        .boxed()
    }

    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        self.hooks.list.lock().unwrap().retain(|hook| hook.id != id);
        async { Ok(()) }.boxed()
    }

    fn trial<'a>(&'a self, id: &'a str) -> Answer<'a, WebhookTrial> {
        async move {
            Webhooks::get(self, id)?;
            Ok(WebhookTrial { delivered: true, status: Some(204), ..WebhookTrial::default() })
        }
        .boxed()
    }

    fn deliveries<'a>(
        &'a self,
        id: &'a str,
        before: Option<u64>,
        limit: usize,
    ) -> Answer<'a, Vec<WebhookDelivery>> {
        async move {
            let at = Webhooks::get(self, id)?.created_at;
            let delivery = |seq| WebhookDelivery {
                seq,
                message_id: format!("m_{seq}"),
                first_at: at,
                last_at: at,
                attempts: 1,
                outcome: DeliveryOutcome::Delivered,
                status: Some(200),
                duration_ms: 1,
                error: None,
                gap: None,
            };
            let seqs = (1..=30).rev().filter(|seq| before.is_none_or(|before| *seq < before));
            Ok(seqs.take(limit).map(delivery).collect())
        }
        .boxed()
    }
}

impl MqttSession for Fake {
    fn status(&self) -> Mqtt {
        let settings = config::redact(&self.in_force().settings).mqtt;
        Mqtt { enabled: true, connected: true, settings, ..Mqtt::default() }
    }

    fn outbox(&self) -> Answer<'_, MqttOutbox> {
        async { Ok(MqttOutbox { events: 3, ..MqttOutbox::default() }) }.boxed()
    }

    fn trial(&self, patch: Value) -> Answer<'_, MqttTrial> {
        let in_force = self.in_force();
        let patched = self.sources.patch(&in_force.made, &in_force.settings, &patch);
        self.hooks.tried.lock().unwrap().push(patch);
        async move {
            match patched {
                Ok(_) => Ok(MqttTrial { ok: true, ..MqttTrial::default() }),
                Err(errors) => Err(PortError::input("fields are wrong", errors.field_problems())),
            }
        }
        .boxed()
    }
}
