//! The streams: where they are watched, and by whom.

use api::live::ViewerSession;
use api::resources::Stream;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::error::ErrorKind;

use crate::extract::{PathName, ReachedAs};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{NotFound, Unavailable};
use crate::ports::Ports;
use crate::problem::Failure;

/// Where the streams can be watched
///
/// Addresses carry the name under which the client reached this API (its `Host` header), so they
/// work from where the client is. Ordered by camera.
///
/// HLS and WebRTC take the same sign-in as everything else. RTSP takes name and password, or a token as
/// the password under any name, or as `?token=` behind the address; it is not encrypted.
#[utoipa::path(
    get,
    path = "/api/v1/streams",
    tag = "viewing",
    operation_id = "list_streams",
    responses(
        (status = 200, description = "One per camera.", body = Vec<Stream>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn list(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    ReachedAs { host, base }: ReachedAs,
) -> Result<Json<Vec<Stream>>, Failure> {
    let mut streams = ports.streams.list(&host, &base).await?;
    streams.retain(|stream| caller.sees(&stream.camera));
    Ok(Json(streams))
}

/// Who watches
///
/// Each session with its camera, its user, where they are, since when, how much they were sent, and
/// what the media server tells of losses. Ordered by time of their begin.
#[utoipa::path(
    get,
    path = "/api/v1/streams/sessions",
    tag = "viewing",
    operation_id = "list_viewers",
    responses(
        (status = 200, description = "The sessions.", body = Vec<ViewerSession>),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn sessions(
    State(ports): State<Ports>,
    Caller(caller): Caller,
) -> Result<Json<Vec<ViewerSession>>, Failure> {
    let mut sessions = ports.viewing.sessions().await?;
    sessions.retain(|session| caller.sees(&session.camera));
    Ok(Json(sessions))
}

/// Send someone away who watches
///
/// Their session ends. Whoever may watch can come back: to keep someone out, revoke their token or
/// change what their user may; what they watch then ends by itself within seconds.
#[utoipa::path(
    delete,
    path = "/api/v1/streams/sessions/{id}",
    tag = "viewing",
    operation_id = "kick_viewer",
    params(("id" = String, Path, description = "Id of the session.", example = "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f")),
    responses(
        (status = 204, description = "They are away."),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn kick(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    PathName(id): PathName,
    note: Note,
) -> Result<StatusCode, Failure> {
    let sessions = ports.viewing.sessions().await?;
    let mut seen = sessions.into_iter().filter(|session| caller.sees(&session.camera));
    let session = seen.find(|session| session.id == id).ok_or_else(|| {
        let detail = format!("nobody watches by the session \"{id}\"; it may have ended");
        Failure::of(ErrorKind::NotFound, detail)
    })?;
    note.before(&session);
    ports.viewing.kick(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}
