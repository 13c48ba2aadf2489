//! Inputs and outputs of the device.

use api::gpio::{Gpio, GpioOrder, GpioPin};
use api::problem::FieldProblem;
use axum::Json;
use axum::extract::State;

use crate::extract::{JsonBody, PathName};
use crate::gate::record::Note;
use crate::openapi::{Conflict, Invalid, Malformed, NotFound, TooLarge, UnsupportedMediaType};
use crate::ports::Ports;
use crate::problem::Failure;

/// Shortest and longest pulse, in milliseconds.
const PULSE_MS: std::ops::RangeInclusive<u32> = 10..=600_000;

/// The pins
///
/// Those that the settings name in `gpio.pins`, as they are: active or not, since when, and what drives
/// them. A pin that does not work says why, and leaves the others alone.
#[utoipa::path(
    get,
    path = "/api/v1/gpio",
    tag = "gpio",
    operation_id = "get_gpio",
    responses((status = 200, description = "The pins.", body = Gpio))
)]
pub(crate) async fn get(State(ports): State<Ports>) -> Json<Gpio> {
    Json(ports.gpio.status())
}

/// Set or pulse a pin
///
/// `active` holds until it is said otherwise, an action drives the output, or the daemon stops, which brings
/// every output back to its `initial` state; it ends what drives it now. `pulse_ms` takes the output out of
/// its initial state for a time. An input is what is connected to it; on the simulated chip it can be set,
/// and raises its event.
#[utoipa::path(
    put,
    path = "/api/v1/gpio/pins/{pin}",
    tag = "gpio",
    operation_id = "put_gpio_pin",
    params(("pin" = String, Path, description = "Name of the pin.", example = "lamp")),
    request_body(content = GpioOrder, description = "What it is to be."),
    responses(
        (status = 200, description = "How it is since.", body = GpioPin),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
    )
)]
pub(crate) async fn put(
    State(ports): State<Ports>,
    PathName(name): PathName,
    note: Note,
    JsonBody(order): JsonBody<GpioOrder>,
) -> Result<Json<GpioPin>, Failure> {
    check(order)?;
    if let Some(before) = ports.gpio.status().pins.iter().find(|pin| pin.name == name) {
        note.before(before);
    }
    let pin = ports.gpio.order(&name, order).await?;
    note.after(&pin);
    Ok(Json(pin))
}

fn check(order: GpioOrder) -> Result<(), Failure> {
    let wrong = |pointer: &str, detail: &str| {
        let problem = FieldProblem { pointer: pointer.to_owned(), detail: detail.to_owned() };
        Err(Failure::input("a field is wrong; nothing was changed", vec![problem]))
    };
    match (order.active, order.pulse_ms) {
        (None, None) => wrong("", "must have `active` or `pulse_ms`"),
        (Some(_), Some(_)) => wrong("/pulse_ms", "goes not with `active`; leave one of them out"),
        (_, Some(ms)) if !PULSE_MS.contains(&ms) => {
            wrong("/pulse_ms", "must be within 10..=600000")
        }
        _ => Ok(()),
    }
}
