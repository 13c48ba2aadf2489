//! The device as a whole: what it is, how it is and what it sees with.

use api::event::SCHEMA;
use api::resources::{Detector, Model, System, Version};
use axum::Json;
use axum::extract::State;

use crate::gate::caller::Caller;
use crate::ports::Ports;
use crate::problem::Failure;

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

/// The detector
///
/// Its settings, which hold for all cameras, and what it does for each of them.
#[utoipa::path(
    get,
    path = "/api/v1/detector",
    tag = "device",
    operation_id = "get_detector",
    responses((status = 200, description = "The detector.", body = Detector))
)]
pub(crate) async fn detector(State(ports): State<Ports>, Caller(caller): Caller) -> Json<Detector> {
    let cameras = ports.cameras.list().into_iter().filter(|camera| caller.sees(&camera.id));
    Json(Detector {
        settings: ports.settings.in_force().settings.detector.clone(),
        cameras: cameras.map(|camera| (camera.id, camera.detector)).collect(),
    })
}

/// The models that this device knows
///
/// `detector.model` chooses one of them by name. Ordered by name.
#[utoipa::path(
    get,
    path = "/api/v1/models",
    tag = "device",
    operation_id = "list_models",
    responses(
        (status = 200, description = "The models.", body = Vec<Model>),
    )
)]
pub(crate) async fn models(State(ports): State<Ports>) -> Result<Json<Vec<Model>>, Failure> {
    Ok(Json(ports.models.list().await?))
}
