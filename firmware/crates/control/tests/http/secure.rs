//! HTTPS with the device's own certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::shutdown::Stopper;
use edgecam_control::{Certificates, ControlServer, Limits, Listen};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::soon;
use crate::fake::{Fake, OWNER, PASSWORD};

const SHORT: Duration = Duration::from_millis(300);

struct Secure {
    fake: Arc<Fake>,
    certificates: Arc<Certificates>,
    at: SocketAddr,
    _stopper: Stopper,
}

async fn serve(limits: Limits) -> Secure {
    let fake = Fake::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen { plain: any, secure: Some(any) };
    let ports = fake.ports_with_certificate();
    let certificates = ports.certificates.clone().unwrap();
    let hosts = ["localhost".to_owned()].into();
    let bound = ControlServer::bind(listen, hosts, ports).await.unwrap().with_limits(limits);
    let at = bound.secure_addr().unwrap();
    let (stopper, shutdown) = base::shutdown::channel();
    tokio::spawn(bound.run(shutdown));
    Secure { fake, certificates, at, _stopper: stopper }
}

/// A connection that trusts the certificate in `pem` and no other.
async fn connect(at: SocketAddr, pem: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(at).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(stream: TlsStream<TcpStream>, request: Request<Full<Bytes>>) -> (Response<()>, Bytes) {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = soon(sender.send_request(request)).await.unwrap().into_parts();
    (Response::from_parts(head, ()), body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn the_api_is_served_with_the_devices_certificate_and_the_session_never_leaves_it() {
    let secure = serve(Limits::default()).await;
    secure.fake.owner_token().await;
    let pem = secure.fake.certificate_pem();
    let body = serde_json::json!({ "username": OWNER, "password": PASSWORD }).to_string();
    let login = Request::post("/api/v1/auth/login")
        .header(HOST, "localhost")
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap();
    let stream = soon(connect(secure.at, &pem)).await.unwrap();
    let (head, _) = ask(stream, login).await;
    assert_eq!(head.status(), 200);
    let cookie = head.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-edgecam=") && cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_served_to_new_connections_at_once() {
    let secure = serve(Limits::default()).await;
    let before = secure.fake.certificate_pem();
    secure.certificates.make_own().unwrap();
    assert!(soon(connect(secure.at, &before)).await.is_err());
    soon(connect(secure.at, &secure.fake.certificate_pem())).await.unwrap();
}

#[tokio::test]
async fn who_does_not_speak_tls_does_not_hold_a_connection() {
    let secure = serve(Limits { head: SHORT, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(secure.at).await.unwrap());
    }
    for mut stream in held {
        let mut rest = Vec::new();
        // A reset is a close as well.
        let _ = soon(stream.read_to_end(&mut rest)).await;
    }
}
