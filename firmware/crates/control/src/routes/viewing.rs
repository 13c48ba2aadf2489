//! Watching: WebRTC's signalling (WHEP) and HLS, brought to the media server, and a page that plays.
//!
//! Who may watch what is decided by the gate, as for everything else. Nothing of what a viewer sends
//! but what is named here goes on, least of all how they signed in.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LINK, LOCATION, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{PathName, PathNames, QueryOf, body};
use crate::gate::Peer;
use crate::gate::caller::Caller;
use crate::openapi::{Invalid, Malformed, NotFound, TooLarge, Unavailable, UnsupportedMediaType};
use crate::ports::{Ports, Viewer};
use crate::problem::Failure;

const PAGE: &str = include_str!("../../assets/watch.html");
/// The page's own script and style, the player that the media server brings, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:; media-src 'self' blob:; worker-src blob:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Media type of an offer and its answer.
const SDP: &str = "application/sdp";
/// Media type of candidates that come later.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

impl Viewer {
    fn of(caller: Caller, peer: Peer, headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = agent.map(|agent| agent.chars().take(200).collect());
        Self { principal: caller.0, from: peer.address, user_agent }
    }
}

/// A page that plays a camera
///
/// Over WebRTC, with a fraction of a second of delay, or over HLS where that does not get through or
/// with `#hls`. The page shows nothing of the device by itself: it plays for who is signed in.
#[utoipa::path(
    get,
    path = "/live/{cam}",
    tag = "viewing",
    operation_id = "watch_page",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(PAGE))
}

/// Watch over WebRTC
///
/// WHEP (draft-ietf-wish-whep): the body is the viewer's offer, the answer the server's. `Location` is
/// the session: candidates that come later are sent there with PATCH, and it is ended there with
/// DELETE. Media goes between the viewer and `media_server.webrtc_udp_listen`, by UDP or TCP.
#[utoipa::path(
    post,
    path = "/live/{cam}/whep",
    tag = "viewing",
    operation_id = "begin_whep",
    params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
    request_body(content = String, content_type = "application/sdp", description = "The offer."),
    responses(
        (
            status = 201,
            description = "The answer.",
            body = String,
            content_type = "application/sdp",
            headers(
                ("Location" = String, description = "The session."),
                ("Link" = Option<String>, description = "ICE servers; none in most networks."),
            ),
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn begin(
    State(ports): State<Ports>,
    PathName(cam): PathName,
    caller: Caller,
    request: Request,
) -> Result<Response, Failure> {
    ports.camera(&cam)?;
    let viewer = Viewer::of(caller, Peer::of(request.extensions()), request.headers());
    let offer = body(request, &ports, &[SDP]).await?;
    let whep = ports.viewing.begin(&cam, viewer, offer).await?;
    let mut response = (StatusCode::CREATED, [(CONTENT_TYPE, SDP)], whep.answer).into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/live/{cam}/whep/{}", whep.session)) {
        headers.insert(LOCATION, location);
    }
    for link in whep.links.iter().filter_map(|link| HeaderValue::from_str(link).ok()) {
        headers.append(LINK, link);
    }
    Ok(response)
}

/// Candidates of a WebRTC session that come later
///
/// The body is an SDP fragment (RFC 8840), as players send it that do not wait for all of their
/// addresses before they ask.
#[utoipa::path(
    patch,
    path = "/live/{cam}/whep/{id}",
    tag = "viewing",
    operation_id = "trickle_whep",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        ("id" = String, Path, description = "The session, from `Location`.", example = "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f"),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag", description = "The fragment."),
    responses(
        (
            status = 200,
            description = "The server has new candidates, too.",
            body = String,
            content_type = "application/trickle-ice-sdpfrag",
        ),
        (status = 204, description = "Taken."),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn trickle(
    State(ports): State<Ports>,
    names: PathNames,
    request: Request,
) -> Result<Response, Failure> {
    let (cam, session) = (names.get("cam"), names.get("id"));
    ports.camera(cam)?;
    let fragment = body(request, &ports, &[FRAGMENT]).await?;
    Ok(match ports.viewing.trickle(cam, session, fragment).await? {
        Some(own) => ([(CONTENT_TYPE, FRAGMENT)], own).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// End a WebRTC session
///
/// As its viewer; one that is left without this ends by itself when nothing comes back any more.
#[utoipa::path(
    delete,
    path = "/live/{cam}/whep/{id}",
    tag = "viewing",
    operation_id = "end_whep",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        ("id" = String, Path, description = "The session, from `Location`.", example = "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f"),
    ),
    responses(
        (status = 204, description = "It has ended."),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn end(
    State(ports): State<Ports>,
    names: PathNames,
) -> Result<StatusCode, Failure> {
    let (cam, session) = (names.get("cam"), names.get("id"));
    ports.camera(cam)?;
    ports.viewing.end(cam, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// The viewer's session; the playlists name it.
    #[param(nullable = false)]
    session: Option<String>,
}

/// Watch over HLS
///
/// Begin with `index.m3u8`: it leads to all else. Every file takes a sign-in. The first answer waits
/// until there are some seconds of stream.
#[utoipa::path(
    get,
    path = "/live/{cam}/{file}",
    tag = "viewing",
    operation_id = "get_hls_file",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        ("file" = String, Path, description = "Name of the file.", example = "index.m3u8"),
        FileQuery,
    ),
    responses(
        (status = 200, description = "The file.", content(
            (String = "application/vnd.apple.mpegurl"),
            (Vec<u8> = "video/mp4"),
            (Vec<u8> = "video/mp2t"),
            (String = "text/javascript"),
        )),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn file(
    State(ports): State<Ports>,
    names: PathNames,
    caller: Caller,
    QueryOf(query): QueryOf<FileQuery>,
    request: Request,
) -> Result<Response, Failure> {
    let (cam, name) = (names.get("cam"), names.get("file"));
    ports.camera(cam)?;
    let Some(media_type) = media_type(name) else { return Err(no_file(name)) };
    let viewer = Viewer::of(caller, Peer::of(request.extensions()), request.headers());
    let file = ports.viewing.file(cam, viewer, name, query.session.as_deref()).await?;
    Ok(([(CONTENT_TYPE, media_type)], Body::from_stream(file.body)).into_response())
}

/// The media type of a file of a stream, by its name; `None`: there is no such file.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "m3u8" => Some("application/vnd.apple.mpegurl"),
        "mp4" | "m4s" => Some("video/mp4"),
        "ts" => Some("video/mp2t"),
        "js" => Some("text/javascript"),
        _ => None,
    }
}

fn no_file(name: &str) -> Failure {
    let detail = format!("a stream has no file \"{name}\"; it begins with index.m3u8");
    Failure::of(base::error::ErrorKind::NotFound, detail)
}
