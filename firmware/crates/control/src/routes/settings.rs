//! The settings: read, changed, confirmed, taken back; their revisions and their schema.

use std::time::Duration;

use access::Principal;
use api::problem::FieldProblem;
use api::revisions::{
    ChangeStatus, SettingsChange, SettingsRevisionDetail, SettingsRevisionPage, SettingsRollback,
    SettingsStatus,
};
use api::settings::Settings;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::extract::{JsonBody, MergePatch, PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{ChangeRequest, Ports, What};
use crate::problem::Failure;

/// Longest time that a confirmation can be waited for, in seconds.
const MAX_CONFIRM: u32 = 86_400;
/// Revisions of a page where no limit is asked for, and the most.
const LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
/// Most reasons that are told at once.
const MAX_REASONS: usize = 100;

/// Which settings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// Those that were made over the API, and no others.
    Api,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LayerQuery {
    /// Only this layer. Default: all of them merged.
    #[param(inline, nullable = false)]
    layer: Option<Shown>,
}

/// All settings
///
/// Complete, without secrets: passwords are left out, and so are user names and passwords in URLs.
/// What is sent back as it was read changes nothing, secrets included. `ETag` is the revision.
#[utoipa::path(
    get,
    path = "/api/v1/settings",
    tag = "settings",
    operation_id = "get_settings",
    params(LayerQuery),
    responses(
        (
            status = 200,
            description = "The settings.",
            body = Settings,
            headers(("ETag" = String, description = "The revision in force, quoted.")),
        ),
        (status = 400, response = Malformed),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<LayerQuery>,
) -> Response {
    let in_force = ports.settings.in_force();
    let settings = match query.layer {
        Some(Shown::Api) => config::redact_tree("", &in_force.made),
        None => config::patch::json(&config::redact(&in_force.settings)),
    };
    (etag(in_force.revision), Json(settings)).into_response()
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeQuery {
    /// Only say what it would come to: nothing is changed.
    #[param(nullable = false, default = false)]
    pub(crate) dry_run: bool,
    /// Take the change back after this time unless it is confirmed, in seconds.
    #[param(minimum = 1, maximum = 86400, example = 120, nullable = false)]
    pub(crate) confirm_within: Option<u32>,
}

/// Change settings
///
/// A merge patch (RFC 7396): what is named is changed, the rest stays. `null` gives a setting back to
/// what files and environment say, or takes away what was added. Lists are replaced whole.
///
/// All or nothing. The answer names every setting that differs and what that costs: nothing (`live`),
/// the start of a camera's process (`rebuild`), or the daemon's own (`restart`, answered with 202 before
/// it happens). A change that fails when it is taken over is taken back. With `confirm_within` it is
/// taken back unless `POST /api/v1/settings/confirm` comes in time, also when the device starts anew
/// meanwhile. What the environment or the command line fixes is refused with the name of what does.
#[utoipa::path(
    patch,
    path = "/api/v1/settings",
    tag = "settings",
    operation_id = "patch_settings",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(
        description = "A merge patch onto the settings, at most 1 MiB.",
        content((Settings = "application/merge-patch+json"), (Settings = "application/json")),
    ),
    responses(
        (
            status = 200,
            description = "What came of it.",
            body = SettingsChange,
            headers(("ETag" = String, description = "The revision in force, quoted.")),
        ),
        (
            status = 202,
            description = "It is kept; the daemon starts again to take it over.",
            body = SettingsChange,
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn patch(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<ChangeQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Response {
    let change = Change { place: Place::of([]), what: What::Patch(patch), query };
    match change.make(&ports, &headers, &caller, &note).await {
        Ok(change) => answer(change),
        Err(refused) => refused,
    }
}

/// Go back to an older revision
///
/// What was made over the API at that revision comes back as a new revision, with the checks and costs
/// of any change.
#[utoipa::path(
    post,
    path = "/api/v1/settings/rollback",
    tag = "settings",
    operation_id = "rollback_settings",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(content = SettingsRollback, description = "Which revision."),
    responses(
        (
            status = 200,
            description = "What came of it.",
            body = SettingsChange,
            headers(("ETag" = String, description = "The revision in force, quoted.")),
        ),
        (
            status = 202,
            description = "It is kept; the daemon starts again to take it over.",
            body = SettingsChange,
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn rollback(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<ChangeQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
    JsonBody(SettingsRollback { revision }): JsonBody<SettingsRollback>,
) -> Response {
    let change = Change { place: Place::of([]), what: What::BackTo(revision), query };
    match change.make(&ports, &headers, &caller, &note).await {
        Ok(change) => answer(change),
        Err(refused) => refused,
    }
}

/// Confirm a change
///
/// What was changed with `confirm_within` stays.
#[utoipa::path(
    post,
    path = "/api/v1/settings/confirm",
    tag = "settings",
    operation_id = "confirm_settings",
    responses(
        (status = 200, description = "How the settings stand.", body = SettingsStatus),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn confirm(State(ports): State<Ports>) -> Result<Json<SettingsStatus>, Failure> {
    Ok(Json(ports.settings.confirm().await?))
}

/// How the settings stand
///
/// What is being taken over, what waits to be confirmed, what was taken back and why, and which
/// settings the API cannot change.
#[utoipa::path(
    get,
    path = "/api/v1/settings/status",
    tag = "settings",
    operation_id = "get_settings_status",
    responses((status = 200, description = "How the settings stand.", body = SettingsStatus))
)]
pub(crate) async fn status(State(ports): State<Ports>) -> Result<Json<SettingsStatus>, Failure> {
    Ok(Json(ports.settings.status().await?))
}

/// The schema of the settings
///
/// JSON Schema (2020-12) of all settings, with range, default and, as `x-edgecam-cost`, what a change
/// costs: `live`, `rebuild` (of the camera's process) or `restart` (of the daemon).
#[utoipa::path(
    get,
    path = "/api/v1/settings/schema",
    tag = "settings",
    operation_id = "get_settings_schema",
    responses((
        status = 200,
        description = "The schema.",
        body = Object,
        content_type = "application/schema+json",
    ))
)]
pub(crate) async fn schema() -> impl IntoResponse {
    let text = config::schema::text();
    ([(header::CONTENT_TYPE, "application/schema+json")], text)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevisionsQuery {
    /// Most items of the page.
    #[param(minimum = 1, maximum = 100, default = 20, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(example = "11", nullable = false)]
    cursor: Option<String>,
}

/// Revisions of the settings
///
/// The newest first, page by page. The last hundred are kept.
#[utoipa::path(
    get,
    path = "/api/v1/settings/revisions",
    tag = "settings",
    operation_id = "list_settings_revisions",
    params(RevisionsQuery),
    responses(
        (status = 200, description = "A page of revisions.", body = SettingsRevisionPage),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
    )
)]
pub(crate) async fn revisions(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<RevisionsQuery>,
) -> Result<Json<SettingsRevisionPage>, Failure> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(wrong_parameter("limit", "must be within 1..=100"));
    }
    let below = match query.cursor.as_deref().map(str::parse) {
        None => u64::MAX,
        Some(Ok(below)) => below,
        Some(Err(_)) => {
            return Err(wrong_parameter("cursor", "must be `next_cursor` of a page"));
        }
    };
    let limit = limit as usize;
    let mut items = ports.settings.revisions(below, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| last.revision.to_string());
    Ok(Json(SettingsRevisionPage { items, next_cursor }))
}

/// One revision
///
/// What was made over the API at that time, without secrets, and what differs from its parent.
#[utoipa::path(
    get,
    path = "/api/v1/settings/revisions/{revision}",
    tag = "settings",
    operation_id = "get_settings_revision",
    params(("revision" = String, Path, description = "Number of the revision.", example = "12")),
    responses(
        (status = 200, description = "The revision.", body = SettingsRevisionDetail),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn revision(
    State(ports): State<Ports>,
    PathName(number): PathName,
) -> Result<Json<SettingsRevisionDetail>, Failure> {
    // What is no number is no revision's.
    let found = match number.parse() {
        Ok(number) => ports.settings.revision(number).await?,
        Err(_) => None,
    };
    let none = || {
        let detail = format!(
            "there is no revision \"{number}\" any more; /api/v1/settings/revisions lists them"
        );
        Failure::of(ErrorKind::NotFound, detail)
    };
    found.map(Json).ok_or_else(none)
}

/// A change that is asked for in a request.
pub(crate) struct Change {
    /// What part of the settings the body is about.
    pub(crate) place: Place,
    /// What to change, in the settings as a whole.
    pub(crate) what: What,
    /// How.
    pub(crate) query: ChangeQuery,
}

impl Change {
    /// Has it made for `caller`, under the conditions of `headers`, and notes what came of it; or the answer to a request that is refused.
    pub(crate) async fn make(
        self,
        ports: &Ports,
        headers: &HeaderMap,
        caller: &Principal,
        note: &Note,
    ) -> Result<SettingsChange, Response> {
        let confirm_within = self.query.confirm_within;
        if confirm_within.is_some_and(|seconds| !(1..=MAX_CONFIRM).contains(&seconds)) {
            let refused = wrong_parameter("confirm_within", "must be within 1..=86400");
            return Err(refused.into_response());
        }
        let request = ChangeRequest {
            what: self.what,
            only_on: only_on(headers),
            dry_run: self.query.dry_run,
            confirm_within: confirm_within.map(|seconds| Duration::from_secs(seconds.into())),
            by: caller.username.clone(),
        };
        let made = ports.settings.change(request).await;
        let made = made.inspect(|made| note.after(made));
        made.map_err(|mut error| {
            error.errors = self.place.in_body(error.errors);
            error.errors.truncate(MAX_REASONS);
            match error.kind {
                // Whoever asked may want to look at what is there now.
                ErrorKind::Aborted => {
                    (etag(ports.settings.in_force().revision), Failure::from(error)).into_response()
                }
                _ => Failure::from(error).into_response(),
            }
        })
    }
}

/// What came of a change.
pub(crate) fn answer(change: SettingsChange) -> Response {
    let status = match change.status {
        ChangeStatus::Applying => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    (status, etag(change.revision), Json(change)).into_response()
}

/// The header that names `revision`.
pub(crate) fn etag(revision: u64) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{revision}\""))]
}

