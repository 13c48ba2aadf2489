//! The auth hook: MediaMTX asks here, for everyone who comes to it, whether they may. Must not decide:
//! that is for the [`Doorkeeper`].
//!
//! A listener of its own, on loopback and a port that the system chooses, so that a full REST API never
//! keeps a camera from publishing. Who asks must know the secret of this start, which stands in
//! MediaMTX's file (0600) and nowhere else: as name and password of the hook's address, because
//! MediaMTX leaves those out of what it logs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::shutdown::Shutdown;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::secret::{ControlSecret, USER, is_same};

/// Longest question, in bytes.
const MAX_QUESTION: usize = 128 * 1024;
/// A question must have come whole within this time.
const ASKED_WITHIN: Duration = Duration::from_secs(5);
/// Questions at a time; more wait.
const AT_A_TIME: usize = 64;
/// Pause after a failed accept: what is missing (file descriptors) comes back with time only.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What someone wants of MediaMTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To publish a stream.
    Publish,
    /// To read a stream.
    Read,
    /// To use the control API.
    Api,
    /// Anything else: nobody may.
    #[serde(other)]
    Other,
}

/// By what someone came to MediaMTX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// RTSP.
    Rtsp,
    /// RTMP.
    Rtmp,
    /// WebRTC.
    #[serde(rename = "webrtc")]
    WebRtc,
    /// HLS.
    Hls,
    /// Another one, or none.
    #[default]
    #[serde(other)]
    Other,
}

/// MediaMTX's question whether someone may.
#[derive(Clone, Deserialize)]
pub struct Question {
    /// What they want.
    pub action: Action,
    /// Of which path: a camera's id.
    #[serde(default)]
    pub path: String,
    /// By what they came.
    #[serde(default)]
    pub protocol: Protocol,
    /// From where: the other end of the connection, or for WebRTC and HLS what the proxy on this
    /// machine says.
    #[serde(default, deserialize_with = "address")]
    pub ip: Option<IpAddr>,
    /// The name that they gave, or nothing.
    #[serde(default)]
    pub user: String,
    /// The password that they gave, or nothing.
    #[serde(default)]
    pub password: String,
    /// The token that they gave as such, as the password or in the query of RTSP and RTMP; or nothing.
    #[serde(default)]
    pub token: String,
    /// MediaMTX's id of the session that is to begin; `None` where there is none.
    #[serde(default)]
    pub id: Option<String>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without what was given to be let in.
        f.debug_struct("Question")
            .field("action", &self.action)
            .field("path", &self.path)
            .field("protocol", &self.protocol)
            .field("ip", &self.ip)
            .finish_non_exhaustive()
    }
}

fn address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| text.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical()))
}

/// Who decides.
pub trait Doorkeeper: Send + Sync + 'static {
    /// Whether they may.
    fn may(&self, question: Question) -> BoxFuture<'_, bool>;
}

/// The hook, listening; nobody answers yet.
#[derive(Debug)]
pub struct Hook {
    listener: TcpListener,
    address: SocketAddr,
    secret: ControlSecret,
}

