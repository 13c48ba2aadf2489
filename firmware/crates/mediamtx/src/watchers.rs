//! Who watches, as MediaMTX tells it. Pure.

use jiff::Timestamp;
use serde::Deserialize;

/// A way to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// RTSP.
    Rtsp,
    /// WebRTC.
    WebRtc,
    /// HLS.
    Hls,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rtsp, Self::WebRtc, Self::Hls];

    /// What the control API calls its sessions.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Rtsp => "rtspsessions",
            Self::WebRtc => "webrtcsessions",
            Self::Hls => "hlssessions",
        }
    }
}

/// Someone who watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// MediaMTX's id of the session, a UUID.
    pub id: String,
    /// How.
    pub way: Way,
    /// The path: the camera's id.
    pub camera: String,
    /// Address and port of the other end, as MediaMTX or the proxy before it sees it.
    pub remote: String,
    /// Since when.
    pub since: Timestamp,
    /// What the other end says that it is.
    pub user_agent: String,
    /// Bytes that it was sent.
    pub bytes: u64,
    /// RTP packets that it was sent; `None` where there are none (HLS).
    pub packets: Option<u64>,
    /// RTP packets that it reported as lost; `None` where MediaMTX does not tell.
    pub lost: Option<u64>,
    /// Packets or frames that were left out because it is too slow; `None` where MediaMTX does not tell.
    pub discarded: Option<u64>,
    /// `tcp` or `udp`, how media goes; `None` while that is not settled.
    pub transport: Option<String>,
}

/// A session of the control API; each kind leaves out what it has not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    id: String,
    created: Timestamp,
    remote_addr: String,
    /// HLS sessions have none: they read.
    state: Option<String>,
    path: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    outbound_bytes: u64,
    #[serde(rename = "outboundRTPPackets")]
    packets: Option<u64>,
    #[serde(rename = "outboundRTPPacketsReportedLost")]
    lost: Option<u64>,
    #[serde(rename = "outboundRTPPacketsDiscarded")]
    packets_discarded: Option<u64>,
    #[serde(rename = "outboundFramesDiscarded")]
    frames_discarded: Option<u64>,
    transport: Option<String>,
    local_candidate: Option<String>,
}

impl Session {
    /// Who watches by it; `None` for one that publishes or has not begun.
    pub(crate) fn watcher(self, way: Way) -> Option<Watcher> {
        if self.state.as_deref().is_some_and(|state| state != "read") {
            return None;
        }
        // `host/udp/192.168.1.20/8189`.
        let of_candidate =
            self.local_candidate.as_deref().and_then(|one| Some(one.split('/').nth(1)?.to_owned()));
        let transport = match way {
            Way::Hls => Some("tcp".to_owned()),
            Way::WebRtc => of_candidate,
            Way::Rtsp => self.transport,
        };
        Some(Watcher {
            id: self.id,
            way,
            camera: self.path,
            remote: self.remote_addr,
            since: self.created,
            user_agent: self.user_agent,
            bytes: self.outbound_bytes,
            packets: self.packets,
            lost: self.lost,
            discarded: self.packets_discarded.or(self.frames_discarded),
            transport: transport
                .map(|text| text.to_ascii_lowercase())
                .filter(|text| !text.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watcher(way: Way, text: &str) -> Option<Watcher> {
        serde_json::from_str::<Session>(text).unwrap().watcher(way)
    }

    #[test]
    fn who_watches_is_read_from_what_mediamtx_says_and_who_publishes_is_left_out() {
        let rtsp = r#"{"id":"1","created":"2026-01-31T12:00:00.5+01:00","remoteAddr":"10.0.0.7:4711",
            "state":"read","path":"yard","query":"token=x","user":"u","userAgent":"vlc","transport":"TCP",
            "outboundBytes":7,"outboundRTPPackets":5,"outboundRTPPacketsReportedLost":2,
            "outboundRTPPacketsDiscarded":1}"#;
        let found = watcher(Way::Rtsp, rtsp).unwrap();
        assert_eq!((found.lost, found.discarded, found.packets), (Some(2), Some(1), Some(5)));
        assert_eq!(found.transport.as_deref(), Some("tcp"));
        assert!(watcher(Way::Rtsp, &rtsp.replace("\"read\"", "\"publish\"")).is_none());
        assert!(watcher(Way::Rtsp, &rtsp.replace("\"read\"", "\"idle\"")).is_none());
        let webrtc = r#"{"id":"2","created":"2026-01-31T12:00:00Z","remoteAddr":"10.0.0.7:4711",
            "state":"read","path":"yard","localCandidate":"host/udp/10.0.0.2/8189","outboundBytes":7,
            "outboundRTPPackets":5,"outboundFramesDiscarded":3}"#;
        let found = watcher(Way::WebRtc, webrtc).unwrap();
        assert_eq!((found.transport.as_deref(), found.lost), (Some("udp"), None));
        assert_eq!(found.discarded, Some(3));
        let hls = r#"{"id":"3","created":"2026-01-31T12:00:00Z","remoteAddr":"10.0.0.7:4711",
            "path":"yard","outboundBytes":7}"#;
        assert_eq!(watcher(Way::Hls, hls).unwrap().packets, None);
    }
}
