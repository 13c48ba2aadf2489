//! Jobs, models, the detector, and what is not done twice.

use api::access::Role;
use api::jobs::{Job, JobState};
use api::revisions::SettingsChange;
use edgecam_control::Limits;
use edgecam_control::ports::{Beginner, ModelPart};
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, MERGE_PATCH, Server, soon};
use crate::work::{self, JOB, MODEL};

const JSON: (&str, &str) = ("content-type", "application/json");
const BENCHMARK: &str = "/api/v1/detector/benchmark";

async fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![JSON];
    all.extend_from_slice(headers);
    server.ask(Method::POST, path, &all, body.to_string()).await
}

fn begun(server: &Server) -> usize {
    // One is there from the start on.
    server.fake.work.jobs.lock().unwrap().len() - 1
}

#[tokio::test]
async fn long_work_is_answered_with_where_to_look() {
    let server = Server::start().await;
    for (path, role) in [
        (BENCHMARK.to_owned(), Role::Operator),
        (format!("/api/v1/models/{MODEL}/quantize"), Role::Admin),
        ("/api/v1/models".to_owned(), Role::Admin),
        ("/api/v1/cameras/front/rules:backtest".to_owned(), Role::Operator),
    ] {
        let answer = post(&server, &path, &[], &json!({})).await;
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        let job: Job = answer.json();
        assert_eq!((job.role, job.created_by.as_str()), (role, "owner"), "{path}");
        assert_eq!(answer.header("location"), format!("/api/v1/jobs/{}", job.id));
        assert_eq!(server.get(answer.header("location")).await.json::<Job>(), job);
    }
    let all: Vec<Job> = server.get("/api/v1/jobs").await.json();
    assert_eq!(all.len(), 5);
    let rows: Value = server.get("/api/v1/audit?limit=1").await.json();
    assert_eq!(rows["items"][0]["after"]["camera"], "front");
    post(&server, "/api/v1/models/none/quantize", &[], &json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_job_is_cancelled_and_forgotten_by_who_could_have_begun_it() {
    let mut server = Server::start().await;
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    let path = format!("/api/v1/jobs/{JOB}");
    let admin = server.token.clone();
    server.token = Some(server.fake.token(&owner, Role::Operator, None).await);
    server.ask(Method::DELETE, &path, &[], "").await.problem(403, "permission_denied");
    server.token = admin;
    let cancelled = server.ask(Method::DELETE, &path, &[], "").await;
    assert_eq!(
        (cancelled.status.as_u16(), cancelled.json::<Job>().state),
        (200, JobState::Cancelled)
    );
    server.ask(Method::DELETE, &path, &[], "").await.problem(404, "not_found");
    server.get(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn who_sees_some_cameras_sees_their_jobs_and_no_others() {
    let mut server = Server::start().await;
    let by = Beginner { by: "owner".into(), role: Role::Operator };
    for camera in ["front", "yard"] {
        server.fake.work.jobs.lock().unwrap().push(work::job(camera, Some(camera), &by));
    }
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Operator, Some("front")).await);
    let seen: Vec<Job> = server.get("/api/v1/jobs").await.json();
    assert_eq!(seen.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["front"]);
    for hidden in ["yard", JOB] {
        let path = format!("/api/v1/jobs/{hidden}");
        server.get(&path).await.problem(404, "not_found");
        server.ask(Method::DELETE, &path, &[], "").await.problem(404, "not_found");
    }
    post(&server, "/api/v1/cameras/yard/rules:backtest", &[], &json!({}))
        .await
        .problem(404, "not_found");
}

const BOUNDARY: &str = "multipart/form-data; boundary=x";

fn form(parts: &[(&str, &str)]) -> String {
    let part = |(name, text): &(&str, &str)| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"../{name}\"\r\n\r\n{text}\r\n"
        )
    };
    parts.iter().map(part).collect::<String>() + "--x--\r\n"
}

