//! Cameras: what they show and how they are changed.

use std::time::Duration;

use api::resources::Camera;
use api::status::CameraStats;
use base::error::ErrorKind;
use edgecam_control::Limits;
use edgecam_control::ports::What;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::client::{MERGE_PATCH, Server};
use crate::fake::Snapshots;

const FRONT: &str = "/api/v1/cameras/front";

#[tokio::test]
async fn cameras_show_their_settings_without_secrets() {
    let server = Server::start().await;
    let list = server.get("/api/v1/cameras").await;
    assert!(!list.text().contains("c4nary"));
    let cameras: Vec<Camera> = list.json();
    assert_eq!(cameras.len(), 2);
    let one: Camera = server.get(FRONT).await.json();
    assert_eq!(one, cameras[0]);
    assert_eq!(one.settings.source.as_deref(), Some("rtsp://10.0.0.9/stream"));
    assert_eq!(one.settings.detection.score_threshold, Some(0.25), "complete");
    assert_eq!(server.get("/api/v1/cameras/front/stats").await.json::<CameraStats>().frames, 250);
}

#[tokio::test]
async fn an_unknown_camera_is_a_problem_everywhere() {
    let server = Server::start().await;
    for path in ["", "/stats", "/snapshot.jpg"] {
        let problem =
            server.get(&format!("/api/v1/cameras/back{path}")).await.problem(404, "not_found");
        assert!(problem.detail.contains("back"));
    }
    server.patch("/api/v1/cameras/back", &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_snapshot_has_the_quality_that_was_asked_for() {
    let server = Server::start().await;
    for (query, quality) in [("", 80), ("?quality=1", 1), ("?quality=100", 100)] {
        let answer = server.get(&format!("{FRONT}/snapshot.jpg{query}")).await;
        assert_eq!(answer.header("content-type"), "image/jpeg");
        assert_eq!(answer.body.as_ref(), [0xff, 0xd8, quality]);
    }
    for query in ["0", "101", "300", "4294967295"] {
        let answer = server.get(&format!("{FRONT}/snapshot.jpg?quality={query}")).await;
        assert_eq!(answer.problem(422, "invalid_argument").errors[0].pointer, "?quality");
    }
    for query in ["quality=x", "quality=-1", "qality=7", "quality=1&quality=2"] {
        let answer = server.get(&format!("{FRONT}/snapshot.jpg?{query}")).await;
        answer.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_camera_without_a_picture_says_so() {
    let server = Server::start().await;
    *server.fake.snapshots.lock().unwrap() = Snapshots::Unavailable;
    let answer = server.get(&format!("{FRONT}/snapshot.jpg")).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "2");
}

#[tokio::test]
async fn a_camera_that_does_not_answer_costs_a_request_its_time_and_no_more() {
    let answer = Duration::from_millis(200);
    let server = Server::with(Limits { answer, ..Limits::default() }).await;
    *server.fake.snapshots.lock().unwrap() = Snapshots::Hang;
    server.get(&format!("{FRONT}/snapshot.jpg")).await.problem(504, "deadline_exceeded");
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_fault_of_ours_is_a_problem_that_tells_nothing_of_the_inside() {
    let server = Server::start().await;
    *server.fake.snapshots.lock().unwrap() = Snapshots::Panic;
    let problem = server.get(&format!("{FRONT}/snapshot.jpg")).await.problem(500, "internal");
    assert!(!problem.detail.contains("a bug that a test made"));
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_patch_is_applied_and_answered_with_the_new_camera() {
    let server = Server::start().await;
    let patch = json!({ "encoder": { "bitrate_kbps": 900 }, "overlay": { "boxes": false } });
    let camera: Camera = server.patch(FRONT, &patch).await.json();
    assert_eq!(camera.settings.encoder.bitrate_kbps, Some(900));
    assert_eq!(server.get(FRONT).await.json::<Camera>(), camera);
    let yard: Camera = server.get("/api/v1/cameras/yard").await.json();
    assert_eq!(yard.settings.encoder.bitrate_kbps, Some(2500), "the other camera stays");
    let back = json!({ "encoder": { "bitrate_kbps": null } });
    let camera: Camera = server.patch(FRONT, &back).await.json();
    assert_eq!(camera.settings.encoder.bitrate_kbps, Some(2500));
    assert_eq!(camera.settings.overlay.boxes, Some(false));
}

#[tokio::test]
async fn patches_at_the_same_time_do_not_lose_each_other() {
    let server = Server::start().await;
    let (one, other) =
        (json!({ "encoder": { "bitrate_kbps": 900 } }), json!({ "overlay": { "boxes": false } }));
    let (a, b) = tokio::join!(server.patch(FRONT, &one), server.patch(FRONT, &other));
    assert_eq!((a.status, b.status), (StatusCode::OK, StatusCode::OK));
    let camera: Camera = server.get(FRONT).await.json();
    assert_eq!(camera.settings.encoder.bitrate_kbps, Some(900));
    assert_eq!(camera.settings.overlay.boxes, Some(false));
}

#[tokio::test]
async fn a_bad_patch_is_refused_with_every_reason_and_changes_nothing() {
    let server = Server::start().await;
    let before: Camera = server.get(FRONT).await.json();
    let patch = json!({ "encoder": { "bitrate_kbps": 1, "x": 1 }, "overlay": { "boxes": 3 }, "name": "New" });
    let problem = server.patch(FRONT, &patch).await.problem(422, "invalid_argument");
    let places: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(places, ["/encoder/bitrate_kbps", "/encoder/x", "/overlay/boxes"]);
    assert_eq!(server.get(FRONT).await.json::<Camera>(), before);
}

#[tokio::test]
async fn a_change_of_a_camera_is_one_of_the_settings_with_their_conditions() {
    let server = Server::start().await;
    let query = "?confirm_within=60";
    let answer = server.patch(&format!("{FRONT}{query}"), &json!({ "name": "Door" })).await;
    assert_eq!(answer.header("etag"), "\"1\"");
    let made = server.fake.changes().pop().unwrap();
    assert_eq!(made.confirm_within, Some(Duration::from_secs(60)));
    let patch = json!({ "cameras": { "front": { "name": "Door" } } });
    assert_eq!(made.what, What::Patch(patch));
    let headers = [("content-type", MERGE_PATCH), ("if-match", "\"0\"")];
    let late = server.ask(Method::PATCH, FRONT, &headers, "{\"name\":\"Gate\"}").await;
    late.problem(412, "aborted");
    assert_eq!(late.header("etag"), "\"1\"");
    for no_table in ["null", "7", "[]"] {
        let headers = [("content-type", MERGE_PATCH)];
        let answer = server.ask(Method::PATCH, FRONT, &headers, no_table).await;
        assert_eq!(answer.problem(422, "invalid_argument").errors[0].pointer, "");
    }
    assert_eq!(server.fake.changes().len(), 1);
}

#[tokio::test]
async fn what_the_camera_itself_refuses_is_told() {
    let server = Server::start().await;
    for (kind, status, code) in [
        (ErrorKind::FailedPrecondition, 409, "failed_precondition"),
        (ErrorKind::Unavailable, 503, "unavailable"),
        (ErrorKind::InvalidArgument, 422, "invalid_argument"),
        (ErrorKind::ResourceExhausted, 503, "resource_exhausted"),
    ] {
        *server.fake.refuse.lock().unwrap() = Some(kind);
        let answer = server.patch(FRONT, &json!({ "name": "New" })).await;
        assert_eq!(answer.problem(status, code).detail, "the camera says no");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_problem() {
    let server = Server::start().await;
    for (body, media_type) in
        [("{", MERGE_PATCH), ("", "application/json"), ("{\"a\":NaN}", MERGE_PATCH)]
    {
        let answer = server.ask(Method::PATCH, FRONT, &[("content-type", media_type)], body).await;
        answer.problem(400, "malformed");
    }
    let deep = "[".repeat(100_000);
    let answer = server.ask(Method::PATCH, FRONT, &[("content-type", MERGE_PATCH)], deep).await;
    answer.problem(400, "malformed");
}

#[tokio::test]
async fn a_body_that_is_not_sent_as_json_is_a_problem() {
    let server = Server::start().await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = server.ask(Method::PATCH, FRONT, &[("content-type", media_type)], "{}").await;
        answer.problem(415, "unsupported_media_type");
    }
    server.ask(Method::PATCH, FRONT, &[], "{}").await.problem(415, "unsupported_media_type");
    let headers = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(server.ask(Method::PATCH, FRONT, &headers, "{}").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_above_the_limit_is_a_problem() {
    let server = Server::start().await;
    let (most, headers) = (1024 * 1024, [("content-type", MERGE_PATCH)]);
    let fits = format!("{{{}}}", " ".repeat(most - 2));
    assert_eq!(server.ask(Method::PATCH, FRONT, &headers, fits).await.status, StatusCode::OK);
    let over = format!("{{{}}}", " ".repeat(most - 1));
    server.ask(Method::PATCH, FRONT, &headers, over).await.problem(413, "too_large");
}
