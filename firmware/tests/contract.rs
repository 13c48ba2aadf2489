//! Promise: the running API does what its document says, whatever is asked of it: no answer of a kind
//! that the document does not name, no server error, nothing taken that the document forbids.
//!
//! schemathesis makes the requests from the document that the daemon serves, with all its checks;
//! `api/contract` says what it may expect. `make fuzz-api` runs this test for many more requests.

mod harness;

use std::path::Path;
use std::process::Command;

use harness::daemon::EdgeCam;
use harness::http::OWNER;
use harness::{Need, Setup, Site, site};
use serde_json::Value;

/// Cameras that draw little, also those that a request adds. Ports and folders are fixed by the environment.
const SMALL: &str = "\
[media_server]
enabled = false
[cameras.default.video]
width = 320
height = 180
fps = 5
[cameras.default.detection]
max_fps = 1
[cameras.cam]
";
/// Requests that a run makes at least.
const CASES: u64 = 2_000;
/// How many of them the environment asks for: `make fuzz-api` does.
const CASES_VAR: &str = "EDGECAM_API_CASES";

/// What schemathesis says of a run against `edgecam` with about `cases` requests, or a short one.
fn run(edgecam: &EdgeCam, cases: Option<u64>, folder: &Path) -> (Value, String) {
    let tokens = edgecam.api().get("/api/v1/tokens").json();
    let own = tokens["items"].as_array().or_else(|| tokens.as_array());
    let own = own.and_then(|tokens| tokens.first()).expect("the test has a token");
    let operations = edgecam.api().get("/api/openapi.json").json()["paths"]
        .as_object()
        .map_or(1, |paths| paths.len() as u64);
    let url = format!("http://{}", edgecam.at().api);
    let contract = site::root().join("api/contract");
    // Half of a short run are fixed cases of every operation; the rest is shared among them.
    let (long, cases) = (cases.is_some(), cases.unwrap_or(CASES));
    let each = (cases / operations / 4).max(2).to_string();
    let report = folder.join("report.json");
    let rules = ["schemathesis.toml", "short.toml"].iter().take(if long { 1 } else { 2 });
    let rules =
        rules.map(|name| std::fs::read_to_string(contract.join(name)).expect("it is there"));
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, rules.collect::<String>()).expect("a temporary file can be written");
    let output = Command::new(site::fuzzer())
        .current_dir(folder)
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("{url}/api/openapi.json"), "--max-examples", &each])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .env("SCHEMATHESIS_HOOKS", contract.join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs([("EDGECAM_URL", url.as_str()), ("EDGECAM_OWNER", OWNER)])
        .env("EDGECAM_TOKEN", edgecam.token())
        .env("EDGECAM_TOKEN_ID", own["id"].as_str().unwrap_or_default())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = std::fs::read(&report).unwrap_or_else(|error| panic!("{error}:\n{said}"));
    (serde_json::from_slice(&report).expect("the report is JSON"), said)
}

#[test]
fn the_running_api_does_what_its_document_says_whatever_is_asked_of_it() {
    let Some(_site) = Site::with(&[Need::Fuzzer]) else { return };
    let cases = std::env::var(CASES_VAR).ok().and_then(|cases| cases.parse().ok());
    let setup = Setup::new().settings(SMALL);
    let folder = setup.folder().to_owned();
    let edgecam = setup.start();
    let (report, said) = run(&edgecam, cases, &folder);
    let (operations, made) = (&report["operations"], &report["test_cases"]);
    // Whoever is refused everything finds no fault.
    let me = edgecam.api().get("/api/v1/auth/me");
    assert_eq!(me.status, 200, "the test was signed out on the way: {}", me.json());
    println!("{} requests to {} operations", made["generated"], operations["tested"]);
    let failures = report["failures"].as_array().map_or(usize::MAX, Vec::len);
    let errors = report["errors"].as_array().map_or(usize::MAX, Vec::len);
    assert_eq!((failures, errors), (0, 0), "{said}");
    assert_eq!(report["complete"], true, "{said}");
    assert_eq!(operations["tested"], operations["total"], "{said}");
    assert!(made["generated"].as_u64() >= cases.or(Some(CASES)), "too few: {said}");
}

#[test]
fn the_typed_client_made_from_the_document_reads_changes_and_is_refused() {
    let Some(_site) = Site::with(&[Need::Node]) else { return };
    let web = site::root().join("web");
    let edgecam = Setup::new().settings(SMALL).start();
    for script in ["build", "test"] {
        let output = Command::new("npm")
            .current_dir(&web)
            .args(["run", "--silent", script])
            .env("EDGECAM_URL", format!("http://{}", edgecam.at().api))
            .env("EDGECAM_TOKEN", edgecam.token())
            .output()
            .expect("npm runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "npm run {script}: {said}");
        print!("{said}");
    }
}
