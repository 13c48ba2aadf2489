//! Examples of webhooks and of the MQTT session.

use api::mqtt::{Mqtt, MqttOutbox, MqttStep, MqttStepResult, MqttTrial};
use api::webhooks::{
    CreatedWebhook, DeliveryOutcome, Webhook, WebhookDelivery, WebhookDeliveryPage, WebhookFilter,
    WebhookStatus, WebhookTrial,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, operation, time};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const ID: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E";

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    let answers = [
        ("list_webhooks", "200", json(&[webhook()])),
        ("create_webhook", "201", json(&created())),
        ("get_webhook", "200", json(&webhook())),
        ("patch_webhook", "200", json(&webhook())),
        ("test_webhook", "200", json(&webhook_trial())),
        ("list_deliveries", "200", json(&deliveries())),
        ("get_mqtt", "200", json(&mqtt())),
        ("patch_mqtt", "200", super::settings::applied()),
        ("patch_mqtt", "202", super::settings::applying()),
        ("test_mqtt", "200", json(&mqtt_trial())),
        ("get_mqtt_outbox", "200", json(&outbox())),
    ];
    for (id, status, example) in answers {
        let answer = operation(document, id).and_then(|op| op.responses.responses.get_mut(status));
        if let Some(RefOr::T(answer)) = answer {
            put!(answer.content, JSON, example);
        }
    }
    let new = raw!({
        "name": "Home Assistant",
        "url": "http://192.168.1.9:8123/api/webhook/edgecam",
        "allow_private": true,
        "filter": { "labels": ["person"], "zones": ["door"], "types": ["new"] },
    });
    let broker = raw!({ "url": "mqtts://broker.lan", "username": "edgecam" });
    let bodies = [
        ("create_webhook", JSON, new),
        ("patch_webhook", JSON, raw!({ "enabled": false })),
        ("patch_mqtt", JSON, broker.clone()),
        ("patch_mqtt", MERGE_PATCH_JSON, broker.clone()),
        ("test_mqtt", JSON, broker.clone()),
        ("test_mqtt", MERGE_PATCH_JSON, broker),
    ];
    for (id, media_type, example) in bodies {
        put_body(document, id, media_type, example);
    }
}

fn put_body(document: &mut OpenApi, id: &str, media_type: &str, example: Value) {
    let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
    if let Some(RefOr::T(body)) = body {
        put!(body.content, media_type, example);
    }
}

fn webhook() -> Webhook {
    let list = |word: &str| Some(vec![word.to_owned()]);
    Webhook {
        id: ID.into(),
        created_at: time("2026-07-01T11:00:00Z").unwrap_or_default(),
        name: "Home Assistant".into(),
        url: "http://192.168.1.9:8123/api/webhook/edgecam".into(),
        enabled: true,
        allow_private: true,
        filter: WebhookFilter {
            labels: list("person"),
            zones: list("door"),
            types: Some(vec![api::event::Phase::New]),
            ..WebhookFilter::default()
        },
        disabled_reason: None,
        status: WebhookStatus {
            delivered: 212,
            last_success_at: time("2026-07-01T12:00:00.310Z"),
            ..WebhookStatus::default()
        },
    }
}

fn created() -> CreatedWebhook {
    let webhook = Webhook { status: WebhookStatus::default(), ..webhook() };
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    CreatedWebhook { webhook, secret: Some(secret.into()) }
}

fn deliveries() -> WebhookDeliveryPage {
    let at = time("2026-07-01T12:00:00.310Z").unwrap_or_default();
    let delivery = WebhookDelivery {
        seq: 4711,
        message_id: format!("{ID}_4ca027_4711"),
        first_at: at,
        last_at: at,
        attempts: 1,
        outcome: DeliveryOutcome::Delivered,
        status: Some(204),
        duration_ms: 12,
        error: None,
        gap: None,
    };
    WebhookDeliveryPage { items: vec![delivery], next_cursor: Some("4711".into()) }
}

fn webhook_trial() -> WebhookTrial {
    WebhookTrial {
        delivered: false,
        message_id: format!("{ID}_test_01K4Z9T7QW3X5Y6Z7A8B9C0D1F"),
        status: Some(404),
        duration_ms: 9,
        error: Some("answered with status 404".into()),
    }
}

fn mqtt() -> Mqtt {
    let mut mqtt = Mqtt {
        enabled: true,
        connected: true,
        broker: Some("mqtts://broker.lan".into()),
        since: time("2026-07-01T11:58:02Z"),
        connections: 1,
        published: 4711,
        acknowledged: 4711,
        ..Mqtt::default()
    };
    mqtt.settings.enabled = Some(true);
    mqtt.settings.url = Some("mqtts://broker.lan".into());
    mqtt.settings.username = Some("edgecam".into());
    mqtt.settings.prefix = Some("edgecam".into());
    mqtt
}

fn outbox() -> MqttOutbox {
    MqttOutbox {
        events: 3,
        bytes: 2412,
        oldest_seq: Some(4709),
        oldest_at: time("2026-07-01T12:00:00.250Z"),
        in_flight: 3,
        dropped: 0,
        max_events: Some(100_000),
    }
}

fn mqtt_trial() -> MqttTrial {
    let step = |step, duration_ms, error: Option<&str>| MqttStepResult {
        step,
        ok: error.is_none(),
        duration_ms,
        error: error.map(str::to_owned),
    };
    let refused =
        "the broker refused the user name or password; check `mqtt.username` and `mqtt.password`";
    MqttTrial {
        ok: false,
        broker: "mqtts://broker.lan".into(),
        topic: "edgecam/test".into(),
        steps: vec![
            step(MqttStep::Resolve, 2, None),
            step(MqttStep::Connect, 1, None),
            step(MqttStep::Tls, 11, None),
            step(MqttStep::SignIn, 14, Some(refused)),
        ],
    }
}
