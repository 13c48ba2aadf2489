//! Entries of the settings under a name: cameras that come and go; zones, lines and privacy masks.
//!
//! Zones, lines and masks have the same five operations, so a macro writes them down.

use api::areas::{LineEntry, NewCamera, PrivacyMaskEntry, ZoneEntry};
use api::problem::FieldProblem;
use api::resources::Camera;
use api::revisions::SettingsChange;
use api::settings::{CameraSettings, LineSettings, PrivacyMaskSettings, Settings, ZoneSettings};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use config::Entry;
use serde_json::{Map, Value};

use crate::extract::{InCamera, JsonBody, PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::{Place, join};
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::cameras::PatchQuery;
use crate::routes::settings::{Change, ChangeQuery, etag};

/// A change of an entry that a request asks for.
struct Asked {
    ports: Ports,
    caller: Caller,
    note: Note,
    headers: HeaderMap,
    query: PatchQuery,
}

impl Asked {
    /// Has `what` made, which a body is about that stands at `place`.
    async fn make(self, what: What, place: Place) -> Result<SettingsChange, Response> {
        let query = ChangeQuery { dry_run: false, confirm_within: self.query.confirm_within };
        let change = Change { what, place, query };
        change.make(&self.ports, &self.headers, &self.caller.0, &self.note).await
    }
}

/// The field at `pointer` is wrong.
fn wrong(pointer: &str, detail: &str) -> Failure {
    let problem = FieldProblem { pointer: pointer.to_owned(), detail: detail.to_owned() };
    Failure::input("a field is wrong; nothing was changed", vec![problem])
}

/// The id and the settings that `body` gives a camera; those that are not there are empty.
fn new_camera(body: Value) -> Result<(String, Value), Failure> {
    let (id, mut rest) = named(body)?;
    let settings = rest.as_object_mut().and_then(|rest| rest.remove("settings"));
    if let Some(unknown) = rest.as_object().and_then(|rest| rest.keys().next()) {
        return Err(wrong(&join("", unknown), "is not known; there are id, settings"));
    }
    match settings {
        None => Ok((id, Value::Object(Map::new()))),
        Some(settings) if settings.is_object() => Ok((id, settings)),
        Some(_) => Err(wrong("/settings", "must be a table")),
    }
}

/// The id that `body` gives, and the rest of it.
fn named(body: Value) -> Result<(String, Value), Failure> {
    let Value::Object(mut fields) = body else { return Err(wrong("", "must be a table")) };
    match fields.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok((id, Value::Object(fields))),
        Some(_) => Err(wrong("/id", "must be text, 1 to 32 lower case letters, digits and `-`")),
        None => Err(wrong("/id", "is missing; give it a name")),
    }
}

/// `made` and where it is from now on.
fn created(revision: u64, location: String, made: impl IntoResponse) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, location)], etag(revision), made).into_response()
}

