//! The log: lines that there are, and lines as they are written.

use std::convert::Infallible;

use api::problem::FieldProblem;
use api::system::{LogLevel, LogLines, LogMessage};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use base::error::ErrorKind;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::extract::QueryOf;
use crate::openapi::{Conflict, Invalid, Malformed, Unavailable};
use crate::ports::{LogQuery, LogSource, Ports};
use crate::problem::Failure;
use crate::routes::seq::Seq;
use crate::state::App;

/// Lines where no limit is asked for, and the most.
const LIMIT: u32 = 200;
const MAX_LIMIT: u32 = 2_000;
/// Longest name of a unit, in characters.
const MAX_UNIT: usize = 64;

/// Whose log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// EdgeCam's own.
    Edgecam,
    /// The whole system's.
    System,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParameters {
    /// Whose log: EdgeCam's own since the daemon started, which is the default, or the whole system's, where
    /// it keeps one.
    #[param(inline, nullable = false)]
    source: Option<Source>,
    /// Only of this unit: `edgecamd`, or a program that it runs; in the system's log `kernel` or the name
    /// of a unit.
    #[param(example = "mediamtx", nullable = false)]
    unit: Option<String>,
    /// Only lines at least so grave. Default: `debug`, all of them.
    #[param(inline, nullable = false)]
    level: Option<LogLevel>,
    /// Only lines from then on.
    #[param(format = DateTime, nullable = false, example = "2026-07-01T12:00:00Z")]
    since: Option<String>,
    /// Only lines with a greater `seq`.
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_u64, required = false)]
    after_seq: Option<Seq>,
    /// Most lines: the newest.
    #[param(minimum = 1, maximum = 2000, default = 200, nullable = false)]
    limit: Option<u32>,
}

impl LogParameters {
    fn query(self) -> Result<LogQuery, Failure> {
        let wrong = |name: &str, detail: &str| {
            let pointer = format!("?{name}");
            let errors = vec![FieldProblem { pointer, detail: detail.to_owned() }];
            Failure::input(format!("{name} {detail}"), errors)
        };
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(wrong("limit", "must be within 1..=2000"));
        }
        // It goes onto a command line.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
        let odd = |unit: &String| {
            let fits = (1..=MAX_UNIT).contains(&unit.len()) && unit.chars().all(allowed);
            !fits || unit.starts_with('-')
        };
        if self.unit.as_ref().is_some_and(odd) {
            return Err(wrong("unit", "must be the name of a unit, such as mediamtx"));
        }
        let since = self.since.map(|text| text.parse::<Timestamp>()).transpose();
        let since =
            since.map_err(|_| wrong("since", "must be a time, such as 2026-07-01T12:00:00Z"))?;
        Ok(LogQuery {
            source: match self.source {
                Some(Source::System) => LogSource::System,
                Some(Source::Edgecam) | None => LogSource::EdgeCam,
            },
            unit: self.unit,
            level: self.level.unwrap_or(LogLevel::Debug),
            since,
            after: self.after_seq.map_or(0, |Seq(seq)| seq),
            limit: limit as usize,
        })
    }
}

/// The log
///
/// The newest lines that fit, the oldest of them first. EdgeCam keeps about two megabytes of its own log
/// since the daemon started, with what the programs wrote that it runs.
#[utoipa::path(
    get,
    path = "/api/v1/system/logs",
    tag = "system",
    operation_id = "get_logs",
    params(LogParameters),
    responses(
        (status = 200, description = "The lines.", body = LogLines),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    QueryOf(parameters): QueryOf<LogParameters>,
) -> Result<Json<LogLines>, Failure> {
    let items = ports.machine.logs(parameters.query()?).await?;
    Ok(Json(LogLines { items }))
}

/// The log as it is written
///
/// Server-sent events: `data` is a line, `id` its `seq`. The newest `limit` lines come first, then each as
/// it is written. A reader that is too slow misses lines, which the gap in `seq` shows. Counts as one of
/// the event streams that may be open.
#[utoipa::path(
    get,
    path = "/api/v1/stream/logs",
    tag = "system",
    operation_id = "stream_logs",
    params(LogParameters),
    responses(
        (
            status = 200,
            description = "The stream. The data of each event is a `LogLine`.",
            body = LogMessage,
            content_type = "text/event-stream",
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn follow(
    State(app): State<App>,
    QueryOf(parameters): QueryOf<LogParameters>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let query = parameters.query()?;
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        let most = app.limits.streams;
        let detail = format!("{most} event streams are open, which is the most; close one of them");
        Failure::of(ErrorKind::ResourceExhausted, detail)
    })?;
    let lines = app.ports.machine.follow(query).await?;
    let mut shutdown = app.shutdown;
    let stream = lines
        .map(move |line| {
            let _held_while_the_stream_lives = &permit;
            let text = serde_json::to_string(&line).unwrap_or_default();
            let event = sse::Event::default().data(text);
            Ok(match line.seq {
                Some(seq) => event.id(seq.to_string()),
                None => event,
            })
        })
        .take_until(async move { shutdown.wait().await });
    let alive = KeepAlive::new().interval(app.limits.keep_alive).text("alive");
    Ok(Sse::new(stream).keep_alive(alive))
}
