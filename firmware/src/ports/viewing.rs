//! Viewers of the media server, as the API brings, sees and ends them.

use std::net::SocketAddr;

use api::live::{ViewerKind, ViewerSession};
use base::error::{ErrorKind, Kind};
use config::CameraId;
use control::PortError;
use control::ports::{Answer, Bytes, MediaFile, Viewer, Viewing, Whep};
use futures::{FutureExt, StreamExt};
use mediamtx::{RelayError, Watcher, Way};

use crate::media_server::MediaServer;

/// The media server, if there is one.
#[derive(Debug)]
pub(crate) struct ViewingPort(pub(crate) Option<MediaServer>);

impl ViewingPort {
    fn server(&self) -> Result<&MediaServer, PortError> {
        self.0.as_ref().ok_or_else(|| {
            let detail =
                "no streams are served: `media_server.enabled` is off, or there is no MediaMTX";
            PortError::new(ErrorKind::Unavailable, detail)
        })
    }
}

fn camera(id: &str) -> Result<CameraId, PortError> {
    let missing = || PortError::new(ErrorKind::NotFound, format!("there is no camera \"{id}\""));
    CameraId::new(id).ok_or_else(missing)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn failed(error: RelayError) -> PortError {
    if let RelayError::Server(_) = error {
        // What stands behind it is for the log.
        tracing::warn!(error = base::error::chain(&error), "a viewer gets nothing");
    }
    PortError::new(error.kind(), error.to_string())
}

/// `viewer` as the media server is to know them.
fn with_ticket(server: &MediaServer, viewer: Viewer) -> mediamtx::Viewer {
    mediamtx::Viewer {
        ticket: server.door().ticket(&viewer.principal),
        user: viewer.principal.username,
        from: viewer.from,
        user_agent: viewer.user_agent,
    }
}

fn session(server: &MediaServer, watcher: Watcher) -> ViewerSession {
    let address = watcher.remote.parse::<SocketAddr>();
    let address = address.map(|address| address.ip().to_canonical().to_string());
    ViewerSession {
        username: server.door().who(&watcher.id).map(|principal| principal.username),
        id: watcher.id,
        kind: match watcher.way {
            Way::Rtsp => ViewerKind::Rtsp,
            Way::WebRtc => ViewerKind::Webrtc,
            Way::Hls => ViewerKind::Hls,
        },
        camera: watcher.camera,
        address: address.unwrap_or(watcher.remote),
        user_agent: Some(watcher.user_agent).filter(|agent| !agent.is_empty()),
        since: watcher.since,
        transport: watcher.transport,
        bytes_sent: watcher.bytes,
        packets_sent: watcher.packets,
        packets_lost: watcher.lost,
        discarded: watcher.discarded,
    }
}

fn silent() -> PortError {
    PortError::new(ErrorKind::Unavailable, "the media server does not answer; try again")
}

impl Viewing for ViewingPort {
    fn begin<'a>(&'a self, id: &'a str, viewer: Viewer, offer: Bytes) -> Answer<'a, Whep> {
        async move {
            let (server, camera) = (self.server()?, camera(id)?);
            let viewer = with_ticket(server, viewer);
            let begun = server.relay().begin(&camera, &viewer, offer).await.map_err(failed)?;
            let mediamtx::WhepAnswer { sdp, session, links } = begun;
            Ok(Whep { answer: sdp, session, links })
        }
        .boxed()
    }

    fn trickle<'a>(
        &'a self,
        id: &'a str,
        session: &'a str,
        fragment: Bytes,
    ) -> Answer<'a, Option<Bytes>> {
        async move {
            let (server, camera) = (self.server()?, camera(id)?);
            server.relay().trickle(&camera, session, fragment).await.map_err(failed)
        }
        .boxed()
    }

    fn end<'a>(&'a self, id: &'a str, session: &'a str) -> Answer<'a, ()> {
        async move {
            let (server, camera) = (self.server()?, camera(id)?);
            server.relay().end(&camera, session).await.map_err(failed)
        }
        .boxed()
    }

    fn file<'a>(
        &'a self,
        id: &'a str,
        viewer: Viewer,
        name: &'a str,
        session: Option<&'a str>,
    ) -> Answer<'a, MediaFile> {
        async move {
            let (server, camera) = (self.server()?, camera(id)?);
            let body = match name {
                mediamtx::relay::INDEX => {
                    server.relay().index(&camera, &with_ticket(server, viewer)).await
                }
                name => server.relay().file(&camera, viewer.from, name, session).await,
            };
            Ok(MediaFile { body: body.map_err(failed)?.boxed() })
        }
        .boxed()
    }

    fn sessions(&self) -> Answer<'_, Vec<ViewerSession>> {
        async move {
            let Some(server) = &self.0 else { return Ok(Vec::new()) };
            let watchers = server.watchers().await.ok_or_else(silent)?;
            let all = watchers.into_iter().map(|watcher| session(server, watcher));
            let mut all: Vec<_> = all.collect();
            all.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
            Ok(all)
        }
        .boxed()
    }

    fn kick<'a>(&'a self, session: &'a ViewerSession) -> Answer<'a, ()> {
        async move {
            let way = match session.kind {
                ViewerKind::Rtsp => Way::Rtsp,
                ViewerKind::Webrtc => Way::WebRtc,
                ViewerKind::Hls => Way::Hls,
            };
            let asked = self.server()?.kick(way, &session.id).await;
            asked.then_some(()).ok_or_else(silent)
        }
        .boxed()
    }
}
