//! Cameras: state, settings, snapshot, statistics.

use api::problem::FieldProblem;
use api::resources::Camera;
use api::settings::CameraSettings;
use api::status::CameraStats;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use base::error::ErrorKind;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{MergePatch, PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Invalid, Malformed, NotFound, NotLive, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::{Refusal, patched};
use crate::ports::Ports;
use crate::problem::Failure;
use crate::state::{App, no_camera};

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

/// Change settings of a camera
///
/// A merge patch (RFC 7396) onto the camera's settings: what is named is changed, the rest stays.
/// `null` sets a field back to what files and environment say, or takes a zone, a line or a class
/// away that is not in those. Lists are replaced whole.
///
/// All or nothing, and taken over while the camera runs: thresholds, tracker, overlay, zones, lines
/// and bit rate. Fields that need a new start of the camera are refused with 409, and named. Changes
/// hold until the daemon starts again.
#[utoipa::path(
    patch,
    path = "/api/v1/cameras/{cam}",
    tag = "cameras",
    operation_id = "patch_camera",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    request_body(
        description = "A merge patch onto the camera's settings, at most 1 MiB.",
        content((CameraSettings = "application/merge-patch+json"), (CameraSettings = "application/json")),
    ),
    responses(
        (status = 200, description = "The camera with its new settings.", body = Camera),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = NotLive),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
    )
)]
pub(crate) async fn patch(
    State(app): State<App>,
    PathName(cam): PathName,
    note: Note,
    MergePatch(patch): MergePatch,
) -> Result<Json<Camera>, Failure> {
    let _changing = app.changing.lock().await;
    let (current, base) = (app.ports.settings.current(), app.ports.settings.base());
    let new = patched(&current, &base, &cam, &patch).ok_or_else(|| no_camera(&cam))?;
    let new = new.map_err(refused)?;
    note.before(&current.cameras.get(&cam).map(config::redact_camera));
    note.after(&config::redact_camera(&new));
    if current.cameras.get(&cam) != Some(&new) {
        app.ports.cameras.apply(&cam, new).await?;
    }
    Ok(Json(app.ports.camera(&cam)?))
}

fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Wrong(errors) => {
            let detail = match errors.len() {
                1 => "a field is wrong; nothing was changed".to_owned(),
                several => format!("{several} fields are wrong; nothing was changed"),
            };
            Failure::input(detail, errors)
        }
        Refusal::NotLive(errors) => {
            let fields: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
            let detail = format!(
                "nothing was changed: {} cannot be changed while the camera runs",
                fields.join(", ")
            );
            Failure::of(ErrorKind::FailedPrecondition, detail).with_errors(errors)
        }
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
