//! Cameras: state, settings, snapshot, statistics, what they can do, how long they take.

use api::access::Role;
use api::capabilities::{CameraCapabilities, CameraLatency};
use api::problem::FieldProblem;
use api::resources::Camera;
use api::settings::CameraSettings;
use api::status::CameraStats;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::extract::{MergePatch, PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::settings::{Change, ChangeQuery, etag};
use crate::state::no_camera;

/// All cameras
///
/// State and settings of each, ordered by id. Settings are complete and without secrets.
#[utoipa::path(
    get,
    path = "/api/v1/cameras",
    tag = "cameras",
    operation_id = "list_cameras",
    responses((status = 200, description = "The cameras.", body = Vec<Camera>))
)]
pub(crate) async fn list(State(ports): State<Ports>, Caller(caller): Caller) -> Json<Vec<Camera>> {
    Json(ports.all_cameras(&caller))
}

/// One camera
///
/// State and settings. Settings are complete and without secrets.
#[utoipa::path(
    get,
    path = "/api/v1/cameras/{cam}",
    tag = "cameras",
    operation_id = "get_camera",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses(
        (status = 200, description = "The camera.", body = Camera),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(cam): PathName,
) -> Result<Json<Camera>, Failure> {
    Ok(Json(ports.camera(&cam)?))
}

/// What operators do not change: a source is an address that the device then goes to, and who watches
/// is not who decides what nobody may see.
const ADMINS_FIELDS: [(&str, &str); 2] = [
    ("source", "where a camera's pictures come from"),
    ("privacy_masks", "what nobody gets to see"),
];

/// Refuses a merge patch that is no table: `null` would take back all that was ever made there.
pub(crate) fn table(patch: &Value) -> Result<(), Failure> {
    if patch.is_object() {
        return Ok(());
    }
    let problem = FieldProblem { pointer: String::new(), detail: "must be a table".into() };
    Err(Failure::input("the body must be a table", vec![problem]))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PatchQuery {
    /// Take the change back after this time unless it is confirmed, in seconds.
    #[param(minimum = 1, maximum = 86400, example = 120, nullable = false)]
    pub(crate) confirm_within: Option<u32>,
}

/// Change settings of a camera
///
/// A merge patch (RFC 7396) onto the camera's settings: what is named is changed, the rest stays.
/// `null` sets a field back to what files and environment say, or takes a zone, a line or a class
/// away that is not in those. Lists are replaced whole.
///
/// The same as `PATCH /api/v1/settings` with a body below `/cameras/{cam}`: all or nothing, kept, and a
/// revision of the settings. Thresholds, tracker, overlay, zones, lines, masks and bit rate are taken over while
/// the camera runs; for source, size and rate of the picture and encoder its process starts again.
#[utoipa::path(
    patch,
    path = "/api/v1/cameras/{cam}",
    tag = "cameras",
    operation_id = "patch_camera",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        PatchQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
    ),
    request_body(
        description = "A merge patch onto the camera's settings, at most 1 MiB.",
        content((CameraSettings = "application/merge-patch+json"), (CameraSettings = "application/json")),
    ),
    responses(
        (
            status = 200,
            description = "The camera with its new settings.",
            body = Camera,
            headers(("ETag" = String, description = "The revision of the settings, quoted.")),
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
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
    PathName(cam): PathName,
    Caller(caller): Caller,
    note: Note,
    QueryOf(query): QueryOf<PatchQuery>,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Result<Response, Failure> {
    ports.camera(&cam)?;
    table(&patch)?;
    for (field, why) in ADMINS_FIELDS {
        if patch.get(field).is_some() && caller.grant.role < Role::Admin {
            let detail = format!("only admins change {why} (/{field})");
            return Err(Failure::of(ErrorKind::PermissionDenied, detail));
        }
    }
    let place = Place::of(["cameras", &cam]);
    let query = ChangeQuery { dry_run: false, confirm_within: query.confirm_within };
    let change = Change { what: What::Patch(place.patch(patch)), place, query };
    match change.make(&ports, &headers, &caller, &note).await {
        Ok(change) => Ok((etag(change.revision), Json(ports.camera(&cam)?)).into_response()),
        Err(refused) => Ok(refused),
    }
}

/// JPEG quality where none is asked for.
const QUALITY: u32 = 80;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SnapshotQuery {
    /// JPEG quality.
    #[param(minimum = 1, maximum = 100, default = 80, nullable = false)]
    quality: Option<u32>,
}

/// The newest picture
///
/// A JPEG of the newest frame, as it is streamed: with overlay where that is switched on.
#[utoipa::path(
    get,
    path = "/api/v1/cameras/{cam}/snapshot.jpg",
    tag = "cameras",
    operation_id = "get_snapshot",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        SnapshotQuery,
    ),
    responses(
        (status = 200, description = "The picture.", body = [u8], content_type = "image/jpeg"),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn snapshot(
    State(ports): State<Ports>,
    PathName(cam): PathName,
    QueryOf(query): QueryOf<SnapshotQuery>,
) -> Result<impl IntoResponse, Failure> {
    ports.camera(&cam)?;
    let quality = u8::try_from(query.quality.unwrap_or(QUALITY)).unwrap_or(u8::MAX);
    if !(1..=100).contains(&quality) {
        let detail = "must be within 1..=100".to_owned();
        let errors = vec![FieldProblem { pointer: "?quality".into(), detail }];
        return Err(Failure::input("quality must be within 1..=100", errors));
    }
    let jpeg = ports.cameras.snapshot(&cam, quality).await?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg))
}

