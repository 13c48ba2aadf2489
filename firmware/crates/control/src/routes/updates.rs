//! Updates of the firmware: seen, looked for, installed, kept or taken back.
//!
//! | module | owns |
//! |---|---|
//! | [`uploads`] | bundles that are sent to the device, in one piece or in several |

pub(crate) mod uploads;

use std::convert::Infallible;

use api::access::Role;
use api::jobs::Job;
use api::problem::FieldProblem;
use api::revisions::SettingsChange;
use api::settings::UpdateSettings;
use api::system::Begun;
use api::updates::{InstallUpdate, UpdateMessage, Updates};
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::IntoParams;

use crate::extract::{JsonBody, MergePatch, QueryOf, media_type};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NoLength, NoRoom, Outdated, TooLarge, Unavailable,
    UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::jobs::{beginner, begun};
use crate::routes::settings::{Change, ChangeQuery, answer, etag};
use crate::state::App;

/// Where the settings are.
fn place() -> Place {
    Place::of(["updates"])
}

/// `status` with the settings in force.
fn shown(ports: &Ports, status: Updates) -> Updates {
    let settings = ports.settings.in_force().settings.updates.clone();
    Updates { settings, ..status }
}

/// Where the device is with updates
///
/// What runs, what is in the slots, what there is to be had, how far an update is, and why the last one
/// came to nothing. Where the firmware does not run from an EdgeCam image, `supported` is false, `reason`
/// says why, and every other operation here is refused with 409 and the code `updates_not_supported`.
#[utoipa::path(
    get,
    path = "/api/v1/updates",
    tag = "updates",
    operation_id = "get_updates",
    responses((
        status = 200,
        description = "Where it is.",
        body = Updates,
        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
    ))
)]
pub(crate) async fn get(State(ports): State<Ports>) -> Response {
    let revision = ports.settings.in_force().revision;
    (etag(revision), Json(shown(&ports, ports.updates.status()))).into_response()
}

