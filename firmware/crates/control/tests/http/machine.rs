//! Name, network and clock, power, log, issues, diagnostics and backups over HTTP.

use std::io::Read;
use std::time::Duration;

use edgecam_control::ports::What;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Server, soon};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn send(server: &Server, method: Method, path: &str, body: &Value) -> Answer {
    server.ask(method, path, &[JSON], body.to_string()).await
}

#[tokio::test]
async fn the_network_is_set_whole_and_has_to_be_confirmed() {
    let server = Server::start().await;
    let fixed = json!({ "wifi_country": "DE", "interfaces": {
        "end0": { "addresses": ["192.168.1.20/24"], "gateways": ["192.168.1.1"] },
        "wlan0": { "wifi": { "ssid": "Home", "password": "c4nary-c4nary" } } } });
    let path = "/api/v1/system/network";
    let answer = send(&server, Method::PUT, path, &fixed).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let change = server.fake.changes().pop().unwrap();
    assert_eq!(change.confirm_within, Some(Duration::from_secs(120)));

    let shown = server.get(path).await;
    assert!(!shown.text().contains("c4nary"), "{}", shown.text());
    let shown: Value = shown.json();
    assert_eq!(shown["settings"]["interfaces"]["end0"]["addresses"][0], "192.168.1.20/24");
    // What was read is put back without one interface: it goes, and the password that nobody can read
    // stays.
    let mut less = shown["settings"].clone();
    less["interfaces"].as_object_mut().unwrap().remove("end0");
    let answer = send(&server, Method::PUT, &format!("{path}?confirm_within=9"), &less).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let now = server.fake.changes().pop().unwrap();
    let expected = json!({ "network": { "wifi_country": "DE", "interfaces": {
        "end0": null, "wlan0": { "wifi": { "ssid": "Home" } } } } });
    assert_eq!(now.what, What::Patch(expected));
    assert_eq!(now.confirm_within, Some(Duration::from_secs(9)));

    let wrong = json!({ "interfaces": { "end0": { "dhcp": false, "dns": ["x"] } }, "wlan": 1 });
    let problem = send(&server, Method::PUT, path, &wrong).await.problem(422, "invalid_argument");
    let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    for pointer in ["/wlan", "/interfaces/end0/dhcp", "/interfaces/end0/dns/0"] {
        assert!(pointers.contains(&pointer), "{pointers:?}");
    }
}

#[tokio::test]
async fn name_and_clock_are_settings_with_an_address_of_their_own() {
    let server = Server::start().await;
    let patch = json!({ "name": "Gate house", "ntp_servers": ["a b"] });
    let problem = server.patch("/api/v1/system", &patch).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "/ntp_servers/0");
    let answer = server.patch("/api/v1/system", &json!({ "name": "Gate house" })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let odd = server.patch("/api/v1/system", &json!({ "board": "x" })).await;
    assert_eq!(odd.problem(422, "invalid_argument").errors[0].pointer, "/board");
    let time = json!({ "zone": "Europe/Berlin", "servers": ["pool.ntp.org"] });
    let answer = send(&server, Method::PUT, "/api/v1/system/time", &time).await;
    assert!(answer.status.is_success(), "{answer:?}");
    let shown: Value = server.get("/api/v1/system/time").await.json();
    assert_eq!(shown["servers"], json!(["pool.ntp.org"]));
}

#[tokio::test]
async fn a_reset_must_name_the_device() {
    let server = Server::start().await;
    let path = "/api/v1/system/factory-reset";
    for confirm in ["", "yes", "ec-2"] {
        let answer = send(&server, Method::POST, path, &json!({ "confirm": confirm })).await;
        let problem = answer.problem(422, "invalid_argument");
        assert!(problem.detail.contains("ec-1"), "{}", problem.detail);
    }
    for confirm in ["ec-1", "Test"] {
        let answer = send(&server, Method::POST, path, &json!({ "confirm": confirm })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
}

#[tokio::test]
async fn the_log_is_asked_for_by_unit_level_and_time() {
    let server = Server::start().await;
    let asked = "unit=mediamtx&level=warning&since=2026-07-01T12:00:00Z&limit=7";
    let answer: Value = server.get(&format!("/api/v1/system/logs?{asked}")).await.json();
    let message = answer["items"][0]["message"].as_str().unwrap();
    for part in ["Some(\"mediamtx\")", "Warning", "2026-07-01T12:00:00Z", "limit: 7"] {
        assert!(message.contains(part), "{message}");
    }
    for (wrong, pointer) in [
        ("unit=-k", "?unit"),
        ("unit=a%20b", "?unit"),
        ("unit=", "?unit"),
        ("limit=0", "?limit"),
        ("since=yesterday", "?since"),
    ] {
        let problem = server.get(&format!("/api/v1/system/logs?{wrong}")).await;
        let problem = problem.problem(422, "invalid_argument");
        assert_eq!(problem.errors[0].pointer, pointer, "{wrong}");
    }
    for unreadable in ["level=loud", "colour=red"] {
        let path = format!("/api/v1/system/logs?{unreadable}");
        server.get(&path).await.problem(400, "malformed");
    }
    let mut live = soon(server.send(Method::GET, "/api/v1/stream/logs", &[], "")).await;
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let frame = soon(live.frame()).await.unwrap().unwrap().into_data().unwrap();
    let text = String::from_utf8(frame.to_vec()).unwrap();
    assert!(text.contains("id: 1") && text.contains("data: {"), "{text}");
}

#[tokio::test]
async fn the_diagnostics_file_has_all_of_it_and_no_secret() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/system/diagnostics").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/gzip"));
    assert!(answer.header("content-disposition").contains("edgecam-ec-1-"));
    let mut archive = tar::Archive::new(GzDecoder::new(answer.body.as_ref()));
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(!text.is_empty() && !text.contains("c4nary"), "{}: {text}", path.display());
    }
    for name in ["version.json", "settings.json", "log.jsonl", "metrics.txt", "kernel.txt"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[tokio::test]
async fn a_backup_is_made_fetched_and_deleted_and_each_is_recorded_without_its_passphrase() {
    let server = Server::start().await;
    let new = json!({ "note": "before", "passphrase": "c4nary c4nary" });
    let answer = send(&server, Method::POST, "/api/v1/backups", &new).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let path = answer.header("location").to_owned();
    assert_eq!(server.get(&path).await.status, 200);
    let file = server.get(&format!("{path}/file")).await;
    assert!(file.header("content-disposition").contains(".json"));
    assert_eq!(server.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::NO_CONTENT);
    let none = server.get("/api/v1/backups/none").await.problem(404, "not_found");
    assert!(none.detail.contains("none"));
    let audit = server.get("/api/v1/audit").await;
    assert!(audit.text().contains("create_backup") && !audit.text().contains("c4nary"));
}
