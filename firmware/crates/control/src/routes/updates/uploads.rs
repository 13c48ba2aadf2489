//! Bundles that are sent to the device: in one piece, or in several that go on where the last broke off.

use std::sync::Arc;
use std::time::Duration;

use access::Principal;
use api::problem::FieldProblem;
use api::updates::{BUNDLE_BYTES_MAX, NewUpload, UpdateCode, UpdateUpload};
use axum::Json;
use axum::body::{BodyDataStream, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use futures::StreamExt;

use crate::extract::{JsonBody, PathName, media_type};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NoRoom, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::ports::{PortError, Ports, UpdateReceiver, Updates};
use crate::problem::{Failure, Fault};
use crate::state::App;

/// A body that is bytes.
pub(super) const OCTETS: &str = "application/octet-stream";
/// The same, said by who knows that they are a part.
const PART: &str = "application/partial-upload";
/// What a SHA-256 looks like.
pub(super) const SHA256_FORM: &str = "must be 64 hexadecimal digits";
/// How far an upload is.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// How long it will be.
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// Whether all is there, as a boolean of RFC 9651.
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// Whether `text` is a SHA-256.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Begin an upload
///
/// For a bundle that is sent in pieces, or over a connection that may break. Then send its bytes by
/// `PATCH` to where `location` says. There is one upload at a time: one that stands still makes way for
/// this one, and so does what is staged.
#[utoipa::path(
    post,
    path = "/api/v1/updates/uploads",
    tag = "updates",
    operation_id = "create_update_upload",
    request_body(description = "What will be sent.", content = NewUpload),
    responses(
        (
            status = 201,
            description = "It may come.",
            body = UpdateUpload,
            headers(
                ("location" = String, description = "Where to send it."),
                ("upload-offset" = u64, description = "0."),
            ),
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn create(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
    JsonBody(new): JsonBody<NewUpload>,
) -> Result<Response, Failure> {
    check(&new)?;
    let upload = ports.updates.begin_upload(new, &caller.username).await?;
    note.after(&upload);
    let location = format!("/api/v1/updates/uploads/{}", upload.id);
    let location = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, location, headers(&upload), Json(upload)).into_response())
}

fn check(new: &NewUpload) -> Result<(), Failure> {
    let mut errors = Vec::new();
    if !(1..=BUNDLE_BYTES_MAX).contains(&new.size_bytes) {
        let detail = format!("must be within 1..={BUNDLE_BYTES_MAX}");
        errors.push(FieldProblem { pointer: "/size_bytes".into(), detail });
    }
    if new.sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
        errors.push(FieldProblem { pointer: "/sha256".into(), detail: SHA256_FORM.into() });
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure::input("this cannot be sent; nothing was begun", errors))
}

/// How far an upload is
///
/// `HEAD` answers the same headers without the body. `offset` counts bytes that are safe on the device: go
/// on from there.
#[utoipa::path(
    get,
    path = "/api/v1/updates/uploads/{id}",
    tag = "updates",
    operation_id = "get_update_upload",
    params(("id" = String, Path, description = "Id of the upload, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (
            status = 200,
            description = "How far it is.",
            body = UpdateUpload,
            headers(
                ("upload-offset" = u64, description = "Bytes that are there."),
                ("upload-length" = u64, description = "Bytes that will be there."),
                ("upload-complete" = String, description = "`?1` where all are, else `?0`."),
            ),
        ),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(id): PathName,
) -> Result<Response, Failure> {
    let upload = known(&ports, &id)?;
    Ok((headers(&upload), Json(upload)).into_response())
}

