//! The system's log, where systemd keeps one: asked by `journalctl`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Stdio;

use api::system::{LogLevel, LogLine};
use base::error::ErrorKind;
use control::PortError;
use control::ports::LogQuery;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// systemd's journal is there when this socket is.
const SOCKET: &str = "/run/systemd/journal/socket";
/// The unit's name that means the kernel.
const KERNEL: &str = "kernel";

/// Lines of the system's log, the oldest first.
///
/// # Errors
/// Where there is none, or it cannot be read.
pub(crate) async fn read(query: &LogQuery) -> Result<Vec<LogLine>, PortError> {
    is_there()?;
    let output = command(query, &["--no-pager"]).output().await.map_err(|error| failed(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(&io::Error::other(said.trim().to_owned())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(line).collect())
}

/// The same as they are written.
///
/// # Errors
/// As there.
pub(crate) fn follow(query: &LogQuery) -> Result<BoxStream<'static, LogLine>, PortError> {
    is_there()?;
    let mut command = command(query, &["--follow"]);
    let mut child =
        command.kill_on_drop(true).stderr(Stdio::null()).spawn().map_err(|error| failed(&error))?;
    let lines = child.stdout.take().map(|output| BufReader::new(output).lines());
    let lines = lines.ok_or_else(|| failed(&io::Error::other("it says nothing")))?;
    let read = |(mut lines, child): (tokio::io::Lines<BufReader<_>>, Child)| async move {
        loop {
            let text = lines.next_line().await.ok()??;
            if let Some(line) = line(&text) {
                return Some((line, (lines, child)));
            }
        }
    };
    Ok(stream::unfold((lines, child), read).boxed())
}

fn is_there() -> Result<(), PortError> {
    if Path::new(SOCKET).exists() {
        return Ok(());
    }
    let detail = "this machine keeps no log of its system that EdgeCam can read; without `source` the \
                  log is EdgeCam's own";
    Err(PortError::new(ErrorKind::FailedPrecondition, detail))
}

fn failed(error: &io::Error) -> PortError {
    let detail = format!("the system's log cannot be read: {error}");
    PortError::new(ErrorKind::Unavailable, detail)
}

fn command(query: &LogQuery, how: &[&str]) -> Command {
    let mut command = Command::new("journalctl");
    command.args(how).args(arguments(query));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn arguments(query: &LogQuery) -> Vec<String> {
    let level = match query.level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "err",
    };
    let mut all = vec!["--output=json".to_owned(), format!("--priority={level}")];
    all.push(format!("--lines={}", query.limit));
    match query.unit.as_deref() {
        Some(KERNEL) => all.push("--dmesg".to_owned()),
        Some(unit) => all.push(format!("--unit={unit}")),
        None => {}
    }
    all.extend(query.since.map(|since| format!("--since=@{}", since.as_second())));
    all
}

/// A line as `journalctl --output=json` prints it; `None`: it is none.
fn line(text: &str) -> Option<LogLine> {
    let entry: Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| entry[name].as_str();
    let at = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let level = match field("PRIORITY").unwrap_or("6") {
        "0" | "1" | "2" | "3" => LogLevel::Error,
        "4" => LogLevel::Warning,
        "7" => LogLevel::Debug,
        _ => LogLevel::Info,
    };
    let kernel = (field("_TRANSPORT") == Some("kernel")).then_some(KERNEL);
    let unit = kernel.or_else(|| field("_SYSTEMD_UNIT")).or_else(|| field("SYSLOG_IDENTIFIER"));
    let fields = field("_PID").map(|pid| ("pid".to_owned(), pid.to_owned()));
    Some(LogLine {
        seq: None,
        at: Timestamp::from_microsecond(at).ok()?,
        level,
        unit: unit.unwrap_or_default().to_owned(),
        message: message(&entry["MESSAGE"]),
        fields: BTreeMap::from_iter(fields),
    })
}

/// What is no text is printed as a list of its bytes.
fn message(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let bytes = bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok());
            String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_journalctl_prints_it() {
        let text = r#"{"__REALTIME_TIMESTAMP":"1782907200250000","PRIORITY":"4","_PID":"1",
            "_TRANSPORT":"kernel","MESSAGE":"mmc0: error"}"#;
        let read = line(text).unwrap();
        assert_eq!((read.level, read.unit.as_str()), (LogLevel::Warning, "kernel"));
        assert_eq!(read.at.to_string(), "2026-07-01T12:00:00.25Z");
        let bytes =
            r#"{"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"a.service","MESSAGE":[104,105]}"#;
        let read = line(bytes).unwrap();
        assert_eq!((read.message.as_str(), read.unit.as_str()), ("hi", "a.service"));
        assert_eq!(line("no JSON"), None);
        assert_eq!(line("{}"), None);
    }

    #[test]
    fn what_is_asked_for_is_one_argument_each() {
        let query = LogQuery {
            unit: Some("ssh.service".into()),
            level: LogLevel::Error,
            since: Some(Timestamp::from_second(60).unwrap()),
            limit: 5,
            ..LogQuery::default()
        };
        let expected =
            ["--output=json", "--priority=err", "--lines=5", "--unit=ssh.service", "--since=@60"];
        assert_eq!(arguments(&query), expected);
        let kernel = LogQuery { unit: Some("kernel".into()), ..LogQuery::default() };
        assert!(arguments(&kernel).contains(&"--dmesg".to_owned()));
    }
}