/// Change the policy of updates
///
/// A merge patch (RFC 7396), the same as `PATCH /api/v1/settings` with a body below `/updates`: all or
/// nothing, kept, and a revision of the settings. It holds at once.
#[utoipa::path(
    patch,
    path = "/api/v1/updates",
    tag = "updates",
    operation_id = "patch_updates",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(
        description = "A merge patch onto the settings of updates.",
        content(
            (UpdateSettings = "application/merge-patch+json"),
            (UpdateSettings = "application/json")
        ),
    ),
    responses(
        (
            status = 200,
            description = "What came of it.",
            body = SettingsChange,
            headers(("ETag" = String, description = "The revision in force, quoted.")),
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
    Caller(caller): Caller,
    note: Note,
    QueryOf(query): QueryOf<ChangeQuery>,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Response {
    let change = Change { what: What::Patch(place().patch(patch)), place: place(), query };
    change.make(&ports, &headers, &caller, &note).await.map_or_else(|refused| refused, answer)
}

/// Look for an update
///
/// Asks the index of releases (`updates.index_url`) now; `available` is what it has that is newer.
/// Nothing is fetched. Refused with `no_index` where the settings name none, `address_refused` where it may
/// not be asked, `fetch_failed` where it does not answer as it should.
#[utoipa::path(
    post,
    path = "/api/v1/updates/check",
    tag = "updates",
    operation_id = "check_updates",
    responses(
        (status = 200, description = "What was found.", body = Updates),
        (status = 409, response = Conflict),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn check(
    State(ports): State<Ports>,
    note: Note,
) -> Result<Json<Updates>, Failure> {
    let status = shown(&ports, ports.updates.check().await?);
    note.after(&status.available);
    Ok(Json(status))
}

/// How a bundle is installed that is the body.
#[derive(Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstallQuery {
    /// SHA-256 of the bundle that is sent, 64 hexadecimal digits.
    #[param(pattern = "^[0-9a-fA-F]{64}$", nullable = false)]
    sha256: Option<String>,
    /// Whether the running version is taken again. For a bundle that is sent.
    #[param(default = false, nullable = false)]
    force: Option<bool>,
    /// Whether the machine starts anew as soon as it is installed. For a bundle that is sent.
    #[param(default = true, nullable = false)]
    reboot: Option<bool>,
}

/// Install an update
///
/// With the bundle itself as the body (`application/octet-stream`, its length said before): the answer
/// comes when it has arrived whole and its signature is good. Or with JSON: what `url` leads to; without
/// `url` what is staged, else what the last look at the index found.
///
/// The job tells how far it is, `GET /api/v1/stream/updates` too. What is installed is written to the slot
/// that does not run; the running system is untouched until the machine starts anew, and comes back by
/// itself if the new one does not show within minutes that it works.
///
/// Refused with the codes `update_running` (409); `no_bundle`, `damaged`, `wrong_signature`,
/// `certificate_expired`, `wrong_compatible`, `older_version`, `same_version`, `too_large_for_slot`,
/// `address_refused` (422); `disk_full` (507); `installer_unavailable`, `fetch_failed` (503). What is found
/// out later is the `problem` of the job, with the same codes.
#[utoipa::path(
    post,
    path = "/api/v1/updates/install",
    tag = "updates",
    operation_id = "install_update",
    params(InstallQuery),
    request_body(
        description = "Where the bundle is, or the bundle.",
        content((InstallUpdate = "application/json"), ([u8] = "application/octet-stream")),
    ),
    responses(
        (
            status = 202,
            description = "It has begun.",
            body = Job,
            headers(("location" = String, description = "Where the job is.")),
        ),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 411, response = NoLength),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn install(
    State(app): State<App>,
    Caller(caller): Caller,
    note: Note,
    QueryOf(query): QueryOf<InstallQuery>,
    request: Request,
) -> Result<Response, Failure> {
    let types = ["application/json", uploads::OCTETS];
    let what = if media_type(request.headers(), &types)? == types[0] {
        let JsonBody(what) = JsonBody::<InstallUpdate>::from_request(request, &app).await?;
        let mut errors = stray(&query);
        errors.extend(mistakes(&what, &app.ports));
        if !errors.is_empty() {
            return Err(Failure::input("this cannot be installed; nothing was done", errors));
        }
        what
    } else {
        let InstallQuery { sha256, force, reboot } = query;
        uploads::whole(&app, &caller, sha256.clone(), request).await?;
        InstallUpdate { url: None, sha256, force, reboot }
    };
    let job = app.ports.updates.install(what, beginner(&caller, Role::Admin)).await?;
    Ok(begun(&note, job))
}

/// Parameters of a bundle that is sent have no meaning beside JSON.
fn stray(query: &InstallQuery) -> Vec<FieldProblem> {
    let given = crate::patch::json(query);
    let given = given.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let problem = |name: &String| FieldProblem {
        pointer: format!("?{name}"),
        detail: "is for a bundle that is sent; with JSON it stands in the body".to_owned(),
    };
    given.map(|(name, _)| problem(name)).collect()
}

fn mistakes(what: &InstallUpdate, ports: &Ports) -> Vec<FieldProblem> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, detail: &str| {
        errors.push(FieldProblem { pointer: pointer.to_owned(), detail: detail.to_owned() });
    };
    if let Some(sha256) = &what.sha256
        && !uploads::is_sha256(sha256)
    {
        wrong("/sha256", uploads::SHA256_FORM);
    }
    if let Some(text) = &what.url {
        let settings = ports.settings.in_force().settings;
        let allowed = settings.updates.allowed_hosts.as_deref().unwrap_or_default();
        if let Some(reason) = wrong_url(text, what.sha256.is_some(), allowed) {
            wrong("/url", reason);
        }
    }
    errors
}

/// Why nothing is fetched from `text`; `None`: it may be tried.
fn wrong_url(text: &str, hash_is_known: bool, allowed: &[String]) -> Option<&'static str> {
    const FORM: &str = "must be https://host/path";
    let Ok(url) = Url::parse(text) else { return Some(FORM) };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Some(FORM);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not have a name or password in it: logs would keep them");
    }
    let is_allowed = allowed.iter().any(|one| one.eq_ignore_ascii_case(host));
    if url.scheme() == "http" && !hash_is_known && !is_allowed {
        return Some(
            "must begin with https://, unless `sha256` is given or its host is among \
             `updates.allowed_hosts`",
        );
    }
    None
}

