//! Tracing set-up of a binary.
//!
//! Lines go to standard error. `EDGECAM_LOG` filters them as `RUST_LOG` does elsewhere
//! (`info`, `debug`, `mqtt=trace,info`); `EDGECAM_LOG_FORMAT=json` makes each line a JSON object.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Variable that filters log lines.
pub const FILTER_VAR: &str = "EDGECAM_LOG";
/// Variable that chooses the format of log lines: `text` or `json`.
pub const FORMAT_VAR: &str = "EDGECAM_LOG_FORMAT";

/// Starts logging; call it once, first thing in `main`.
pub fn init() {
    let filter = EnvFilter::builder()
        .with_env_var(FILTER_VAR)
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var(FORMAT_VAR).is_ok_and(|format| format == "json") {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_target(true).init();
    }
}
