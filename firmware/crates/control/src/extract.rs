//! What is read from requests, with a problem body for whatever cannot be read.

use std::collections::HashMap;

use api::problem::FieldProblem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::gate::Peer;
use crate::patch::{self, join, pointer};
use crate::problem::{Failure, Fault};

/// Media type of an RFC 7396 merge patch.
pub(crate) const MERGE_PATCH_JSON: &str = "application/merge-patch+json";

/// The parameters after the `?`.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let text = rejection.body_text();
                let reason = text.strip_prefix("Failed to deserialize query string: ");
                let reason = reason.unwrap_or(&text);
                let detail = format!("the query is not understood: {reason}");
                Err(Failure::new(Fault::Malformed, detail))
            }
        }
    }
}

/// A name in the path.
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let names = PathNames::from_request_parts(parts, state).await?;
        Ok(Self(names.0.into_values().next().unwrap_or_default()))
    }
}

/// A camera and something of it, in the path.
pub(crate) struct InCamera {
    /// What stands for `{cam}`.
    pub(crate) cam: String,
    /// What stands for the other name.
    pub(crate) id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for InCamera {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<HashMap<String, String>>::from_request_parts(parts, state).await {
            Ok(Path(mut names)) => {
                let cam = names.remove("cam").unwrap_or_default();
                Ok(Self { cam, id: names.into_values().next().unwrap_or_default() })
            }
            Err(rejection) => Err(Failure::new(Fault::Malformed, rejection.body_text())),
        }
    }
}

/// Under which name or address the client reached us.
pub(crate) struct ReachedAs {
    /// Without port, IPv6 in brackets.
    pub(crate) host: String,
    /// The beginning of our addresses as the client sees them, such as `https://192.168.1.20:8443`.
    pub(crate) base: String,
}

impl<S: Sync> FromRequestParts<S> for ReachedAs {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let given = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = given.and_then(|host| host.parse::<Authority>().ok());
        let scheme = if Peer::of(&parts.extensions).secure { "https" } else { "http" };
        let (host, authority) = match &host {
            Some(authority) => (authority.host(), authority.as_str()),
            None => ("localhost", "localhost"),
        };
        Ok(Self { host: host.to_owned(), base: format!("{scheme}://{authority}") })
    }
}

/// A body that is a `T` in JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Serialize> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let value = json(request, state, &["application/json"]).await?;
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(body) => match list_for_object(&value, &patch::json(&body), "") {
                None => Ok(Self(body)),
                Some(pointer) => {
                    let detail = "must be an object, not a list".to_owned();
                    let errors = vec![FieldProblem { pointer, detail }];
                    Err(Failure::input("a field is wrong; nothing was changed", errors))
                }
            },
            Err(error) => {
                let pointer = pointer(error.path());
                // What serde says may cite the value, and that may be a secret.
                let said = error.inner().to_string();
                let said = said.split("invalid type: ").next().filter(|text| !text.is_empty());
                let detail = said.unwrap_or("is of a wrong type").to_owned();
                let errors = vec![FieldProblem { pointer, detail }];
                Err(Failure::input("a field is wrong; nothing was changed", errors))
            }
        }
    }
}

/// Where `given` has a list for what is an object: serde reads the fields of a struct from a list as
/// well, which no document says.
fn list_for_object(given: &Value, meant: &Value, at: &str) -> Option<String> {
    match (given, meant) {
        (Value::Array(_), Value::Object(_)) => Some(at.to_owned()),
        (Value::Array(given), Value::Array(meant)) => {
            let pairs = given.iter().zip(meant).enumerate();
            pairs.into_iter().find_map(|(n, (given, meant))| {
                list_for_object(given, meant, &join(at, &n.to_string()))
            })
        }
        (Value::Object(given), Value::Object(meant)) => given
            .iter()
            .find_map(|(key, given)| list_for_object(given, meant.get(key)?, &join(at, key))),
        _ => None,
    }
}

/// A body that is a JSON merge patch.
pub(crate) struct MergePatch(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for MergePatch {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        json(request, state, &[MERGE_PATCH_JSON, "application/json"]).await.map(Self)
    }
}

/// Names in the path, by what they are called in its pattern.
pub(crate) struct PathNames(HashMap<String, String>);

impl PathNames {
    /// The one that is called `name`.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathNames {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<HashMap<String, String>>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(rejection) => Err(Failure::new(Fault::Malformed, rejection.body_text())),
        }
    }
}

/// Which of `types` a body is sent as.
pub(crate) fn media_type<'a>(headers: &HeaderMap, types: &[&'a str]) -> Result<&'a str, Failure> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let found = types.iter().find(|one| one.eq_ignore_ascii_case(essence));
    found.copied().ok_or_else(|| {
        let wanted = types.join(" or ");
        let detail = format!("the body must be sent as {wanted}, not as \"{essence}\"");
        Failure::new(Fault::MediaType, detail)
    })
}

/// The body of `request`, JSON that is sent as one of `types`.
async fn json<S: Send + Sync>(
    request: Request,
    state: &S,
    types: &[&str],
) -> Result<Value, Failure> {
    let body = body(request, state, types).await?;
    let value: Value = serde_json::from_slice(&body)
        .map_err(|error| Failure::new(Fault::Malformed, format!("the body is no JSON: {error}")))?;
    // An array would be read as the fields of a struct in their order.
    if value.is_object() {
        return Ok(value);
    }
    let detail = "must be an object: {\"field\": value, …}".to_owned();
    let errors = vec![FieldProblem { pointer: String::new(), detail }];
    Err(Failure::input("the body is no object; nothing was changed", errors))
}

/// The body of `request`, which is sent as one of `types`.
pub(crate) async fn body<S: Send + Sync>(
    request: Request,
    state: &S,
    types: &[&str],
) -> Result<Bytes, Failure> {
    media_type(request.headers(), types)?;
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let fault = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Fault::TooLarge,
            _ => Fault::Malformed,
        };
        let detail = match fault {
            Fault::TooLarge => "a body may have at most 1 MiB".to_owned(),
            _ => format!("the body did not arrive whole: {}", rejection.body_text()),
        };
        Failure::new(fault, detail)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::list_for_object;

    #[test]
    fn a_list_where_an_object_belongs_is_found_however_deep_it_lies() {
        let meant =
            json!({ "filter": { "zones": [] }, "rules": [{ "a": 1 }, { "a": 1 }], "note": null });
        let found = |given| list_for_object(&given, &meant, "");
        assert_eq!(found(json!({ "filter": { "zones": ["door"] }, "rules": [{ "a": 1 }] })), None);
        assert_eq!(found(json!({ "filter": [null] })).as_deref(), Some("/filter"));
        assert_eq!(found(json!({ "rules": [{ "a": 1 }, [1]] })).as_deref(), Some("/rules/1"));
        assert_eq!(found(json!([])).as_deref(), Some(""));
    }
}
