//! Updates of the firmware.

use std::time::Duration;

use api::access::Role;
use api::jobs::{Job, JobKind};
use api::updates::{UpdateCode, UpdatePhase, UpdateUpload, Updates};
use edgecam_control::Limits;
use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Server, soon};
use crate::fake::updates::UPLOAD;

const UPDATES: &str = "/api/v1/updates";
const INSTALL: &str = "/api/v1/updates/install";
const UPLOADS: &str = "/api/v1/updates/uploads";
const OCTETS: (&str, &str) = ("content-type", "application/octet-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    server.ask(Method::POST, path, &[JSON], body.to_string()).await
}

async fn send(server: &Server, offset: &str, bytes: &'static str) -> Answer {
    let at = format!("{UPLOADS}/{UPLOAD}");
    server.ask(Method::PATCH, &at, &[OCTETS, ("upload-offset", offset)], bytes).await
}

#[tokio::test]
async fn the_state_comes_with_the_policy_in_force_which_can_be_changed_there() {
    let server = Server::start().await;
    let status: Updates = server.get(UPDATES).await.json();
    assert!(status.supported);
    assert_eq!(status.settings.channel.as_deref(), Some("stable"));
    let answer = server.patch(UPDATES, &json!({ "channel": "beta" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let status: Updates = server.get(UPDATES).await.json();
    assert_eq!(status.settings.channel.as_deref(), Some("beta"));
    let problem = server.patch(UPDATES, &json!({ "automatic": true })).await;
    let problem = problem.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "/automatic");
}

#[tokio::test]
async fn a_bundle_that_is_the_body_is_installed_and_that_is_a_job() {
    let server = Server::start().await;
    let at = format!("{INSTALL}?reboot=false&force=true");
    let answer = server.ask(Method::POST, &at, &[OCTETS], "a bundle").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let job: Job = answer.json();
    assert_eq!(answer.header("location"), format!("/api/v1/jobs/{}", job.id));
    assert_eq!((job.kind, job.role), (JobKind::InstallUpdate, Role::Admin));
    let orders = server.fake.updates.0.orders.lock().unwrap().clone();
    assert_eq!((orders[0].force, orders[0].reboot), (Some(true), Some(false)));
    let audit = server.fake.audit.lock().unwrap().clone();
    let row = audit.last().unwrap();
    assert_eq!((row.operation.as_str(), row.status), ("install_update", 202));
    assert_eq!(row.after.as_ref().unwrap()["kind"], "install_update");
}

#[tokio::test]
async fn a_bundle_by_a_stranger_is_refused_and_not_installed() {
    let server = Server::start().await;
    let answer = server.ask(Method::POST, INSTALL, &[OCTETS], "BAD bundle").await;
    answer.problem(422, "wrong_signature");
    assert!(server.fake.updates.0.orders.lock().unwrap().is_empty());
    server.ask(Method::POST, INSTALL, &[OCTETS], "").await.problem(422, "no_bundle");
    let chunked = [OCTETS, ("transfer-encoding", "chunked")];
    let answer = server.ask(Method::POST, INSTALL, &chunked, "a bundle").await;
    answer.problem(411, "no_length");
    let at = format!("{INSTALL}?sha256=short");
    let answer = server.ask(Method::POST, &at, &[OCTETS], "a bundle").await;
    assert_eq!(answer.problem(422, "invalid_argument").errors[0].pointer, "?sha256");
}

#[tokio::test]
async fn an_address_is_checked_before_anything_is_begun() {
    let server = Server::start().await;
    for (body, pointer) in [
        (json!({ "url": "http://updates.example.org/b" }), "/url"),
        (json!({ "url": "ftp://updates.example.org/b" }), "/url"),
        (json!({ "url": "https://me:pw@updates.example.org/b" }), "/url"),
        (json!({ "sha256": "short" }), "/sha256"),
        (json!({ "force": "yes" }), "/force"),
        (json!({ "downgrade": true }), "/downgrade"),
    ] {
        let problem = post(&server, INSTALL, &body).await.problem(422, "invalid_argument");
        assert_eq!(problem.errors[0].pointer, pointer, "{body}: {problem:?}");
    }
    let at = format!("{INSTALL}?force=true");
    let problem = post(&server, &at, &json!({})).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "?force");
    assert!(server.fake.updates.0.orders.lock().unwrap().is_empty());
    let body = json!({ "url": "https://updates.example.org/b" });
    assert_eq!(post(&server, INSTALL, &body).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn every_refusal_has_its_word_and_its_status() {
    use UpdateCode as C;
    let server = Server::start().await;
    for (code, status, word) in [
        (C::UpdatesNotSupported, 409, "updates_not_supported"),
        (C::UpdateRunning, 409, "update_running"),
        (C::NothingStaged, 409, "nothing_staged"),
        (C::WrongSignature, 422, "wrong_signature"),
        (C::WrongCompatible, 422, "wrong_compatible"),
        (C::OlderVersion, 422, "older_version"),
        (C::AddressRefused, 422, "address_refused"),
        (C::DiskFull, 507, "disk_full"),
        (C::InstallerUnavailable, 503, "installer_unavailable"),
    ] {
        *server.fake.updates.0.refuse.lock().unwrap() = Some(code);
        post(&server, INSTALL, &json!({})).await.problem(status, word);
    }
    for path in ["check", "rollback"] {
        let answer = post(&server, &format!("{UPDATES}/{path}"), &json!({})).await;
        answer.problem(503, "installer_unavailable");
    }
    post(&server, &format!("{UPDATES}/commit"), &json!({})).await.problem(409, "nothing_to_commit");
    let staged = format!("{UPDATES}/staged");
    server.ask(Method::DELETE, &staged, &[], "").await.problem(409, "nothing_staged");
}

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_off_and_is_staged_when_it_is_whole() {
    let server = Server::start().await;
    let answer = post(&server, UPLOADS, &json!({ "size_bytes": 8 })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let upload: UpdateUpload = answer.json();
    let at = format!("{UPLOADS}/{}", upload.id);
    assert_eq!(answer.header("location"), at);
    let answer = send(&server, "0", "a bun").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!((answer.header("upload-offset"), answer.header("upload-complete")), ("5", "?0"));
    let head = server.send(Method::HEAD, &at, &[], "").await;
    assert_eq!(head.headers()["upload-offset"], "5");
    assert_eq!(head.headers()["upload-length"], "8");
    let answer = send(&server, "2", "bundle").await;
    answer.problem(409, "wrong_offset");
    assert_eq!(answer.header("upload-offset"), "5");
    send(&server, "5", "dle and more").await.problem(413, "too_large");
    let answer = send(&server, "5", "dle").await;
    assert_eq!((answer.header("upload-offset"), answer.header("upload-complete")), ("8", "?1"));
    let status: Updates = server.get(UPDATES).await.json();
    assert_eq!(status.phase, UpdatePhase::Staged);
    server.get(&at).await.problem(404, "not_found");
    let gone = server.ask(Method::DELETE, &format!("{UPDATES}/staged"), &[], "").await;
    assert_eq!(gone.json::<Updates>().phase, UpdatePhase::Idle);
}

#[tokio::test]
async fn what_arrived_before_a_connection_broke_is_kept() {
    let server = Server::start().await;
    let token = server.token.clone().unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PATCH {UPLOADS}/{UPLOAD} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/partial-upload\r\nUpload-Offset: 0\r\nContent-Length: 10\r\n\r\n1234"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let at = format!("{UPLOADS}/{UPLOAD}");
    let arrived = async {
        while server.get(&at).await.json::<UpdateUpload>().offset < 4 {
            tokio::task::yield_now().await;
        }
    };
    soon(arrived).await;
    drop(stream);
    let answer = send(&server, "4", "567890").await;
    assert_eq!(answer.header("upload-complete"), "?1");
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up_and_one_in_one_piece_leaves_nothing() {
    let limits = Limits { answer: Duration::from_millis(200), ..Limits::default() };
    let server = Server::with(limits).await;
    let token = server.token.clone().unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {INSTALL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 10\r\nConnection: close\r\n\r\n1234"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("stood still"), "{answer}");
    soon(nothing_left(&server)).await;
}

/// The upload that was begun is given up.
async fn nothing_left(server: &Server) {
    while server.fake.updates.0.upload.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_bundle_in_one_piece_whose_connection_breaks_leaves_nothing() {
    let server = Server::start().await;
    let token = server.token.clone().unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {INSTALL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\n1234"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let at = format!("{UPLOADS}/{UPLOAD}");
    let arrived = async {
        while server.get(&at).await.json::<UpdateUpload>().offset < 4 {
            tokio::task::yield_now().await;
        }
    };
    soon(arrived).await;
    drop(stream);
    soon(nothing_left(&server)).await;
    assert!(server.fake.updates.0.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn odd_uploads_are_refused_with_what_is_wrong() {
    let server = Server::start().await;
    let too_long = 17_179_869_185_u64;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "size_bytes": 0 }), "/size_bytes"),
        (json!({ "size_bytes": too_long }), "/size_bytes"),
        (json!({ "size_bytes": 1, "sha256": "x" }), "/sha256"),
    ] {
        let problem = post(&server, UPLOADS, &body).await.problem(422, "invalid_argument");
        assert_eq!(problem.errors[0].pointer, pointer, "{body}");
    }
    for offset in ["", "-1", "x", "1.5"] {
        send(&server, offset, "1234").await.problem(400, "malformed");
    }
    let at = format!("{UPLOADS}/none");
    let headers = [OCTETS, ("upload-offset", "0")];
    server.ask(Method::PATCH, &at, &headers, "1").await.problem(404, "not_found");
    server.ask(Method::DELETE, &at, &[], "").await.problem(404, "not_found");
    let at = format!("{UPLOADS}/{UPLOAD}");
    let answer = server.ask(Method::PATCH, &at, &[JSON, ("upload-offset", "0")], "1").await;
    answer.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn the_owner_confirms_and_that_is_recorded() {
    let server = Server::start().await;
    server.fake.updates.0.set(UpdatePhase::AwaitingConfirmation);
    let status: Updates = post(&server, &format!("{UPDATES}/commit"), &json!({})).await.json();
    assert_eq!(status.phase, UpdatePhase::Committed);
    let audit = server.fake.audit.lock().unwrap().clone();
    let row = audit.last().unwrap();
    assert_eq!(row.operation, "commit_update");
    assert_eq!(row.before, Some(json!("awaiting_confirmation")));
    assert_eq!(row.after, Some(json!("committed")));
}

#[tokio::test]
async fn a_follower_is_told_how_it_is_and_then_of_every_step() {
    let server = Server::start().await;
    let mut answer = server.send(Method::GET, "/api/v1/stream/updates", &[], "").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    for phase in ["idle", "installing", "trial"] {
        let frame = soon(answer.body_mut().frame()).await.unwrap().unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        assert!(text.starts_with("event: update\n"), "{text}");
        assert!(text.contains(&format!("\"phase\":\"{phase}\"")), "{phase}: {text}");
        assert!(text.contains("\"channel\":\"stable\""), "{text}");
        let next = if phase == "idle" { UpdatePhase::Installing } else { UpdatePhase::Trial };
        server.fake.updates.0.set(next);
    }
}
