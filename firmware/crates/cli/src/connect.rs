//! A connection to a device: its address, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use discovery::Network;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::error::CliError;
use crate::trust::{Judge, Trust};

/// How long a device may take to answer a knock.
const KNOCK: Duration = Duration::from_secs(5);

/// Bytes to and from a device.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// Connects to the host of `url`.
pub(crate) async fn connect(
    url: &Url,
    trust: &Trust,
    judge: &Arc<Judge>,
) -> Result<Box<dyn Line>, CliError> {
    let failed = |source| CliError::Connect { url: url.to_string(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name is not known");
    for address in addresses(url).await.map_err(failed)? {
        match tokio::time::timeout(KNOCK, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) if url.scheme() == "https" => {
                return secured(url, tcp, trust, judge).await;
            }
            Ok(Ok(tcp)) => return Ok(Box::new(tcp)),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(failed(last))
}

/// Asks the system, and for names of the local network that it does not know the network itself.
async fn addresses(url: &Url) -> io::Result<Vec<SocketAddr>> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match tokio::net::lookup_host((bare.as_str(), port)).await {
        Err(_) if bare.ends_with(".local") => {}
        found => return found.map(Iterator::collect),
    }
    let asked = tokio::task::spawn_blocking(move || {
        discovery::browse(Network::ALL, KNOCK, |found| found.host == bare)
            .map(|found| found.into_iter().find(|found| found.host == bare))
    });
    let found = asked.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
    Ok(found.into_iter().flat_map(|found| found.addresses).map(|ip| (ip, port).into()).collect())
}

async fn secured(
    url: &Url,
    tcp: TcpStream,
    trust: &Trust,
    judge: &Arc<Judge>,
) -> Result<Box<dyn Line>, CliError> {
    let failed = |source| CliError::Connect { url: url.to_string(), source };
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| failed(io::Error::other(error)))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let greeted = tokio::time::timeout(KNOCK, connecting).await;
    match greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(line) => Ok(Box::new(line)),
        Err(source) => match (judge.shown(), trust) {
            (Some(shown), Trust::Only(known)) if !shown.sha256.eq_ignore_ascii_case(known) => {
                Err(CliError::OtherCertificate { url: url.to_string(), shown: shown.sha256 })
            }
            _ => Err(failed(source)),
        },
    }
}