/// Add a camera
///
/// It starts at once; nothing else does. What its settings leave out has its default. One revision of the
/// settings, as any change; where an id is taken, the answer is 409.
#[utoipa::path(
    post,
    path = "/api/v1/cameras",
    tag = "cameras",
    operation_id = "create_camera",
    params(
        PatchQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
    ),
    request_body(description = "The camera.", content = NewCamera),
    responses(
        (
            status = 201,
            description = "The camera.",
            body = Camera,
            headers(
                ("ETag" = String, description = "The revision of the settings, quoted."),
                ("Location" = String, description = "Where it is."),
            ),
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
pub(crate) async fn create_camera(
    State(ports): State<Ports>,
    caller: Caller,
    note: Note,
    QueryOf(query): QueryOf<PatchQuery>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Value>,
) -> Result<Response, Failure> {
    let (id, settings) = new_camera(body)?;
    let place = Place::of(["cameras", &id]).named_in("/settings");
    let what = What::Add(Entry { at: place.keys(), value: settings });
    let asked = Asked { ports: ports.clone(), caller, note, headers, query };
    match asked.make(what, place).await {
        Ok(change) => {
            let location = format!("/api/v1/cameras/{id}");
            Ok(created(change.revision, location, Json(ports.camera(&id)?)))
        }
        Err(refused) => Ok(refused),
    }
}

/// Take a camera away
///
/// Its events end, then its process; nothing else does. What it recorded of events stays. A camera that a
/// settings file, the environment or the command line names stays (409): switch it off with `enabled`.
#[utoipa::path(
    delete,
    path = "/api/v1/cameras/{cam}",
    tag = "cameras",
    operation_id = "delete_camera",
    params(
        ("cam" = String, Path, description = "Id of the camera.", example = "front"),
        PatchQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
    ),
    responses(
        (
            status = 204,
            description = "It is gone.",
            headers(("ETag" = String, description = "The revision of the settings, quoted.")),
        ),
        (status = 400, response = Malformed),
        (status = 404, response = NotFound),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn delete_camera(
    State(ports): State<Ports>,
    PathName(cam): PathName,
    caller: Caller,
    note: Note,
    QueryOf(query): QueryOf<PatchQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    ports.camera(&cam)?;
    let place = Place::of(["cameras", &cam]);
    let what = What::Remove(place.keys());
    let asked = Asked { ports, caller, note, headers, query };
    Ok(match asked.make(what, place).await {
        Ok(change) => (StatusCode::NO_CONTENT, etag(change.revision)).into_response(),
        Err(refused) => refused,
    })
}

/// The settings of the camera `cam`.
fn camera<'a>(settings: &'a Settings, cam: &str) -> Option<&'a CameraSettings> {
    settings.cameras.get(cam)
}

/// The operations on one kind of entry of a camera: where it stands in the settings (`$field`, which is
/// also the key), what it is (`$Entry` with the id, `$Body` without), and how it is called.
macro_rules! entries {
    (
        $module:ident, $field:ident, $key:tt, $Entry:ident, $Body:ident, $noun:tt,
        all: $all:tt, one: $one:tt, parameter: $parameter:tt, example: $example:tt,
        ids: [$list:tt, $create:tt, $get:tt, $put:tt, $delete:tt],
        says: [$lists:tt, $creates:tt, $gets:tt, $puts:tt, $deletes:tt],
        what: $what:tt,
    ) => {
        #[doc = $what]
        pub(crate) mod $module {
            use super::*;

            fn find(ports: &Ports, cam: &str, id: &str) -> Result<Json<$Entry>, Failure> {
                let settings = ports.settings.in_force().settings;
                let found = camera(&settings, cam).and_then(|camera| camera.$field.get(id));
                let none = || {
                    let detail = format!("there is no {} \"{id}\" of the camera \"{cam}\"", $noun);
                    Failure::of(ErrorKind::NotFound, detail)
                };
                let settings = found.cloned().ok_or_else(none)?;
                Ok(Json($Entry { id: id.to_owned(), settings }))
            }

            #[doc = $lists]
            #[doc = ""]
            #[doc = $what]
            #[doc = " Ordered by id. `ETag` is the revision of the settings."]
            #[utoipa::path(
                get, path = $all, tag = "areas", operation_id = $list,
                params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
                responses(
                    (
                        status = 200, description = "All of them.", body = Vec<$Entry>,
                        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
                    ),
                    (status = 404, response = NotFound),
                )
            )]
            pub(crate) async fn list(
                State(ports): State<Ports>,
                PathName(cam): PathName,
            ) -> Result<impl IntoResponse, Failure> {
                ports.camera(&cam)?;
                let in_force = ports.settings.in_force();
                let all = camera(&in_force.settings, &cam).into_iter().flat_map(|of| &of.$field);
                let entry = |(id, settings): (&String, &$Body)| {
                    $Entry { id: id.clone(), settings: settings.clone() }
                };
                Ok((etag(in_force.revision), Json(all.map(entry).collect::<Vec<_>>())))
            }

            #[doc = $creates]
            #[doc = ""]
            #[doc = $what]
            #[doc = " Taken over as the camera runs. Where the id is taken, the answer is 409."]
            #[utoipa::path(
                post, path = $all, tag = "areas", operation_id = $create,
                params(
                    ("cam" = String, Path, description = "Id of the camera.", example = "front"),
                    PatchQuery,
                    ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
                ),
                request_body(description = "All of it, with its id.", content = $Entry),
                responses(
                    (
                        status = 201, description = "It is there.", body = $Entry,
                        headers(
                            ("ETag" = String, description = "The revision of the settings, quoted."),
                            ("Location" = String, description = "Where it is."),
                        ),
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
            pub(crate) async fn create(
                State(ports): State<Ports>,
                PathName(cam): PathName,
                caller: Caller,
                note: Note,
                QueryOf(query): QueryOf<PatchQuery>,
                headers: HeaderMap,
                JsonBody(body): JsonBody<Value>,
            ) -> Result<Response, Failure> {
                ports.camera(&cam)?;
                let (id, value) = named(body)?;
                let place = Place::of(["cameras", &cam, $key, &id]).named_in("");
                let what = What::Add(Entry { at: place.keys(), value });
                let asked = Asked { ports: ports.clone(), caller, note, headers, query };
                match asked.make(what, place).await {
                    Ok(change) => {
                        let location = $all.replace("{cam}", &cam) + "/" + &id;
                        Ok(created(change.revision, location, find(&ports, &cam, &id)?))
                    }
                    Err(refused) => Ok(refused),
                }
            }

            #[doc = $gets]
            #[doc = ""]
            #[doc = $what]
            #[doc = " Complete."]
            #[utoipa::path(
                get, path = $one, tag = "areas", operation_id = $get,
                params(
                    ("cam" = String, Path, description = "Id of the camera.", example = "front"),
                    ($parameter = String, Path, description = "Its id.", example = $example),
                ),
                responses(
                    (
                        status = 200, description = "All of it.", body = $Entry,
                        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
                    ),
                    (status = 404, response = NotFound),
                )
            )]
            pub(crate) async fn get(
                State(ports): State<Ports>,
                InCamera { cam, id }: InCamera,
            ) -> Result<impl IntoResponse, Failure> {
                ports.camera(&cam)?;
                let revision = ports.settings.in_force().revision;
                Ok((etag(revision), find(&ports, &cam, &id)?))
            }

            #[doc = $puts]
            #[doc = ""]
            #[doc = "All of it, whether it is there or not. What the body leaves out goes back to what settings"]
            #[doc = "files and environment say, or has no value. Taken over as the camera runs."]
            #[utoipa::path(
                put, path = $one, tag = "areas", operation_id = $put,
                params(
                    ("cam" = String, Path, description = "Id of the camera.", example = "front"),
                    ($parameter = String, Path, description = "Its id.", example = $example),
                    PatchQuery,
                    ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
                ),
                request_body(description = "All of it, without its id.", content = $Body),
                responses(
                    (
                        status = 200, description = "As it is since.", body = $Entry,
                        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
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
            pub(crate) async fn put(
                State(ports): State<Ports>,
                InCamera { cam, id }: InCamera,
                caller: Caller,
                note: Note,
                QueryOf(query): QueryOf<PatchQuery>,
                headers: HeaderMap,
                JsonBody(value): JsonBody<Value>,
            ) -> Result<Response, Failure> {
                ports.camera(&cam)?;
                let place = Place::of(["cameras", &cam, $key, &id]);
                let what = What::Put(Entry { at: place.keys(), value });
                let asked = Asked { ports: ports.clone(), caller, note, headers, query };
                match asked.make(what, place).await {
                    Ok(change) => {
                        Ok((etag(change.revision), find(&ports, &cam, &id)?).into_response())
                    }
                    Err(refused) => Ok(refused),
                }
            }

            #[doc = $deletes]
            #[doc = ""]
            #[doc = "What a settings file, the environment or the command line sets stays (409)."]
            #[utoipa::path(
                delete, path = $one, tag = "areas", operation_id = $delete,
                params(
                    ("cam" = String, Path, description = "Id of the camera.", example = "front"),
                    ($parameter = String, Path, description = "Its id.", example = $example),
                    PatchQuery,
                    ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
                ),
                responses(
                    (
                        status = 204, description = "It is gone.",
                        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
                    ),
                    (status = 400, response = Malformed),
                    (status = 404, response = NotFound),
                    (status = 409, response = Conflict),
                    (status = 412, response = Outdated),
                    (status = 422, response = Invalid),
                    (status = 503, response = Unavailable),
                )
            )]
            pub(crate) async fn delete(
                State(ports): State<Ports>,
                InCamera { cam, id }: InCamera,
                caller: Caller,
                note: Note,
                QueryOf(query): QueryOf<PatchQuery>,
                headers: HeaderMap,
            ) -> Result<Response, Failure> {
                ports.camera(&cam)?;
                let place = Place::of(["cameras", &cam, $key, &id]);
                let what = What::Remove(place.keys());
                let asked = Asked { ports, caller, note, headers, query };
                Ok(match asked.make(what, place).await {
                    Ok(change) => (StatusCode::NO_CONTENT, etag(change.revision)).into_response(),
                    Err(refused) => refused,
                })
            }
        }
    };
}

