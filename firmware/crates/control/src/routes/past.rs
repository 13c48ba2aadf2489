//! Looking back: stored tracks, and how much happened when.

use std::time::Duration;

use access::Principal;
use api::event::Kind;
use api::past::{Timeline, TrackPage};
use api::problem::FieldProblem;
use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::QueryOf;
use crate::gate::caller::Caller;
use crate::openapi::{Invalid, Malformed, Unavailable};
use crate::ports::{CountQuery, Ports, TrackQuery};
use crate::problem::Failure;

/// Tracks of a page where no limit is asked for.
const LIMIT: u32 = 100;
/// Most tracks of a page, about.
const MAX_LIMIT: u32 = 500;
/// Time between two points of a path where none is asked for, in milliseconds.
const STEP_MS: u32 = 1000;
/// Width of a bucket where none is asked for, in seconds.
const BUCKET_S: u32 = 3600;
/// Widest bucket, in seconds.
const MAX_BUCKET_S: u32 = 31 * 86_400;
/// Most buckets of a timeline.
const MAX_BUCKETS: i64 = 2000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TracksQuery {
    /// Only tracks of this camera.
    #[param(example = "front", nullable = false)]
    camera: Option<String>,
    /// Only tracks of objects of this class.
    #[param(example = "car", nullable = false)]
    label: Option<String>,
    /// Only what was tracked at this time or later. Default: an hour before `to`.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    from: Option<Timestamp>,
    /// Only what was tracked before this time. Default: now; give it with `cursor`.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    to: Option<Timestamp>,
    /// Least time between two points of a path, in milliseconds.
    #[param(minimum = 100, maximum = 60000, default = 1000, nullable = false)]
    step_ms: Option<u32>,
    /// Tracks after which the page ends; what was tracked at the same time stays together.
    #[param(minimum = 1, maximum = 500, default = 100, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; the other parameters stay as they were.
    #[param(example = "4711", nullable = false)]
    cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineQuery {
    /// Begin; the first bucket is the one that it lies in. Default: a day before `to`.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    from: Option<Timestamp>,
    /// End; the last bucket is the one that ends at or after it. Default: now.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    to: Option<Timestamp>,
    /// Width of a bucket, in seconds; at most 2000 lie between `from` and `to`. Buckets begin at whole
    /// multiples of it since 1970, UTC.
    #[param(minimum = 1, maximum = 2678400, default = 3600, nullable = false)]
    bucket_s: Option<u32>,
    /// Only events of this camera.
    #[param(example = "front", nullable = false)]
    camera: Option<String>,
    /// Only events with an object of this class.
    #[param(example = "car", nullable = false)]
    label: Option<String>,
    /// Only events about this.
    #[param(inline, nullable = false)]
    kind: Option<Kind>,
}

/// Stored tracks
///
/// Where objects were, as they were followed, for as long as `data.tracks_max_days` and
/// `data.tracks_max_mb` keep it. Page by page, oldest first: give `next_cursor` as `cursor` for the
/// page after; it is null on the last. A page may be empty and not the last.
#[utoipa::path(
    get,
    path = "/api/v1/tracks",
    tag = "events",
    operation_id = "list_tracks",
    params(TracksQuery),
    responses(
        (status = 200, description = "A page of tracks.", body = TrackPage),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn tracks(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    QueryOf(query): QueryOf<TracksQuery>,
) -> Result<Json<TrackPage>, Failure> {
    let found = ports.past.tracks(track_query(query, &caller)?).await?;
    let next_cursor = found.next.map(|row| row.to_string());
    Ok(Json(TrackPage { items: found.items, next_cursor }))
}

/// How much happened when
///
/// Events that began in each bucket of time, by camera, label and kind; each event counts once. An
/// event's time is that at which it was stored.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    tag = "events",
    operation_id = "get_timeline",
    params(TimelineQuery),
    responses(
        (status = 200, description = "The buckets in which something happened.", body = Timeline),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn timeline(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    QueryOf(query): QueryOf<TimelineQuery>,
) -> Result<Json<Timeline>, Failure> {
    let asked = count_query(query, &caller)?;
    let (from, to, bucket) = (asked.from, asked.to, asked.bucket);
    let buckets = ports.past.counts(asked).await?;
    let bucket_s = u32::try_from(bucket.as_secs()).unwrap_or(u32::MAX);
    Ok(Json(Timeline { from, to, bucket_s, buckets }))
}

/// What is wrong with a query.
#[derive(Default)]
struct Wrong(Vec<FieldProblem>);

impl Wrong {
    fn at(&mut self, name: &str, detail: impl Into<String>) {
        self.0.push(FieldProblem { pointer: format!("?{name}"), detail: detail.into() });
    }

    /// `value` or `usual`, which must be within `range`.
    fn within(
        &mut self,
        name: &str,
        value: Option<u32>,
        usual: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        let value = value.unwrap_or(usual);
        if !range.contains(&value) {
            self.at(name, format!("must be within {range:?}"));
        }
        value
    }

    /// Both ends of a span of time, of which the end is now and the length `usual` by default.
    fn span(
        &mut self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        usual: SignedDuration,
    ) -> (Timestamp, Timestamp) {
        let to = to.unwrap_or_else(base::clock::wall);
        let from = from.unwrap_or_else(|| to.saturating_sub(usual).unwrap_or(Timestamp::MIN));
        if from >= to {
            self.at("from", "must be before `to`, which is now by default");
        }
        (from, to)
    }

    fn or<T>(self, value: T) -> Result<T, Failure> {
        if self.0.is_empty() {
            return Ok(value);
        }
        Err(Failure::input("the query is wrong", self.0))
    }
}

fn track_query(query: TracksQuery, caller: &Principal) -> Result<TrackQuery, Failure> {
    let mut wrong = Wrong::default();
    let limit = wrong.within("limit", query.limit, LIMIT, 1..=MAX_LIMIT);
    let step = wrong.within("step_ms", query.step_ms, STEP_MS, 100..=60_000);
    let (from, to) = wrong.span(query.from, query.to, SignedDuration::from_hours(1));
    let after = query.cursor.as_deref().map_or(Some(0), |cursor| cursor.parse().ok());
    if after.is_none() {
        wrong.at("cursor", "must be the `next_cursor` of an earlier page");
    }
    wrong.or(TrackQuery {
        cameras: seen(caller, query.camera),
        label: query.label,
        from,
        to,
        step: Duration::from_millis(step.into()),
        after: after.unwrap_or_default(),
        limit: limit as usize,
    })
}

fn count_query(query: TimelineQuery, caller: &Principal) -> Result<CountQuery, Failure> {
    let mut wrong = Wrong::default();
    let bucket = wrong.within("bucket_s", query.bucket_s, BUCKET_S, 1..=MAX_BUCKET_S);
    let (from, to) = wrong.span(query.from, query.to, SignedDuration::from_hours(24));
    let width = i64::from(bucket.max(1));
    let first = from.as_second().div_euclid(width) * width;
    // To the whole second above, and from there to the end of its bucket.
    let last = to.as_second() + i64::from(to.subsec_nanosecond() > 0);
    let last = (last + width - 1).div_euclid(width) * width;
    if (last - first) / width > MAX_BUCKETS {
        let detail = format!("more than {MAX_BUCKETS} buckets lie between `from` and `to`");
        wrong.at("bucket_s", detail);
    }
    let time = |second| Timestamp::from_second(second);
    let (first, last) = (time(first).unwrap_or(from), time(last).unwrap_or(to));
    wrong.or(CountQuery {
        from: first,
        to: last,
        bucket: Duration::from_secs(bucket.into()),
        cameras: seen(caller, query.camera),
        label: query.label,
        kind: query.kind,
    })
}

/// The cameras that `caller` sees, or the one of them that they ask for; `None`: all.
fn seen(caller: &Principal, camera: Option<String>) -> Option<Vec<String>> {
    match camera {
        Some(camera) if caller.sees(&camera) => Some(vec![camera]),
        Some(_) => Some(Vec::new()),
        None => caller.grant.cameras.clone(),
    }
}

#[cfg(test)]
mod tests {
    use api::access::{Grant, Role, Via};

    use super::*;

    fn guard() -> Principal {
        Principal {
            username: "guard".into(),
            grant: Grant { role: Role::Viewer, cameras: Some(vec!["front".into()]) },
            via: Via::Token,
            expires_at: None,
            digest: String::new(),
        }
    }

    fn time(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn buckets_begin_at_whole_multiples_and_hold_the_whole_span() {
        let ask = |from, to, bucket_s| {
            let query = TimelineQuery { from, to, bucket_s, ..TimelineQuery::default() };
            count_query(query, &guard()).map(|asked| format!("{}/{}", asked.from, asked.to))
        };
        let (from, to) = (time("2026-07-01T12:10:00Z"), time("2026-07-01T13:00:00Z"));
        assert_eq!(ask(from, to, None).unwrap(), "2026-07-01T12:00:00Z/2026-07-01T13:00:00Z");
        let to = time("2026-07-01T13:00:00.001Z");
        assert_eq!(ask(from, to, None).unwrap(), "2026-07-01T12:00:00Z/2026-07-01T14:00:00Z");
        assert!(ask(from, to, Some(1)).is_err(), "too many");
        assert!(ask(to, from, None).is_err(), "the wrong way round");
        assert!(ask(Some(Timestamp::MIN), Some(Timestamp::MAX), Some(MAX_BUCKET_S)).is_err());
        for bucket in [0, MAX_BUCKET_S + 1, u32::MAX] {
            assert!(ask(from, to, Some(bucket)).is_err());
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_nobody_asks_for_what_they_do_not_see() {
        let query = TracksQuery {
            limit: Some(0),
            step_ms: Some(7),
            cursor: Some("x".into()),
            from: Some(Timestamp::MAX),
            ..TracksQuery::default()
        };
        let problem = track_query(query, &guard()).unwrap_err().problem();
        let pointers: Vec<_> = problem.errors.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(pointers, ["?limit", "?step_ms", "?from", "?cursor"]);
        let cameras = |camera: Option<&str>| seen(&guard(), camera.map(str::to_owned));
        assert_eq!(cameras(None), Some(vec!["front".to_owned()]));
        assert_eq!(cameras(Some("front")), Some(vec!["front".to_owned()]));
        assert_eq!(cameras(Some("yard")), Some(vec![]));
    }
}
