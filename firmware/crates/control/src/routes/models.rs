//! The models: listed, added, chosen, made smaller, deleted.

use std::time::Duration;

use api::access::Role;
use api::jobs::Job;
use api::models::{ModelDetail, ModelUpload, NewModel, QuantizeModel};
use api::problem::FieldProblem;
use api::resources::Model;
use api::revisions::SettingsChange;
use axum::Json;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use serde_json::json;
use tower::ServiceExt as _;

use crate::extract::{JsonBody, PathName, QueryOf, media_type};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{ModelPart, ModelReceiver, Ports, What};
use crate::problem::{Failure, Fault};
use crate::routes::jobs::{beginner, begun};
use crate::routes::settings::{Change, ChangeQuery, answer};
use crate::state::App;

/// The models that this device knows
///
/// `detector.model` chooses one of them by name. Ordered by name.
#[utoipa::path(
    get,
    path = "/api/v1/models",
    tag = "detector",
    operation_id = "list_models",
    responses((status = 200, description = "The models.", body = Vec<Model>))
)]
pub(crate) async fn list(State(ports): State<Ports>) -> Result<Json<Vec<Model>>, Failure> {
    Ok(Json(ports.models.list().await?))
}

/// One model
///
/// With its manifest.
#[utoipa::path(
    get,
    path = "/api/v1/models/{name}",
    tag = "detector",
    operation_id = "get_model",
    params(("name" = String, Path, description = "Name of the model.", example = "nanodet-plus-m_320")),
    responses(
        (status = 200, description = "The model.", body = ModelDetail),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(name): PathName,
) -> Result<Json<ModelDetail>, Failure> {
    known(&ports, &name).await.map(Json)
}

async fn known(ports: &Ports, name: &str) -> Result<ModelDetail, Failure> {
    ports.models.get(name).await?.ok_or_else(|| {
        let detail = format!("there is no model \"{name}\"; /api/v1/models lists them");
        Failure::of(ErrorKind::NotFound, detail)
    })
}

/// Add a model
///
/// Either an upload (`multipart/form-data` with the parts `manifest`, `param` and `bin`, in this order):
/// checked against the hashes of the manifest, loaded once to see that it works, and there when the answer
/// comes. Or JSON that names where to fetch it: a job. Addresses must lead into the internet; redirects are
/// followed. Either way the model is on the device whole or not at all, its files get names of their own,
/// and where they came from is not kept.
#[utoipa::path(
    post,
    path = "/api/v1/models",
    tag = "detector",
    operation_id = "add_model",
    request_body(
        description = "The model, or where it is.",
        content((ModelUpload = "multipart/form-data"), (NewModel = "application/json")),
    ),
    responses(
        (
            status = 201,
            description = "The model that was sent is there.",
            body = Model,
            headers(("location" = String, description = "Where the model is.")),
        ),
        (
            status = 202,
            description = "It is being fetched.",
            body = Job,
            headers(("location" = String, description = "Where the job is.")),
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn add(
    State(app): State<App>,
    Caller(caller): Caller,
    note: Note,
    request: Request,
) -> Result<Response, Failure> {
    let types = ["application/json", "multipart/form-data"];
    if media_type(request.headers(), &types)? == types[0] {
        let JsonBody(new) = JsonBody::<NewModel>::from_request(request, &app).await?;
        let job = app.ports.models.fetch(new, beginner(&caller, Role::Admin)).await?;
        return Ok(begun(&note, job));
    }
    let upload = unlimited(request, &app).await?;
    let model = receive(upload, &app).await?;
    note.after(&model);
    let location = format!("/api/v1/models/{}", model.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(model)).into_response())
}

/// The parts of `request`, which has limits of its own for each.
async fn unlimited(request: Request, app: &App) -> Result<Multipart, Failure> {
    let lifted = tower::service_fn(|request: Request| async {
        Ok::<_, std::convert::Infallible>(Multipart::from_request(request, app).await)
    });
    let lifted = tower::Layer::layer(&DefaultBodyLimit::disable(), lifted);
    match lifted.oneshot(request).await {
        Ok(Ok(parts)) => Ok(parts),
        Ok(Err(rejection)) => Err(Failure::new(Fault::Malformed, rejection.body_text())),
        Err(never) => match never {},
    }
}

async fn receive(mut upload: Multipart, app: &App) -> Result<Model, Failure> {
    let mut receiver = app.ports.models.upload().await?;
    let patience = app.limits.answer;
    for part in ModelPart::ALL {
        let found = in_time(patience, upload.next_field()).await?;
        match found {
            Some(field) if field.name() == Some(part.name()) => {
                take(field, part, receiver.as_mut(), patience).await?;
            }
            found => return Err(missing(part, found.as_ref().and_then(Field::name))),
        }
    }
    if let Some(more) = in_time(patience, upload.next_field()).await? {
        let detail = "must not be there: there are manifest, param and bin, once each".to_owned();
        let pointer = format!("/{}", more.name().unwrap_or_default());
        let errors = vec![FieldProblem { pointer, detail }];
        return Err(Failure::input("a part too many; nothing was added", errors));
    }
    Ok(receiver.finish().await?)
}

async fn take(
    mut field: Field<'_>,
    part: ModelPart,
    receiver: &mut dyn ModelReceiver,
    patience: Duration,
) -> Result<(), Failure> {
    while let Some(bytes) = in_time(patience, field.chunk()).await? {
        receiver.take(part, bytes).await?;
    }
    Ok(())
}

/// What comes next of an upload, which must not stand still.
async fn in_time<T>(
    patience: Duration,
    next: impl Future<Output = Result<T, MultipartError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, next).await {
        Ok(Ok(next)) => Ok(next),
        Ok(Err(error)) => {
            let detail = format!("the upload cannot be read: {}", error.body_text());
            Err(Failure::new(Fault::Malformed, detail))
        }
        Err(_) => {
            let detail = format!("the upload stood still for {} s", patience.as_secs_f32());
            Err(Failure::new(Fault::Malformed, detail))
        }
    }
}

