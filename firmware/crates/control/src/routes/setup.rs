//! A new device and its first user.

use api::access::{Claim, Me, SetupState};
use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, StatusCode, header};
use axum::response::IntoResponse;

use crate::extract::JsonBody;
use crate::gate::Peer;
use crate::gate::caller::{failure, set_cookie};
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, TooLarge, Unauthenticated, Unavailable, UnsupportedMediaType,
};
use crate::ports::Ports;
use crate::problem::Failure;

/// Whether the device has an owner
///
/// Until it has one, everything but this, the claim and the health checks answers 403 with the code
/// `setup_required`.
#[utoipa::path(
    get,
    path = "/api/v1/setup",
    tag = "setup",
    operation_id = "get_setup",
    responses((status = 200, description = "Whether it has.", body = SetupState))
)]
pub(crate) async fn get(State(ports): State<Ports>) -> Json<SetupState> {
    Json(SetupState {
        claimed: ports.access.is_claimed(),
        certificate_sha256: ports.certificates.as_ref().map(|certificates| certificates.sha256()),
    })
}

/// Claim a new device
///
/// Makes its first user, an admin, by the code that the device shows: on its console, in the log of
/// edgecamd, and in the file `claim-code` of its data folder. Answers as a sign-in does. Wrong codes
/// make further tries wait.
#[utoipa::path(
    post,
    path = "/api/v1/setup/claim",
    tag = "setup",
    operation_id = "claim_device",
    request_body(description = "The code, and who the owner is.", content = Claim),
    responses(
        (
            status = 201,
            description = "The owner is signed in.",
            body = Me,
            headers(("set-cookie" = String, description = "The session.")),
        ),
        (status = 400, response = Malformed),
        (status = 401, response = Unauthenticated),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn claim(
    State(ports): State<Ports>,
    extensions: Extensions,
    note: Note,
    JsonBody(claim): JsonBody<Claim>,
) -> Result<impl IntoResponse, Failure> {
    let peer = Peer::of(&extensions);
    note.tried_by(&claim.username);
    let Claim { code, username, password } = claim;
    let claimed = ports.access.claim(code.reveal(), &username, &password, peer.address).await;
    let session = claimed.map_err(failure)?;
    let cookie = set_cookie(session.secret.reveal(), peer);
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(session.principal.me())))
}