/// The revisions that `If-Match` allows; `None`: any. A tag that is none of ours allows nothing.
fn only_on(headers: &HeaderMap) -> Option<Vec<u64>> {
    let given: Vec<_> = headers.get_all(header::IF_MATCH).iter().collect();
    if given.is_empty() {
        return None;
    }
    let tags = given.iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let tags: Vec<_> = tags.map(str::trim).collect();
    if tags.contains(&"*") {
        return None;
    }
    let revision = |tag: &str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Some(tags.into_iter().filter_map(revision).collect())
}

fn wrong_parameter(name: &str, detail: &str) -> Failure {
    let problem = FieldProblem { pointer: format!("?{name}"), detail: detail.to_owned() };
    Failure::input(format!("{name} {detail}"), vec![problem])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_revisions_and_what_is_none_of_ours_allows_nothing() {
        let allowed = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, value.parse().unwrap());
            }
            only_on(&headers)
        };
        assert_eq!(allowed(&[]), None);
        assert_eq!(allowed(&["*"]), None);
        assert_eq!(allowed(&["\"12\""]), Some(vec![12]));
        assert_eq!(allowed(&["\"12\", \"13\"", "\"14\""]), Some(vec![12, 13, 14]));
        assert_eq!(allowed(&["W/\"12\"", "12", "\"abc\""]), Some(vec![]), "no strong tag of ours");
    }
}
