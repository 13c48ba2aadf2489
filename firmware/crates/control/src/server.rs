//! Binds, accepts, stops: plain HTTP and HTTPS, with limits on how many connections there may be.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::error::{ErrorKind, Kind};
use base::shutdown::Shutdown;
use rustls::crypto::ring::default_provider;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::app;
use crate::certificate::Certificates;
use crate::connection::{self, Service};
use crate::limits::Limits;
use crate::ports::Ports;
use crate::state::App;

/// Pause after a failed accept: what is missing (file descriptors) comes back with time only.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// How often it is looked whether the device's certificate is to be renewed.
const RENEWAL_CHECK: Duration = Duration::from_secs(24 * 3600);

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
    fn bind(setting: &str, address: SocketAddr, source: io::Error) -> Self {
        let (reason, first) = match source.kind() {
            io::ErrorKind::AddrInUse => ("another program uses it", "end that program, or choose"),
            io::ErrorKind::AddrNotAvailable => ("it is not an address of this machine", "choose"),
            io::ErrorKind::PermissionDenied => {
                ("ports below 1024 need a permission that this process does not have", "choose")
            }
            _ => ("the system refuses", "choose"),
        };
        let variable = setting.to_uppercase().replace('.', "__");
        let way_out = format!(
            "{first} another address with `{setting}` (EDGECAM__{variable}, or --set {setting}=…)"
        );
        Self::Bind { address, reason: reason.to_owned(), way_out, source }
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// For plain HTTP.
    pub plain: SocketAddr,
    /// For HTTPS.
    pub secure: Option<SocketAddr>,
}

/// The API's server.
#[derive(Debug)]
pub struct ControlServer;

impl ControlServer {
    /// Listens; serves nothing yet. HTTPS is served with the certificates of `ports`. Requests must
    /// name one of `hosts` (in lower case) or an address. Plain HTTP is served on loopback only; others
    /// are sent on to HTTPS.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn bind(
        listen: Listen,
        hosts: BTreeSet<String>,
        ports: Ports,
    ) -> Result<Bound, ServeError> {
        let plain = bind("api.listen", listen.plain).await?;
        let secure = match (listen.secure, ports.certificates.clone()) {
            (Some(address), Some(certificates)) => {
                let listener = bind("api.tls_listen", address).await?;
                Some((listener, acceptor(certificates)))
            }
            _ => None,
        };
        Ok(Bound { plain, secure, hosts, ports, limits: Limits::default() })
    }
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::bind(setting, address, source))
}

fn acceptor(certificates: Arc<Certificates>) -> TlsAcceptor {
    let builder = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()));
    #[expect(clippy::expect_used, reason = "ring has what TLS 1.2 and 1.3 need")]
    let builder = builder.with_safe_default_protocol_versions().expect("ring's own versions");
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A server that listens and is ready to run.
pub struct Bound {
    plain: TcpListener,
    secure: Option<(TcpListener, TlsAcceptor)>,
    hosts: BTreeSet<String>,
    ports: Ports,
    limits: Limits,
}

impl Bound {
    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens for plain HTTP; tells the port where port 0 was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.plain.local_addr()
    }

    /// Where it listens for HTTPS; `None`: nowhere.
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.secure.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Serves until `shutdown`, then lets open requests end for a few seconds.
    pub async fn run(self, mut shutdown: Shutdown) {
        let secure_port = self.secure_addr().map(|address| address.port());
        let Self { plain, secure, hosts, ports, limits } = self;
        let certificates = ports.certificates.clone();
        let app = App::new(ports, limits, hosts, shutdown.clone());
        let router = app::router(&app);
        let service = Service { router, limits, secure_port };
        let room = Room::new(limits);
        let mut connections = JoinSet::new();
        let mut renewal = tokio::time::interval(RENEWAL_CHECK);
        loop {
            // Cancel-safe: a connection that was not accepted stays with the system, a place that was
            // taken for it is given back.
            let (stream, peer, place, acceptor) = tokio::select! {
                (stream, peer, place) = accept(&plain, &room) => (stream, peer, place, None),
                (stream, peer, place, acceptor) = accept_secure(secure.as_ref(), &room) => {
                    (stream, peer, place, Some(acceptor))
                }
                _ = renewal.tick() => {
                    renew(certificates.as_deref());
                    continue;
                }
                () = shutdown.wait() => break,
            };
            let serving =
                connection::serve(stream, peer, acceptor, service.clone(), shutdown.clone());
            connections.spawn(async move {
                serving.await;
                drop(place);
            });
            while connections.try_join_next().is_some() {}
        }
        drop((plain, secure));
        let sockets = u32::try_from(limits.sockets).unwrap_or(u32::MAX);
        let ended = async {
            while connections.join_next().await.is_some() {}
            // Connections that became WebSockets have tasks of their own. The semaphore is never closed.
            let _ = app.sockets.acquire_many(sockets).await;
        };
        if tokio::time::timeout(limits.drain, ended).await.is_err() {
            let open = connections.len();
            tracing::warn!(open, "requests did not end in time: cut off");
        }
    }
}

fn renew(certificates: Option<&Certificates>) {
    if let Some(certificates) = certificates
        && let Err(error) = certificates.renew_if_due()
    {
        tracing::warn!(error = base::error::chain(&error), "the certificate was not renewed");
    }
}

/// Room for connections: in all, and for each address.
#[derive(Clone)]
struct Room {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most_by_address: usize,
}

/// A connection's place; given back when dropped.
struct Place {
    room: Room,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    fn new(limits: Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            by_address: Arc::default(),
            most_by_address: limits.connections_per_address,
        }
    }

    /// A place for `address`; `None`: it has as many as it may.
    fn place(&self, address: IpAddr, permit: OwnedSemaphorePermit) -> Option<Place> {
        let address = address.to_canonical();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_address.entry(address).or_default();
        if *taken >= self.most_by_address && !address.is_loopback() {
            return None;
        }
        *taken += 1;
        Some(Place { room: self.clone(), address, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.room.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Room) -> (TcpStream, SocketAddr, Place) {
    loop {
        let Ok(permit) = room.all.clone().acquire_owned().await else {
            // The semaphore is never closed.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, peer)) => match room.place(peer.ip(), permit) {
                Some(place) => return (stream, peer, place),
                None => tracing::debug!(%peer, "has as many connections as it may"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection to the API could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn accept_secure(
    secure: Option<&(TcpListener, TlsAcceptor)>,
    room: &Room,
) -> (TcpStream, SocketAddr, Place, TlsAcceptor) {
    let Some((listener, acceptor)) = secure else { return std::future::pending().await };
    let (stream, peer, place) = accept(listener, room).await;
    (stream, peer, place, acceptor.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_a_bounded_number_of_connections_and_gets_its_places_back() {
        let limits = Limits { connections: 10, connections_per_address: 2, ..Limits::default() };
        let room = Room::new(limits);
        let permit = || room.all.clone().try_acquire_owned().unwrap();
        let one = IpAddr::from([10, 0, 0, 1]);
        let first = room.place(one, permit()).unwrap();
        let _second = room.place(one, permit()).unwrap();
        assert!(room.place(one, permit()).is_none());
        assert!(room.place([10, 0, 0, 2].into(), permit()).is_some());
        drop(first);
        assert!(room.place(one, permit()).is_some());
        assert_eq!(room.by_address.lock().unwrap().len(), 1);
    }
}
