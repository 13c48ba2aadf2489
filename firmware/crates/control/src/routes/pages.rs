//! Pages for people: the landing page, the OpenAPI document and its reference page. All of it is
//! in the binary; nothing comes from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect};
use base::error::ErrorKind;
use utoipa_swagger_ui::{Config, Url};

use crate::extract::PathName;
use crate::openapi::{NotFound, document_text};
use crate::problem::{Failure, Fault};

const LANDING: &str = include_str!("../../assets/landing.html");
/// The landing page's own script and style, and nothing from anywhere else.
const LANDING_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// What the reference page needs: files of ours, styles that it makes, icons in them.
const REFERENCE_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// The landing page
///
/// A page that shows the cameras and the last events.
#[utoipa::path(
    get,
    path = "/",
    tag = "pages",
    operation_id = "landing_page",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn landing() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, LANDING_POLICY)], Html(LANDING))
}

/// This document
///
/// The OpenAPI 3.1 document of everything that is served here.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "pages",
    operation_id = "get_openapi",
    responses((status = 200, description = "The document.", body = Object))
)]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document_text())
}

/// The reference page
///
/// This document to read and to try, without any file from elsewhere. Leads on to its `index.html`.
#[utoipa::path(
    get,
    path = "/api/docs",
    tag = "pages",
    operation_id = "reference_page",
    responses((
        status = 308,
        description = "The page is at `/api/docs/index.html`.",
        headers(("location" = String, description = "Where it is.")),
    ))
)]
pub(crate) async fn reference() -> Redirect {
    Redirect::permanent("/api/docs/index.html")
}

/// A file of the reference page
///
/// Page, scripts and styles of Swagger UI, as they are in the binary.
#[utoipa::path(
    get,
    path = "/api/docs/{file}",
    tag = "pages",
    operation_id = "get_reference_file",
    params(("file" = String, Path, description = "Name of the file.", example = "index.html")),
    responses(
        (status = 200, description = "The file.", body = [u8], content_type = "text/html"),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn reference_file(PathName(file): PathName) -> Result<impl IntoResponse, Failure> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        // The online validator would be asked from the owner's browser.
        let config = Config::new([Url::new("EdgeCam", "/api/openapi.json")]);
        Arc::new(config.validator_url("none"))
    });
    let found = utoipa_swagger_ui::serve(&file, CONFIG.clone())
        .map_err(|error| Failure::of(ErrorKind::Internal, error.to_string()))?;
    let file = found.ok_or_else(|| {
        Failure::new(Fault::UnknownPath, "there is no such file; the page is /api/docs")
    })?;
    let headers = [
        (header::CONTENT_TYPE, file.content_type),
        (header::CONTENT_SECURITY_POLICY, REFERENCE_POLICY.to_owned()),
    ];
    Ok((headers, file.bytes.into_owned()))
}
