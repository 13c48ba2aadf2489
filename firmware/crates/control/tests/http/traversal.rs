//! No name in a path leads out of where names belong: every operation with a parameter, every way to write
//! one that climbs.

use std::num::NonZeroU32;

use edgecam_control::Limits;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::client::{MERGE_PATCH, Server};

/// Names that would be paths, as they stand in a URL.
const HOSTILE: [&str; 16] = [
    "..%2F..%2F..%2Fetc%2Fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%2E%2E%5C%2E%2E%5Csettings",
    "..%5c..%5ctls.pem",
    "%2Fetc%2Fpasswd",
    "%2e%2e",
    "%252e%252e%252fetc%252fpasswd",
    "..%c0%af..%c0%afetc",
    "index.m3u8%00.html",
    "%00",
    "nanodet%00",
    "....%2F%2F....%2F%2Fetc",
    "..%3B%2Fetc",
    "front%2F..%2Fyard",
    ".%2Ffront",
    "C%3A%5Ctls.pem",
];

/// Path and method of every operation that has a name in its path.
fn operations() -> Vec<(String, Method)> {
    let document: Value = serde_json::from_str(&edgecam_control::openapi_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let named = paths.iter().filter(|(path, _)| path.contains('{'));
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys();
        let row = |method: &String| (path.clone(), method.to_uppercase().parse().unwrap());
        methods.map(row).collect::<Vec<_>>()
    };
    named.flat_map(of).collect()
}

/// `path` with `hostile` for its `number`th name, and names that are there for the others.
fn with(path: &str, number: usize, hostile: &str) -> Option<String> {
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    let names = parts.iter_mut().filter(|part| part.contains('{'));
    let mut found = false;
    for (place, part) in names.enumerate() {
        let good = if part.contains("cam") { "front" } else { "none" };
        let name = if place == number { hostile } else { good };
        found |= place == number;
        let (begin, rest) = part.split_once('{')?;
        let end = rest.split_once('}')?.1;
        *part = format!("{begin}{name}{end}");
    }
    found.then(|| parts.join("/"))
}

#[tokio::test]
async fn no_name_in_a_path_leads_out_of_where_names_belong() {
    let (per_second, burst) = (NonZeroU32::MAX, NonZeroU32::MAX);
    let server = Server::with(Limits { per_second, burst, ..Limits::default() }).await;
    let mut asked = 0;
    let all = operations();
    let probes = all.iter().flat_map(|(path, method)| {
        let places = (0..3).flat_map(move |place| HOSTILE.map(|name| with(path, place, name)));
        places.flatten().map(move |at| (method, path, at))
    });
    for (method, path, at) in probes {
        let kind = if *method == Method::PATCH { MERGE_PATCH } else { "application/json" };
        let answer = server.ask(method.clone(), &at, &[("content-type", kind)], "{}").await;
        asked += 1;
        // A page that plays asks for its stream by itself; the name in its path is not looked at.
        let page = path == "/live/{cam}";
        let refused =
            answer.status.is_client_error() && answer.status != StatusCode::TOO_MANY_REQUESTS;
        assert!(refused || page && answer.status == 200, "{method} {at}: {answer:?}");
        assert!(!page || !answer.text().contains("passwd"), "{at} is repeated");
    }
    assert!(asked > 500, "only {asked}");
    let changes = server.fake.changes();
    assert!(changes.is_empty(), "a name that climbs changed something: {changes:?}");
}
