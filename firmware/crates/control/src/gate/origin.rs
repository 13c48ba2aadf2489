//! Under which names we answer, and whose pages may change things. Pure.
//!
//! A page of another site can make its reader's browser send requests here. It cannot name us by a name
//! of its own (DNS rebinding), since the names that we answer to are a list; and its requests carry its
//! origin, which is not ours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use api::access::Via;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use base::error::ErrorKind;

use crate::gate::caller::Caller;
use crate::gate::{Peer, changes};
use crate::problem::{Failure, Fault};

/// Names that we answer to, in lower case; addresses are always answered to.
pub(crate) type Hosts = BTreeSet<String>;

/// Refuses a request that was not meant for us.
pub(crate) fn check_host(headers: &HeaderMap, uri: &Uri, hosts: &Hosts) -> Result<(), Failure> {
    let given = headers.get(HOST).and_then(|host| host.to_str().ok());
    let given = uri.authority().map(Authority::as_str).or(given);
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Err(Failure::new(Fault::Malformed, "the request has no Host header"));
    };
    let Ok(authority) = given.parse::<Authority>() else {
        return Err(Failure::new(Fault::Malformed, "the Host header is no name"));
    };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || hosts.contains(&name) {
        return Ok(());
    }
    let known: Vec<_> = hosts.iter().map(String::as_str).collect();
    let detail = format!(
        "this device is not known as \"{name}\" but as {} or by its address; add a name with \
         `api.hosts`",
        known.join(", ")
    );
    Err(Failure::new(Fault::UnknownHost, detail))
}

/// Refuses a change, or a WebSocket, that a page of another site sends with the reader's cookie.
pub(crate) fn check_origin(caller: &Caller, request: &Request, peer: Peer) -> Result<(), Failure> {
    let by_a_page = |name: &str| request.headers().contains_key(name);
    let by_itself = match caller.0.via {
        Via::Token => true,
        // No page makes a browser send a password that nobody typed there; a program says no origin.
        Via::Password => !by_a_page("origin") && !by_a_page("sec-fetch-site"),
        Via::Session => false,
    };
    let harmless = !changes(request.method()) && !request.headers().contains_key(UPGRADE);
    if by_itself || harmless || is_own_page(request.headers(), peer.secure) {
        return Ok(());
    }
    let detail = "a change with a session's cookie must come from this device's own pages (Origin); \
                  programs use a token";
    Err(Failure::of(ErrorKind::PermissionDenied, detail))
}

/// Whether a page of ours sent these headers.
fn is_own_page(headers: &HeaderMap, secure: bool) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        // `none`: the person did it, such as by typing the address.
        return site == "same-origin" || site == "none";
    }
    let scheme = if secure { "https" } else { "http" };
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn we_answer_to_our_names_and_addresses_only() {
        let hosts: Hosts = ["localhost", "ec-0a1b2c.local"].map(str::to_owned).into();
        let uri = Uri::from_static("/");
        for good in [
            "localhost",
            "localhost:8080",
            "EC-0A1B2C.local:443",
            "ec-0a1b2c.local.",
            "192.168.1.20:8080",
            "[::1]:8080",
            "[2001:db8::1]",
        ] {
            check_host(&headers(&[("host", good)]), &uri, &hosts).unwrap();
        }
        for bad in ["evil.example", "localhost.evil.example", "192.168.1.20.nip.io", "a b", ""] {
            assert!(check_host(&headers(&[("host", bad)]), &uri, &hosts).is_err(), "{bad}");
        }
        assert!(check_host(&HeaderMap::new(), &uri, &hosts).is_err());
        // The authority of the request's own line goes before the header.
        let uri = Uri::from_static("http://evil.example/");
        assert!(check_host(&headers(&[("host", "localhost")]), &uri, &hosts).is_err());
    }

    #[test]
    fn only_our_own_pages_change_things_with_a_cookie() {
        let host = ("host", "192.168.1.20:8443");
        let own = |pairs: &[(&'static str, &str)], secure| is_own_page(&headers(pairs), secure);
        assert!(own(&[host, ("origin", "https://192.168.1.20:8443")], true));
        assert!(own(&[host, ("sec-fetch-site", "same-origin")], true));
        assert!(own(&[host, ("sec-fetch-site", "none")], true));
        for bad in [
            vec![host],
            vec![host, ("origin", "https://evil.example")],
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://192.168.1.20:8443")],
            vec![host, ("origin", "https://192.168.1.20:8080")],
            vec![host, ("sec-fetch-site", "same-site"), ("origin", "https://192.168.1.20:8443")],
            vec![host, ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!own(&bad, true), "{bad:?}");
        }
    }
}
