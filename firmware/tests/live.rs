//! Promise: who is signed in watches the cameras that they see, by RTSP, WebRTC and HLS, and follows what
//! goes on; nobody else does. Who watches is known and can be sent away.

mod harness;

use std::net::TcpStream;
use std::time::Duration;

use api::live::{LiveData, LiveMessage, LiveTopic, ViewerKind, ViewerSession};
use api::past::{Timeline, TrackPage};
use harness::daemon::EdgeCam;
use harness::http::{Api, OWNER, PASSWORD};
use harness::viewer::{Viewer, described};
use harness::{Need, Setup, Site, clips, until, until_some};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// Nothing of a test takes longer.
const LONG: Duration = Duration::from_secs(30);
/// A second camera that draws little.
const OTHER: &str = "cameras.other.video={\"width\":320,\"height\":240,\"fps\":10}";

/// What a browser offers.
fn offer() -> String {
    let print = ["AA"; 32].join(":");
    let lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        &format!("a=fingerprint:sha-256 {print}"),
        "a=setup:actpass",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ];
    lines.join("\r\n") + "\r\n"
}

fn two_cameras() -> Setup {
    let setup = Setup::new().set("cameras.cam.source=scene").set("cameras.other.source=scene");
    setup.set("cameras.cam.video={\"width\":320,\"height\":240,\"fps\":10}").set(OTHER)
}

/// A token of the owner, of a viewer limited to `cameras`: its id and its secret.
fn token(edgecam: &EdgeCam, cameras: Option<&[&str]>) -> (String, String) {
    let new = json!({ "name": "limited", "role": "viewer", "cameras": cameras });
    let made = edgecam.api().post("/api/v1/tokens", &new).json();
    let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (text("id"), text("secret"))
}

fn whep(api: &Api, camera: &str) -> u16 {
    api.send(&format!("/live/{camera}/whep"), "application/sdp", offer().as_bytes()).status
}

fn hls(api: &Api, camera: &str) -> u16 {
    api.get(&format!("/live/{camera}/index.m3u8")).status
}

#[test]
fn nobody_watches_without_a_sign_in_and_a_token_for_one_camera_opens_that_one() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    let edgecam = two_cameras().start();
    let rtsp = edgecam.at().rtsp;
    let by_rtsp =
        |camera: &str, user: &str, password: &str| described(rtsp, camera, user, password);
    until("the media server answers", LONG, || by_rtsp("cam", "", "").is_some());
    // Not claimed yet: nobody.
    assert_eq!(by_rtsp("cam", "", ""), Some(401));
    assert_eq!(by_rtsp("cam", OWNER, PASSWORD), Some(401));
    let nobody = Api::at(edgecam.at().api);
    assert_eq!((whep(&nobody, "cam"), hls(&nobody, "cam")), (403, 403));

    until("the stream can be read by its owner", LONG, || edgecam.is_streaming());
    assert_eq!(by_rtsp("cam", OWNER, PASSWORD), Some(200));
    assert_eq!(by_rtsp("cam", "", ""), Some(401));
    assert_eq!(by_rtsp("cam", OWNER, "another street"), Some(401));
    assert_eq!((whep(&nobody, "cam"), hls(&nobody, "cam")), (401, 401));
    let owner = edgecam.api();
    until("the other camera streams", LONG, || by_rtsp("other", OWNER, PASSWORD) == Some(200));
    for camera in ["cam", "other"] {
        assert_eq!((whep(&owner, camera), hls(&owner, camera)), (201, 200), "{camera}");
    }

    let (_, secret) = token(&edgecam, Some(&["other"]));
    assert_eq!(by_rtsp("other", "anyone", &secret), Some(200));
    assert_eq!(by_rtsp(&format!("other?token={secret}"), "", ""), Some(200));
    assert_eq!(by_rtsp("cam", "anyone", &secret), Some(401));
    let limited = Api::at(edgecam.at().api).with_token(Some(secret.clone()));
    assert_eq!((whep(&limited, "other"), hls(&limited, "other")), (201, 200));
    assert_eq!((whep(&limited, "cam"), hls(&limited, "cam")), (404, 404));

    // Past the API: nobody, by whatever they know.
    let (hls_port, webrtc_port) = (edgecam.at().hls, edgecam.at().webrtc);
    for token in [None, Some(edgecam.token()), Some(format!("{OWNER}:{PASSWORD}")), Some(secret)] {
        let past = Api::at(hls_port).with_token(token.clone());
        assert_eq!(past.get("/cam/index.m3u8").status, 401);
        let past = Api::at(webrtc_port).with_token(token);
        let answer = past.send("/cam/whep", "application/sdp", offer().as_bytes());
        assert_eq!(answer.status, 401);
    }
    let told = edgecam.log();
    for secret in [PASSWORD, "ect_", "ecv_", "ecs_"] {
        assert!(!told.contains(secret), "the log tells {secret}");
    }
}

fn sessions(edgecam: &EdgeCam) -> Vec<ViewerSession> {
    let all = edgecam.api().get("/api/v1/streams/sessions").json();
    serde_json::from_value(all).expect("a list of sessions")
}

