//! Cameras that come and go, their parts, zones, lines and privacy masks.

use api::access::Role;
use edgecam_control::ports::What;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Server};

const FRONT: &str = "/api/v1/cameras/front";

async fn send(server: &Server, method: Method, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    server.ask(method, path, &headers, body.to_string()).await
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(422, "invalid_argument");
    problem.errors.into_iter().map(|error| error.pointer).collect()
}

#[tokio::test]
async fn a_camera_comes_and_goes() {
    let server = Server::start().await;
    let new = json!({ "id": "gate", "settings": { "source": "scene", "name": "Gate" } });
    let made = send(&server, Method::POST, "/api/v1/cameras", &new).await;
    assert_eq!((made.status, made.header("etag")), (StatusCode::CREATED, "\"1\""), "{made:?}");
    assert_eq!(made.header("location"), "/api/v1/cameras/gate");
    assert_eq!(made.json::<Value>()["settings"]["encoder"]["bitrate_kbps"], 2500, "complete");
    let again = send(&server, Method::POST, "/api/v1/cameras", &new).await;
    assert!(again.problem(409, "failed_precondition").detail.contains("\"gate\""));

    let gone = send(&server, Method::DELETE, "/api/v1/cameras/gate", &json!({})).await;
    assert_eq!((gone.status, gone.header("etag")), (StatusCode::NO_CONTENT, "\"2\""));
    server.get("/api/v1/cameras/gate").await.problem(404, "not_found");
    let never = send(&server, Method::DELETE, "/api/v1/cameras/gate", &json!({})).await;
    never.problem(404, "not_found");
    // The command line of this device names it.
    let stays = send(&server, Method::DELETE, FRONT, &json!({})).await;
    assert!(stays.problem(409, "failed_precondition").detail.contains("command line"));
}

#[tokio::test]
async fn a_wrong_camera_is_refused_with_every_reason_where_the_body_has_it() {
    let server = Server::start().await;
    let wrong = json!({ "id": "Gate 1", "settings": { "encoder": { "bitrate_kbps": 1 }, "x": 1 } });
    let answer = send(&server, Method::POST, "/api/v1/cameras", &wrong).await;
    assert_eq!(pointers(&answer), ["/id", "/settings/encoder/bitrate_kbps", "/settings/x"]);
    for (body, pointer) in [
        (json!([]), ""),
        (json!({}), "/id"),
        (json!({ "id": 7 }), "/id"),
        (json!({ "id": "" }), "/id"),
        (json!({ "id": "default" }), "/id"),
        (json!({ "id": "a/b~c" }), "/id"),
        (json!({ "id": "gate", "name": "Gate" }), "/name"),
        (json!({ "id": "gate", "settings": 7 }), "/settings"),
    ] {
        let answer = send(&server, Method::POST, "/api/v1/cameras", &body).await;
        assert_eq!(pointers(&answer), [pointer], "{body}");
    }
    let late = [("content-type", "application/json"), ("if-match", "\"9\"")];
    let body = json!({ "id": "gate" }).to_string();
    let answer = server.ask(Method::POST, "/api/v1/cameras", &late, body).await;
    answer.problem(412, "aborted");
    assert!(server.fake.changes().is_empty());
}

