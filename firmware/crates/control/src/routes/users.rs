//! Users.

use api::access::{NewPassword, NewUser, User, UserChange};
use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, StatusCode, header};
use axum::response::IntoResponse;

use crate::extract::{JsonBody, PathName};
use crate::gate::Peer;
use crate::gate::caller::{Caller, failure};
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;

/// All users
///
/// Ordered by name.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "users",
    operation_id = "list_users",
    responses(
        (status = 200, description = "The users.", body = Vec<User>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(State(ports): State<Ports>) -> Result<Json<Vec<User>>, Failure> {
    ports.access.users().map(Json).map_err(failure)
}

/// Add a user
///
/// At most 100.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "users",
    operation_id = "create_user",
    request_body(description = "The user.", content = NewUser),
    responses(
        (
            status = 201,
            description = "The user.",
            body = User,
            headers(("location" = String, description = "Where the user is.")),
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
    JsonBody(new): JsonBody<NewUser>,
) -> Result<impl IntoResponse, Failure> {
    let user = ports.access.add_user(new).await.map_err(failure)?;
    note.after(&user);
    let location = format!("/api/v1/users/{}", user.username);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(user)))
}

/// One user
///
/// What they may do, and when they last signed in.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user}",
    tag = "users",
    operation_id = "get_user",
    params(("user" = String, Path, description = "Name of the user.", example = "guard")),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    PathName(name): PathName,
) -> Result<Json<User>, Failure> {
    ports.access.user(&name).map(Json).map_err(failure)
}

/// Change what a user may do
///
/// What is absent stays. Their tokens may at once do no more than they. There is always an admin who
/// sees all cameras.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{user}",
    tag = "users",
    operation_id = "patch_user",
    params(("user" = String, Path, description = "Name of the user.", example = "guard")),
    request_body(description = "What is to be changed.", content = UserChange),
    responses(
        (status = 200, description = "The user.", body = User),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn patch(
    State(ports): State<Ports>,
    PathName(name): PathName,
    note: Note,
    JsonBody(change): JsonBody<UserChange>,
) -> Result<Json<User>, Failure> {
    note.before(&ports.access.user(&name).map_err(failure)?);
    let user = ports.access.change_user(&name, change).await.map_err(failure)?;
    note.after(&user);
    Ok(Json(user))
}

/// Take a user out
///
/// With their tokens and sessions. There is always an admin who sees all cameras.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}",
    tag = "users",
    operation_id = "delete_user",
    params(("user" = String, Path, description = "Name of the user.", example = "guard")),
    responses(
        (status = 204, description = "The user is gone."),
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
    note.before(&ports.access.user(&name).map_err(failure)?);
    ports.access.remove_user(&name).await.map_err(failure)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set a password
///
/// One's own is changed with the present one; an admin sets those of others. The user's other sessions
/// end, their tokens stay.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/password",
    tag = "users",
    operation_id = "set_password",
    params(("user" = String, Path, description = "Name of the user.", example = "guard")),
    request_body(description = "The new password.", content = NewPassword),
    responses(
        (status = 204, description = "It is set."),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn password(
    State(ports): State<Ports>,
    extensions: Extensions,
    Caller(caller): Caller,
    PathName(name): PathName,
    JsonBody(new): JsonBody<NewPassword>,
) -> Result<StatusCode, Failure> {
    let from = Peer::of(&extensions).address;
    let NewPassword { current, password } = new;
    let set = ports.access.set_password(&caller, &name, current.as_ref(), &password, from).await;
    set.map_err(failure)?;
    Ok(StatusCode::NO_CONTENT)
}
