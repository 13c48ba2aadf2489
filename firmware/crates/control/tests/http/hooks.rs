//! Webhooks and the MQTT session over HTTP.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, MERGE_PATCH, Server};
use crate::fake::hooks::{HOOK, SECRET};

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    server.ask(Method::POST, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn a_webhook_that_is_made_tells_its_secret_once_and_the_record_never() {
    let server = Server::start().await;
    let made = post(&server, "/api/v1/webhooks", &json!({ "url": "https://example.org/x" })).await;
    assert_eq!(made.status, 201);
    let body: Value = made.json();
    assert_eq!(body["secret"], SECRET);
    let at = made.header("location").to_owned();
    assert_eq!(at, format!("/api/v1/webhooks/{}", body["id"].as_str().unwrap()));
    for path in [at.as_str(), "/api/v1/webhooks", "/api/v1/audit"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains(SECRET), "{path}");
    }
    let audit: Value = server.get("/api/v1/audit").await.json();
    let row = &audit["items"][0];
    assert_eq!(row["operation"], "create_webhook");
    assert_eq!(row["after"]["url"], "https://example.org/x");
}

#[tokio::test]
async fn an_answer_with_a_secret_is_given_once() {
    let server = Server::start().await;
    let body = json!({ "url": "https://example.org/x" }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    let send = || server.ask(Method::POST, "/api/v1/webhooks", &headers, body.clone());
    assert_eq!(send().await.status, 201);
    send().await.problem(409, "idempotency_answer_gone");
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page_and_odd_questions_are_refused() {
    let server = Server::start().await;
    let path = format!("/api/v1/webhooks/{HOOK}/deliveries");
    let first: Value = server.get(&format!("{path}?limit=25")).await.json();
    assert_eq!((&first["items"][0]["seq"], &first["next_cursor"]), (&json!(30), &json!("6")));
    let rest: Value = server.get(&format!("{path}?limit=25&cursor=6")).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (5, &Value::Null));
    for odd in ["limit=0", "limit=101", "cursor=x", "cursor=-1", "cursor=18446744073709551615"] {
        server.get(&format!("{path}?{odd}")).await.problem(422, "invalid_argument");
    }
    server.get(&format!("{path}?what=1")).await.problem(400, "malformed");
    server.get("/api/v1/webhooks/x/deliveries").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_field_that_is_none_of_a_webhook_is_refused_by_its_place() {
    let server = Server::start().await;
    let wrong = json!({ "url": "https://example.org/x", "filter": { "labels": 7 } });
    let problem = post(&server, "/api/v1/webhooks", &wrong).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "/filter/labels");
    let headers = [("content-type", "application/json")];
    let path = format!("/api/v1/webhooks/{HOOK}");
    let unknown = server.ask(Method::PATCH, &path, &headers, r#"{"colour":"red"}"#).await;
    unknown.problem(422, "invalid_argument");
}

#[tokio::test]
async fn metrics_tell_of_each_webhook_what_came_of_its_posts() {
    let server = Server::start().await;
    let page = server.get("/metrics").await;
    let page = page.text();
    for line in [
        format!("edgecam_webhook_enabled{{webhook=\"{HOOK}\"}} 1.0"),
        format!("edgecam_webhook_backlog_events{{webhook=\"{HOOK}\"}} 3.0"),
        format!("edgecam_webhook_deliveries_total{{webhook=\"{HOOK}\",outcome=\"delivered\"}} 5"),
        format!("edgecam_webhook_deliveries_total{{webhook=\"{HOOK}\",outcome=\"refused\"}} 2"),
        format!("edgecam_webhook_last_success_age_seconds{{webhook=\"{HOOK}\"}} "),
    ] {
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn settings_of_mqtt_are_patched_and_tried_below_their_place() {
    let server = Server::start().await;
    let kept = server.patch("/api/v1/mqtt", &json!({ "prefix": "garden" })).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let shown: Value = server.get("/api/v1/mqtt").await.json();
    assert_eq!(shown["settings"]["prefix"], "garden");
    let wrong = json!({ "keep_alive_s": 1 });
    let problem = server.patch("/api/v1/mqtt", &wrong).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "/keep_alive_s");

    let headers = [("content-type", MERGE_PATCH)];
    let test =
        |body: Value| server.ask(Method::POST, "/api/v1/mqtt/test", &headers, body.to_string());
    assert_eq!(test(json!({ "prefix": "yard" })).await.json::<Value>()["ok"], true);
    let tried = server.fake.hooks.tried.lock().unwrap().pop().unwrap();
    assert_eq!(tried, json!({ "mqtt": { "prefix": "yard" } }));
    let problem = test(wrong).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors[0].pointer, "/keep_alive_s");
}
