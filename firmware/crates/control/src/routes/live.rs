//! Announcements as they happen: server-sent events, resumable by `seq`.

use std::convert::Infallible;

use api::problem::FieldProblem;
use api::resources::StreamMessage;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use base::error::ErrorKind;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::extract::QueryOf;
use crate::follow::{Told, follow};
use crate::gate::caller::Caller;
use crate::openapi::{Invalid, Malformed, Unavailable};
use crate::ports::EventFilter;
use crate::problem::Failure;
use crate::routes::seq::{NoSeq, Seq};
use crate::state::App;

const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveQuery {
    /// Begin after this `seq`. `Last-Event-ID` goes before it.
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_u64, example = 4711, required = false)]
    after_seq: Option<Seq>,
    /// Only announcements of this camera.
    #[param(example = "front", nullable = false)]
    camera: Option<String>,
    /// Only announcements of objects of this class.
    #[param(example = "car", nullable = false)]
    label: Option<String>,
}

/// Announcements as they happen
///
/// Server-sent events. `id` is the announcement's `seq`, `event` its `event_type`, `data` the
/// announcement as JSON. With `Last-Event-ID`, which browsers send by themselves when they come
/// back, or `after_seq`, stored announcements above that number come first; then, without a gap
/// and without a duplicate, the live ones. Without either: only new ones.
///
/// A reader that resumes below what is kept gets the event `gap` (data: `StreamGap`) and then what
/// is kept. A comment every 15 s shows that the connection lives. The stream ends when the daemon
/// stops.
#[utoipa::path(
    get,
    path = "/api/v1/stream/events",
    tag = "events",
    operation_id = "stream_events",
    params(
        LiveQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Begin after this `seq`.", example = 4711, minimum = 0, maximum = 9_007_199_254_740_991_u64),
    ),
    responses(
        (
            status = 200,
            description = "The stream. The data of each event is an `Event`, or a `StreamGap` for the event `gap`.",
            body = StreamMessage,
            content_type = "text/event-stream",
        ),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    Caller(caller): Caller,
    QueryOf(query): QueryOf<LiveQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let after = last_event_id(&headers)?.or(query.after_seq).map(|Seq(seq)| seq);
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        let most = app.limits.streams;
        let detail = format!("{most} event streams are open, which is the most; close one of them");
        Failure::of(ErrorKind::ResourceExhausted, detail)
    })?;
    let LiveQuery { camera, label, .. } = query;
    let within = caller.grant.cameras;
    let filter = EventFilter { within, camera, label, ..EventFilter::default() };
    let told = follow(app.ports.events.clone(), filter, after).await?;
    let mut shutdown = app.shutdown;
    let stream = told
        .map(move |told| {
            let _held_while_the_stream_lives = &permit;
            Ok(on_wire(&told))
        })
        .take_until(async move { shutdown.wait().await });
    let alive = KeepAlive::new().interval(app.limits.keep_alive).text("alive");
    Ok(Sse::new(stream).keep_alive(alive))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Seq>, Failure> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let id = id.to_str().unwrap_or("?").trim();
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|why: NoSeq| {
        let detail = format!("Last-Event-ID is no `seq`: {why}");
        let errors = vec![FieldProblem { pointer: String::new(), detail: detail.clone() }];
        Failure::input(detail, errors)
    })
}

fn on_wire(told: &Told) -> sse::Event {
    match told {
        Told::Event(event) => {
            let word = word(&event.event_type);
            sse::Event::default().id(event.seq.to_string()).event(word).data(text(event))
        }
        Told::Gap(gap) => {
            // A reader that resumes from here does not meet the same gap again.
            let id = gap.resumes_at.saturating_sub(1);
            sse::Event::default().id(id.to_string()).event("gap").data(text(gap))
        }
    }
}

/// The name of a variant on the wire.
fn word(value: &impl Serialize) -> String {
    text(value).trim_matches('"').to_owned()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
