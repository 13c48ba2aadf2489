//! What every route answers, and what is answered where there is no route.

use api::resources::{Detector, Model, Readiness, Stream, System, Version};
use hyper::{Method, StatusCode};

use crate::client::Server;

#[tokio::test]
async fn it_lives() {
    let answer = Server::start().await.get("/healthz").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "ok\n"));
}

#[tokio::test]
async fn readiness_is_told_by_the_status_and_explained_by_the_body() {
    let server = Server::start().await;
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(ready.json::<Readiness>().ready);
    *server.fake.ready.lock().unwrap() = false;
    let unready = server.get("/readyz").await;
    assert_eq!(unready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unready.json::<Readiness>().checks[0].name, "camera front");
}

#[tokio::test]
async fn the_device_tells_what_it_is() {
    let server = Server::start().await;
    let version: Version = server.get("/api/v1/version").await.json();
    assert_eq!((version.product.as_str(), version.api.as_str()), ("EdgeCam", "v1"));
    assert_eq!(server.get("/api/v1/system").await.json::<System>().name, "Test");
    let detector: Detector = server.get("/api/v1/detector").await.json();
    assert_eq!(detector.settings.model.as_deref(), Some("nanodet-plus-m_320"));
    assert_eq!(detector.cameras.keys().collect::<Vec<_>>(), ["front", "yard"]);
    let models: Vec<Model> = server.get("/api/v1/models").await.json();
    assert_eq!(models[0].name, "nanodet-plus-m_320");
}

#[tokio::test]
async fn stream_addresses_lead_where_the_client_found_us() {
    let server = Server::start().await;
    for (host, expected) in [
        ("cam.local:8080", "rtsp://cam.local:8554/front"),
        ("192.168.1.20", "rtsp://192.168.1.20:8554/front"),
        ("[fe80::1]:8080", "rtsp://[fe80::1]:8554/front"),
    ] {
        let answer = server.ask(Method::GET, "/api/v1/streams", &[("host", host)], "").await;
        let stream = answer.json::<Vec<Stream>>().remove(0);
        assert_eq!(stream.rtsp.as_deref(), Some(expected));
        assert_eq!(stream.whep, Some(format!("http://{host}/live/front/whep")));
    }
}

#[tokio::test]
async fn metrics_are_open_metrics_and_name_everything_that_counts() {
    let server = Server::start().await;
    server.fake.append("front", "car");
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for line in [
        r#"edgecam_build_info{version="0.1.0",node="ec-1",board=""} 1.0"#,
        "edgecam_ready 1.0",
        "edgecam_mqtt_connected 1.0",
        "edgecam_outbox_events 3.0",
        "edgecam_outbox_dropped_events_total 0",
        "edgecam_events_total 1",
        r#"edgecam_child_memory_bytes{child="mediamtx"} 1024.0"#,
        r#"edgecam_camera_phase{camera="front",phase="running"} 1.0"#,
        r#"edgecam_camera_phase{camera="front",phase="failed"} 0.0"#,
        r#"edgecam_camera_restarts_total{camera="front"} 0"#,
        r#"edgecam_camera_fps{camera="yard"} 25.0"#,
        r#"edgecam_camera_frames_total{camera="front"} 250"#,
        r#"edgecam_camera_inferred_frames_total{camera="front"} 0"#,
        r#"edgecam_camera_skipped_frames_total{camera="front"} 0"#,
        r#"edgecam_camera_gated_frames_total{camera="front"} 0"#,
        r#"edgecam_camera_dropped_frames_total{camera="front",reason="detector_busy"} 0"#,
        r#"edgecam_camera_stage_duration_seconds_bucket{le="0.01",camera="front",stage="infer"} 2"#,
        r#"edgecam_camera_stage_duration_seconds_bucket{le="+Inf",camera="front",stage="infer"} 3"#,
        r#"edgecam_camera_stage_duration_seconds_count{camera="front",stage="infer"} 3"#,
        r#"edgecam_camera_stage_duration_seconds_sum{camera="front",stage="infer"} 20.5"#,
        r#"edgecam_api_following{kind="events"} 0.0"#,
        r#"edgecam_gpio_active{pin="lamp",direction="out"} 0.0"#,
        r#"edgecam_camera_tracks{camera="front"} 0.0"#,
        r#"edgecam_camera_bitrate_bits_per_second{camera="front"} 0.0"#,
        r#"edgecam_camera_stage_seconds{camera="front",stage="infer",quantile="0.5"} 0.013"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn pages_need_nothing_from_elsewhere() {
    let server = Server::start().await;
    let reference = server.get("/api/docs").await;
    assert_eq!(reference.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(reference.header("location"), "/api/docs/index.html");
    for path in ["/", "/api/docs/index.html", "/api/docs/swagger-initializer.js"] {
        let page = server.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
        // A namespace is a name, not an address that is fetched.
        let text = page.text().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
    }
    server.get("/api/docs/none.js").await.problem(404, "unknown_path");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start().await;
    for path in ["/", "/healthz", "/api/v1/cameras", "/api/v1/cameras/nope", "/nope"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let problem = Server::start().await.get("/api/v1/nope").await.problem(404, "unknown_path");
    assert!(problem.detail.contains("/api/v1/nope"), "{}", problem.detail);
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_and_the_right_ones_are_told() {
    let server = Server::start().await;
    let answer = server.ask(Method::PUT, "/api/v1/cameras/front", &[], "").await;
    answer.problem(405, "method_not_allowed");
    assert!(answer.header("allow").contains("PATCH"), "{:?}", answer.headers);
    server.ask(Method::POST, "/healthz", &[], "").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_a_problem() {
    Server::start().await.get("/api/v1/cameras/%ff").await.problem(400, "malformed");
}
