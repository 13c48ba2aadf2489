//! Tracing set-up of a binary.
//!
//! Lines go to standard error. `EDGECAM_LOG` filters them as `RUST_LOG` does elsewhere
//! (`info`, `debug`, `mqtt=trace,info`); `EDGECAM_LOG_FORMAT=json` makes each line a JSON object.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::log_ring::LogRing;

/// Variable that filters log lines.
pub const FILTER_VAR: &str = "EDGECAM_LOG";
/// Variable that chooses the format of log lines: `text` or `json`.
pub const FORMAT_VAR: &str = "EDGECAM_LOG_FORMAT";

/// Starts logging; call it once, first thing in `main`.
pub fn init() {
    start(None);
}

/// The same; the newest lines are kept as well.
pub fn init_and_keep() -> LogRing {
    let ring = LogRing::default();
    start(Some(ring.clone()));
    ring
}

fn start(ring: Option<LogRing>) {
    let filter = EnvFilter::builder()
        .with_env_var(FILTER_VAR)
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(true);
    let lines = if std::env::var(FORMAT_VAR).is_ok_and(|format| format == "json") {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.boxed()
    };
    tracing_subscriber::registry().with(filter).with(lines).with(ring).init();
}
