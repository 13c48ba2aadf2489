//! A running server and a client that speaks plain HTTP/1 to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::problem::Problem;
use base::shutdown::Stopper;
use edgecam_control::{ControlServer, Limits, Listen};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::fake::Fake;

pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// A running server.
pub(crate) struct Server {
    pub(crate) fake: Arc<Fake>,
    pub(crate) address: SocketAddr,
    pub(crate) stopper: Stopper,
    pub(crate) task: JoinHandle<()>,
    /// What is sent with every request that says nothing else; `None`: nothing.
    pub(crate) token: Option<String>,
}

/// An answer that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem, which must be one of `status` with `code`.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Problem {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((self.status.as_u16(), problem.code.as_str()), (status, code), "{problem:?}");
        assert_eq!(problem.status, status);
        assert_eq!(problem.type_, format!("urn:edgecam:problem:{code}"));
        assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        problem
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let server = Self::unclaimed(limits).await;
        let token = Some(server.fake.owner_token().await);
        Self { token, ..server }
    }

    /// A new device, and nobody signed in.
    pub(crate) async fn unclaimed(limits: Limits) -> Self {
        let fake = Fake::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = Listen { plain: any, secure: None };
        let hosts = ["localhost", "cam.local"].map(str::to_owned).into();
        let bound = ControlServer::bind(listen, hosts, fake.ports()).await.unwrap();
        let bound = bound.with_limits(limits);
        let address = bound.local_addr().unwrap();
        let (stopper, shutdown) = base::shutdown::channel();
        let task = tokio::spawn(bound.run(shutdown));
        Self { fake, address, stopper, task, token: None }
    }

    /// Sends a request; the answer's body is still to come.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(HOST, "localhost");
        }
        let given = |name: &str| headers.iter().any(|(one, _)| one.eq_ignore_ascii_case(name));
        if let Some(token) = &self.token
            && !given("authorization")
            && !given("cookie")
        {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(name.parse::<HeaderName>().unwrap(), *value);
        }
        sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (head, body) = self.send(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn patch(&self, path: &str, patch: &Value) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), MERGE_PATCH)];
        self.ask(Method::PATCH, path, &headers, patch.to_string()).await
    }
}

/// `future`, which must not take longer than a machine under load needs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes in time")
}
