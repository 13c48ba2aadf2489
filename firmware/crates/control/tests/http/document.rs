//! The OpenAPI document: golden, complete, and true.

use std::path::Path;

use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::client::{MERGE_PATCH, Server, soon};
use crate::fake::hooks::HOOK;
use crate::fake::updates::UPLOAD;
use crate::work::{JOB, MODEL};

fn document() -> Value {
    serde_json::from_str(&edgecam_control::openapi_json()).unwrap()
}

/// Path, method and description of every operation.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter();
        let row = |(method, operation): (&String, &Value)| {
            let method = method.to_uppercase().parse().unwrap();
            (path.clone(), method, operation.clone())
        };
        methods.map(row).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// What a reference leads to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let target = document.pointer(reference.trim_start_matches('#'));
            target.unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
        None => value,
    }
}

#[test]
fn the_document_is_the_one_that_was_agreed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../api/openapi.json");
    let agreed = std::fs::read_to_string(golden).unwrap_or_default();
    assert!(
        agreed == edgecam_control::openapi_json(),
        "api/openapi.json is not what the code serves; if the change is meant, run `make openapi`"
    );
}

#[test]
fn the_document_says_what_it_is() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "EdgeCam");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0 OR MIT");
    assert!(edgecam_control::openapi_json().ends_with("}\n"));
}

#[test]
fn every_operation_is_explained() {
    let document = document();
    let tags: Vec<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}");
        assert!(tags.contains(&&operation["tags"][0]), "{at}");
        for text in ["summary", "description"] {
            assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{at}: {text}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].as_str().is_some_and(|d| !d.is_empty()), "{at}");
        }
        for name in path.split(['{', '}']).skip(1).step_by(2) {
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{at}");
        }
        let answers = operation["responses"].as_object().unwrap();
        for (status, answer) in answers {
            let answer = resolve(&document, answer);
            assert!(answer["description"].as_str().is_some_and(|d| !d.is_empty()), "{at} {status}");
            if status == "503" && path == "/readyz" {
                continue;
            }
            if status.starts_with(['4', '5', 'd']) {
                let body = &answer["content"]["application/problem+json"];
                assert!(
                    resolve(&document, &body["schema"])["properties"]["code"].is_object(),
                    "{at}"
                );
                assert!(body["example"]["detail"].is_string(), "{at} {status}");
            }
            if let Some(json) = answer["content"].get("application/json")
                && path != "/api/openapi.json"
            {
                assert!(!json["example"].is_null(), "{at} {status} has no example");
            }
        }
        assert!(answers.contains_key("default"), "{at}");
    }
}

#[test]
fn every_field_of_every_schema_is_explained() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} has no description");
        for (field, shape) in schema["properties"].as_object().into_iter().flatten() {
            // The description of what may be null stands beside its reference.
            let either = shape["oneOf"].as_array().into_iter().flatten();
            let mut said = either.chain([shape, resolve(&document, shape)]);
            let said = said.any(|shape| shape["description"].is_string());
            assert!(said, "{name}.{field} has no description");
        }
    }
    let object = &document["components"]["schemas"]["Event"]["properties"]["object"];
    assert!(object.to_string().contains("TrackedObject"), "{object}");
}

#[test]
fn every_reference_leads_somewhere() {
    fn visit(document: &Value, value: &Value) {
        resolve(document, value);
        match value {
            Value::Object(map) => map.values().for_each(|value| visit(document, value)),
            Value::Array(list) => list.iter().for_each(|value| visit(document, value)),
            _ => {}
        }
    }
    let document = document();
    visit(&document, &document);
}

#[tokio::test]
async fn every_documented_operation_is_served_with_a_documented_answer() {
    let server = Server::start().await;
    server.fake.append("front", "car");
    let document = document();
    let mut all = operations(&document);
    // What is deleted cannot be looked at any more.
    all.sort_by_key(|(_, method, _)| *method == Method::DELETE);
    for (path, method, operation) in all {
        let file = if path.starts_with("/live") { "index.m3u8" } else { "index.html" };
        let at = path
            .replace("{cam}", "front")
            .replace("/jobs/{id}", &format!("/jobs/{JOB}"))
            .replace("/webhooks/{id}", &format!("/webhooks/{HOOK}"))
            .replace("/uploads/{id}", &format!("/uploads/{UPLOAD}"))
            .replace("{name}", MODEL)
            .replace("{id}", &server.fake.event_id(1))
            .replace("{revision}", "1")
            .replace("{file}", file)
            .replace("{user}", "owner")
            .replace("{token}", "none")
            .replace("{zone}", "door")
            .replace("{line}", "gate")
            .replace("{pin}", "lamp")
            .replace("{mask}", "house")
            .replace("{code}", "disk_full");
        // An empty patch changes nothing; a patch of WHEP is none of these.
        let others =
            ["/users/", "/whep/", "/webhooks/", "/uploads/"].iter().any(|one| path.contains(one));
        let patches = method == Method::PATCH && !others;
        let kind = if patches { MERGE_PATCH } else { "application/json" };
        let headers = [("content-type", kind)];
        let answer = soon(server.send(method.clone(), &at, &headers, "{}")).await;
        let (status, answers) = (answer.status(), operation["responses"].as_object().unwrap());
        let documented = answers.get(status.as_str());
        let good = status.is_success() || status == StatusCode::PERMANENT_REDIRECT;
        // An empty body makes no user; there is no token `none`, and no certificate here.
        let empty = method != Method::GET && !patches;
        // This is no WebSocket either.
        let refused = empty || path.ends_with("/certificate") || path.ends_with("/ws");
        assert!(good || refused && status.is_client_error(), "{method} {at}: {status}");
        let content = resolve(&document, documented.expect("documented"))["content"].as_object();
        let given = answer.headers().get("content-type").map(|value| value.to_str().unwrap());
        let given = given.map(|given| given.split(';').next().unwrap_or_default());
        match (content, given) {
            (Some(content), Some(given)) => assert!(content.contains_key(given), "{at}: {given}"),
            (None, None) => {}
            other => panic!("{method} {at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let answer = Server::start().await.get("/api/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), edgecam_control::openapi_json());
}
