//! Which operations are on their way out, and how their answers say so: `Deprecation` (RFC 9745),
//! `Sunset` (RFC 8594) and a link to what takes their place.
//!
//! An operation is marked where it is written: `#[deprecated]`, and in its `extensions` the dates
//! [`SINCE`] and [`SUNSET`] and the path [`SUCCESSOR`]; so the document says the same.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::civil::Date;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Deprecated, OpenApi};

use super::permits;

/// The day from which on it is deprecated, as `2026-11-21`.
const SINCE: &str = "x-deprecated-since";
/// The day on which it may be gone.
const SUNSET: &str = "x-sunset";
/// The path of what takes its place.
const SUCCESSOR: &str = "x-successor";

/// What the answers of deprecated operations say, by operation.
#[derive(Debug)]
pub(crate) struct Deprecations(HashMap<String, HeaderMap>);

impl Deprecations {
    /// Of the operations of `document`.
    pub(crate) fn of_document(document: &OpenApi) -> Self {
        let operations = document.paths.paths.values().flat_map(permits::operations);
        let notice = |operation: &Operation| {
            let id = operation.operation_id.clone()?;
            Some((id, headers(operation)?))
        };
        Self(operations.filter_map(|(_, operation)| notice(operation)).collect())
    }

    /// Says of `operation` that it is deprecated, if it is.
    pub(crate) fn tell(&self, operation: &str, headers: &mut HeaderMap) {
        headers.extend(self.0.get(operation).cloned().unwrap_or_default());
    }
}

fn headers(operation: &Operation) -> Option<HeaderMap> {
    operation.deprecated.as_ref().filter(|deprecated| **deprecated == Deprecated::True)?;
    let extension = |name: &str| operation.extensions.as_ref()?.get(name).and_then(Value::as_str);
    let day = |name: &str| {
        let day: Date = extension(name)?.parse().ok()?;
        day.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    };
    let since = format!("@{}", day(SINCE)?.as_second());
    let sunset =
        day(SUNSET).map(|day| DateTimePrinter::new().timestamp_to_rfc9110_string(&day).ok());
    let link = extension(SUCCESSOR).map(|path| format!("<{path}>; rel=\"successor-version\""));
    let lines = [
        (HeaderName::from_static("deprecation"), Some(since)),
        (HeaderName::from_static("sunset"), sunset.flatten()),
        (header::LINK, link),
    ];
    let value = |text: Option<String>| HeaderValue::try_from(text?).ok();
    Some(lines.into_iter().filter_map(|(name, text)| Some((name, value(text)?))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::openapi::extensions::ExtensionsBuilder;
    use utoipa::openapi::path::OperationBuilder;
    use utoipa::openapi::{HttpMethod, InfoBuilder, PathItem, PathsBuilder};

    use super::*;
    use crate::routes;

    #[test]
    fn a_deprecated_operation_says_since_when_until_when_and_what_takes_its_place() {
        let dates = ExtensionsBuilder::new()
            .add(SINCE, json!("2026-11-21"))
            .add(SUNSET, json!("2027-11-21"))
            .add(SUCCESSOR, json!("/api/v2/cameras"));
        let old = OperationBuilder::new()
            .operation_id(Some("list_cameras"))
            .deprecated(Some(Deprecated::True))
            .extensions(Some(dates.build()));
        let paths = PathsBuilder::new()
            .path("/api/v1/cameras", PathItem::new(HttpMethod::Get, old.build()))
            .build();
        let document = OpenApi::new(InfoBuilder::new().build(), paths);
        let deprecations = Deprecations::of_document(&document);
        let mut headers = HeaderMap::new();
        deprecations.tell("get_camera", &mut headers);
        assert!(headers.is_empty());
        deprecations.tell("list_cameras", &mut headers);
        assert_eq!(headers["deprecation"], "@1795219200");
        assert_eq!(headers["sunset"], "Sun, 21 Nov 2027 00:00:00 GMT");
        assert_eq!(headers["link"], "</api/v2/cameras>; rel=\"successor-version\"");
    }

    #[test]
    fn whatever_the_document_calls_deprecated_has_its_dates() {
        let document = routes::all().into_openapi();
        for (_, operation) in document.paths.paths.values().flat_map(permits::operations) {
            let marked = operation.deprecated == Some(Deprecated::True);
            assert_eq!(headers(operation).is_some(), marked, "{:?}", operation.operation_id);
        }
    }
}
