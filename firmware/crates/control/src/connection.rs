//! Serves one connection: HTTP/1 with limits on how long a client may take, plain or with TLS.
//!
//! Plain `axum::serve` has no timer, so a client that sends half a request would hold its connection
//! for ever; therefore connections are served with hyper's own builder.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::gate::Peer;
use crate::limits::Limits;
use crate::problem::Failure;

/// What connections are served with.
#[derive(Clone)]
pub(crate) struct Service {
    /// Everything that is served.
    pub(crate) router: Router,
    /// How much a client may take.
    pub(crate) limits: Limits,
    /// Port of HTTPS.
    pub(crate) secure_port: Option<u16>,
}

/// Serves `stream` of `peer` until it ends, with TLS where there is an `acceptor`.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    service: Service,
    shutdown: Shutdown,
) {
    // A client that vanished, or does not read, must not hold a connection for ever. Neither of
    // these fails on a connected socket; if one did, the connection would work all the same.
    let unacknowledged = service.limits.unacknowledged.as_millis();
    let unacknowledged = u32::try_from(unacknowledged).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unacknowledged);
    let _ = stream.set_nodelay(true);
    let address = peer.ip().to_canonical();
    match acceptor {
        None => http(stream, Peer { address, secure: false }, service, shutdown).await,
        Some(acceptor) => {
            let greeted = tokio::time::timeout(service.limits.head, acceptor.accept(stream)).await;
            match greeted {
                Ok(Ok(stream)) => {
                    http(stream, Peer { address, secure: true }, service, shutdown).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS came about"),
                Err(_) => tracing::debug!(%peer, "no TLS came about in time"),
            }
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    service: Service,
    mut shutdown: Shutdown,
) {
    let Service { router, limits, secure_port } = service;
    let answer =
        tower::service_fn(move |mut request: axum::http::Request<hyper::body::Incoming>| {
            let router = router.clone();
            async move {
                if !peer.secure && !peer.address.is_loopback() {
                    return Ok(elsewhere(&request.map(axum::body::Body::new), secure_port));
                }
                request.extensions_mut().insert(peer);
                router.oneshot(request).await
            }
        });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(answer))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // Cancel-safe: the connection is polled on below.
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = base::error::chain(&error), "a connection to the API broke off");
    }
}

/// Sends a client that came without encryption to HTTPS.
fn elsewhere(request: &Request, secure_port: Option<u16>) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let target = secure_port.zip(host).and_then(|(port, host)| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        HeaderValue::from_str(&format!("https://{}{port}{path}", host.host())).ok()
    });
    match target {
        Some(target) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]).into_response(),
        None => Failure::of(
            ErrorKind::PermissionDenied,
            "without HTTPS the API answers on the device itself only; switch HTTPS on with \
             `api.tls_listen`",
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn who_comes_without_encryption_is_sent_to_https_with_path_and_query() {
        let request = |host: &str| {
            let request = Request::builder().uri("/api/v1/events?limit=2").header("host", host);
            request.body(Body::empty()).unwrap()
        };
        let sent = |host: &str, port| elsewhere(&request(host), Some(port));
        let to = |host: &str, port| sent(host, port).headers()["location"].clone();
        assert_eq!(to("cam.local:8080", 8443), "https://cam.local:8443/api/v1/events?limit=2");
        assert_eq!(to("192.168.1.20", 443), "https://192.168.1.20/api/v1/events?limit=2");
        assert_eq!(to("[::1]:80", 443), "https://[::1]/api/v1/events?limit=2");
        assert_eq!(sent("cam.local", 443).status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(elsewhere(&request("x"), None).status(), StatusCode::FORBIDDEN);
    }
}
