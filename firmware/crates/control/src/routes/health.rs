//! Whether it lives, whether it works, and how it goes.

use api::resources::Readiness;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use base::error::ErrorKind;

use crate::metrics::{CameraScrape, OPEN_METRICS, Scrape};
use crate::ports::Ports;
use crate::problem::Failure;
use crate::state::App;

/// Whether the process lives
///
/// Answers as long as the daemon can answer at all; looks at nothing else. For watchdogs.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    operation_id = "get_liveness",
    responses((status = 200, description = "It lives.", body = String, content_type = "text/plain", example = "ok\n"))
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the product can do its work
///
/// Ready means that every enabled camera shows pictures. A broker that is away does not make it
/// unready: events wait in the outbox. Both answers have the same body.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    operation_id = "get_readiness",
    responses(
        (status = 200, description = "All checks pass.", body = Readiness),
        (status = 503, description = "At least one check does not pass.", body = Readiness),
    )
)]
pub(crate) async fn readyz(State(ports): State<Ports>) -> impl IntoResponse {
    let readiness = ports.system.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Metrics for Prometheus
///
/// OpenMetrics text: rates, counters and stage times of each camera, outbox, broker, children and
/// machine. All names begin with `edgecam_`.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    operation_id = "get_metrics",
    responses((
        status = 200,
        description = "The metrics.",
        body = String,
        content_type = "application/openmetrics-text",
        example = "# HELP edgecam_camera_fps Frames per second from the source.\n# TYPE edgecam_camera_fps gauge\nedgecam_camera_fps{camera=\"front\"} 25.0\n# EOF\n"
    ))
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], page(&app).await?))
}

/// The metrics as text.
pub(crate) async fn page(app: &App) -> Result<String, Failure> {
    let ports = &app.ports;
    let cameras = ports.cameras.list().into_iter().map(|status| {
        let stats = ports.cameras.stats(&status.id).unwrap_or_default();
        let times = ports.cameras.times(&status.id);
        CameraScrape { status, stats, times }
    });
    let scrape = Scrape {
        cameras: cameras.collect(),
        system: ports.system.system(),
        ready: ports.system.readiness().ready,
        pins: ports.gpio.status().pins,
        answered: app.answered.read(),
        following: app.following(),
        newest_seq: ports.events.bounds().await.ok().map(|bounds| bounds.newest),
        webhooks: ports.webhooks.list().unwrap_or_default(),
    };
    scrape
        .page()
        .map_err(|_| Failure::of(ErrorKind::Internal, "the metrics could not be written as text"))
}