#[test]
fn who_watches_is_listed_and_sent_away_at_once_or_with_their_token() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    let edgecam = two_cameras().stream();
    let mut viewer = Viewer::new(&edgecam.rtsp());
    until("the stream is watched", LONG, || viewer.frames().len() >= 10);
    let listed = || sessions(&edgecam).into_iter().find(|one| one.kind == ViewerKind::Rtsp);
    let (session, _) = until_some("the viewer is listed", LONG, listed);
    assert_eq!((session.camera.as_str(), session.username.as_deref()), ("cam", Some(OWNER)));
    assert_eq!(
        (session.address.as_str(), session.transport.as_deref()),
        ("127.0.0.1", Some("tcp"))
    );
    assert!(session.bytes_sent > 0 && session.packets_lost == Some(0), "{session:?}");
    let api = edgecam.api();
    assert_eq!(api.deleted("/api/v1/streams/sessions/none").status, 404);
    assert_eq!(api.deleted(&format!("/api/v1/streams/sessions/{}", session.id)).status, 204);
    until("the viewer is away", LONG, || viewer.has_ended() && sessions(&edgecam).is_empty());

    let (id, secret) = token(&edgecam, Some(&["cam"]));
    let url = format!("rtsp://player:{secret}@{}/cam", edgecam.at().rtsp);
    let mut viewer = Viewer::new(&url);
    until("the stream is watched", LONG, || viewer.frames().len() >= 10);
    let limited = Api::at(edgecam.at().api).with_token(Some(secret));
    assert_eq!(hls(&limited, "cam"), 200);
    until("both are listed", LONG, || sessions(&edgecam).len() == 2);
    assert_eq!(api.deleted(&format!("/api/v1/tokens/{id}")).status, 204);
    until("what its token opened has ended", LONG, || {
        viewer.has_ended() && sessions(&edgecam).is_empty()
    });
}

/// A WebSocket of the API.
struct Socket(WebSocket<TcpStream>);

impl Socket {
    fn open(edgecam: &EdgeCam, query: &str) -> Self {
        let at = edgecam.at().api;
        let mut request =
            format!("ws://{at}/api/v1/ws{query}").into_client_request().expect("an address");
        let token = format!("Bearer {}", edgecam.token()).parse().expect("plain text");
        request.headers_mut().insert("authorization", token);
        let stream = TcpStream::connect(at).expect("the API listens");
        stream.set_read_timeout(Some(LONG)).expect("a socket has timeouts");
        Self(tungstenite::client(request, stream).expect("a WebSocket").0)
    }

    fn next(&mut self) -> LiveMessage {
        loop {
            match self.0.read().expect("it tells something") {
                Message::Text(text) => return serde_json::from_str(&text).expect("a LiveMessage"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next news that `wanted` takes.
    fn until<T>(&mut self, wanted: impl Fn(LiveTopic, &str, &LiveData) -> Option<T>) -> T {
        loop {
            let LiveMessage::News(news) = self.next() else { continue };
            let camera = news.camera.unwrap_or_default();
            if let Some(found) = wanted(news.topic, &camera, &news.data) {
                return found;
            }
        }
    }
}

#[test]
fn tracks_and_statistics_are_followed_live_and_found_again_in_the_past() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = Setup::new().set("media_server.enabled=false");
    let clip = clips::car_passes(setup.folder());
    let edgecam = setup.clip(&clip).start();
    let mut socket = Socket::open(&edgecam, "?topics=tracks,stats");
    assert!(matches!(socket.next(), LiveMessage::Subscribed(_)));
    let frames = socket.until(|topic, _, data| match data {
        LiveData::Stats(stats) if topic == LiveTopic::Stats => Some(stats.frames),
        _ => None,
    });
    assert!(frames > 0);
    let followed = socket.until(|topic, camera, data| match data {
        LiveData::Tracks(tracks) if topic == LiveTopic::Tracks && camera == "cam" => {
            tracks.objects.iter().find(|object| object.label == "car").cloned()
        }
        _ => None,
    });
    assert!(followed.r#box.iter().all(|share| (0.0..=1.0).contains(share)), "{followed:?}");

    // What was followed is kept when it ended, and has its events.
    let id = followed.track_id;
    let found = || {
        let page = edgecam.api().get("/api/v1/tracks?camera=cam&limit=500").json();
        let page: TrackPage = serde_json::from_value(page).expect("a page of tracks");
        page.items.into_iter().find(|track| track.id == id && track.ended)
    };
    let (track, _) = until_some("the track is kept", LONG, found);
    assert_eq!((track.camera.as_str(), track.label.as_str()), ("cam", "car"));
    assert!(track.path.len() >= 2 && track.path.is_sorted_by_key(|point| point.at), "{track:?}");
    let timeline = edgecam.api().get("/api/v1/timeline?camera=cam&bucket_s=60&label=car").json();
    let timeline: Timeline = serde_json::from_value(timeline).expect("a timeline");
    let events: u64 =
        timeline.buckets.iter().flat_map(|bucket| &bucket.counts).map(|count| count.events).sum();
    assert!(events >= 1, "{timeline:?}");
    let begin = track.first_seen - jiff::SignedDuration::from_secs(5);
    let path = format!("/api/v1/events?kind=object&type=new&from={begin}&order=asc&limit=1000");
    let listed: Value = edgecam.api().get(&path).json();
    let all = listed["items"].as_array().expect("a list");
    assert!(all.iter().any(|event| event["object"]["track_id"] == id.to_string()), "{listed}");
    let later = edgecam.api().get("/api/v1/events?from=2999-01-01T00:00:00Z").json();
    assert_eq!(later["items"], json!([]));
}
