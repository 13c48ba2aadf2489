//! Watching: who is let through to the media server, and with what.

use std::sync::PoisonError;

use api::access::Role;
use api::live::ViewerSession;
use hyper::Method;

use crate::client::{Answer, Server};
use crate::fake::watching::SESSION;

const SDP: (&str, &str) = ("content-type", "application/sdp");

async fn offer(server: &Server, path: &str) -> Answer {
    server.ask(Method::POST, path, &[SDP], "v=0 and more").await
}

fn asked(server: &Server) -> Vec<String> {
    server.fake.watching.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The same server, as a viewer who sees `front` only.
async fn as_guard(mut server: Server) -> Server {
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Viewer, Some("front")).await);
    server
}

#[tokio::test]
async fn a_webrtc_session_is_begun_trickled_and_ended_at_addresses_of_ours() {
    let server = Server::start().await;
    let answer = offer(&server, "/live/front/whep").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (201, "v=0"));
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert_eq!(answer.header("location"), format!("/live/front/whep/{SESSION}"));
    assert!(answer.header("link").contains("ice-server"));
    assert_eq!(asked(&server), ["owner at 127.0.0.1 offers 12 bytes to front"]);

    let at = answer.header("location");
    let fragment = ("content-type", "application/trickle-ice-sdpfrag");
    let taken = server.ask(Method::PATCH, at, &[fragment], "").await;
    assert_eq!(taken.status, 204);
    let answered = server.ask(Method::PATCH, at, &[fragment], "a=ice-ufrag:x").await;
    assert_eq!((answered.status.as_u16(), answered.text()), (200, "a=ice-ufrag:x"));
    assert_eq!(server.ask(Method::DELETE, at, &[], "").await.status, 204);

    let gone = server.ask(Method::DELETE, "/live/front/whep/other", &[], "").await;
    gone.problem(404, "not_found");
    server.ask(Method::PATCH, at, &[SDP], "").await.problem(415, "unsupported_media_type");
    let json = [("content-type", "application/json")];
    let odd = server.ask(Method::POST, "/live/front/whep", &json, "{}").await;
    odd.problem(415, "unsupported_media_type");
    let odd = server.ask(Method::POST, "/live/front/whep", &[SDP], "no offer").await;
    odd.problem(422, "invalid_argument");
    let long = "x".repeat(2 << 20);
    let odd = server.ask(Method::POST, "/live/front/whep", &[SDP], long).await;
    odd.problem(413, "too_large");
    let put = server.ask(Method::PUT, "/live/front/whep", &[SDP], "").await;
    put.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn nobody_watches_a_camera_that_they_do_not_see_or_without_a_sign_in() {
    let mut server = as_guard(Server::start().await).await;
    assert_eq!(offer(&server, "/live/front/whep").await.status, 201);
    assert_eq!(server.get("/live/front/index.m3u8").await.status, 200);
    let before = asked(&server).len();
    for camera in ["yard", "none"] {
        let base = format!("/live/{camera}");
        offer(&server, &format!("{base}/whep")).await.problem(404, "not_found");
        let at = format!("{base}/whep/{SESSION}");
        server.ask(Method::DELETE, &at, &[], "").await.problem(404, "not_found");
        server.get(&format!("{base}/index.m3u8")).await.problem(404, "not_found");
    }
    server.token = None;
    offer(&server, "/live/front/whep").await.problem(401, "unauthenticated");
    for file in ["index.m3u8", "x.mp4", "hls.min.js"] {
        let answer = server.get(&format!("/live/front/{file}")).await;
        answer.problem(401, "unauthenticated");
    }
    assert_eq!(asked(&server).len(), before, "the media server heard of nothing");
    let page = server.get("/live/front").await;
    assert_eq!(page.status, 200, "it plays nothing by itself");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn files_of_a_stream_come_as_they_are_and_nothing_else_does() {
    let server = Server::start().await;
    let index = server.get("/live/front/index.m3u8").await;
    assert_eq!(index.header("content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(index.text(), "#EXTM3U\n#EXT-X-ENDLIST\n");
    assert_eq!(index.header("cache-control"), "no-store");
    let segment = server.get(&format!("/live/front/a_seg1.mp4?session={SESSION}")).await;
    assert_eq!(segment.header("content-type"), "video/mp4");
    assert_eq!(
        asked(&server),
        [
            "owner reads index.m3u8 of front in None".to_owned(),
            format!("owner reads a_seg1.mp4 of front in Some({SESSION:?})"),
        ]
    );
    for path in ["x", "index.html", "..", "..%2fv3", "%2e%2e/x.html", "a.b/c"] {
        let answer = server.get(&format!("/live/front/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let odd = server.get("/live/front/index.m3u8?token=ect_secret").await;
    let detail = odd.problem(400, "malformed").detail;
    assert!(!detail.contains("ect_secret"), "{detail}");
}

#[tokio::test]
async fn who_watches_is_told_and_sent_away_by_operators_of_their_cameras() {
    let mut server = Server::start().await;
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    let all: Vec<ViewerSession> = server.get("/api/v1/streams/sessions").await.json();
    assert_eq!(all.len(), 2);
    let kick = async |server: &Server, id: &str| {
        server.ask(Method::DELETE, &format!("/api/v1/streams/sessions/{id}"), &[], "").await
    };
    assert_eq!(kick(&server, "two").await.status, 204);
    assert_eq!(asked(&server), ["two goes"]);
    let row = server.fake.audit.lock().unwrap().last().cloned().unwrap();
    assert_eq!((row.operation.as_str(), row.status), ("kick_viewer", 204));
    assert_eq!(row.before.unwrap()["camera"], "yard");

    server.token = Some(server.fake.token(&owner, Role::Operator, Some("front")).await);
    let seen: Vec<ViewerSession> = server.get("/api/v1/streams/sessions").await.json();
    assert_eq!(seen.iter().map(|one| one.camera.as_str()).collect::<Vec<_>>(), ["front"]);
    kick(&server, "two").await.problem(404, "not_found");
    server.token = Some(server.fake.token(&owner, Role::Viewer, None).await);
    server.get("/api/v1/streams/sessions").await.problem(403, "permission_denied");
    kick(&server, "one").await.problem(403, "permission_denied");
}

#[tokio::test]
async fn to_watch_is_no_change_and_leaves_no_row_in_the_record() {
    let server = Server::start().await;
    let before = server.fake.audit.lock().unwrap().len();
    offer(&server, "/live/front/whep").await;
    server.ask(Method::DELETE, &format!("/live/front/whep/{SESSION}"), &[], "").await;
    assert_eq!(server.fake.audit.lock().unwrap().len(), before);
}
