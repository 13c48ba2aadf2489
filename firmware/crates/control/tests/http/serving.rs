//! Clients that are slow, many or gone, and ports that are taken.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use edgecam_control::{Bound, ControlServer, Limits, Listen, ServeError};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Server, soon};
use crate::fake::{Fake, Snapshots};

const SHORT: Duration = Duration::from_millis(300);

async fn bind(plain: SocketAddr) -> Result<Bound, ServeError> {
    let listen = Listen { plain, secure: None };
    ControlServer::bind(listen, BTreeSet::new(), Fake::new().ports()).await
}

async fn open(server: &Server, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// The header that says who calls.
fn authorization(server: &Server) -> String {
    format!("Authorization: Bearer {}\r\n", server.token.as_deref().unwrap_or_default())
}

/// How long it takes until the server closes `stream`.
async fn closed_after(mut stream: TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    // A reset is a close as well.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    start.elapsed()
}

#[test]
fn a_request_may_take_ten_seconds_to_arrive() {
    assert_eq!(Limits::default().head, Duration::from_secs(10));
    assert_eq!(Limits::default().answer, Duration::from_secs(10));
    assert_eq!(Limits::default().keep_alive, Duration::from_secs(15));
    assert_eq!(Limits::default().body, 1 << 20);
}

#[tokio::test]
async fn half_a_request_does_not_hold_its_connection() {
    let server = Server::with(Limits { head: SHORT, ..Limits::default() }).await;
    for sent in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "GET /hea"] {
        let took = closed_after(open(&server, sent).await).await;
        assert!(took >= SHORT / 2 && took < SHORT * 20, "{sent:?} was closed after {took:?}");
    }
    // One header line at a time does not help.
    let mut drip = open(&server, "GET /healthz HTTP/1.1\r\n").await;
    let dripping = async {
        while drip.write_all(b"X-A: b\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 6).await;
        }
    };
    soon(dripping).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Server::with(Limits { head: SHORT, ..Limits::default() }).await;
    let stream = open(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(closed_after(stream).await < SHORT * 20);
}

#[tokio::test]
async fn half_a_body_does_not_hold_its_connection() {
    let server = Server::with(Limits { answer: SHORT, ..Limits::default() }).await;
    let head = "PATCH /api/v1/cameras/front HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let head = format!("{head}{}Content-Length: 100\r\n\r\n{{", authorization(&server));
    let mut stream = open(&server, &head).await;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}

/// Reads one answer off `stream`: its head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn who_is_refused_before_the_body_came_can_go_on_with_the_connection() {
    let server = Server::start().await;
    let refused = "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";
    let mut stream = open(&server, refused).await;
    // Much less than it waits for the body: a busy machine must not make the body come too late.
    let early = tokio::time::timeout(SHORT / 6, stream.readable()).await;
    assert!(early.is_err(), "it was answered, and its body would be taken for a request");
    stream.write_all(b"{ }\n").await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("close"), "{answer}");
    let length = answer.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut problem = vec![0; length.expect("an answer has a length").parse().unwrap()];
    soon(stream.read_exact(&mut problem)).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_is_refused_with_a_large_body_is_told_that_the_connection_ends() {
    let server = Server::start().await;
    let refused =
        "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n";
    let answer = head(&mut open(&server, refused).await).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_their_turn() {
    let limits = Limits { connections: 2, head: SHORT, ..Limits::default() };
    let server = Server::with(limits).await;
    let _first = open(&server, "").await;
    let _second = open(&server, "").await;
    let start = Instant::now();
    assert_eq!(soon(server.get("/healthz")).await.status, StatusCode::OK);
    assert!(start.elapsed() >= SHORT / 2, "it was served before there was room");
}

#[tokio::test]
async fn two_hundred_half_sent_requests_are_closed_in_time() {
    let server = Server::with(Limits { head: SHORT, ..Limits::default() }).await;
    let mut held = Vec::new();
    for n in 0..200 {
        let sent = if n % 2 == 0 { "" } else { "GET / HTTP/1.1\r\nX-A: " };
        held.push(open(&server, sent).await);
    }
    for stream in held {
        assert!(closed_after(stream).await < SHORT * 20);
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::with(Limits { head_bytes: 16 * 1024, ..Limits::default() }).await;
    let long = "x".repeat(64 * 1024);
    let mut stream = open(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ").await;
    // It may be refused before all of it is sent.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = String::new();
    let _ = soon(stream.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_hundred_half_sent_requests_leave_the_api_up() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(open(&server, "GET / HTTP/1.1\r\n").await);
    }
    assert_eq!(soon(server.get("/healthz")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nonsense_is_answered_and_leaves_the_api_up() {
    let server = Server::start().await;
    for sent in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        closed_after(open(&server, sent).await).await;
    }
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_stop_lets_an_open_request_end_but_not_for_ever() {
    let server = Server::with(Limits { drain: SHORT, ..Limits::default() }).await;
    *server.fake.snapshots.lock().unwrap() = Snapshots::Hang;
    let request = "GET /api/v1/cameras/front/snapshot.jpg HTTP/1.1\r\nHost: localhost\r\n";
    let hanging = open(&server, &format!("{request}{}\r\n", authorization(&server))).await;
    let idle = open(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    server.stopper.stop();
    soon(server.task).await.unwrap();
    assert!(start.elapsed() >= SHORT / 2, "the request was not given its time");
    closed_after(hanging).await;
    closed_after(idle).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let Err(error) = bind(address).await else {
        panic!("a port was bound twice");
    };
    assert_eq!(
        error.to_string(),
        format!(
            "the API cannot listen on {address}: another program uses it; end that program, or choose \
             another address with `api.listen` (EDGECAM__API__LISTEN, or --set api.listen=…)"
        )
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_told() {
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 8080));
    let Err(error) = bind(elsewhere).await else {
        panic!("an address of another machine was bound");
    };
    let text = error.to_string();
    assert!(text.contains("192.0.2.1:8080: it is not an address of this machine"), "{text}");
}
