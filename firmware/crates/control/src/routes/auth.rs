//! Coming in and going out.

use api::access::{Login, Me};
use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use crate::extract::JsonBody;
use crate::gate::Peer;
use crate::gate::caller::{Caller, failure, set_cookie};
use crate::gate::record::Note;
use crate::openapi::{
    Forbidden, Invalid, Malformed, TooLarge, Unauthenticated, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;

/// Sign in
///
/// Opens a session for a browser: an HttpOnly cookie, SameSite=Strict. It ends 14 days after it was
/// last used. Wrong passwords make further tries wait: after five in a row for one name from one
/// address, longer each time, up to 15 minutes.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "auth",
    operation_id = "login",
    request_body(description = "Name and password.", content = Login),
    responses(
        (
            status = 200,
            description = "Who is signed in.",
            body = Me,
            headers(("set-cookie" = String, description = "The session.")),
        ),
        (status = 400, response = Malformed),
        (status = 401, response = Unauthenticated),
        (status = 403, response = Forbidden),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn login(
    State(ports): State<Ports>,
    extensions: Extensions,
    note: Note,
    JsonBody(login): JsonBody<Login>,
) -> Result<impl IntoResponse, Failure> {
    let peer = Peer::of(&extensions);
    note.tried_by(&login.username);
    let session = ports.access.login(&login.username, &login.password, peer.address).await;
    let session = session.map_err(failure)?;
    let cookie = set_cookie(session.secret.reveal(), peer);
    Ok(([(header::SET_COOKIE, cookie)], Json(session.principal.me())))
}

/// Sign out
///
/// Ends the session of the cookie. A token stays: it is revoked at `/api/v1/tokens/{id}`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "auth",
    operation_id = "logout",
    responses(
        (status = 204, description = "The session has ended."),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn logout(
    State(ports): State<Ports>,
    extensions: Extensions,
    Caller(caller): Caller,
) -> Result<(StatusCode, [(header::HeaderName, HeaderValue); 1]), Failure> {
    ports.access.logout(&caller).await.map_err(failure)?;
    let cookie = set_cookie("", Peer::of(&extensions));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Who calls
///
/// Name, role, cameras, and how that was shown.
#[utoipa::path(
    get,
    path = "/api/v1/auth/me",
    tag = "auth",
    operation_id = "get_me",
    responses(
        (status = 200, description = "Who calls.", body = Me),
    )
)]
pub(crate) async fn me(Caller(caller): Caller) -> Json<Me> {
    Json(caller.me())
}