/// Keep the new system
///
/// Where `updates.confirm` is `owner`: after the trial the new system waits for this until `confirm_by`.
/// Otherwise, or before the trial is over, it is refused with `nothing_to_commit`.
#[utoipa::path(
    post,
    path = "/api/v1/updates/commit",
    tag = "updates",
    operation_id = "commit_update",
    responses(
        (status = 200, description = "It stays.", body = Updates),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn commit(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
) -> Result<Json<Updates>, Failure> {
    let (was, now) = (ports.updates.status(), ports.updates.commit(&caller.username).await?);
    note.before(&was.phase);
    note.after(&now.phase);
    Ok(Json(shown(&ports, now)))
}

/// Go back to the other system
///
/// The machine starts anew with the system in the other slot: in a trial the one before, later the one
/// that was left, as long as it is good. Settings and users of the other system are as it left them;
/// events are kept, tracks where both systems store them alike. Refused with `no_way_back` where there is none.
#[utoipa::path(
    post,
    path = "/api/v1/updates/rollback",
    tag = "updates",
    operation_id = "roll_back_update",
    responses(
        (status = 202, description = "It begins.", body = Begun),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn rollback(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
) -> Result<(StatusCode, Json<Begun>), Failure> {
    let was = ports.updates.status();
    let begun = ports.updates.rollback(&caller.username).await?;
    note.before(&was.version);
    note.after(&begun);
    Ok((StatusCode::ACCEPTED, Json(begun)))
}

/// Give up what is staged
///
/// Or what is being received. Its file goes. Refused with `nothing_staged` where there is none, and with
/// `update_running` once it is being installed.
#[utoipa::path(
    delete,
    path = "/api/v1/updates/staged",
    tag = "updates",
    operation_id = "discard_update",
    responses(
        (status = 200, description = "It is gone.", body = Updates),
        (status = 409, response = Conflict),
        (status = 503, response = Unavailable),
        (status = 507, response = NoRoom),
    )
)]
pub(crate) async fn discard(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    note: Note,
) -> Result<Json<Updates>, Failure> {
    let (was, now) = (ports.updates.status(), ports.updates.discard(&caller.username).await?);
    note.before(&was.update);
    Ok(Json(shown(&ports, now)))
}

/// Updates as they go
///
/// Server-sent events, each named `update`: how it is, then again with every step and at most once a
/// second with progress. Who is slow gets the newest only. Counts as one of the event streams that may be
/// open. It breaks off when the machine starts anew; connect again and it goes on.
#[utoipa::path(
    get,
    path = "/api/v1/stream/updates",
    tag = "updates",
    operation_id = "stream_updates",
    responses(
        (
            status = 200,
            description = "The stream. The data of each event is an `Updates`.",
            body = UpdateMessage,
            content_type = "text/event-stream",
        ),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn follow(
    State(app): State<App>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        let most = app.limits.streams;
        let detail = format!("{most} event streams are open, which is the most; close one of them");
        Failure::of(ErrorKind::ResourceExhausted, detail)
    })?;
    let App { ports, limits, mut shutdown, .. } = app;
    let mut news = ports.updates.watch();
    news.mark_changed();
    let stream = stream::unfold(news, |mut news| async move {
        news.changed().await.ok()?;
        let status = news.borrow_and_update().clone();
        Some((status, news))
    });
    let stream = stream
        .map(move |status| {
            let _held_while_the_stream_lives = &permit;
            let text = serde_json::to_string(&shown(&ports, status)).unwrap_or_default();
            Ok(sse::Event::default().event("update").data(text))
        })
        .take_until(async move { shutdown.wait().await });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(limits.keep_alive).text("alive")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_comes_encrypted_unless_its_hash_or_its_host_is_trusted() {
        let allowed = ["updates.lan".to_owned(), "fd00::5".to_owned()];
        let wrong = |url: &str, hash| wrong_url(url, hash, &allowed);
        for good in ["https://a.example/b", "http://UPDATES.lan:8000/b", "http://[fd00::5]/b"] {
            assert_eq!(wrong(good, false), None, "{good}");
        }
        assert_eq!(wrong("http://a.example/b", true), None);
        for bad in ["http://a.example/b", "file:///etc/passwd", "/b", "", "https://me:pw@a/b"] {
            assert!(wrong(bad, false).is_some(), "{bad}");
        }
    }
}
