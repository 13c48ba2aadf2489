//! The machine as a whole: started anew, switched off, brought back to its state of delivery.

use api::problem::FieldProblem;
use api::system::{Begun, FactoryReset};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::extract::JsonBody;
use crate::openapi::{Conflict, Invalid, Malformed, TooLarge, Unavailable, UnsupportedMediaType};
use crate::ports::Ports;
use crate::problem::Failure;

type Started = Result<(StatusCode, Json<Begun>), Failure>;

/// Start the machine anew
///
/// Refused where EdgeCam does not manage the machine.
#[utoipa::path(
    post,
    path = "/api/v1/system/reboot",
    tag = "system",
    operation_id = "reboot_system",
    responses(
        (status = 202, description = "It begins.", body = Begun),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn reboot(State(ports): State<Ports>) -> Started {
    Ok((StatusCode::ACCEPTED, Json(ports.machine.reboot().await?)))
}

/// Switch the machine off
///
/// Someone has to switch it on again at the machine. Refused where EdgeCam does not manage it.
#[utoipa::path(
    post,
    path = "/api/v1/system/shutdown",
    tag = "system",
    operation_id = "shut_down_system",
    responses(
        (status = 202, description = "It begins.", body = Begun),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn shut_down(State(ports): State<Ports>) -> Started {
    Ok((StatusCode::ACCEPTED, Json(ports.machine.power_off().await?)))
}

/// Bring the device back to its state of delivery
///
/// Settings, users, tokens, events, tracks, models, backups and the certificate go, and cannot be had
/// back. The device then shows a new code to claim it. `confirm` must be its id or its name. Once begun
/// it is finished, whatever happens to the power.
#[utoipa::path(
    post,
    path = "/api/v1/system/factory-reset",
    tag = "system",
    operation_id = "reset_system",
    request_body(description = "That it is meant.", content = FactoryReset),
    responses(
        (status = 202, description = "It begins.", body = Begun),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn factory_reset(
    State(ports): State<Ports>,
    JsonBody(FactoryReset { confirm }): JsonBody<FactoryReset>,
) -> Started {
    let system = ports.system.system();
    if confirm != system.node && confirm != system.name {
        let detail = format!("must be the device's id, {}, or its name", system.node);
        let errors = vec![FieldProblem { pointer: "/confirm".into(), detail: detail.clone() }];
        return Err(Failure::input(format!("confirm {detail}; nothing was done"), errors));
    }
    Ok((StatusCode::ACCEPTED, Json(ports.machine.factory_reset().await?)))
}
