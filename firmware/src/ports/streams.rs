//! The media server's streams as the API sees them.

use api::resources::Stream;
use config::CameraId;
use control::ports::{Answer, Streams};
use futures::FutureExt;

use crate::cameras::Cameras;
use crate::media_server::MediaServer;

/// The cameras, and the media server that serves them, if there is one.
#[derive(Debug)]
pub(crate) struct StreamPort {
    cameras: Cameras,
    server: Option<MediaServer>,
}

impl StreamPort {
    pub(crate) fn new(cameras: Cameras, server: Option<MediaServer>) -> Self {
        Self { cameras, server }
    }
}

impl Streams for StreamPort {
    fn list<'a>(&'a self, host: &'a str, base: &'a str) -> Answer<'a, Vec<Stream>> {
        async move {
            let paths = match &self.server {
                Some(server) => server.paths().await,
                None => None,
            };
            let stream = |id: &str| {
                let path = paths.iter().flatten().find(|path| path.name == id);
                let at = self.server.as_ref().zip(CameraId::new(id));
                let below = |path: &str| at.as_ref().map(|_| format!("{base}/live/{id}{path}"));
                Stream {
                    camera: id.to_owned(),
                    ready: path.is_some_and(|path| path.ready),
                    readers: paths.is_some().then(|| {
                        path.map_or(0, |path| u32::try_from(path.readers.len()).unwrap_or(u32::MAX))
                    }),
                    hls: below("/index.m3u8"),
                    webrtc: below(""),
                    whep: below("/whep"),
                    rtsp: at.as_ref().map(|(server, camera)| server.rtsp(camera, host)),
                }
            };
            Ok(self.cameras.all().keys().map(|id| stream(id)).collect())
        }
        .boxed()
    }
}
