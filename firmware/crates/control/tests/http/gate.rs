//! Who may pass: the matrix of operations and callers, sessions, names, and the record of changes.

use std::fmt::Write as _;
use std::path::Path;

use access::Principal;
use api::access::Role;
use edgecam_control::Limits;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, MERGE_PATCH, Server};
use crate::fake::{OWNER, PASSWORD};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![JSON];
    all.extend_from_slice(headers);
    server.ask(Method::POST, path, &all, body.to_string()).await
}

async fn owner(server: &Server) -> Principal {
    let token = server.token.as_deref().unwrap();
    server.fake.access().recognise(token).unwrap().unwrap()
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn signed_in(server: &Server) -> String {
    let login = json!({ "username": OWNER, "password": PASSWORD });
    let answer = post(server, "/api/v1/auth/login", &[("authorization", "")], &login).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    cookie(&answer)
}

/// Every operation with its method and a path that leads somewhere or nowhere, but harms nothing.
fn operations(camera: &str) -> Vec<(String, Method, String)> {
    let document: Value = serde_json::from_str(&edgecam_control::openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{cam}", camera).replace("{file}", "index.html");
        let path = path.replace("{user}", "nobody").replace("{token}", "none");
        let path = path.replace("{id}", "none").replace("{name}", "none");
        let path = path.replace("{zone}", "door").replace("{line}", "gate");
        let path = path.replace("{mask}", "house").replace("{pin}", "none");
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            all.push((id, method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// What became of a request: how far it came.
async fn came(server: &Server, token: Option<&str>, method: &Method, path: &str) -> &'static str {
    let authorization = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let kind = if path.contains("/cameras/") { MERGE_PATCH } else { "application/json" };
    let headers = [("content-type", kind), ("authorization", authorization.as_str())];
    // What nobody sends has no header: an empty one is none that is known.
    let headers = if token.is_some() { &headers[..] } else { &headers[..1] };
    let answer = server.send(method.clone(), path, headers, "{}").await;
    match answer.status().as_u16() {
        401 => "401",
        403 => "403",
        404 => {
            // Streams do not end; a problem does.
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            if text.contains("there is no camera") { "404" } else { "pass" }
        }
        _ => "pass",
    }
}

#[tokio::test]
async fn every_operation_lets_those_pass_who_may_and_nobody_else() {
    let mut server = Server::start().await;
    let owner = owner(&server).await;
    server.token = None;
    let fake = server.fake.clone();
    let callers = [
        ("nobody", None, "front"),
        ("viewer", Some(fake.token(&owner, Role::Viewer, None).await), "front"),
        ("operator", Some(fake.token(&owner, Role::Operator, None).await), "front"),
        ("admin", Some(fake.token(&owner, Role::Admin, None).await), "front"),
        ("viewer@front", Some(fake.token(&owner, Role::Viewer, Some("front")).await), "front"),
        ("operator@front", Some(fake.token(&owner, Role::Operator, Some("front")).await), "front"),
        ("admin@front", Some(fake.token(&owner, Role::Admin, Some("front")).await), "front"),
        ("admin@yard", Some(fake.token(&owner, Role::Admin, Some("yard")).await), "front"),
    ];
    let mut matrix = format!("{:24}", "operation, on front");
    callers.iter().for_each(|(name, ..)| write!(matrix, "{name:>15}").unwrap());
    matrix.push('\n');
    for (id, method, path) in operations("front") {
        write!(matrix, "{id:24}").unwrap();
        for (_, token, _) in &callers {
            let came = came(&server, token.as_deref(), &method, &path).await;
            write!(matrix, "{came:>15}").unwrap();
        }
        matrix.push('\n');
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/permits.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &matrix).unwrap();
    }
    let agreed = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(agreed, matrix, "if the change is meant, run with UPDATE_GOLDEN=1");
}

#[tokio::test]
async fn a_device_without_an_owner_answers_nothing_but_how_to_become_its_owner() {
    let server = Server::unclaimed(Limits::default()).await;
    let state = server.get("/api/v1/setup").await.json::<Value>();
    assert_eq!(state, json!({ "claimed": false, "certificate_sha256": null }));
    for path in ["/api/v1/cameras", "/api/v1/events", "/metrics", "/api/v1/system"] {
        let problem = server.get(path).await.problem(403, "setup_required");
        assert!(problem.detail.contains("/api/v1/setup/claim"), "{}", problem.detail);
    }
    for path in ["/healthz", "/readyz", "/", "/api/openapi.json"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let code = server.fake.access().claim_code().unwrap();
    let claim = json!({ "code": code, "username": OWNER, "password": PASSWORD });
    let answer = post(&server, "/api/v1/setup/claim", &[], &claim).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookie = cookie(&answer);
    let me = server.ask(Method::GET, "/api/v1/auth/me", &[("cookie", &cookie)], "").await;
    assert_eq!(me.json::<Value>()["role"], "admin");
    post(&server, "/api/v1/setup/claim", &[], &claim).await.problem(409, "failed_precondition");
}

#[tokio::test]
async fn a_wrong_code_or_password_is_refused_and_soon_has_to_wait() {
    let server = Server::start().await;
    let login = json!({ "username": OWNER, "password": "another street" });
    for _ in 0..5 {
        let answer = post(&server, "/api/v1/auth/login", &[], &login).await;
        let detail = answer.problem(401, "unauthenticated").detail;
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"EdgeCam\"");
        assert!(!detail.contains("another street"));
    }
    let answer = post(&server, "/api/v1/auth/login", &[], &login).await;
    answer.problem(429, "too_many_requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let mut server = Server::start().await;
    server.token = None;
    let login = json!({ "username": OWNER, "password": PASSWORD });
    let answer = post(&server, "/api/v1/auth/login", &[], &login).await;
    let set = answer.header("set-cookie").to_owned();
    for part in ["edgecam=ecs_", "Path=/", "HttpOnly", "SameSite=Strict", "Max-Age="] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = cookie(&answer);
    let with = |origin: &'static str| [("cookie", cookie.clone()), ("origin", origin.to_owned())];
    let change = async |headers: &[(&str, String)]| {
        let mut all = vec![("content-type", MERGE_PATCH)];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        server.ask(Method::PATCH, "/api/v1/cameras/front", &all, "{}").await
    };
    assert_eq!(change(&with("http://localhost")).await.status, 200);
    for origin in ["http://evil.example", "https://localhost", "null"] {
        change(&with(origin)).await.problem(403, "permission_denied");
    }
    change(&with("")[..1]).await.problem(403, "permission_denied");
    // To look is no change.
    let look = server.ask(Method::GET, "/api/v1/cameras", &[("cookie", &cookie)], "").await;
    assert_eq!(look.status, 200);

    let headers = [("cookie", cookie.as_str()), ("origin", "http://localhost")];
    let out = server.ask(Method::POST, "/api/v1/auth/logout", &headers, "").await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let look = server.ask(Method::GET, "/api/v1/cameras", &[("cookie", &cookie)], "").await;
    look.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_player_shows_name_and_password_with_each_request() {
    let mut server = Server::start().await;
    server.token = None;
    let get = async |password: &str| {
        use base64::Engine as _;
        let both = base64::engine::general_purpose::STANDARD.encode(format!("{OWNER}:{password}"));
        let header = format!("Basic {both}");
        let path = "/api/v1/cameras/front/snapshot.jpg";
        server.ask(Method::GET, path, &[("authorization", &header)], "").await
    };
    assert_eq!(get(PASSWORD).await.status, 200);
    let change = async |more: &[(&str, &str)]| {
        use base64::Engine as _;
        let both = base64::engine::general_purpose::STANDARD.encode(format!("{OWNER}:{PASSWORD}"));
        let header = format!("Basic {both}");
        let mut headers = vec![("authorization", header.as_str()), ("content-type", MERGE_PATCH)];
        headers.extend_from_slice(more);
        server.ask(Method::PATCH, "/api/v1/cameras/front", &headers, "{}").await.status
    };
    assert_eq!(change(&[]).await, 200);
    assert_eq!(change(&[("origin", "http://evil.example")]).await, 403);
    assert_eq!(change(&[("sec-fetch-site", "cross-site")]).await, 403);
    get("another street").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_request_that_was_sent_to_another_name_is_refused() {
    let server = Server::start().await;
    for host in ["evil.example", "localhost.evil.example:80"] {
        let answer = server.ask(Method::GET, "/healthz", &[("host", host)], "").await;
        let detail = answer.problem(421, "unknown_host").detail;
        assert!(detail.contains("api.hosts"), "{detail}");
    }
    for host in ["127.0.0.1:8080", "[::1]", "cam.local"] {
        let answer = server.ask(Method::GET, "/healthz", &[("host", host)], "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn who_is_limited_to_a_camera_sees_nothing_of_the_others() {
    let mut server = Server::start().await;
    let owner = owner(&server).await;
    let (front, yard) = (server.fake.append("front", "car"), server.fake.append("yard", "cat"));
    server.token = Some(server.fake.token(&owner, Role::Viewer, Some("front")).await);
    let cameras: Vec<Value> = server.get("/api/v1/cameras").await.json();
    assert_eq!(cameras.len(), 1);
    assert_eq!(cameras[0]["id"], "front");
    let events: Value = server.get("/api/v1/events").await.json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    let events: Value = server.get("/api/v1/events?camera=yard").await.json();
    assert_eq!(events["items"].as_array().unwrap().len(), 0);
    for (seq, status) in [(front, 200), (yard, 404)] {
        let path = format!("/api/v1/events/{}", server.fake.event_id(seq));
        let answer = server.get(&path).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let detector: Value = server.get("/api/v1/detector").await.json();
    assert_eq!(detector["cameras"].as_object().unwrap().len(), 1);
    let known = server.get("/api/v1/cameras/yard").await.problem(404, "not_found");
    let unknown = server.get("/api/v1/cameras/none").await.problem(404, "not_found");
    assert_eq!(known.detail.replace("yard", "none"), unknown.detail);
}

#[tokio::test]
async fn every_change_and_every_attempt_is_recorded_without_secrets() {
    let server = Server::start().await;
    let new = json!({ "username": "guard", "password": "an open gate", "role": "operator" });
    assert_eq!(post(&server, "/api/v1/users", &[], &new).await.status, 201);
    let patch = json!({ "role": "viewer" }).to_string();
    let path = "/api/v1/users/guard";
    assert_eq!(server.ask(Method::PATCH, path, &[JSON], patch).await.status, 200);
    let login = json!({ "username": "guard", "password": "a shut gate!" });
    post(&server, "/api/v1/auth/login", &[], &login).await.problem(401, "unauthenticated");
    let change = json!({ "source": "rtsp://me:c4nary@10.0.0.9/other" });
    server.patch("/api/v1/cameras/front", &change).await;
    signed_in(&server).await;

    let page: Value = server.get("/api/v1/audit?limit=4").await.json();
    let rows: Vec<_> = page["items"].as_array().unwrap().iter().rev().collect();
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("operation"), text("username"), row["status"])
    };
    let told: Vec<_> = rows.iter().map(|one| row(one)).collect();
    assert_eq!(
        told,
        ["patch_user owner 200", "login guard 401", "patch_camera owner 422", "login owner 200"]
    );
    assert_eq!(rows[0]["before"]["role"], "operator");
    assert_eq!(rows[0]["after"]["role"], "viewer");
    assert_eq!(rows[0]["from"], "127.0.0.1");
    assert_eq!(rows[0]["via"], "token");
    let all: Value = server.get("/api/v1/audit").await.json();
    assert!(page["next_cursor"].is_string() && all["next_cursor"].is_null());
    for secret in ["an open gate", "a shut gate!", PASSWORD, "c4nary"] {
        assert!(!all.to_string().contains(secret), "{all}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends_when_it_is_revoked() {
    let mut server = Server::start().await;
    let new = json!({ "name": "Home Assistant", "cameras": ["front"] });
    let made = post(&server, "/api/v1/tokens", &[], &new).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made: Value = made.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let all = server.get("/api/v1/tokens").await;
    assert!(all.text().contains("Home Assistant") && !all.text().contains(&secret));
    let owner = server.token.replace(secret);
    assert_eq!(server.get("/api/v1/cameras/front").await.status, 200);
    server.token = owner;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(server.ask(Method::DELETE, &path, &[], "").await.status, 204);
    server.token = Some(made["secret"].as_str().unwrap().to_owned());
    server.get("/api/v1/cameras/front").await.problem(401, "unauthenticated");
}
