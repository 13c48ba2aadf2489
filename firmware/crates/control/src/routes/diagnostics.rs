//! All that helps to find a fault, in one file without secrets.

use std::io;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use base::error::ErrorKind;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::openapi::Unavailable;
use crate::patch::json;
use crate::ports::LogQuery;
use crate::problem::Failure;
use crate::routes::{device, health};
use crate::state::App;

/// Lines of the log in the file.
const LINES: usize = 5_000;
/// Revisions of the settings in the file.
const REVISIONS: usize = 20;

/// A diagnostics file
///
/// A `.tar.gz` for whoever is to look for a fault: version, state of the machine, cameras, detector,
/// settings with their last revisions, issues, network, metrics, log, and facts of the kernel. Without
/// passwords, tokens and codes; names, addresses and zones are in it.
#[utoipa::path(
    get,
    path = "/api/v1/system/diagnostics",
    tag = "system",
    operation_id = "get_diagnostics",
    responses(
        (
            status = 200,
            description = "The file.",
            body = [u8],
            content_type = "application/gzip",
        ),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn get(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    let files = files(&app).await?;
    let now = base::clock::wall();
    let name =
        format!("edgecam-{}-{}", app.ports.system.system().node, now.strftime("%Y%m%dT%H%M%SZ"));
    let folder = name.clone();
    let packed = tokio::task::spawn_blocking(move || pack(&folder, &files, now)).await;
    let packed = packed.map_err(io::Error::other).and_then(|packed| packed);
    let packed = packed.map_err(|error| {
        Failure::of(ErrorKind::Internal, format!("the file could not be made: {error}"))
    })?;
    let named = format!("attachment; filename=\"{name}.tar.gz\"");
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_DISPOSITION, named),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, packed))
}

/// Names and contents. What cannot be had says why in its place.
async fn files(app: &App) -> Result<Vec<(String, String)>, Failure> {
    let ports = &app.ports;
    let in_force = ports.settings.in_force();
    let settings = json(&config::redact(&in_force.settings));
    let made = config::redact_tree("", &in_force.made);
    let status = ports.settings.status().await.map(|status| json(&status));
    let revisions = ports.settings.revisions(u64::MAX, REVISIONS).await.map(|all| json(&all));
    let issues = ports.machine.issues().await.map(|issues| json(&issues));
    let log = ports.machine.logs(LogQuery { limit: LINES, ..LogQuery::default() }).await;
    let log = log.map_err(Failure::from)?;
    let lines: Vec<_> = log.iter().map(|line| json(line).to_string()).collect();
    let told = |answer: Result<Value, crate::ports::PortError>| {
        answer.unwrap_or_else(|error| json!({ "unavailable": error.detail }))
    };
    let cameras: Vec<_> = ports
        .cameras
        .list()
        .iter()
        .map(|status| {
            let stats = ports.cameras.stats(&status.id);
            json!({ "status": json(status), "stats": stats.map(|stats| json(&stats)) })
        })
        .collect();
    let files = [
        ("version.json", json(&device::version().await.0)),
        ("system.json", json(&ports.system.system())),
        ("readiness.json", json(&ports.system.readiness())),
        ("cameras.json", Value::Array(cameras)),
        ("network.json", json(&super::machine::network(State(ports.clone())).await.0)),
        ("time.json", json(&super::machine::time(State(ports.clone())).await.0)),
        ("settings.json", settings),
        ("settings-made.json", made),
        ("settings-status.json", told(status)),
        ("settings-revisions.json", told(revisions)),
        ("issues.json", told(issues)),
    ];
    let mut files: Vec<_> =
        files.into_iter().map(|(name, value)| (name.to_owned(), format!("{value:#}\n"))).collect();
    files.push(("log.jsonl".to_owned(), lines.join("\n") + "\n"));
    files.push(("metrics.txt".to_owned(), health::page(app).await.unwrap_or_default()));
    files.extend(ports.machine.facts().await.unwrap_or_default());
    Ok(files)
}

fn pack(folder: &str, files: &[(String, String)], now: Timestamp) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, text) in files {
        let mut head = tar::Header::new_gnu();
        head.set_size(text.len() as u64);
        head.set_mode(0o600);
        // Before 1970 there was none of this.
        head.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
        archive.append_data(&mut head, format!("{folder}/{name}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_is_packed_comes_out_whole() {
        let files = vec![("log.jsonl".to_owned(), "x".repeat(100_000))];
        let packed = pack("edgecam-1", &files, Timestamp::UNIX_EPOCH).unwrap();
        assert!(packed.len() < 2_000, "{}", packed.len());
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("edgecam-1/log.jsonl"));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, files[0].1);
    }
}
