//! Cameras: state, settings, snapshot, statistics.

use api::access::Role;
use api::problem::FieldProblem;
use api::resources::Camera;
use api::settings::CameraSettings;
use api::status::CameraStats;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use serde::Deserialize;
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
/// revision of the settings. Thresholds, tracker, overlay, zones, lines and bit rate are taken over while
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
    // `null` would take back all that was ever made for the camera.
    if !patch.is_object() {
        let problem = FieldProblem { pointer: String::new(), detail: "must be a table".into() };
        return Err(Failure::input("the body must be a table", vec![problem]));
    }
    // A source is an address that the device then goes to.
    if patch.get("source").is_some() && caller.grant.role < Role::Admin {
        let detail = "only admins change where a camera's pictures come from (/source)";
        return Err(Failure::of(ErrorKind::PermissionDenied, detail));
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
