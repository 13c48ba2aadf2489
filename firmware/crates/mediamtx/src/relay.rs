//! WebRTC's signalling (WHEP) and HLS of MediaMTX, for who brings viewers here: `edgecamd`, which knows
//! who they are. Nothing of what a viewer sends but what is named here reaches MediaMTX.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::error::{ErrorKind, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::{CameraId, MediaServerConfig};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, header};
use serde::Deserialize;

use crate::error::ControlError;
use crate::exchange::{self, ReplyBody};

/// An answer must begin within this time. The first playlist waits for the first segments.
const LIMIT: Duration = Duration::from_secs(9);
/// With what a viewer of HLS begins.
pub const INDEX: &str = "index.m3u8";
/// Who stands behind us, the one proxy that MediaMTX believes.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Media type of an offer and its answer.
const SDP: &str = "application/sdp";
/// Media type of candidates that come later.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Who watches.
#[derive(Clone)]
pub struct Viewer {
    /// Their name.
    pub user: String,
    /// What the doorkeeper knows them by; given to the hook as the password.
    pub ticket: String,
    /// Where they are.
    pub from: IpAddr,
    /// What their player says that it is.
    pub user_agent: Option<String>,
}

/// A WebRTC session that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhepAnswer {
    /// The answer, SDP.
    pub sdp: Bytes,
    /// What names the session to its viewer: a secret, other than the id that others see.
    pub session: String,
    /// ICE servers, as `Link` headers.
    pub links: Vec<String>,
}

/// Why a viewer gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Nobody publishes there.
    #[error("the camera's stream is not there now; its state says why")]
    NoStream,
    /// The offer or the candidates will not do.
    #[error("the media server does not take this: {0}")]
    Refused(String),
    /// No such session, or not any more.
    #[error("there is no such session; it may have ended")]
    NoSession,
    /// No such file, or not any more.
    #[error("there is no such file in the stream; load index.m3u8 again")]
    NoFile,
    /// MediaMTX does not answer as it should.
    #[error("the media server does not answer")]
    Server(#[from] ControlError),
}

impl Kind for RelayError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoStream | Self::Server(_) => ErrorKind::Unavailable,
            Self::Refused(_) => ErrorKind::InvalidArgument,
            Self::NoSession | Self::NoFile => ErrorKind::NotFound,
        }
    }
}

/// The way of viewers to MediaMTX; cheap to clone.
#[derive(Clone, Debug)]
pub struct Relay {
    webrtc: SocketAddr,
    hls: SocketAddr,
}

type Answer = (u16, HeaderMap, Bytes);

impl Relay {
    /// To the MediaMTX that runs as `server` says.
    pub fn new(server: &MediaServerConfig) -> Self {
        Self { webrtc: server.webrtc_listen, hls: server.hls_listen }
    }