/// Go on with an upload
///
/// The body is the bytes from `Upload-Offset` on, as many as you like; the resumption follows
/// draft-ietf-httpbis-resumable-upload, of which also `Upload-Complete` is answered. What arrived before a
/// connection broke is kept: ask by `HEAD` and go on from there. An offset that is not where it broke off
/// is refused with `wrong_offset` (409) and the true one in `Upload-Offset`; a body that goes beyond the
/// announced length with 413.
///
/// With the last byte the bundle is looked into. It is then staged (`POST /api/v1/updates/install` installs
/// it), or refused with the codes of that operation, and the upload is gone.
#[utoipa::path(
    patch,
    path = "/api/v1/updates/uploads/{id}",
    tag = "updates",
    operation_id = "continue_update_upload",
    params(
        ("id" = String, Path, description = "Id of the upload, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E"),
        ("Upload-Offset" = u64, Header, description = "Where the body begins in the bundle.", minimum = 0, maximum = 2_147_483_648_u64, example = 0),
    ),
    request_body(
        description = "The bytes.",
        content(([u8] = "application/octet-stream"), ([u8] = "application/partial-upload")),
    ),
    responses(
        (
            status = 204,
            description = "They are safe.",
            headers(
                ("upload-offset" = u64, description = "Bytes that are there."),
                ("upload-length" = u64, description = "Bytes that will be there."),
                ("upload-complete" = String, description = "`?1` where all are, else `?0`."),
            ),
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn patch(
    State(app): State<App>,
    PathName(id): PathName,
    note: Note,
    request: Request,
) -> Result<Response, Failure> {
    media_type(request.headers(), &[OCTETS, PART])?;
    let offset = offset(request.headers())?;
    let was = known(&app.ports, &id)?;
    note.before(&was);
    let room = was.size_bytes.saturating_sub(offset);
    if length(&request).is_some_and(|length| length > room) {
        return Err(too_long(&was));
    }
    let mut receiver = match app.ports.updates.receive(&id, offset).await {
        Ok(receiver) => receiver,
        Err(error) => return Ok(refused(&app.ports, &id, error)),
    };
    let body = request.into_body().into_data_stream();
    take(body, receiver.as_mut(), room, &was, app.limits.answer).await?;
    let upload = receiver.finish().await?;
    note.after(&upload);
    Ok((StatusCode::NO_CONTENT, headers(&upload)).into_response())
}

/// Give an upload up
///
/// What came of it goes.
#[utoipa::path(
    delete,
    path = "/api/v1/updates/uploads/{id}",
    tag = "updates",
    operation_id = "delete_update_upload",
    params(("id" = String, Path, description = "Id of the upload, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    PathName(id): PathName,
    note: Note,
) -> Result<StatusCode, Failure> {
    let was = ports.updates.discard_upload(&id).await?.ok_or_else(|| unknown(&id))?;
    note.before(&was);
    Ok(StatusCode::NO_CONTENT)
}

/// Receives the bundle that is the body of `request`: staged when this answers.
pub(super) async fn whole(
    app: &App,
    caller: &Principal,
    sha256: Option<String>,
    request: Request,
) -> Result<(), Failure> {
    let Some(size_bytes) = length(&request) else {
        let detail = "the length of the bundle must be said before it comes, by Content-Length; or \
                      begin with POST /api/v1/updates/uploads";
        return Err(Failure::new(Fault::NoLength, detail));
    };
    if size_bytes == 0 {
        let detail = "the body is empty: send the bundle as the body";
        return Err(PortError::update(UpdateCode::NoBundle, detail).into());
    }
    if sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
        let errors = vec![FieldProblem { pointer: "?sha256".into(), detail: SHA256_FORM.into() }];
        return Err(Failure::input("sha256 must be 64 hexadecimal digits", errors));
    }
    if size_bytes > BUNDLE_BYTES_MAX {
        let detail = format!("a bundle may have at most {} GiB", BUNDLE_BYTES_MAX >> 30);
        return Err(Failure::new(Fault::TooLarge, detail));
    }
    let updates = &app.ports.updates;
    let upload = updates.begin_upload(NewUpload { size_bytes, sha256 }, &caller.username).await?;
    let mut piece = OnePiece { updates: Arc::clone(updates), id: upload.id.clone() };
    // Below `piece`, so that nobody is at the upload any more when that gives it up.
    let mut receiver = updates.receive(&upload.id, 0).await?;
    let body = request.into_body().into_data_stream();
    take(body, receiver.as_mut(), size_bytes, &upload, app.limits.answer).await?;
    receiver.finish().await?;
    piece.id.clear();
    Ok(())
}

/// An upload in one piece: dropped before it has arrived, also with its connection, it is given up, for
/// who sends it does not know that it could be gone on with.
struct OnePiece {
    updates: Arc<dyn Updates>,
    /// Empty once it has arrived.
    id: String,
}

impl Drop for OnePiece {
    fn drop(&mut self) {
        let (updates, id) = (Arc::clone(&self.updates), std::mem::take(&mut self.id));
        if id.is_empty() {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = updates.discard_upload(&id).await {
                tracing::warn!(%error, "an upload that broke off is left");
            }
        });
    }
}

/// Gives `body`, of which `room` bytes may come, to `receiver`. It must not stand still.
async fn take(
    mut body: BodyDataStream,
    receiver: &mut dyn UpdateReceiver,
    mut room: u64,
    upload: &UpdateUpload,
    patience: Duration,
) -> Result<(), Failure> {
    while let Some(bytes) = next(&mut body, patience).await? {
        let length = bytes.len() as u64;
        room = room.checked_sub(length).ok_or_else(|| too_long(upload))?;
        receiver.take(bytes).await?;
    }
    Ok(())
}

async fn next(body: &mut BodyDataStream, patience: Duration) -> Result<Option<Bytes>, Failure> {
    match tokio::time::timeout(patience, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(error))) => {
            Err(Failure::new(Fault::Malformed, format!("the upload broke off: {error}")))
        }
        Err(_) => {
            let detail = format!("the upload stood still for {} s", patience.as_secs_f32());
            Err(Failure::new(Fault::Malformed, detail))
        }
    }
}

