//! What is wrong with the device, and what can be done about it.

use api::system::{Begun, Issue};
use axum::Json;
use axum::extract::State;

use crate::extract::PathName;
use crate::openapi::{Conflict, NotFound, Unavailable};
use crate::ports::Ports;
use crate::problem::Failure;

/// What is wrong now
///
/// The gravest first; empty while all is well. Each says what can be done.
#[utoipa::path(
    get,
    path = "/api/v1/system/issues",
    tag = "system",
    operation_id = "list_issues",
    responses(
        (status = 200, description = "The issues.", body = Vec<Issue>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(State(ports): State<Ports>) -> Result<Json<Vec<Issue>>, Failure> {
    Ok(Json(ports.machine.issues().await?))
}

/// Do something about an issue
///
/// Where it is `fixable`. Whether that helped shows in the list, which may take a moment.
#[utoipa::path(
    post,
    path = "/api/v1/system/issues/{code}/fix",
    tag = "system",
    operation_id = "fix_issue",
    params(("code" = String, Path, description = "Code of the issue.", example = "certificate_ends")),
    responses(
        (status = 200, description = "What was done.", body = Begun),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn fix(
    State(ports): State<Ports>,
    PathName(code): PathName,
) -> Result<Json<Begun>, Failure> {
    Ok(Json(ports.machine.fix(&code).await?))
}
