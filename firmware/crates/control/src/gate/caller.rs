//! Who calls: the principal of a bearer token, a session's cookie, or a name with its password.

use access::{Access, Principal};
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base::error::{ErrorKind, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::gate::Peer;
use crate::problem::{Failure, Fault};

/// Name of the session's cookie where the connection is encrypted: browsers take a cookie of this name
/// only from the host itself, over HTTPS, for all paths.
const SECURE_COOKIE: &str = "__Host-edgecam";
/// Its name on loopback without HTTPS.
const PLAIN_COOKIE: &str = "edgecam";

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get().cloned().ok_or_else(|| unknown("nobody is signed in"))
    }
}

fn unknown(detail: &str) -> Failure {
    Failure::of(ErrorKind::Unauthenticated, detail)
}

/// Who sent these headers.
pub(crate) async fn of(
    access: &Access,
    headers: &HeaderMap,
    peer: Peer,
) -> Result<Caller, Failure> {
    let principal = match headers.get(AUTHORIZATION) {
        Some(given) => by_header(access, given, peer).await?,
        None => by_cookie(access, headers)?,
    };
    Ok(Caller(principal))
}

async fn by_header(access: &Access, given: &HeaderValue, peer: Peer) -> Result<Principal, Failure> {
    let (scheme, rest) = given.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => access.recognise(rest).map_err(failure)?.ok_or_else(|| {
            unknown("the token is not known: it was revoked, has ended, or is mistyped")
        }),
        "basic" => {
            let decoded = STANDARD.decode(rest).ok().and_then(|text| String::from_utf8(text).ok());
            let decoded = decoded.unwrap_or_default();
            let Some((name, password)) = decoded.split_once(':') else {
                return Err(unknown("the Authorization header holds no name and password"));
            };
            access.player(name, &password.into(), peer.address).await.map_err(failure)
        }
        _ => Err(unknown("the Authorization header must be `Bearer` with a token")),
    }
}

fn by_cookie(access: &Access, headers: &HeaderMap) -> Result<Principal, Failure> {
    let Some(secret) = session_cookie(headers) else {
        return Err(unknown(
            "sign in at /api/v1/auth/login, or send a token as `Authorization: Bearer …`",
        ));
    };
    let found = access.recognise(secret).map_err(failure)?;
    found.ok_or_else(|| unknown("the session has ended; sign in again"))
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.split_once('='));
    pairs
        .find(|(name, _)| [SECURE_COOKIE, PLAIN_COOKIE].contains(&name.trim()))
        .map(|(_, value)| value.trim())
}

/// The `Set-Cookie` that opens a session; with an empty `secret`, the one that ends it.
pub(crate) fn set_cookie(secret: &str, peer: Peer) -> HeaderValue {
    let (name, secure) = if peer.secure { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    let age = if secret.is_empty() { 0 } else { access::book::SESSION.as_secs() };
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    // Infallible: a secret is of letters that a header may have.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// A refusal of `access` as an answer.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
pub(crate) fn failure(error: access::AccessError) -> Failure {
    use access::AccessError as E;
    match &error {
        E::Invalid { pointer, reason } => {
            let problem = api::problem::FieldProblem {
                pointer: (*pointer).to_owned(),
                detail: reason.clone(),
            };
            Failure::input("a field is wrong; nothing was changed", vec![problem])
        }
        E::Locked(wait) => Failure::new(Fault::TooMany, error.to_string()).retry_after(*wait),
        E::Busy => Failure::new(Fault::TooMany, error.to_string())
            .retry_after(std::time::Duration::from_secs(2)),
        E::NotClaimed => Failure::new(Fault::SetupRequired, error.to_string()),
        _ => Failure::of(error.kind(), base::error::chain(&error)),
    }
}