impl Hook {
    /// Listens, for who knows `secret`.
    ///
    /// # Errors
    /// When the system has no port to give on loopback.
    pub async fn bind(secret: ControlSecret) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, secret })
    }

    /// What MediaMTX is to ask.
    pub fn address(&self) -> HookAddress {
        HookAddress(format!("http://{USER}:{}@{}/", self.secret.expose(), self.address))
    }

    /// Answers with what `keeper` decides, until the stop.
    pub async fn run(self, keeper: Arc<dyn Doorkeeper>, mut shutdown: Shutdown) {
        let key = Arc::<str>::from(self.secret.basic());
        let mut asking = JoinSet::new();
        loop {
            // Cancel-safe: a connection that was not accepted stays with the system.
            tokio::select! {
                accepted = self.listener.accept(), if asking.len() < AT_A_TIME => match accepted {
                    Ok((stream, _)) => {
                        asking.spawn(serve(stream, keeper.clone(), key.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a question of MediaMTX could not be accepted");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                },
                Some(_) = asking.join_next() => {}
                () = shutdown.wait() => return,
            }
        }
    }
}

/// Where the hook is, with what it takes to be heard there.
#[derive(Clone)]
pub struct HookAddress(String);

impl HookAddress {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn fixed(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for HookAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookAddress(…)")
    }
}

async fn serve(stream: TcpStream, keeper: Arc<dyn Doorkeeper>, key: Arc<str>) {
    let answer = service_fn(|request| {
        let (keeper, key) = (keeper.clone(), key.clone());
        async move {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = decide(request, &*keeper, &key).await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // MediaMTX asks one question by a connection.
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKED_WITHIN)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(error = base::error::chain(&error), "a question of MediaMTX broke off");
    }
}

/// The status that says yes or no; MediaMTX asks for nothing else.
async fn decide(request: Request<Incoming>, keeper: &dyn Doorkeeper, key: &str) -> StatusCode {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !given.is_some_and(|given| is_same(given, key)) {
        tracing::warn!("someone who is not MediaMTX asked its auth hook");
        return StatusCode::FORBIDDEN;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let body = Limited::new(request.into_body(), MAX_QUESTION).collect();
    let Ok(Ok(body)) = tokio::time::timeout(ASKED_WITHIN, body).await else {
        return StatusCode::BAD_REQUEST;
    };
    match serde_json::from_slice::<Question>(&body.to_bytes()) {
        Ok(question) => match keeper.may(question).await {
            true => StatusCode::NO_CONTENT,
            false => StatusCode::UNAUTHORIZED,
        },
        Err(error) => {
            tracing::warn!(%error, "MediaMTX asked something that is not understood");
            StatusCode::BAD_REQUEST
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::Full;

    use super::*;
    use crate::exchange;

    /// Lets those read whose password is `right`.
    struct Strict;

    impl Doorkeeper for Strict {
        fn may(&self, question: Question) -> BoxFuture<'_, bool> {
            let right = question.action == Action::Read && question.password == "right";
            async move { right }.boxed()
        }
    }

    async fn ask(hook: SocketAddr, key: &str, method: Method, body: &str) -> u16 {
        let request = Request::builder().method(method).uri("/").header("authorization", key);
        let request = request.body(Full::from(body.to_owned())).unwrap();
        exchange::ask(hook, request, ASKED_WITHIN).await.unwrap().0
    }

    #[tokio::test]
    async fn who_knows_the_secret_is_told_what_the_doorkeeper_says_and_nobody_else_anything() {
        let secret = ControlSecret::fixed("s3cret");
        let key = secret.basic();
        let hook = Hook::bind(secret).await.unwrap();
        let at = hook.address;
        assert!(at.ip().is_loopback());
        let (stopper, shutdown) = base::shutdown::channel();
        let running = tokio::spawn(hook.run(Arc::new(Strict), shutdown));
        let question = |password: &str| {
            format!(
                r#"{{"ip":"::ffff:10.0.0.7","user":"u","password":"{password}","token":"","action":"read",
                "path":"cam","protocol":"rtsp","id":null,"query":"","userAgent":"x"}}"#
            )
        };
        assert_eq!(ask(at, &key, Method::POST, &question("right")).await, 204);
        assert_eq!(ask(at, &key, Method::POST, &question("wrong")).await, 401);
        let other = ControlSecret::fixed("s3creT").basic();
        for stranger in ["", "Basic", &other] {
            assert_eq!(ask(at, stranger, Method::POST, &question("right")).await, 403);
        }
        assert_eq!(ask(at, &key, Method::GET, "").await, 405);
        for odd in ["", "[]", "{}", r#"{"action":7}"#] {
            assert_eq!(ask(at, &key, Method::POST, odd).await, 400, "{odd}");
        }
        let long = "x".repeat(MAX_QUESTION + 1);
        assert_eq!(ask(at, &key, Method::POST, &long).await, 400);
        stopper.stop();
        running.await.unwrap();
    }

    #[test]
    fn a_question_is_read_as_mediamtx_writes_it_and_shows_no_secret() {
        let text = r#"{"ip":"::ffff:10.0.0.7","user":"u","password":"pw","token":"tk","action":"read",
            "path":"cam","protocol":"webrtc","id":"6c0e","query":"token=tk","userAgent":"x"}"#;
        let question: Question = serde_json::from_str(text).unwrap();
        assert_eq!(question.protocol, Protocol::WebRtc);
        assert_eq!(question.ip, Some([10, 0, 0, 7].into()));
        let shown = format!("{question:?}");
        assert!(!shown.contains("pw") && !shown.contains("tk"), "{shown}");
        let other = r#"{"action":"pprof","ip":"","protocol":""}"#;
        let question: Question = serde_json::from_str(other).unwrap();
        assert_eq!((question.action, question.ip), (Action::Other, None));
        assert_eq!(question.protocol, Protocol::Other);
    }
}