fn known(ports: &Ports, id: &str) -> Result<UpdateUpload, Failure> {
    ports.updates.upload(id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Failure {
    let detail = format!(
        "there is no upload \"{id}\" any more; POST /api/v1/updates/uploads begins one, and \
         GET /api/v1/updates says what became of it"
    );
    Failure::of(ErrorKind::NotFound, detail)
}

fn too_long(upload: &UpdateUpload) -> Failure {
    let detail = format!(
        "the bundle was announced with {} bytes, and more came; what came before is kept",
        upload.size_bytes
    );
    Failure::new(Fault::TooLarge, detail)
}

/// The answer to a continuation that `error` refuses, with where to go on.
fn refused(ports: &Ports, id: &str, error: PortError) -> Response {
    let here = ports.updates.upload(id);
    let here = here.filter(|_| error.update == Some(UpdateCode::WrongOffset));
    let mut response = Failure::from(error).into_response();
    if let Some(upload) = here {
        response.headers_mut().extend(headers(&upload));
    }
    response
}

fn headers(upload: &UpdateUpload) -> HeaderMap {
    let complete = if upload.offset == upload.size_bytes { "?1" } else { "?0" };
    HeaderMap::from_iter([
        (OFFSET, HeaderValue::from(upload.offset)),
        (LENGTH, HeaderValue::from(upload.size_bytes)),
        (COMPLETE, HeaderValue::from_static(complete)),
    ])
}

/// Where the body begins.
fn offset(headers: &HeaderMap) -> Result<u64, Failure> {
    let given = headers.get(OFFSET).and_then(|value| value.to_str().ok());
    given.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let detail = "the header Upload-Offset must say at which byte of the bundle the body begins; \
                      HEAD tells where to go on";
        Failure::new(Fault::Malformed, detail)
    })
}

/// How long the body will be, if that is said before it comes.
fn length(request: &Request) -> Option<u64> {
    request.body().size_hint().exact()
}
