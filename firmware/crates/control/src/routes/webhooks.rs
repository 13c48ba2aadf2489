//! Webhooks: where announcements are posted to, and what became of that.

use api::problem::FieldProblem;
use api::webhooks::{
    CreatedWebhook, NewWebhook, Webhook, WebhookChange, WebhookDeliveryPage, WebhookTrial,
};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{JsonBody, PathName, QueryOf};
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;
use crate::routes::seq::Seq;

/// Deliveries that are kept of each webhook, and so the most of a page.
const MAX_LIMIT: u32 = 100;
/// Deliveries of a page where no limit is asked for.
const LIMIT: u32 = 20;

/// All webhooks
///
/// What they are and how they are doing, the oldest first. Without their secrets, which nobody can see
/// again.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    operation_id = "list_webhooks",
    responses(
        (status = 200, description = "The webhooks.", body = Vec<Webhook>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(State(ports): State<Ports>) -> Result<Json<Vec<Webhook>>, Failure> {
    Ok(Json(ports.webhooks.list()?))
}

/// Make a webhook
///
/// Announcements from now on are posted to it, as they are over MQTT: one after the other, in order, until
/// each is answered with 2xx, also over a start of the device. What is not taken is tried again, after 1 s
/// and then ever more rarely, every 5 min in the end; 410 switches the webhook off. A try takes at most
/// 10 s; redirects are not followed. Posts are signed by the Standard Webhooks specification
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`). What the store let go before it was posted is
/// told by the header `webhook-gap` of the next post, a `StreamGap` in JSON. At most 16.
///
/// The secret that the device makes is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks",
    tag = "webhooks",
    operation_id = "create_webhook",
    request_body(description = "Where to, and which announcements.", content = NewWebhook),
    responses(
        (
            status = 201,
            description = "The webhook with its secret.",
            body = CreatedWebhook,
            headers(("location" = String, description = "Where the webhook is.")),
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn create(
    State(ports): State<Ports>,
    note: Note,
    JsonBody(new): JsonBody<NewWebhook>,
) -> Result<impl IntoResponse, Failure> {
    let created = ports.webhooks.create(new).await?;
    note.after(&created.webhook);
    let location = format!("/api/v1/webhooks/{}", created.webhook.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)))
}

/// One webhook
///
/// What it is, and how it is doing.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "get_webhook",
    params(("id" = String, Path, description = "Id of the webhook, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 200, description = "The webhook.", body = Webhook),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(id): PathName,
) -> Result<Json<Webhook>, Failure> {
    Ok(Json(ports.webhooks.get(&id)?))
}

/// Change a webhook
///
/// What is absent stays. It holds for what waits, too: a wrong address is mended and nothing is lost. One
/// that is switched off and on begins with what happens then.
#[utoipa::path(
    patch,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "patch_webhook",
    params(("id" = String, Path, description = "Id of the webhook, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    request_body(description = "What is to be changed.", content = WebhookChange),
    responses(
        (status = 200, description = "The webhook.", body = Webhook),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn patch(
    State(ports): State<Ports>,
    PathName(id): PathName,
    note: Note,
    JsonBody(change): JsonBody<WebhookChange>,
) -> Result<Json<Webhook>, Failure> {
    note.before(&ports.webhooks.get(&id)?);
    let webhook = ports.webhooks.change(&id, change).await?;
    note.after(&webhook);
    Ok(Json(webhook))
}

/// Delete a webhook
///
/// What waits for it is not posted any more.
#[utoipa::path(
    delete,
    path = "/api/v1/webhooks/{id}",
    tag = "webhooks",
    operation_id = "delete_webhook",
    params(("id" = String, Path, description = "Id of the webhook, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    PathName(id): PathName,
    note: Note,
) -> Result<StatusCode, Failure> {
    note.before(&ports.webhooks.get(&id)?);
    ports.webhooks.remove(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a webhook
///
/// Posts a test now, switched on or not, and answers what came back within 8 s. It is an announcement with
/// `seq` 0 of the camera `test`, with `"test": true` in its body and the header `webhook-test: true`. What
/// waits is not touched.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{id}/test",
    tag = "webhooks",
    operation_id = "test_webhook",
    params(("id" = String, Path, description = "Id of the webhook, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 200, description = "What came back, or that nothing did.", body = WebhookTrial),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn test(
    State(ports): State<Ports>,
    PathName(id): PathName,
) -> Result<Json<WebhookTrial>, Failure> {
    Ok(Json(ports.webhooks.trial(&id).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// Most deliveries of the page.
    #[param(minimum = 1, maximum = 100, default = 20, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(example = "4611", nullable = false)]
    cursor: Option<String>,
}

/// The last deliveries of a webhook
///
/// What became of the last hundred announcements that it posted, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/webhooks/{id}/deliveries",
    tag = "webhooks",
    operation_id = "list_deliveries",
    params(
        ("id" = String, Path, description = "Id of the webhook, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E"),
        DeliveriesQuery,
    ),
    responses(
        (status = 200, description = "A page of deliveries.", body = WebhookDeliveryPage),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn deliveries(
    State(ports): State<Ports>,
    PathName(id): PathName,
    QueryOf(query): QueryOf<DeliveriesQuery>,
) -> Result<Json<WebhookDeliveryPage>, Failure> {
    let mut errors = Vec::new();
    let mut wrong = |name: &str, detail: &str| {
        errors.push(FieldProblem { pointer: format!("?{name}"), detail: detail.to_owned() });
    };
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        wrong("limit", "must be within 1..=100");
    }
    let before = query.cursor.as_deref().map(str::parse::<Seq>);
    if matches!(before, Some(Err(_))) {
        wrong("cursor", "must be the `next_cursor` of an earlier page");
    }
    if !errors.is_empty() {
        return Err(Failure::input("the query is wrong", errors));
    }
    let before = before.and_then(Result::ok).map(|Seq(seq)| seq);
    let limit = limit as usize;
    let mut items = ports.webhooks.deliveries(&id, before, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok(Json(WebhookDeliveryPage { items, next_cursor }))
}
