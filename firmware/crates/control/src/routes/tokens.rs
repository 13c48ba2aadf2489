//! Tokens: ways in for programs.

use api::access::{CreatedToken, NewToken, Token};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::extract::{JsonBody, PathName};
use crate::gate::caller::{Caller, failure};
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;

/// Tokens
///
/// One's own; an admin sees all. Oldest first, without their secrets, which nobody can see again.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "auth",
    operation_id = "list_tokens",
    responses(
        (status = 200, description = "The tokens.", body = Vec<Token>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(
    State(ports): State<Ports>,
    Caller(caller): Caller,
) -> Result<Json<Vec<Token>>, Failure> {
    ports.access.tokens(&caller).map(Json).map_err(failure)
}

/// Make a token
///
/// A way in for a program, as `Authorization: Bearer …`. It may do at most what its maker may, also
/// later, and goes with them. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "auth",
    operation_id = "create_token",
    request_body(description = "What it is for and what it may do.", content = NewToken),
    responses(
        (
            status = 201,
            description = "The token with its secret.",
            body = CreatedToken,
            headers(("location" = String, description = "Where the token is.")),
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
    Caller(caller): Caller,
    note: Note,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<impl IntoResponse, Failure> {
    let created = ports.access.add_token(&caller, new).await.map_err(failure)?;
    note.after(&created.token);
    let location = format!("/api/v1/tokens/{}", created.token.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)))
}

/// Revoke a token
///
/// One's own; an admin revokes any. It ends at once.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token}",
    tag = "auth",
    operation_id = "delete_token",
    params(("token" = String, Path, description = "Id of the token, a ULID.", example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")),
    responses(
        (status = 204, description = "It is revoked."),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    PathName(id): PathName,
) -> Result<StatusCode, Failure> {
    ports.access.remove_token(&caller, &id).await.map_err(failure)?;
    Ok(StatusCode::NO_CONTENT)
}
