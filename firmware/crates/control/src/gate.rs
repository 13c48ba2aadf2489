//! Who may pass: every request goes through here before its handler, and what is not expressly
//! allowed is refused.
//!
//! | module | owns |
//! |---|---|
//! | [`permits`] | which operation needs what: the one table |
//! | [`caller`] | who calls, from cookie or header |
//! | [`deprecation`] | what is on its way out |
//! | [`idempotency`] | what is not done twice |
//! | [`origin`] | under which names we answer, and whose pages may change things (pure) |
//! | [`rate`] | how often an address may ask |
//! | [`record`] | the audit entry of each change |

pub(crate) mod caller;
pub(crate) mod deprecation;
pub(crate) mod idempotency;
pub(crate) mod origin;
pub(crate) mod permits;
pub(crate) mod rate;
pub(crate) mod record;

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::{Failure, Fault};
use crate::state::App;
use caller::Caller;
use idempotency::Outcome;
use permits::Need;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Whether what it sends is encrypted.
    pub(crate) secure: bool,
}

impl Peer {
    /// Of a request that came by no connection, as in a unit test: nobody to trust.
    const UNKNOWN: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), secure: false };

    /// The other end of the connection that `request` came by.
    pub(crate) fn of(extensions: &axum::http::Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self::UNKNOWN)
    }
}

/// Lets a request through to its handler, or answers why not.
pub(crate) async fn pass(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = Peer::of(request.extensions());
    let budget = match app.rate.take(peer.address) {
        Ok(budget) => budget,
        Err(failure) => return failure.into_response(),
    };
    let mut response = match admit(&app, peer, request).await {
        Ok(Admitted { operation, user, request, record }) => {
            let of = (operation, user.as_str());
            match idempotency::once(&app.answers, of, app.limits.body, request, next).await {
                Outcome::Done(mut response) => {
                    app.deprecations.tell(operation, response.headers_mut());
                    record::keep(&app, record, response.status()).await;
                    response
                }
                Outcome::Spared(response) => response,
            }
        }
        Err(refusal) => {
            let (failure, record) = *refusal;
            let response = failure.into_response();
            record::keep(&app, record, response.status()).await;
            response
        }
    };
    budget.tell(response.headers_mut());
    response
}

/// A request that may pass.
struct Admitted {
    /// Id of the operation; empty where there is none.
    operation: &'static str,
    /// Who asks; empty where nobody has to say.
    user: String,
    request: Request,
    record: Option<record::Record>,
}

type Refusal = Box<(Failure, Option<record::Record>)>;

async fn admit(app: &App, peer: Peer, mut request: Request) -> Result<Admitted, Refusal> {
    let plain = |failure: Failure| Box::new((failure, None));
    origin::check_host(request.headers(), request.uri(), &app.hosts).map_err(plain)?;
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let operation = path.as_deref().and_then(|path| app.permits.of(request.method(), path));
    // No such path or method: the router's own answer says so.
    let Some((operation, need)) = operation else {
        return Ok(Admitted { operation: "", user: String::new(), request, record: None });
    };
    if need == Need::Open {
        let mut record = record::Record::of(operation, peer, &request);
        record::attach(record.as_mut(), &mut request);
        return Ok(Admitted { operation, user: String::new(), request, record });
    }
    if !app.ports.access.is_claimed() {
        let detail = access::AccessError::NotClaimed.to_string();
        return Err(plain(Failure::new(Fault::SetupRequired, detail)));
    }
    let caller = caller::of(&app.ports.access, request.headers(), peer).await.map_err(plain)?;
    let mut record = record::Record::of(operation, peer, &request);
    if let Some(record) = &mut record {
        record.caller(&caller.0);
    }
    let camera = camera_of(path.as_deref().unwrap_or_default(), request.uri().path());
    if let Err(failure) = permits::check(need, &caller, camera.as_deref())
        .and_then(|()| origin::check_origin(&caller, &request, peer))
    {
        return Err(Box::new((failure, record)));
    }
    // Two ways in of one user may see different things.
    let user = format!("{} {}", caller.0.username, caller.0.digest);
    request.extensions_mut().insert::<Caller>(caller);
    record::attach(record.as_mut(), &mut request);
    Ok(Admitted { operation, user, request, record })
}

/// The camera that a path names: what stands where `{cam}` stands in its pattern.
fn camera_of(pattern: &str, path: &str) -> Option<String> {
    let at = pattern.split('/').position(|part| part == "{cam}")?;
    let part = path.split('/').nth(at)?;
    Some(percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
}

/// Whether a request by `method` changes something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_is_read_off_the_path_as_its_client_meant_it() {
        let pattern = "/api/v1/cameras/{cam}/stats";
        assert_eq!(camera_of(pattern, "/api/v1/cameras/front/stats").as_deref(), Some("front"));
        assert_eq!(camera_of(pattern, "/api/v1/cameras/fr%6Fnt/stats").as_deref(), Some("front"));
        assert_eq!(camera_of("/api/v1/cameras", "/api/v1/cameras"), None);
    }
}
