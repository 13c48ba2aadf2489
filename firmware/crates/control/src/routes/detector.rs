//! The detector: its settings, how fast it is, and what it sees in a picture.

use access::Principal;
use api::access::Role;
use api::jobs::Job;
use api::models::{BenchmarkDetector, Inference};
use api::problem::FieldProblem;
use api::resources::Detector;
use api::settings::DetectorSettings;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{JsonBody, MergePatch, QueryOf, media_type};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::{Failure, Fault};
use crate::routes::cameras::PatchQuery;
use crate::routes::jobs::{beginner, begun};
use crate::routes::settings::{Change, ChangeQuery, etag};
use crate::state::App;

/// The detector
///
/// Its settings, which hold for all cameras, and what it does for each of them.
#[utoipa::path(
    get,
    path = "/api/v1/detector",
    tag = "detector",
    operation_id = "get_detector",
    responses((
        status = 200,
        description = "The detector.",
        body = Detector,
        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
    ))
)]
pub(crate) async fn get(State(ports): State<Ports>, Caller(caller): Caller) -> Response {
    let revision = ports.settings.in_force().revision;
    (etag(revision), Json(shown(&ports, &caller))).into_response()
}

fn shown(ports: &Ports, caller: &Principal) -> Detector {
    let cameras = ports.cameras.list().into_iter().filter(|camera| caller.sees(&camera.id));
    Detector {
        settings: ports.settings.in_force().settings.detector.clone(),
        cameras: cameras.map(|camera| (camera.id, camera.detector)).collect(),
    }
}

/// Change settings of the detector
///
/// A merge patch (RFC 7396), the same as `PATCH /api/v1/settings` with a body below `/detector`: all or
/// nothing, kept, and a revision of the settings.
#[utoipa::path(
    patch,
    path = "/api/v1/detector",
    tag = "detector",
    operation_id = "patch_detector",
    params(
        PatchQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(
        description = "A merge patch onto the detector's settings.",
        content((DetectorSettings = "application/merge-patch+json"), (DetectorSettings = "application/json")),
    ),
    responses(
        (
            status = 200,
            description = "The detector with its new settings.",
            body = Detector,
            headers(("ETag" = String, description = "The revision of the settings, quoted.")),
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
    QueryOf(query): QueryOf<PatchQuery>,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Result<Response, Failure> {
    // `null` would take back all that was ever made for the detector.
    if !patch.is_object() {
        let problem = FieldProblem { pointer: String::new(), detail: "must be a table".into() };
        return Err(Failure::input("the body must be a table", vec![problem]));
    }
    let place = Place::of(["detector"]);
    let query = ChangeQuery { dry_run: false, confirm_within: query.confirm_within };
    let change = Change { what: What::Patch(place.patch(patch)), place, query };
    match change.make(&ports, &headers, &caller, &note).await {
        Ok(change) => Ok((etag(change.revision), Json(shown(&ports, &caller))).into_response()),
        Err(refused) => Ok(refused),
    }
}

/// Measure how fast models are here
///
/// A job: each model with each number of threads, one after the other, in a process of its own, while all
/// else goes on. Its result is the median and the 95th percentile of a call.
#[utoipa::path(
    post,
    path = "/api/v1/detector/benchmark",
    tag = "detector",
    operation_id = "benchmark_detector",
    request_body(content = BenchmarkDetector, description = "What to measure."),
    responses(
        (
            status = 202,
            description = "It has begun.",
            body = Job,
            headers(("location" = String, description = "Where the job is.")),
        ),
        (status = 400, response = Malformed),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn benchmark(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
    JsonBody(what): JsonBody<BenchmarkDetector>,
) -> Result<Response, Failure> {
    let job = ports.detector.benchmark(what, beginner(&caller, Role::Operator)).await?;
    Ok(begun(&note, job))
}

/// Score below which nothing counts, where none is asked for.
const MIN_SCORE: f32 = 0.25;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InferQuery {
    /// Name of the model. Default: the one that the settings choose.
    #[param(nullable = false, example = "nanodet-plus-m_320")]
    model: Option<String>,
    /// Objects with a lower score do not count.
    #[param(minimum = 0.01, maximum = 1, default = 0.25, nullable = false)]
    min_score: Option<f32>,
}

/// What is in this picture?
///
/// Looks at a JPEG or PNG of at most 8 MiB and 25 million pixels, in a process of its own that is gone
/// afterwards. Zones, lines and limits of cameras do not come into it. Nothing is kept.
#[utoipa::path(
    post,
    path = "/api/v1/detector/infer",
    tag = "detector",
    operation_id = "infer_picture",
    params(InferQuery),
    request_body(
        description = "The picture.",
        content(([u8] = "image/jpeg"), ([u8] = "image/png")),
    ),
    responses(
        (status = 200, description = "What was found.", body = Inference),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn infer(
    State(app): State<App>,
    QueryOf(query): QueryOf<InferQuery>,
    request: Request,
) -> Result<Json<Inference>, Failure> {
    let score = query.min_score.unwrap_or(MIN_SCORE);
    if !(0.01..=1.0).contains(&score) {
        let detail = "must be within 0.01..=1".to_owned();
        let errors = vec![FieldProblem { pointer: "?min_score".into(), detail }];
        return Err(Failure::input("min_score must be within 0.01..=1", errors));
    }
    media_type(request.headers(), &["image/jpeg", "image/png"])?;
    let most = app.limits.picture;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_large = || {
        let detail = format!("a picture may have at most {} MiB", most >> 20);
        Failure::new(Fault::TooLarge, detail)
    };
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let picture = to_bytes(request.into_body(), most).await.map_err(|_| too_large())?;
    Ok(Json(app.ports.detector.infer(picture, query.model, score).await?))
}
