//! What the API needs to bring viewers to the streams, and to see and end their sessions.

use std::io;
use std::net::IpAddr;

use access::Principal;
use api::live::ViewerSession;
use futures::stream::BoxStream;

use super::{Answer, Bytes};

/// Who watches.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Who they are.
    pub principal: Principal,
    /// Where they are.
    pub from: IpAddr,
    /// What their player says that it is.
    pub user_agent: Option<String>,
}

/// A WebRTC session that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whep {
    /// The server's answer, SDP.
    pub answer: Bytes,
    /// What names the session to its viewer; letters that a path may have.
    pub session: String,
    /// ICE servers, as `Link` headers.
    pub links: Vec<String>,
}

/// A file of a stream.
pub struct MediaFile {
    /// Its bytes as they come.
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

/// Those who watch. Cameras are named as they are known; who may see which is checked before.
pub trait Viewing: Send + Sync + 'static {
    /// Begins a WebRTC session with the viewer's `offer` (SDP).
    fn begin<'a>(&'a self, camera: &'a str, viewer: Viewer, offer: Bytes) -> Answer<'a, Whep>;

    /// Gives a session the viewer's later candidates; answers the server's own where it has new ones.
    fn trickle<'a>(
        &'a self,
        camera: &'a str,
        session: &'a str,
        fragment: Bytes,
    ) -> Answer<'a, Option<Bytes>>;

    /// Ends a session, as its viewer.
    fn end<'a>(&'a self, camera: &'a str, session: &'a str) -> Answer<'a, ()>;

    /// A file of the HLS stream, within `session` but for the first, which begins one.
    fn file<'a>(
        &'a self,
        camera: &'a str,
        viewer: Viewer,
        name: &'a str,
        session: Option<&'a str>,
    ) -> Answer<'a, MediaFile>;

    /// All who watch now, by time of their begin.
    fn sessions(&self) -> Answer<'_, Vec<ViewerSession>>;

    /// Sends away who watches by `session`. One that has ended already is no error.
    fn kick<'a>(&'a self, session: &'a ViewerSession) -> Answer<'a, ()>;
}