#[tokio::test]
async fn a_model_is_sent_in_three_parts_that_come_in_order() {
    let server = Server::with(Limits { body: 1000, ..Limits::default() }).await;
    let send = |body: String| {
        server.ask(Method::POST, "/api/v1/models", &[("content-type", BOUNDARY)], body)
    };
    let long = "w".repeat(5000);
    let sent = send(form(&[("manifest", "m"), ("param", "p"), ("bin", &long)])).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    assert_eq!(sent.header("location"), format!("/api/v1/models/{MODEL}"));
    let parts = std::mem::take(&mut *server.fake.work.uploaded.lock().unwrap());
    let lengths: Vec<_> = parts.iter().map(|(part, bytes)| (*part, bytes.len())).collect();
    assert_eq!(lengths, [(ModelPart::Manifest, 1), (ModelPart::Param, 1), (ModelPart::Bin, 5000)]);
    for (parts, pointer) in [
        (&[("param", "p"), ("manifest", "m"), ("bin", "b")][..], "/manifest"),
        (&[("manifest", "m"), ("bin", "b")], "/param"),
        (&[("manifest", "m"), ("param", "p")], "/bin"),
        (&[("manifest", "m"), ("param", "p"), ("bin", "b"), ("more", "x")], "/more"),
        (&[], "/manifest"),
    ] {
        let refused = send(form(parts)).await.problem(422, "invalid_argument");
        assert_eq!(refused.errors[0].pointer, pointer, "{refused:?}");
    }
    for broken in
        ["", "--x\r\n", "--x\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\nm"]
    {
        send(broken.to_owned()).await.problem(400, "malformed");
    }
    let headers = [("content-type", "multipart/form-data")];
    let refused = server.ask(Method::POST, "/api/v1/models", &headers, "x").await;
    refused.problem(400, "malformed");
    let refused =
        server.ask(Method::POST, "/api/v1/models", &[("content-type", "text/plain")], "x").await;
    refused.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_model_is_chosen_by_a_change_of_settings_like_any_other() {
    let server = Server::start().await;
    let path = format!("/api/v1/models/{MODEL}/activate");
    let dry = server.ask(Method::POST, &format!("{path}?dry_run=true"), &[], "").await;
    assert_eq!((dry.status.as_u16(), server.fake.changes().len()), (200, 0), "{dry:?}");
    let chosen = server.ask(Method::POST, &path, &[], "").await;
    assert_eq!(chosen.json::<SettingsChange>().revision, 1);
    assert_eq!(chosen.header("etag"), "\"1\"");
    let detector: Value = server.get("/api/v1/detector").await.json();
    assert_eq!(detector["settings"]["model"], MODEL);
    let stale = server.ask(Method::POST, &path, &[("if-match", "\"0\"")], "").await;
    stale.problem(412, "aborted");
    let unknown = server.ask(Method::POST, "/api/v1/models/none/activate", &[], "").await;
    unknown.problem(404, "not_found");
    let path = format!("/api/v1/models/{MODEL}");
    let detail: Value = server.get(&path).await.json();
    assert_eq!((&detail["name"], &detail["manifest"]["name"]), (&json!(MODEL), &json!(MODEL)));
    server.ask(Method::DELETE, &path, &[], "").await.problem(409, "failed_precondition");
}

#[tokio::test]
async fn the_detectors_settings_are_patched_with_pointers_into_the_body() {
    let server = Server::start().await;
    let patched = server.patch("/api/v1/detector", &json!({ "threads": 2 })).await;
    assert_eq!((patched.status.as_u16(), patched.header("etag")), (200, "\"1\""), "{patched:?}");
    assert_eq!(patched.json::<Value>()["settings"]["threads"], 2);
    let refused = server.patch("/api/v1/detector", &json!({ "threads": 99 })).await;
    assert_eq!(refused.problem(422, "invalid_argument").errors[0].pointer, "/threads");
    server.patch("/api/v1/detector", &Value::Null).await.problem(422, "invalid_argument");
    let headers = [("content-type", MERGE_PATCH)];
    let wrong =
        server.ask(Method::PATCH, "/api/v1/detector?confirm_within=0", &headers, "{}").await;
    wrong.problem(422, "invalid_argument");
}

#[tokio::test]
async fn a_picture_is_looked_at_up_to_its_limit() {
    let server = Server::with(Limits { picture: 100, ..Limits::default() }).await;
    let path = "/api/v1/detector/infer?model=m&min_score=0.5";
    let jpeg = [("content-type", "image/jpeg")];
    let seen = server.ask(Method::POST, path, &jpeg, "jpeg").await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(*server.fake.work.looked.lock().unwrap(), [("jpeg".into(), Some("m".into()), 0.5)]);
    let long = server.ask(Method::POST, path, &jpeg, "x".repeat(101)).await;
    long.problem(413, "too_large");
    server.ask(Method::POST, path, &[JSON], "{}").await.problem(415, "unsupported_media_type");
    for score in ["0", "1.5", "NaN", "-1"] {
        let path = format!("/api/v1/detector/infer?min_score={score}");
        server.ask(Method::POST, &path, &jpeg, "x").await.problem(422, "invalid_argument");
    }
    let path = "/api/v1/detector/infer?colour=red";
    server.ask(Method::POST, path, &jpeg, "x").await.problem(400, "malformed");
}

#[tokio::test]
async fn what_is_sent_again_with_its_key_is_answered_again_and_not_done_again() {
    let server = Server::start().await;
    let key = [("idempotency-key", "a")];
    let first = post(&server, BENCHMARK, &key, &json!({})).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (202, ""));
    let again = post(&server, BENCHMARK, &key, &json!({})).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(
        (again.json::<Job>(), again.header("location")),
        (first.json(), first.header("location"))
    );
    assert_eq!(begun(&server), 1);
    let rows: Value = server.get("/api/v1/audit").await.json();
    let changes = rows["items"].as_array().unwrap().iter();
    assert_eq!(changes.filter(|row| row["operation"] == "benchmark_detector").count(), 1);

    let other = post(&server, BENCHMARK, &key, &json!({ "duration_ms": 100 })).await;
    other.problem(422, "idempotency_key_reused");
    post(&server, "/api/v1/models", &[], &json!({})).await;
    let elsewhere = "/api/v1/cameras/front/rules:backtest";
    post(&server, elsewhere, &key, &json!({})).await.problem(422, "idempotency_key_reused");
    let fresh = post(&server, BENCHMARK, &[("idempotency-key", "b")], &json!({})).await;
    assert_eq!((fresh.status.as_u16(), begun(&server)), (202, 3));
    for wrong in ["", &"x".repeat(256), "ä"] {
        let headers = [("idempotency-key", wrong)];
        post(&server, BENCHMARK, &headers, &json!({})).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_key_is_of_one_caller_and_what_failed_may_be_tried_again() {
    let mut server = Server::start().await;
    let key = [("idempotency-key", "a")];
    let path = format!("/api/v1/models/{MODEL}/quantize");
    let wrong = post(&server, &path, &key, &json!({ "colour": "red" })).await;
    wrong.problem(422, "invalid_argument");
    assert_eq!(post(&server, &path, &key, &json!({})).await.status, 202, "nothing was done before");
    let owner = server.fake.access().recognise(server.token.as_deref().unwrap()).unwrap().unwrap();
    server.token = Some(server.fake.token(&owner, Role::Admin, None).await);
    let other = post(&server, &path, &key, &json!({})).await;
    assert_eq!((other.status.as_u16(), other.header("idempotency-replayed")), (202, ""));
    assert_eq!(begun(&server), 2);
}

#[tokio::test]
async fn while_the_first_request_runs_the_second_is_told_so() {
    let server = Server::start().await;
    let permits = server.fake.work.may_begin.available_permits();
    server.fake.work.may_begin.forget_permits(permits);
    let key = [("idempotency-key", "a")];
    let body = json!({});
    let (first, second) =
        (post(&server, BENCHMARK, &key, &body), post(&server, BENCHMARK, &key, &body));
    tokio::pin!(first);
    tokio::pin!(second);
    let may_begin = || server.fake.work.may_begin.add_permits(2);
    // Whichever comes in first waits for a permit; the other is told so.
    let (told, done) = soon(async {
        tokio::select! {
            told = &mut first => { may_begin(); (told, second.await) }
            told = &mut second => { may_begin(); (told, first.await) }
        }
    })
    .await;
    told.problem(409, "idempotency_key_in_use");
    assert_eq!((done.status.as_u16(), begun(&server)), (202, 1));
}

#[tokio::test]
async fn an_answer_with_a_secret_is_given_once() {
    let server = Server::start().await;
    let key = [("idempotency-key", "a")];
    let new = json!({ "name": "Home Assistant" });
    assert_eq!(post(&server, "/api/v1/tokens", &key, &new).await.status, 201);
    let again = post(&server, "/api/v1/tokens", &key, &new).await;
    again.problem(409, "idempotency_answer_gone");
    let tokens: Value = server.get("/api/v1/tokens").await.json();
    let named = tokens.as_array().unwrap().iter().filter(|one| one["name"] == "Home Assistant");
    assert_eq!(named.count(), 1);
}
