//! A key frame for everyone who begins to watch: without it a new viewer would see nothing until
//! the next regular one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::shutdown::Shutdown;
use mediamtx::PathState;

use crate::cameras::Cameras;
use crate::media_server::MediaServer;

/// Time between two looks at who watches. MediaMTX tells nobody by itself, and has no way to ask
/// an RTSP publisher for a key frame.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Asks a camera for a key frame whenever its stream has a new reader, until the stop.
pub(crate) async fn welcome(server: MediaServer, cameras: Cameras, mut shutdown: Shutdown) {
    let mut known = Readers::default();
    loop {
        // Cancel-safe: both arms only wait.
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.wait() => return,
        }
        let Some(paths) = server.paths().await else { continue };
        for camera in known.newly_watched(&paths) {
            tracing::debug!(camera, "someone begins to watch");
            if let Some(camera) = cameras.get(&camera) {
                camera.key_frame().await;
            }
        }
    }
}

/// Who watches what: ids of readers by stream.
#[derive(Debug, Default)]
struct Readers(BTreeMap<String, BTreeSet<String>>);

impl Readers {
    /// The streams that somebody watches who did not the last time.
    fn newly_watched(&mut self, paths: &[PathState]) -> Vec<String> {
        let ids = |path: &PathState| path.readers.iter().map(|reader| reader.id.clone()).collect();
        let now = Self(paths.iter().map(|path| (path.name.clone(), ids(path))).collect());
        let before = std::mem::replace(self, now);
        let is_new = |(stream, readers): &(&String, &BTreeSet<String>)| {
            let known = before.0.get(*stream);
            readers.iter().any(|reader| known.is_none_or(|known| !known.contains(reader)))
        };
        self.0.iter().filter(is_new).map(|(stream, _)| stream.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(readers: &[&str]) -> Vec<PathState> {
        let readers: Vec<_> = readers
            .iter()
            .map(|id| serde_json::json!({ "type": "webRTCSession", "id": id }))
            .collect();
        let path = serde_json::json!({ "name": "cam", "available": true, "inboundBytes": 0, "outboundBytes": 0, "readers": readers });
        vec![serde_json::from_value(path).unwrap()]
    }

    #[test]
    fn every_new_reader_is_noticed_once() {
        let mut readers = Readers::default();
        assert!(readers.newly_watched(&paths(&[])).is_empty());
        assert_eq!(readers.newly_watched(&paths(&["a"])), ["cam"]);
        assert!(readers.newly_watched(&paths(&["a"])).is_empty());
        assert_eq!(readers.newly_watched(&paths(&["a", "b"])), ["cam"]);
        assert!(readers.newly_watched(&paths(&["b"])).is_empty());
        assert_eq!(readers.newly_watched(&paths(&["a", "b"])), ["cam"], "it came back");
    }
}
