//! The WebSocket: topics, slow readers, who may open one, how it ends.

use std::time::{Duration, Instant};

use api::access::Role;
use api::live::{LiveData, LiveMessage, LiveNews, LiveSubscription, LiveTopic};
use edgecam_control::Limits;
use edgecam_control::ports::Beginner;
use futures::{SinkExt, StreamExt};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Server, soon};
use crate::fake::{OWNER, PASSWORD};
use crate::work::job;

const WS: &str = "/api/v1/ws";

/// An open socket.
struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn try_open(
        server: &Server,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, StatusCode> {
        let address = server.address;
        let mut request = format!("ws://localhost{WS}{query}").into_client_request().unwrap();
        if let (Some(token), true) = (&server.token, headers.is_empty()) {
            let token = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", token);
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn open(server: &Server, query: &str) -> Self {
        Self::try_open(server, query, &[]).await.unwrap()
    }

    async fn say(&mut self, text: impl ToString) {
        self.0.send(Message::text(text.to_string())).await.unwrap();
    }

    /// The next message; the code of its end.
    async fn next(&mut self) -> Result<LiveMessage, Option<CloseCode>> {
        // Pings come for as long as the socket lives.
        soon(async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(serde_json::from_str(&text).unwrap());
                    }
                    Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(None),
                }
            }
        })
        .await
    }

    async fn subscribed(&mut self) -> LiveSubscription {
        match self.next().await {
            Ok(LiveMessage::Subscribed(now)) => now,
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until `holds`.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn news_come_by_topic_and_camera_with_how_many_were_missed() {
    let server = Server::start().await;
    let watching = &server.fake.watching;
    let mut socket = Socket::open(&server, "?topics=tracks&cameras=front").await;
    assert_eq!(socket.subscribed().await.topics, [LiveTopic::Tracks]);
    assert!(watching.news("front", 1) && !watching.news("yard", 1));
    let news = async |socket: &mut Socket| match socket.next().await {
        Ok(LiveMessage::News(news)) => (news.camera.unwrap(), news.dropped),
        other => panic!("{other:?}"),
    };
    assert_eq!(news(&mut socket).await, ("front".to_owned(), 0));
    watching.news("front", 5);
    assert_eq!(news(&mut socket).await, ("front".to_owned(), 3), "2, 3 and 4 came in between");

    socket.say(json!({ "topics": ["tracks", "stats"], "cameras": ["yard"] })).await;
    assert_eq!(socket.subscribed().await.cameras, Some(vec!["yard".to_owned()]));
    until("what is not wanted any more is let go", || watching.followed() == 2).await;
    watching.news("yard", 1);
    assert_eq!(news(&mut socket).await.0, "yard");
    socket.say(json!({ "topics": [] })).await;
    socket.subscribed().await;
    until("nothing is followed", || watching.followed() == 0).await;
}

#[tokio::test]
async fn a_camera_that_comes_later_is_followed_by_who_follows_all() {
    let server = Server::start().await;
    let watching = &server.fake.watching;
    let mut socket = Socket::open(&server, "?topics=tracks").await;
    socket.subscribed().await;
    let before = watching.followed();
    let json = [("content-type", "application/json")];
    let gate = json!({ "id": "gate", "settings": {} }).to_string();
    let made = soon(server.ask(Method::POST, "/api/v1/cameras", &json, gate)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    watching.turnover.send_replace(());
    until("the new one is followed", || watching.followed() == before + 1).await;
    watching.news("gate", 1);
    assert!(
        matches!(socket.next().await, Ok(LiveMessage::News(news)) if news.camera.as_deref() == Some("gate"))
    );
}

#[tokio::test]
async fn jobs_are_told_as_they_change_to_those_who_see_them() {
    let mut server = Server::start().await;
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    let mut all = Socket::open(&server, "?topics=jobs").await;
    all.subscribed().await;
    let mut of_yard = Socket::open(&server, "?topics=jobs&cameras=yard").await;
    of_yard.subscribed().await;
    server.token = Some(server.fake.token(&owner, Role::Viewer, Some("front")).await);
    let mut guard = Socket::open(&server, "?topics=jobs").await;
    guard.subscribed().await;
    let id = async |socket: &mut Socket| match socket.next().await {
        Ok(LiveMessage::News(LiveNews { data: LiveData::Job(job), .. })) => job.id,
        other => panic!("{other:?}"),
    };
    let by = Beginner { by: "owner".into(), role: Role::Admin };
    for (name, camera) in [("device", None), ("yard", Some("yard")), ("front", Some("front"))] {
        server.fake.work.changes.send(job(name, camera, &by)).unwrap();
        assert_eq!(id(&mut all).await, name);
    }
    assert_eq!(id(&mut of_yard).await, "device", "of the cameras that are asked for, or of none");
    assert_eq!(id(&mut of_yard).await, "yard");
    assert_eq!(id(&mut guard).await, "front");
}

#[tokio::test]
async fn what_is_not_understood_is_told_and_changes_nothing() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server, "?topics=tracks").await;
    socket.subscribed().await;
    for (odd, code) in [
        ("no json".to_owned(), "malformed"),
        (json!({ "topics": ["weather"] }).to_string(), "malformed"),
        (json!({ "topics": [], "more": 1 }).to_string(), "malformed"),
        (json!({ "topics": ["tracks"], "cameras": ["none"] }).to_string(), "not_found"),
    ] {
        socket.say(&odd).await;
        match socket.next().await {
            Ok(LiveMessage::Problem(problem)) => assert_eq!(problem.code, code, "{odd}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(server.fake.watching.news("front", 1));
    assert!(matches!(socket.next().await, Ok(LiveMessage::News(_))), "it goes on as before");
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(socket.next().await.unwrap_err(), Some(CloseCode::Unsupported));

    let mut socket = Socket::open(&server, "").await;
    // The server may be gone before all of it was taken.
    let _ = socket.0.send(Message::text("x".repeat(1 << 20))).await;
    assert!(socket.next().await.is_err(), "a message that is too long ends it");
}

#[tokio::test]
async fn only_who_may_opens_a_socket_and_sees_their_cameras() {
    let mut server = Server::start().await;
    let refused = async |server: &Server, query: &str, headers: &[(&'static str, &str)]| {
        Socket::try_open(server, query, headers).await.err().map(|status| status.as_u16())
    };
    assert_eq!(refused(&server, "?topics=weather", &[]).await, Some(422));
    assert_eq!(refused(&server, "?x=1", &[]).await, Some(400));
    assert_eq!(refused(&server, "?cameras=none", &[]).await, Some(404));
    let plain = server.get(WS).await;
    assert!(plain.problem(400, "malformed").detail.contains("WebSocket"));

    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Viewer, Some("front")).await);
    assert_eq!(refused(&server, "?cameras=yard", &[]).await, Some(404));
    let mut socket = Socket::open(&server, "?topics=tracks").await;
    socket.subscribed().await;
    assert_eq!(server.fake.watching.followed(), 1, "front, and not yard");

    server.token = None;
    assert_eq!(refused(&server, "", &[]).await, Some(401));
    let login = json!({ "username": OWNER, "password": PASSWORD }).to_string();
    let json = [("content-type", "application/json")];
    let answer = server.ask(Method::POST, "/api/v1/auth/login", &json, login).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let own = [("cookie", cookie.as_str()), ("origin", "http://localhost")];
    assert_eq!(refused(&server, "", &own).await, None);
    for origin in ["http://evil.example", "null"] {
        let other = [("cookie", cookie.as_str()), ("origin", origin)];
        assert_eq!(refused(&server, "", &other).await, Some(403), "{origin}");
    }
    assert_eq!(refused(&server, "", &own[..1]).await, Some(403));
}

#[tokio::test]
async fn sockets_are_bounded_and_a_place_comes_back() {
    let server = Server::with(Limits { sockets: 2, ..Limits::default() }).await;
    let first = Socket::open(&server, "").await;
    let _second = Socket::open(&server, "").await;
    let third = Socket::try_open(&server, "", &[]).await;
    assert_eq!(third.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    drop(first);
    let begun = Instant::now();
    while Socket::try_open(&server, "", &[]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_socket_ends_with_the_way_in_with_its_client_and_with_the_daemon() {
    let limits = Limits { keep_alive: Duration::from_millis(500), ..Limits::default() };
    let mut server = Server::with(limits).await;
    let owner_token = server.token.clone();
    let owner = server.fake.access().recognise(owner_token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Viewer, None).await);
    let silent = Socket::open(&server, "?topics=tracks").await;
    until("one that never answers is left", || server.fake.watching.followed() == 0).await;
    drop(silent);
    let mut guard = Socket::open(&server, "").await;
    let tokens = server.fake.access().tokens(&owner).unwrap();
    let id = tokens.iter().find(|one| one.grant.role == Role::Viewer).unwrap().id.to_string();
    server.fake.access().remove_token(&owner, &id).await.unwrap();
    assert_eq!(guard.next().await.unwrap_err(), Some(CloseCode::Policy), "its token was revoked");

    server.token = owner_token;
    let mut last = Socket::open(&server, "?topics=tracks").await;
    last.subscribed().await;
    server.stopper.stop();
    assert_eq!(last.next().await.unwrap_err(), Some(CloseCode::Away));
    soon(server.task).await.unwrap();
}
