//! Settings over HTTP: what is read, under which conditions they change, and what is answered.

use api::revisions::{
    ChangeStatus, SettingsChange, SettingsRevisionDetail, SettingsRevisionPage, SettingsStatus,
};
use edgecam_control::ports::What;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, MERGE_PATCH, Server};

const SETTINGS: &str = "/api/v1/settings";

fn name(name: &str) -> Value {
    json!({ "cameras": { "front": { "name": name } } })
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    server.ask(Method::POST, &format!("{SETTINGS}{path}"), &headers, body.to_string()).await
}

#[tokio::test]
async fn settings_are_shown_without_secrets_and_with_their_revision() {
    let server = Server::start().await;
    let answer = server.get(SETTINGS).await;
    assert_eq!(answer.header("etag"), "\"0\"");
    assert!(!answer.text().contains("c4nary"));
    let shown: Value = answer.json();
    assert_eq!(shown["cameras"]["front"]["source"], "rtsp://10.0.0.9/stream");
    assert_eq!(shown["cameras"]["front"]["detection"]["score_threshold"], 0.25);
    let url = "mqtt://me:c4nary2@broker.example";
    let patch = json!({ "mqtt": { "username": "me", "password": "c4nary", "url": url } });
    let change: SettingsChange = server.patch(SETTINGS, &patch).await.json();
    assert_eq!((change.revision, change.status), (1, ChangeStatus::Applied));
    let made = server.get(&format!("{SETTINGS}?layer=api")).await;
    let expected = json!({ "mqtt": { "username": "me", "url": "mqtt://broker.example" } });
    assert_eq!(made.json::<Value>(), expected);
    server.get(&format!("{SETTINGS}?layer=files")).await.problem(400, "malformed");
}

#[tokio::test]
async fn a_change_for_another_revision_is_refused_with_the_one_in_force() {
    let server = Server::start().await;
    let ask = async |tag: &str, to: &str| {
        let headers = [("content-type", MERGE_PATCH), ("if-match", tag)];
        server.ask(Method::PATCH, SETTINGS, &headers, name(to).to_string()).await
    };
    assert_eq!(ask("\"0\"", "Door").await.header("etag"), "\"1\"");
    let late = ask("\"0\"", "Gate").await;
    late.problem(412, "aborted");
    assert_eq!(late.header("etag"), "\"1\"");
    ask("W/\"1\"", "Gate").await.problem(412, "aborted");
    for tag in ["*", "\"1\", \"2\""] {
        assert_eq!(ask(tag, "Gate").await.status, StatusCode::OK, "{tag}");
    }
}

#[tokio::test]
async fn how_a_change_is_to_be_made_is_passed_on_and_what_came_of_it_is_answered() {
    let server = Server::start().await;
    let dry: SettingsChange =
        server.patch(&format!("{SETTINGS}?dry_run=true"), &name("Door")).await.json();
    assert_eq!((dry.status, dry.revision), (ChangeStatus::DryRun, 0));
    assert!(server.fake.changes().is_empty());
    let path = format!("{SETTINGS}?confirm_within=120");
    let tried: SettingsChange = server.patch(&path, &name("Door")).await.json();
    assert_eq!(tried.status, ChangeStatus::PendingConfirmation);
    let restarts = server.patch(SETTINGS, &json!({ "node": { "name": "Gate" } })).await;
    assert_eq!(restarts.status, StatusCode::ACCEPTED);
    for query in ["confirm_within=0", "confirm_within=86401"] {
        let answer = server.patch(&format!("{SETTINGS}?{query}"), &name("Door")).await;
        let problem = answer.problem(422, "invalid_argument");
        assert_eq!(problem.errors[0].pointer, "?confirm_within");
    }
    for query in ["dry_run=maybe", "confirm_within=-1", "dryrun=true"] {
        let answer = server.patch(&format!("{SETTINGS}?{query}"), &name("Door")).await;
        answer.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_wrong_change_is_refused_with_every_reason_up_to_a_hundred() {
    let server = Server::start().await;
    let wrong = json!({ "zozo": 1, "cameras": { "front": { "encoder": { "bitrate_kbps": 1 } } } });
    let problem = server.patch(SETTINGS, &wrong).await.problem(422, "invalid_argument");
    let places: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(places, ["/cameras/front/encoder/bitrate_kbps", "/zozo"]);
    let many: Value = (0..1000).map(|number| (format!("x{number}"), json!(1))).collect();
    let problem = server.patch(SETTINGS, &many).await.problem(422, "invalid_argument");
    assert_eq!(problem.errors.len(), 100);
}

#[tokio::test]
async fn a_confirmation_needs_something_to_confirm() {
    let server = Server::start().await;
    post(&server, "/confirm", &json!({})).await.problem(409, "failed_precondition");
    server.patch(&format!("{SETTINGS}?confirm_within=9"), &name("Door")).await;
    let status: SettingsStatus = post(&server, "/confirm", &json!({})).await.json();
    assert_eq!(status.revision, 1);
    assert_eq!(server.get(&format!("{SETTINGS}/status")).await.json::<SettingsStatus>(), status);
}

#[tokio::test]
async fn revisions_are_listed_page_by_page_and_shown_one_by_one() {
    let server = Server::start().await;
    for number in 0..5 {
        server.patch(SETTINGS, &name(&format!("Door {number}"))).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{SETTINGS}/revisions?limit=2{cursor}");
        let page: SettingsRevisionPage = server.get(&path).await.json();
        seen.extend(page.items.iter().map(|item| (item.revision, item.in_force)));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [(5, true), (4, false), (3, false), (2, false), (1, false)]);
    let one: SettingsRevisionDetail = server.get(&format!("{SETTINGS}/revisions/2")).await.json();
    assert_eq!(one.revision.revision, 2);
    for none in ["9", "0", "x"] {
        server.get(&format!("{SETTINGS}/revisions/{none}")).await.problem(404, "not_found");
    }
    for (query, wrong) in [("limit=0", "?limit"), ("limit=101", "?limit"), ("cursor=x", "?cursor")]
    {
        let answer = server.get(&format!("{SETTINGS}/revisions?{query}")).await;
        assert_eq!(answer.problem(422, "invalid_argument").errors[0].pointer, wrong);
    }
}

#[tokio::test]
async fn going_back_names_a_revision() {
    let server = Server::start().await;
    server.patch(SETTINGS, &name("Door")).await;
    let back: SettingsChange = post(&server, "/rollback", &json!({ "revision": 0 })).await.json();
    assert_eq!(back.revision, 2);
    assert_eq!(server.fake.changes().pop().unwrap().what, What::BackTo(0));
    post(&server, "/rollback", &json!({ "revision": 77 })).await.problem(404, "not_found");
    for body in [json!({}), json!({ "revision": "x" }), json!({ "revision": 0, "x": 1 })] {
        post(&server, "/rollback", &body).await.problem(422, "invalid_argument");
    }
}

#[tokio::test]
async fn the_schema_of_all_settings_is_served() {
    let answer = Server::start().await.get(&format!("{SETTINGS}/schema")).await;
    assert_eq!(answer.header("content-type"), "application/schema+json");
    let schema: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let cost = "/properties/cameras/additionalProperties/properties/source/x-edgecam-cost";
    assert_eq!(schema.pointer(cost), Some(&json!("rebuild")));
}
