//! Other zones and lines, tried on what a camera tracked.

use api::access::Role;
use api::backtest::RuleTrial;
use api::jobs::Job;
use axum::extract::State;
use axum::response::Response;

use crate::extract::{JsonBody, PathName};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::Ports;
use crate::problem::Failure;
use crate::routes::jobs::{beginner, begun};

/// Try other zones and lines
///
/// A job: plays what the camera tracked to the rules in force and to those of the body, and tells which
/// events both fire for, which only the new ones, which not any more, and why. Nothing is changed and
/// nothing is announced. About a second for a day of a busy street.
#[utoipa::path(
    post,
    path = "/api/v1/cameras/{cam}/rules:backtest",
    tag = "cameras",
    operation_id = "backtest_rules",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    request_body(content = RuleTrial, description = "What to try, and on which time."),
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
pub(crate) async fn backtest(
    State(ports): State<Ports>,
    PathName(cam): PathName,
    Caller(caller): Caller,
    note: Note,
    JsonBody(trial): JsonBody<RuleTrial>,
) -> Result<Response, Failure> {
    ports.camera(&cam)?;
    let begun_job = ports.trials.backtest(&cam, trial, beginner(&caller, Role::Operator)).await;
    let job = begun_job.map_err(|mut error| {
        error.errors = Place::of(["cameras", &cam]).in_body(error.errors);
        error
    })?;
    Ok(begun(&note, job))
}
