//! Address, credentials, TLS and last will of a connection. Certificates are read for each
//! connection, so that renewed ones are taken up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::MqttConfig;
use config::model::Broker;
use rumqttc::{ConnectReturnCode, ConnectionError, LastWill, MqttOptions, QoS, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::MqttError;
use crate::topics::{OFFLINE, Topics};
use crate::window::PACKET_IDS;

/// Largest packet that is sent or taken, topic included. rumqttc checks it only after a packet is
/// in its queue, where it would break every connection from then on: nothing larger is queued.
pub(crate) const MAX_PACKET: usize = 1024 * 1024;

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
    tls: bool,
}

impl Address {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// # Errors
    /// When the URL is not one of a broker.
    pub(crate) fn of(broker: &Broker) -> Result<Self, MqttError> {
        let url = match broker {
            Broker::Supervised(address) => {
                let host = match address.ip() {
                    // Where a server listens on all addresses, a client finds it on loopback.
                    ip if ip.is_unspecified() && ip.is_ipv6() => "::1".to_owned(),
                    ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
                    ip => ip.to_string(),
                };
                return Ok(Self { host, port: address.port(), tls: false });
            }
            Broker::Remote(url) => url,
        };
        let (tls, default_port) = match url.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            _ => return Err(MqttError::Address(shown(url))),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| MqttError::Address(shown(url)))?;
        // An IPv6 address stands in brackets in a URL and nowhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port().unwrap_or(default_port), tls })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A URL without what may be a secret in it.
fn shown(url: &url::Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

/// The options of one connection.
///
/// # Errors
/// When a certificate or key cannot be read or used.
pub(crate) fn options(
    config: &MqttConfig,
    address: &Address,
    topics: &Topics,
) -> Result<MqttOptions, MqttError> {
    let mut options = plain_options(config, address, format!("edgecam-{}", topics.node()))?;
    options.set_inflight(PACKET_IDS).set_last_will(LastWill::new(
        topics.availability(),
        OFFLINE,
        QoS::AtLeastOnce,
        true,
    ));
    Ok(options)
}

/// Those of any client of ours.
///
/// # Errors
/// As [`options`].
pub(crate) fn plain_options(
    config: &MqttConfig,
    address: &Address,
    client_id: String,
) -> Result<MqttOptions, MqttError> {
    let mut options = MqttOptions::new(client_id, address.host.clone(), address.port);
    options
        // rumqttc panics below a second.
        .set_keep_alive(config.keep_alive.max(Duration::from_secs(1)))
        .set_clean_session(true)
        .set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some((user, password)) = &config.credentials {
        options.set_credentials(user, password);
    }
    if address.tls {
        options.set_transport(Transport::tls_with_config(tls(config)?.into()));
    }
    Ok(options)
}

/// # Errors
/// As [`options`].
pub(crate) fn tls(config: &MqttConfig) -> Result<ClientConfig, MqttError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(MqttError::Tls)?
        .with_root_certificates(roots(config.ca_file.as_deref())?);
    let Some((cert_file, key_file)) = &config.client_cert else {
        return Ok(builder.with_no_client_auth());
    };
    let certs = certificates("the client certificate", cert_file)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|source| MqttError::ReadPem {
        what: "the key of the client certificate",
        path: key_file.clone(),
        source,
    })?;
    builder.with_client_auth_cert(certs, key).map_err(MqttError::Tls)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, MqttError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in certificates("the broker's certificate authority", path)? {
            roots.add(certificate).map_err(MqttError::Tls)?;
        }
        return Ok(roots);
    }
    // A system's store often has a few that cannot be used; the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(MqttError::NoSystemRoots) } else { Ok(roots) }
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, MqttError> {
    let fail = |source| MqttError::ReadPem { what, path: path.into(), source };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(fail)?
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    if certificates.is_empty() {
        return Err(MqttError::NoCertificate { path: path.into() });
    }
    Ok(certificates)
}

/// Our words for rumqttc's failures.
pub(crate) fn explain(cause: ConnectionError, address: &Address) -> MqttError {
    match cause {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                MqttError::Refused
            }
            ConnectReturnCode::BadClientId => MqttError::RefusedOtherwise("client id"),
            ConnectReturnCode::RefusedProtocolVersion => {
                MqttError::RefusedOtherwise("it does not speak MQTT 3.1.1")
            }
            ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
                MqttError::RefusedOtherwise("not available")
            }
        },
        cause => MqttError::Connection { address: address.to_string(), cause: Box::new(cause) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<String, String> {
        let broker = Broker::Remote(url::Url::parse(url).unwrap());
        Address::of(&broker).map(|address| address.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn ports_are_those_of_the_scheme_unless_given() {
        assert_eq!(address("mqtt://broker.lan").unwrap(), "broker.lan:1883");
        assert_eq!(address("mqtts://broker.lan").unwrap(), "broker.lan:8883");
        assert_eq!(address("mqtt://[fd00::1]:1884").unwrap(), "fd00::1:1884");
    }

    #[test]
    fn another_scheme_is_refused_without_showing_its_secrets() {
        let error = address("https://user:pa55@broker.lan").unwrap_err();
        assert!(error.contains("https://broker.lan") && !error.contains("pa55"), "{error}");
    }

    #[test]
    fn a_supervised_broker_on_all_addresses_is_found_on_loopback() {
        let broker = Broker::Supervised("0.0.0.0:1883".parse().unwrap());
        assert_eq!(Address::of(&broker).unwrap().to_string(), "127.0.0.1:1883");
    }

    #[test]
    fn a_certificate_that_is_not_there_is_named() {
        let error = certificates("the client certificate", Path::new("/no/such.pem")).unwrap_err();
        assert!(error.to_string().contains("/no/such.pem"));
    }
}