fn missing(part: ModelPart, found: Option<&str>) -> Failure {
    let name = part.name();
    let there = found.map_or_else(String::new, |found| format!(", not \"{found}\""));
    let detail =
        format!("must come here{there}: the parts are manifest, param, bin, in this order");
    let errors = vec![FieldProblem { pointer: format!("/{name}"), detail }];
    Failure::input(format!("the part {name} is missing; nothing was added"), errors)
}

/// Choose a model
///
/// For all cameras: the same as `PATCH /api/v1/settings` with `{"detector": {"model": …}}`. Cameras switch
/// without a gap in their streams.
#[utoipa::path(
    post,
    path = "/api/v1/models/{name}/activate",
    tag = "detector",
    operation_id = "activate_model",
    params(
        ("name" = String, Path, description = "Name of the model.", example = "nanodet-plus-m_320"),
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
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
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn activate(
    State(ports): State<Ports>,
    PathName(name): PathName,
    QueryOf(query): QueryOf<ChangeQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    known(&ports, &name).await?;
    let what = What::Patch(json!({ "detector": { "model": name } }));
    let change = Change { place: Place::of([]), what, query };
    match change.make(&ports, &headers, &caller, &note).await {
        Ok(change) => Ok(answer(change)),
        Err(refused) => Ok(refused),
    }
}

/// Make a model in 8-bit integers
///
/// A job: takes pictures of a running camera, sees what each layer costs in 8-bit integers, and adds the
/// new model under the name with `_int8`. It runs in a process of its own and gives way to all else. Where
/// `detector.prefer_int8` is set, cameras take it at once.
#[utoipa::path(
    post,
    path = "/api/v1/models/{name}/quantize",
    tag = "detector",
    operation_id = "quantize_model",
    params(("name" = String, Path, description = "Name of the model.", example = "nanodet-plus-m_320")),
    request_body(content = QuantizeModel, description = "With which pictures, and how exact."),
    responses(
        (
            status = 202,
            description = "It has begun.",
            body = Job,
            headers(("location" = String, description = "Where the job is.")),
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn quantize(
    State(ports): State<Ports>,
    PathName(name): PathName,
    Caller(caller): Caller,
    note: Note,
    JsonBody(how): JsonBody<QuantizeModel>,
) -> Result<Response, Failure> {
    known(&ports, &name).await?;
    let job = ports.models.quantize(&name, how, beginner(&caller, Role::Admin)).await?;
    Ok(begun(&note, job))
}

/// Delete a model
///
/// With its files. Not the one that the settings choose, nor one that came with the firmware.
#[utoipa::path(
    delete,
    path = "/api/v1/models/{name}",
    tag = "detector",
    operation_id = "delete_model",
    params(("name" = String, Path, description = "Name of the model.", example = "forklifts")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    PathName(name): PathName,
    note: Note,
) -> Result<StatusCode, Failure> {
    note.before(&known(&ports, &name).await?.model);
    ports.models.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
