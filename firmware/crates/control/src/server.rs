//! Binds, serves, stops: HTTP/1 with limits on how long a client may take.
//!
//! Plain `axum::serve` has no timer, so a client that sends half a request would hold its
//! connection for ever; therefore connections are served with hyper's own builder.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base::error::{ErrorKind, Kind};
use base::shutdown::Shutdown;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app;
use crate::limits::Limits;
use crate::ports::Ports;
use crate::state::App;

/// Pause after a failed accept: what is missing (file descriptors) comes back with time only.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("the API cannot listen on {address}: {reason}; {way_out}")]
    Bind {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not, in plain words.
        reason: String,
        /// What helps.
        way_out: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Kind for ServeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }
}

impl ServeError {
    fn bind(address: SocketAddr, source: io::Error) -> Self {
        let (reason, first) = match source.kind() {
            io::ErrorKind::AddrInUse => ("another program uses it", "end that program, or choose"),
            io::ErrorKind::AddrNotAvailable => ("it is not an address of this machine", "choose"),
            io::ErrorKind::PermissionDenied => {
                ("ports below 1024 need a permission that this process does not have", "choose")
            }
            _ => ("the system refuses", "choose"),
        };
        let way_out = format!(
            "{first} another address with `api.listen` (EDGECAM__API__LISTEN, or --set api.listen=…)"
        );
        Self::Bind { address, reason: reason.to_owned(), way_out, source }
    }
}

/// The API's server.
#[derive(Debug)]
pub struct ControlServer;

impl ControlServer {
    /// Listens on `address`; serves nothing yet.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, ports: Ports) -> Result<Bound, ServeError> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| ServeError::bind(address, source))?;
        Ok(Bound { listener, ports, limits: Limits::default() })
    }
}

/// A server that listens and is ready to run.
pub struct Bound {
    listener: TcpListener,
    ports: Ports,
    limits: Limits,
}

impl Bound {
    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens; tells the port where port 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`, then lets open requests end for a few seconds.
    pub async fn run(self, mut shutdown: Shutdown) {
        let Self { listener, ports, limits } = self;
        let router = app::router(&App::new(ports, limits, shutdown.clone()));
        let permits = Arc::new(Semaphore::new(limits.connections));
        let mut connections = JoinSet::new();
        loop {
            // Cancel-safe: a connection that was not accepted stays with the system.
            let accepted = tokio::select! {
                accepted = accept(&listener, &permits) => accepted,
                () = shutdown.wait() => break,
            };
            let Some((stream, permit)) = accepted else { break };
            let serving = serve(stream, router.clone(), limits, shutdown.clone());
            connections.spawn(async move {
                serving.await;
                drop(permit);
            });
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(limits.drain, ended).await.is_err() {
            let open = connections.len();
            tracing::warn!(open, "requests did not end in time: cut off");
        }
    }
}

/// The next connection, once there is room for it. `None`: no more, which does not happen.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, permit)),
            Err(error) => {
                tracing::warn!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, limits: Limits, mut shutdown: Shutdown) {
    // A client that vanished, or does not read, must not hold a connection for ever. Neither of
    // these fails on a connected socket; if one did, the connection would work all the same.
    let unacknowledged = u32::try_from(limits.unacknowledged.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unacknowledged);
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
