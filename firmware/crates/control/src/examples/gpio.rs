//! Examples of inputs and outputs of the device.

use api::gpio::{ChipKind, Gpio, GpioOrder, GpioPin};
use api::settings::PinDirection;
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, operation, time};
use crate::patch::json;

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    let pins = vec![bell(), lamp()];
    let all = Gpio { chip: ChipKind::RaspberryPi, error: None, pins };
    for (id, example) in [("get_gpio", json(&all)), ("put_gpio_pin", json(&lamp()))] {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
            put!(answer.content, JSON, example);
        }
    }
    let body = operation(document, "put_gpio_pin").and_then(|put| put.request_body.as_mut());
    if let Some(RefOr::T(body)) = body {
        let order = GpioOrder { active: None, pulse_ms: Some(2000) };
        let mut example = json(&order);
        example.as_object_mut().into_iter().for_each(|order| drop(order.remove("active")));
        put!(body.content, JSON, example);
    }
}

fn bell() -> GpioPin {
    GpioPin {
        name: "bell".into(),
        number: 17,
        direction: PinDirection::In,
        active: false,
        since: time("2026-07-01T11:58:02Z").unwrap_or_default(),
        driven_by: Vec::new(),
        error: None,
    }
}

fn lamp() -> GpioPin {
    GpioPin {
        name: "lamp".into(),
        number: 22,
        direction: PinDirection::Out,
        active: true,
        since: time("2026-07-01T12:00:00.3Z").unwrap_or_default(),
        driven_by: vec!["light".into()],
        error: None,
    }
}
