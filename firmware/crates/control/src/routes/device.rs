//! The device as a whole: what it is and how it is.

use api::event::SCHEMA;
use api::resources::{System, Version};
use axum::Json;
use axum::extract::State;

use crate::ports::Ports;

/// What this is
///
/// Product, version, and the versions of the API and of the event schema that it speaks.
#[utoipa::path(
    get,
    path = "/api/v1/version",
    tag = "device",
    operation_id = "get_version",
    responses((status = 200, description = "What this is.", body = Version))
)]
pub(crate) async fn version() -> Json<Version> {
    Json(Version {
        product: "EdgeCam".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        api: "v1".into(),
        event_schema: SCHEMA.into(),
    })
}

/// The machine and what runs on it
///
/// Board, load, memory, disk, temperature, the MQTT session, and the programs that the daemon runs.
#[utoipa::path(
    get,
    path = "/api/v1/system",
    tag = "device",
    operation_id = "get_system",
    responses((status = 200, description = "The machine.", body = System))
)]
pub(crate) async fn system(State(ports): State<Ports>) -> Json<System> {
    Json(ports.system.system())
}