#[tokio::test]
async fn zones_lines_and_masks_are_added_read_replaced_and_taken_away() {
    let server = Server::start().await;
    let area = json!({ "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] });
    let line = json!({ "from": [0.0, 0.0], "to": [1.0, 1.0] });
    for (kind, there, settings, wrong) in [
        ("zones", "door", &area, "/polygon"),
        ("lines", "gate", &line, "/to"),
        ("privacy-masks", "house", &area, "/polygon"),
    ] {
        let (all, one) = (format!("{FRONT}/{kind}"), format!("{FRONT}/{kind}/new"));
        let mut entry = settings.clone();
        entry["id"] = "new".into();
        let made = send(&server, Method::POST, &all, &entry).await;
        assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, &*one));
        assert_eq!(made.json::<Value>(), entry);
        send(&server, Method::POST, &all, &entry).await.problem(409, "failed_precondition");
        let listed: Value = server.get(&all).await.json();
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        assert_eq!(
            (server.get(&one).await.json::<Value>(), &listed[1]["id"]),
            (entry.clone(), &json!("new"))
        );

        let mut more = settings.clone();
        if kind != "privacy-masks" {
            more["labels"] = json!(["car"]);
        }
        let put = send(&server, Method::PUT, &one, &more).await;
        more["id"] = "new".into();
        assert_eq!(put.json::<Value>(), more, "{kind}");
        let back = send(&server, Method::PUT, &one, settings).await;
        assert_eq!(back.json::<Value>(), entry, "what is left out is gone");
        let answer = send(&server, Method::PUT, &one, &json!({})).await;
        assert!(pointers(&answer).contains(&wrong.to_owned()), "{answer:?}");
        let answer = send(&server, Method::POST, &all, &json!({ "id": "x", "y": 1 })).await;
        assert!(pointers(&answer).contains(&"/y".to_owned()), "{answer:?}");

        let gone = send(&server, Method::DELETE, &one, &json!({})).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        for method in [Method::GET, Method::DELETE] {
            send(&server, method, &one, &json!({})).await.problem(404, "not_found");
        }
        let stays = send(&server, Method::DELETE, &format!("{all}/{there}"), &json!({})).await;
        assert!(stays.problem(409, "failed_precondition").detail.contains(there));
        for path in
            [format!("/api/v1/cameras/back/{kind}"), format!("/api/v1/cameras/back/{kind}/a")]
        {
            server.get(&path).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_part_of_a_camera_is_patched_below_its_own_address() {
    let server = Server::start().await;
    for (part, patch, wrong) in [
        ("image", json!({ "rotation": 180, "brightness": 0.5 }), json!({ "gain": 0 })),
        ("encoder", json!({ "bitrate_kbps": 900 }), json!({ "bitrate_kbps": 1 })),
        ("overlay", json!({ "labels": false }), json!({ "labels": 1 })),
    ] {
        let path = format!("{FRONT}/{part}");
        let answer = server.patch(&path, &patch).await;
        let shown: Value = answer.json();
        for (field, value) in patch.as_object().unwrap() {
            assert_eq!(&shown[field], value);
        }
        let read = server.get(&path).await;
        assert_eq!((read.json::<Value>(), read.header("etag")), (shown, answer.header("etag")));
        let made = server.fake.changes().pop().unwrap().what;
        assert_eq!(made, What::Patch(json!({ "cameras": { "front": { part: patch } } })));
        let field = wrong.as_object().unwrap().keys().next().unwrap();
        assert_eq!(pointers(&server.patch(&path, &wrong).await), [format!("/{field}")]);
        assert_eq!(pointers(&server.patch(&path, &Value::Null).await), [""]);
        server.get(&format!("/api/v1/cameras/back/{part}")).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_a_camera_can_do_and_how_long_it_takes_is_told() {
    let server = Server::start().await;
    let can: Value = server.get(&format!("{FRONT}/capabilities")).await.json();
    assert_eq!(can["encoders"][0]["name"], "x264");
    let unknown = server.get("/api/v1/cameras/yard/capabilities").await;
    unknown.problem(503, "unavailable");
    let latency: Value = server.get(&format!("{FRONT}/latency")).await.json();
    assert_eq!(latency["sensor_to_stored"]["p95_ms"], 55.0);
    for path in ["capabilities", "latency"] {
        let answer = server.get(&format!("/api/v1/cameras/back/{path}")).await;
        answer.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_restart_is_under_way_when_it_is_answered_and_recorded() {
    let server = Server::start().await;
    let path = format!("{FRONT}/restart");
    assert_eq!(send(&server, Method::POST, &path, &json!({})).await.status, StatusCode::ACCEPTED);
    assert_eq!(*server.fake.restarted.lock().unwrap(), ["front by owner"]);
    let audit = server.fake.audit.lock().unwrap().last().unwrap().operation.clone();
    assert_eq!(audit, "restart_camera");
    *server.fake.refuse.lock().unwrap() = Some(base::error::ErrorKind::FailedPrecondition);
    let off = send(&server, Method::POST, &path, &json!({})).await;
    off.problem(409, "failed_precondition");
}

#[tokio::test]
async fn what_nobody_may_see_is_not_for_operators_to_decide() {
    let mut server = Server::start().await;
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Operator, None).await);
    let patch = json!({ "privacy_masks": { "house": null } });
    let refused = server.patch(FRONT, &patch).await.problem(403, "permission_denied");
    assert!(refused.detail.contains("/privacy_masks"), "{}", refused.detail);
    let path = format!("{FRONT}/privacy-masks/house");
    send(&server, Method::DELETE, &path, &json!({})).await.problem(403, "permission_denied");
    assert_eq!(server.get(&path).await.status, StatusCode::OK);
}
