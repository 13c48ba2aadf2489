//! The MQTT session: how it is, its settings, what waits for it, and a try of a broker.

use api::mqtt::{Mqtt, MqttOutbox, MqttTrial};
use api::revisions::SettingsChange;
use api::settings::MqttSettings;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::extract::{MergePatch, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::settings::{Change, ChangeQuery, answer, etag};

/// Where its settings are.
fn place() -> Place {
    Place::of(["mqtt"])
}

/// The MQTT session
///
/// Whether the broker is there and why not, what was sent since the daemon started, and the settings,
/// without the password.
#[utoipa::path(
    get,
    path = "/api/v1/mqtt",
    tag = "mqtt",
    operation_id = "get_mqtt",
    responses((
        status = 200,
        description = "The session.",
        body = Mqtt,
        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
    ))
)]
pub(crate) async fn get(State(ports): State<Ports>) -> Response {
    let revision = ports.settings.in_force().revision;
    (etag(revision), Json(ports.mqtt.status())).into_response()
}

/// Change settings of the MQTT session
///
/// A merge patch (RFC 7396), the same as `PATCH /api/v1/settings` with a body below `/mqtt`: all or
/// nothing, kept, and a revision of the settings. It costs a start of the daemon, which is answered with
/// 202 before it happens. With `confirm_within` a broker that cannot be reached from there on is no
/// trouble; `POST /api/v1/mqtt/test` tries one before.
#[utoipa::path(
    patch,
    path = "/api/v1/mqtt",
    tag = "mqtt",
    operation_id = "patch_mqtt",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(
        description = "A merge patch onto the session's settings.",
        content((MqttSettings = "application/merge-patch+json"), (MqttSettings = "application/json")),
    ),
    responses(
        (
            status = 200,
            description = "What came of it.",
            body = SettingsChange,
            headers(("ETag" = String, description = "The revision in force, quoted.")),
        ),
        (
            status = 202,
            description = "It is kept; the daemon starts again to take it over.",
            body = SettingsChange,
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn patch(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
    QueryOf(query): QueryOf<ChangeQuery>,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Response {
    let change = Change { what: What::Patch(place().patch(patch)), place: place(), query };
    change.make(&ports, &headers, &caller, &note).await.map_or_else(|refused| refused, answer)
}

/// Try a broker
///
/// With the settings in force and what the body changes of them; nothing is kept, and the session goes on.
/// Signs in as a client of its own, publishes a message to `<prefix>/test`, waits for it to come back, and
/// tells within 8 s which step failed and why.
#[utoipa::path(
    post,
    path = "/api/v1/mqtt/test",
    tag = "mqtt",
    operation_id = "test_mqtt",
    request_body(
        description = "A merge patch onto the session's settings; `{}` for those in force.",
        content((MqttSettings = "application/merge-patch+json"), (MqttSettings = "application/json")),
    ),
    responses(
        (status = 200, description = "The steps that were made.", body = MqttTrial),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn test(
    State(ports): State<Ports>,
    MergePatch(patch): MergePatch,
) -> Result<Json<MqttTrial>, Failure> {
    let tried = ports.mqtt.trial(place().patch(patch)).await;
    let tried = tried.map_err(|mut error| {
        error.errors = place().in_body(error.errors);
        error
    })?;
    Ok(Json(tried))
}

/// What waits for the broker
///
/// Announcements stay in the outbox until the broker has acknowledged them, over starts and power losses.
/// Beyond `max_events` the oldest are dropped, and counted.
#[utoipa::path(
    get,
    path = "/api/v1/mqtt/outbox",
    tag = "mqtt",
    operation_id = "get_mqtt_outbox",
    responses(
        (status = 200, description = "The outbox.", body = MqttOutbox),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn outbox(State(ports): State<Ports>) -> Result<Json<MqttOutbox>, Failure> {
    Ok(Json(ports.mqtt.outbox().await?))
}
