//! Inputs and outputs of the device.

use api::access::Role;
use api::gpio::{ChipKind, Gpio, GpioOrder, GpioPin};
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Server};

const LAMP: &str = "/api/v1/gpio/pins/lamp";

async fn put(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    server.ask(Method::PUT, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn pins_are_shown_and_an_output_is_set_or_pulsed_and_that_is_recorded() {
    let server = Server::start().await;
    let shown: Gpio = server.get("/api/v1/gpio").await.json();
    assert_eq!((shown.chip, shown.pins.len()), (ChipKind::RaspberryPi, 2));
    for order in [json!({ "active": true }), json!({ "pulse_ms": 500 })] {
        let pin: GpioPin = put(&server, LAMP, &order).await.json();
        assert!(pin.active);
    }
    let given = server.fake.gpio.lock().unwrap().clone();
    let order = |active, pulse_ms| ("lamp".to_owned(), GpioOrder { active, pulse_ms });
    assert_eq!(given, [order(Some(true), None), order(None, Some(500))]);
    let audit = server.fake.audit.lock().unwrap().clone();
    let row = audit.last().unwrap();
    assert_eq!((row.operation.as_str(), row.status), ("put_gpio_pin", 200));
    assert_eq!(row.before.as_ref().unwrap()["active"], false);
    assert_eq!(row.after.as_ref().unwrap()["active"], true);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_and_reaches_no_pin() {
    let server = Server::start().await;
    for (order, pointer) in [
        (json!({}), ""),
        (json!({ "active": true, "pulse_ms": 500 }), "/pulse_ms"),
        (json!({ "pulse_ms": 9 }), "/pulse_ms"),
        (json!({ "pulse_ms": 600_001 }), "/pulse_ms"),
        (json!({ "active": "on" }), "/active"),
    ] {
        let problem = put(&server, LAMP, &order).await.problem(422, "invalid_argument");
        assert_eq!(problem.errors[0].pointer, pointer, "{order}: {problem:?}");
    }
    let on = json!({ "active": true });
    put(&server, "/api/v1/gpio/pins/none", &on).await.problem(404, "not_found");
    put(&server, "/api/v1/gpio/pins/bell", &on).await.problem(409, "failed_precondition");
    assert!(server.fake.gpio.lock().unwrap().is_empty());
}

#[tokio::test]
async fn pins_are_of_the_device_and_take_an_operator_to_change() {
    let mut server = Server::start().await;
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    let on = json!({ "active": true });
    for (role, camera, reads, sets) in [
        (Role::Viewer, None, 200, 403),
        (Role::Operator, None, 200, 200),
        (Role::Operator, Some("front"), 403, 403),
    ] {
        server.token = Some(server.fake.token(&owner, role, camera).await);
        assert_eq!(server.get("/api/v1/gpio").await.status, reads, "{role:?} {camera:?}");
        assert_eq!(put(&server, LAMP, &on).await.status, sets, "{role:?} {camera:?}");
    }
}
