//! TLS with a private authority and client certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::MqttConfig;
use config::model::Broker as Address;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::broker::Broker;
use crate::outbox::MemoryOutbox;
use crate::support::{Running, config, front, tuning};

pub(crate) const LINES: &str = "allow_anonymous true\ncafile DIR/ca.pem\ncertfile DIR/server.pem\n\
                     keyfile DIR/server.key\nrequire_certificate true\n";

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An authority, and certificates of it for a server and a client.
pub(crate) fn make_certificates(dir: &Path) {
    let mut authority = named("Test authority", &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    for (name, hosts) in [("server", ["localhost", "127.0.0.1"].as_slice()), ("client", &[])] {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name, hosts).signed_by(&key, &authority).unwrap();
        std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

pub(crate) fn secure(broker: &Broker, certificates: &Path) -> MqttConfig {
    let url = format!("mqtts://localhost:{}", broker.address().port());
    let path = |name: &str| -> PathBuf { certificates.join(name) };
    MqttConfig {
        broker: Address::Remote(url.parse().unwrap()),
        ca_file: Some(path("ca.pem")),
        client_cert: Some((path("client.pem"), path("client.key"))),
        ..config(broker.address())
    }
}

#[tokio::test]
async fn a_private_authority_and_a_client_certificate_make_a_session() {
    let broker = Broker::with(LINES, make_certificates);
    let outbox = Arc::new(MemoryOutbox::new());
    outbox.append(20);
    let config = secure(&broker, broker.dir());
    let session = Running::with(config, tuning(), vec![front()], outbox);
    session.until(|status| status.is_connected() && status.pending == 0).await;
    session.stop().await;
}

async fn alarm(config: MqttConfig) -> String {
    let outbox = Arc::new(MemoryOutbox::new());
    let session = Running::with(config, tuning(), vec![front()], outbox);
    let status = session.until(|status| status.alarm().is_some()).await;
    session.stop().await;
    status.alarm().unwrap().to_owned()
}

#[tokio::test]
async fn what_does_not_fit_is_an_alarm_that_says_what() {
    let broker = Broker::with(LINES, make_certificates);
    let fitting = secure(&broker, broker.dir());

    let without = alarm(MqttConfig { client_cert: None, ..fitting.clone() }).await;
    assert!(without.contains("ertificate"), "{without}");

    let other = tempfile::tempdir().unwrap();
    make_certificates(other.path());
    let strange =
        alarm(MqttConfig { ca_file: Some(other.path().join("ca.pem")), ..fitting.clone() });
    let strange = strange.await;
    assert!(strange.contains("certificate"), "{strange}");

    let absent = other.path().join("absent.pem");
    let absent = alarm(MqttConfig { ca_file: Some(absent), ..fitting.clone() }).await;
    assert!(absent.contains("absent.pem"), "{absent}");

    let url = format!("mqtts://127.0.0.2:{}", broker.address().port());
    let wrong_name = Address::Remote(url.parse().unwrap());
    let wrong_name = alarm(MqttConfig { broker: wrong_name, ..fitting }).await;
    assert!(wrong_name.contains("127.0.0.2"), "{wrong_name}");
}