/// Counters and rates
///
/// Frames, inferences and stage times of the camera, about one second old; zeros while it has none.
/// Counters start at 0 with its process.
#[utoipa::path(
    get,
    path = "/api/v1/cameras/{cam}/stats",
    tag = "cameras",
    operation_id = "get_camera_stats",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses(
        (status = 200, description = "Its counters and rates.", body = CameraStats),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn stats(
    State(ports): State<Ports>,
    PathName(cam): PathName,
) -> Result<Json<CameraStats>, Failure> {
    ports.cameras.stats(&cam).map(Json).ok_or_else(|| no_camera(&cam))
}

/// What it can do
///
/// Settings of `image` that the source takes over, sizes that it offers, and encoders with what is wrong
/// with them. Found out when its pipeline was built; 503 until that was done once.
#[utoipa::path(
    get,
    path = "/api/v1/cameras/{cam}/capabilities",
    tag = "cameras",
    operation_id = "get_camera_capabilities",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses(
        (status = 200, description = "What it can do.", body = CameraCapabilities),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn capabilities(
    State(ports): State<Ports>,
    PathName(cam): PathName,
) -> Result<Json<CameraCapabilities>, Failure> {
    ports.camera(&cam)?;
    let unknown = || {
        let detail = "the camera has shown no picture yet; what it can do is not known before";
        Failure::of(ErrorKind::Unavailable, detail)
    };
    ports.cameras.capabilities(&cam).map(Json).ok_or_else(unknown)
}

/// How long its frames and events take
///
/// From hop to hop: quantiles of the newest measurements, zeros where there are none.
#[utoipa::path(
    get,
    path = "/api/v1/cameras/{cam}/latency",
    tag = "cameras",
    operation_id = "get_camera_latency",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses(
        (status = 200, description = "Times by hop.", body = CameraLatency),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn latency(
    State(ports): State<Ports>,
    PathName(cam): PathName,
) -> Result<Json<CameraLatency>, Failure> {
    ports.cameras.latency(&cam).map(Json).ok_or_else(|| no_camera(&cam))
}

/// Start its process again
///
/// In order: what is tracked ends first. Answers when it is under way; the camera shows pictures again
/// about a second later. One that is switched off is not started (409).
#[utoipa::path(
    post,
    path = "/api/v1/cameras/{cam}/restart",
    tag = "cameras",
    operation_id = "restart_camera",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses(
        (status = 202, description = "It is under way."),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn restart(
    State(ports): State<Ports>,
    PathName(cam): PathName,
    Caller(caller): Caller,
) -> Result<StatusCode, Failure> {
    ports.camera(&cam)?;
    ports.cameras.restart(&cam, &caller.username).await?;
    Ok(StatusCode::ACCEPTED)
}
