//! Parts of a camera's settings with an address of their own: how the picture is taken, encoded and drawn
//! on. The same operations on each, so a macro writes them down.

use api::settings::{CameraSettings, EncoderSettings, ImageSettings, OverlaySettings};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::extract::{MergePatch, PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, NotFound, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::cameras::{PatchQuery, table};
use crate::routes::settings::{Change, ChangeQuery, etag};

/// The part of the settings in force that `of` picks of the camera `cam`, with their revision.
fn show<T: serde::Serialize>(ports: &Ports, cam: &str, of: fn(&CameraSettings) -> T) -> Response {
    let in_force = ports.settings.in_force();
    let part = in_force.settings.cameras.get(cam).map(of);
    (etag(in_force.revision), Json(part)).into_response()
}

/// The operations on one part: its name in the settings, its type, and what is said of it.
macro_rules! part {
    (
        $part:ident, $key:tt, $Settings:ident, path: $path:tt, ids: [$get:tt, $patch:tt],
        says: [$gets:tt, $patches:tt], what: $what:tt,
    ) => {
        #[doc = $what]
        pub(crate) mod $part {
            use super::*;

            #[doc = $gets]
            #[doc = ""]
            #[doc = $what]
            #[doc = " Complete. `ETag` is the revision of the settings."]
            #[utoipa::path(
                get, path = $path, tag = "cameras", operation_id = $get,
                params(("cam" = String, Path, description = "Id of the camera.", example = "front")),
                responses(
                    (
                        status = 200, description = "All of it.", body = $Settings,
                        headers(("ETag" = String, description = "The revision of the settings, quoted.")),
                    ),
                    (status = 404, response = NotFound),
                )
            )]
            pub(crate) async fn get(
                State(ports): State<Ports>,
                PathName(cam): PathName,
            ) -> Result<Response, Failure> {
                ports.camera(&cam)?;
                Ok(show(&ports, &cam, |camera| camera.$part.clone()))
            }

            #[doc = $patches]
            #[doc = ""]
            #[doc = $what]
            #[doc = " A merge patch (RFC 7396), the same as `PATCH /api/v1/cameras/{cam}` with a body below"]
            #[doc = "this name: `null` gives a field back. What a change costs stands in the schema of the settings."]
            #[utoipa::path(
                patch, path = $path, tag = "cameras", operation_id = $patch,
                params(
                    ("cam" = String, Path, description = "Id of the camera.", example = "front"),
                    PatchQuery,
                    ("If-Match" = Option<String>, Header, description = "Change only this revision: the `ETag` of the settings."),
                ),
                request_body(
                    description = "A merge patch, at most 1 MiB.",
                    content(($Settings = "application/merge-patch+json"), ($Settings = "application/json")),
                ),
                responses(
                    (
                        status = 200, description = "As it is since.", body = $Settings,
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
            pub(crate) async fn patch(
                State(ports): State<Ports>,
                PathName(cam): PathName,
                Caller(caller): Caller,
                note: Note,
                QueryOf(query): QueryOf<PatchQuery>,
                headers: HeaderMap,
                MergePatch(patch): MergePatch,
            ) -> Result<Response, Failure> {
                ports.camera(&cam)?;
                table(&patch)?;
                let place = Place::of(["cameras", &cam, $key]);
                let query = ChangeQuery { dry_run: false, confirm_within: query.confirm_within };
                let change = Change { what: What::Patch(place.patch(patch)), place, query };
                Ok(match change.make(&ports, &headers, &caller, &note).await {
                    Ok(_) => show(&ports, &cam, |camera| camera.$part.clone()),
                    Err(refused) => refused,
                })
            }
        }
    };
}

part! {
    image, "image", ImageSettings, path: "/api/v1/cameras/{cam}/image",
    ids: ["get_image", "patch_image"],
    says: ["How the picture is taken", "Change how the picture is taken"],
    what: "Which way up it is, exposure, gain, colours, focus.",
}

part! {
    encoder, "encoder", EncoderSettings, path: "/api/v1/cameras/{cam}/encoder",
    ids: ["get_encoder", "patch_encoder"],
    says: ["How the picture is encoded", "Change how the picture is encoded"],
    what: "Bit rate, key frames, and which encoder.",
}

part! {
    overlay, "overlay", OverlaySettings, path: "/api/v1/cameras/{cam}/overlay",
    ids: ["get_overlay", "patch_overlay"],
    says: ["What is drawn on the picture", "Change what is drawn on the picture"],
    what: "Boxes, labels, zones and the time.",
}
