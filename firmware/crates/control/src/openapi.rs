//! The OpenAPI document: its frame, the error responses that operations name, and its text.

use std::sync::LazyLock;

use api::event::Event;
use api::live::{LiveMessage, LiveSubscription};
use api::problem::{FieldProblem, Problem};
use api::resources::StreamGap;
use api::updates::{UpdateCode, UpdateIndex};
use base::error::ErrorKind;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi, ToResponse};

use crate::examples;
use crate::gate::{idempotency, permits};
use crate::patch::json;
use crate::ports::PortError;
use crate::problem::{Failure, Fault, PROBLEM_JSON};
use crate::routes;

/// The frame of the document; the operations come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "EdgeCam",
        description = "The control plane of an EdgeCam: cameras, events, streams, detector and device.\n\n\
            Errors are `application/problem+json` (RFC 9457) with a stable `code`; where the input is to blame, \
            `errors` names every field at once. Changes are merge patches (RFC 7396). Times are RFC 3339, UTC. \
            Within `/api/v1` only additions are made: ignore fields that you do not know.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
        contact(name = "EdgeCam", url = "https://github.com/edgecam/edgecam"),
    ),
    servers((url = "/", description = "This device.")),
    tags(
        (name = "setup", description = "A new device and its first user."),
        (name = "auth", description = "Coming in and going out; tokens for programs."),
        (name = "users", description = "Who may do what, and what they did."),
        (name = "cameras", description = "State, settings, pictures and statistics of cameras."),
        (name = "areas", description = "Zones, lines and privacy masks of a camera."),
        (name = "settings", description = "All settings: read, changed, confirmed, taken back."),
        (name = "events", description = "What happened: stored, and as it happens."),
        (name = "viewing", description = "Streams: where they are watched, by whom, and the way there."),
        (name = "device", description = "The machine."),
        (name = "detector", description = "What is looked with: the detector and its models."),
        (name = "webhooks", description = "Where announcements are posted to, and what became of that."),
        (name = "mqtt", description = "The session with the broker, and what waits for it."),
        (name = "gpio", description = "Inputs and outputs of the device."),
        (name = "jobs", description = "Long work: how far it is, what came of it."),
        (name = "system", description = "The machine: network, clock, power, log, what is wrong with it."),
        (name = "backups", description = "Settings and users, kept and restored."),
        (name = "updates", description = "Updates of the firmware: looked for, installed, kept or taken back."),
        (name = "health", description = "For watchdogs and monitoring."),
        (name = "pages", description = "For people."),
    ),
    components(
        schemas(Problem, Event, StreamGap, LiveMessage, LiveSubscription, UpdateIndex),
        responses(
            Malformed, Unauthenticated, Forbidden, NotFound, Conflict, Outdated, TooLarge,
            UnsupportedMediaType, Invalid, TooMany, Unavailable, Trouble, NoLength, NoRoom
        ),
    ),
)]
pub(crate) struct Document;

/// The document as it is served and as it lies in `api/openapi.json`: JSON with a line break at
/// its end.
pub(crate) fn document_text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut document = routes::all().into_openapi();
        examples::put_into(&mut document);
        schemes(&mut document);
        permits::put_into(&mut document);
        idempotency::put_into(&mut document);
        expect_trouble(&mut document);
        // Infallible: the document has string keys only. An empty one would fail its golden test.
        document.to_pretty_json().unwrap_or_default() + "\n"
    });
    &TEXT
}

/// The ways to show who calls.
fn schemes(document: &mut utoipa::openapi::OpenApi) {
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        "__Host-edgecam",
        "A session: see `POST /api/v1/auth/login`. Named `edgecam` where the connection is not HTTPS.",
    ));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token: see `POST /api/v1/tokens`."))
        .build();
    let password = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("Name and password, for players that know nothing else."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.add_security_scheme("password", SecurityScheme::Http(password));
}

/// Every operation may go wrong in ways of which it does not speak itself.
fn expect_trouble(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in all.into_iter().flatten() {
            let trouble = RefOr::Ref(Ref::from_response_name("Trouble"));
            operation.responses.responses.entry("default".into()).or_insert(trouble);
        }
    }
}

/// An error response whose example is a body that is really answered.
macro_rules! refusals {
    ($($name:ident = $description:literal, $failure:expr;)*) => {$(
        #[doc = $description]
        pub(crate) struct $name;

        impl<'r> ToResponse<'r> for $name {
            fn response() -> (&'r str, RefOr<Response>) {
                let content = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("Problem")))
                    .example(Some(json(&$failure.problem())))
                    .build();
                let response = ResponseBuilder::new()
                    .description($description)
                    .content(PROBLEM_JSON, content)
                    .build();
                (stringify!($name), response.into())
            }
        }
    )*};
}

refusals! {
    Malformed = "The request cannot be read: the body is no JSON, the query is not understood.",
        Failure::new(Fault::Malformed, "the body is no JSON: expected value at line 1 column 1");
    Unauthenticated = "Who calls is not known, or name, password or code is wrong.",
        Failure::of(ErrorKind::Unauthenticated, "the session has ended; sign in again");
    Forbidden = "Who calls may not do this, or the device has no owner yet (`setup_required`).",
        Failure::of(ErrorKind::PermissionDenied, "this needs the role admin; guard has operator");
    TooMany = "Too many requests, or too many wrong tries. `Retry-After` says when it goes on.",
        Failure::new(Fault::TooMany, "too many wrong tries; try again in 40 s");
    NotFound = "There is no such thing.",
        Failure::of(ErrorKind::NotFound, "there is no camera \"back\"; /api/v1/cameras lists them");
    Conflict = "Not possible in its present state.",
        Failure::of(
            ErrorKind::FailedPrecondition,
            "revision 12 waits to be confirmed; confirm it or go back first",
        );
    Outdated = "Someone else changed it in between; `ETag` is the revision in force.",
        Failure::of(ErrorKind::Aborted, "revision 13 is in force; look at it and try again");
    TooLarge = "The body is longer than 1 MiB.",
        Failure::new(Fault::TooLarge, "a body may have at most 1 MiB");
    UnsupportedMediaType = "The body is not sent as a type that is taken.",
        Failure::new(Fault::MediaType, "the body must be sent as application/merge-patch+json");
    Invalid = "The input is wrong; `errors` names every field.",
        Failure::input(
            "a field is wrong; nothing was changed",
            vec![FieldProblem {
                pointer: "/encoder/bitrate_kbps".into(),
                detail: "must be within 100..=25000".into(),
            }],
        );
    NoLength = "The length of the body must be said before it is sent.",
        Failure::new(Fault::NoLength, "the length of the bundle must be said before it comes");
    NoRoom = "The data partition has no room for it.",
        Failure::from(PortError::update(
            UpdateCode::DiskFull,
            "the bundle needs 149 MB, and 80 MB are free; delete models or backups first",
        ));
    Unavailable = "Not available now; a later try may succeed. `Retry-After` says when.",
        Failure::of(ErrorKind::Unavailable, "the camera shows nothing yet");
    Trouble = "Anything else that goes wrong.",
        Failure::of(ErrorKind::DeadlineExceeded, "no answer within 10 s");
}
