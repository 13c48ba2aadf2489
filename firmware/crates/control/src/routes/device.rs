//! The device as a whole: what it is, how it is, and what it streams.

use api::event::SCHEMA;
use api::resources::{Stream, System, Version};
use axum::Json;
use axum::extract::State;

use crate::extract::ReachedAs;
use crate::gate::caller::Caller;
use crate::openapi::Unavailable;
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

/// Where the streams can be watched
///
/// Addresses carry the name under which the client reached this API (its `Host` header), so they
/// work from where the client is. Ordered by camera.
#[utoipa::path(
    get,
    path = "/api/v1/streams",
    tag = "device",
    operation_id = "list_streams",
    responses(
        (status = 200, description = "One per camera.", body = Vec<Stream>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn streams(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    ReachedAs(host): ReachedAs,
) -> Result<Json<Vec<Stream>>, Failure> {
    let mut streams = ports.streams.list(&host).await?;
    streams.retain(|stream| caller.sees(&stream.camera));
    Ok(Json(streams))
}