entries! {
    zones, zones, "zones", ZoneEntry, ZoneSettings, "zone",
    all: "/api/v1/cameras/{cam}/zones", one: "/api/v1/cameras/{cam}/zones/{zone}",
    parameter: "zone", example: "door",
    ids: ["list_zones", "create_zone", "get_zone", "put_zone", "delete_zone"],
    says: ["Zones of a camera", "Add a zone", "One zone", "Replace a zone", "Take a zone away"],
    what: "Areas of the picture with their rules: who counts, when, loitering and crowding.",
}

entries! {
    lines, lines, "lines", LineEntry, LineSettings, "line",
    all: "/api/v1/cameras/{cam}/lines", one: "/api/v1/cameras/{cam}/lines/{line}",
    parameter: "line", example: "gate",
    ids: ["list_lines", "create_line", "get_line", "put_line", "delete_line"],
    says: ["Lines of a camera", "Add a line", "One line", "Replace a line", "Take a line away"],
    what: "Lines that are watched for crossings, with their rules: who counts, and when.",
}

entries! {
    masks, privacy_masks, "privacy_masks", PrivacyMaskEntry, PrivacyMaskSettings, "privacy mask",
    all: "/api/v1/cameras/{cam}/privacy-masks", one: "/api/v1/cameras/{cam}/privacy-masks/{mask}",
    parameter: "mask", example: "neighbours",
    ids: [
        "list_privacy_masks", "create_privacy_mask", "get_privacy_mask", "put_privacy_mask",
        "delete_privacy_mask"
    ],
    says: [
        "Privacy masks of a camera", "Add a privacy mask", "One privacy mask",
        "Replace a privacy mask", "Take a privacy mask away"
    ],
    what: "Areas that nobody gets to see: black in streams and snapshots, and nothing is detected there.",
}