    /// Begins a WebRTC session of `viewer` with their `offer` (SDP).
    ///
    /// # Errors
    /// When the offer will not do or there is no stream.
    pub async fn begin(
        &self,
        camera: &CameraId,
        viewer: &Viewer,
        offer: Bytes,
    ) -> Result<WhepAnswer, RelayError> {
        let request = of(viewer, Method::POST, format!("/{camera}/whep"));
        let request = request.header(header::CONTENT_TYPE, SDP);
        let (status, headers, body) = self.ask(request, offer).await?;
        let name = || format!("POST /{camera}/whep");
        match status {
            201 => {}
            404 => return Err(RelayError::NoStream),
            400 | 406 => return Err(RelayError::Refused(said(&body))),
            _ => return Err(ControlError::refused(name(), status, &body).into()),
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let location = text(header::LOCATION).unwrap_or_default();
        let session = location.split('?').next().and_then(|path| path.rsplit('/').next());
        let session = session.filter(|session| is_session(session)).ok_or_else(|| {
            ControlError::refused(name(), status, b"without the address of a session")
        })?;
        let links = headers.get_all(header::LINK).iter();
        let links = links.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect();
        Ok(WhepAnswer { sdp: body, session: session.to_owned(), links })
    }

    /// Gives `session` the viewer's later candidates; answers the server's own where it has new ones.
    ///
    /// # Errors
    /// When there is no such session, or they will not do.
    pub async fn trickle(
        &self,
        camera: &CameraId,
        session: &str,
        fragment: Bytes,
    ) -> Result<Option<Bytes>, RelayError> {
        if !is_session(session) {
            return Err(RelayError::NoSession);
        }
        let request = Request::builder().method(Method::PATCH);
        let request = request.uri(format!("/{camera}/whep/{session}"));
        let request = request.header(header::CONTENT_TYPE, FRAGMENT);
        let (status, _, body) = self.ask(request, fragment).await?;
        match status {
            200 => Ok(Some(body)),
            204 => Ok(None),
            404 => Err(RelayError::NoSession),
            // MediaMTX says 500 when candidates do not fit the session.
            400 | 500 => Err(RelayError::Refused(said(&body))),
            _ => Err(ControlError::refused("PATCH of a session".into(), status, &body).into()),
        }
    }

    /// Ends `session`.
    ///
    /// # Errors
    /// When there is no such session.
    pub async fn end(&self, camera: &CameraId, session: &str) -> Result<(), RelayError> {
        if !is_session(session) {
            return Err(RelayError::NoSession);
        }
        let request = Request::builder().method(Method::DELETE);
        let request = request.uri(format!("/{camera}/whep/{session}"));
        let (status, _, body) = self.ask(request, Bytes::new()).await?;
        match status {
            200..=299 => Ok(()),
            404 => Err(RelayError::NoSession),
            _ => Err(ControlError::refused("DELETE of a session".into(), status, &body).into()),
        }
    }

    /// The first playlist of the HLS stream of `camera`, which begins a session of `viewer` and names it
    /// in what it leads to.
    ///
    /// # Errors
    /// When there is no stream.
    pub async fn index(&self, camera: &CameraId, viewer: &Viewer) -> Result<ReplyBody, RelayError> {
        // Without the check MediaMTX would send the viewer round once more, to see if cookies come back.
        let request = of(viewer, Method::GET, format!("/{camera}/{INDEX}?cookieCheck=1"));
        match self.get(request).await? {
            Ok(body) => Ok(body),
            Err(404) => Err(RelayError::NoStream),
            Err(status) => {
                Err(ControlError::refused("GET of a playlist".into(), status, b"").into())
            }
        }
    }

    /// The file `name` of the HLS stream of `camera`, within `session`, for a viewer who is at `from` still:
    /// to MediaMTX a session is of one address.
    ///
    /// # Errors
    /// When there is no such file or no such session.
    pub async fn file(
        &self,
        camera: &CameraId,
        from: IpAddr,
        name: &str,
        session: Option<&str>,
    ) -> Result<ReplyBody, RelayError> {
        if !is_file(name) || session.is_some_and(|session| !is_session(session)) {
            return Err(RelayError::NoFile);
        }
        let query = session.map(|session| format!("?session={session}")).unwrap_or_default();
        let request = Request::builder().uri(format!("/{camera}/{name}{query}"));
        let request = request.header(FORWARDED_FOR, from.to_string());
        match self.get(request).await? {
            Ok(body) => Ok(body),
            // 401 is MediaMTX's word for a session that it does not know.
            Err(401 | 404) => Err(RelayError::NoFile),
            Err(status) => Err(ControlError::refused("GET of a file".into(), status, b"").into()),
        }
    }

    /// The body of what is got from HLS, or the status that says why there is none.
    async fn get(
        &self,
        request: hyper::http::request::Builder,
    ) -> Result<Result<ReplyBody, u16>, ControlError> {
        let request = request.body(Full::default()).map_err(broken)?;
        let reply = exchange::send(self.hls, request, LIMIT).await?;
        Ok(if reply.status == 200 { Ok(reply.body) } else { Err(reply.status) })
    }

    async fn ask(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, RelayError> {
        let request = request.body(Full::new(body)).map_err(broken)?;
        Ok(exchange::ask(self.webrtc, request, LIMIT).await?)
    }
}

/// A request of `viewer`.
fn of(viewer: &Viewer, method: Method, uri: String) -> hyper::http::request::Builder {
    let key = STANDARD.encode(format!("{}:{}", viewer.user, viewer.ticket));
    let request = Request::builder().method(method).uri(uri);
    let request = request
        .header(header::AUTHORIZATION, format!("Basic {key}"))
        .header(FORWARDED_FOR, viewer.from.to_string());
    match &viewer.user_agent {
        Some(agent) => request.header(header::USER_AGENT, agent),
        None => request,
    }
}

fn broken(error: hyper::http::Error) -> ControlError {
    ControlError::Exchange { request: "a viewer's request".into(), source: error.into() }
}

/// The sentence in MediaMTX's answer.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(said) => said.error.chars().take(200).collect(),
        Err(_) => "it does not say why".to_owned(),
    }
}

/// Whether `text` is a UUID as MediaMTX writes them.
fn is_session(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether `text` can be the name of a file of an HLS stream; no path, by its letters.
fn is_file(text: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match text.rsplit_once('.') {
        Some((name, "m3u8" | "mp4" | "m4s" | "ts")) => {
            (1..=128).contains(&name.len()) && name.bytes().all(named)
        }
        _ => text == "hls.min.js",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_files_are_asked_for() {
        for good in ["index.m3u8", "main_stream.m3u8", "0a-b_main_seg7.mp4", "x.ts", "hls.min.js"] {
            assert!(is_file(good), "{good}");
        }
        for bad in [
            "",
            ".m3u8",
            "index.html",
            "..",
            "../x.mp4",
            "a/b.mp4",
            "a%2fb.mp4",
            "a.mp4?x",
            "a b.mp4",
            "publisher.js",
            "x.hls.min.js",
            "ä.mp4",
            "a\r\n.mp4",
        ] {
            assert!(!is_file(bad), "{bad}");
        }
    }

    #[test]
    fn only_ids_of_sessions_are_asked_for() {
        assert!(is_session("6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f"));
        for bad in
            ["", "x", "../../v3/config", "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f?x", "6c0e7f9e"]
        {
            assert!(!is_session(bad), "{bad}");
        }
    }

    #[test]
    fn what_mediamtx_says_is_told_in_its_words() {
        assert_eq!(said(br#"{"status":"error","error":"invalid SDP"}"#), "invalid SDP");
        assert_eq!(said(b"<html>"), "it does not say why");
    }
}
