//! The client of MediaMTX's control API.
//!
//! One short exchange per question, and every wait has its limit.

use std::net::SocketAddr;
use std::time::Duration;

use config::CameraId;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ControlError;
use crate::exchange;
use crate::secret::{ControlSecret, USER};
use crate::watchers::{Session, Watcher, Way};

/// How long an exchange may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Entries of a list that are asked for at a time.
const PAGE: usize = 500;

/// A client of MediaMTX's control API; cheap to clone.
#[derive(Clone, Debug)]
pub struct ControlClient {
    address: SocketAddr,
    secret: ControlSecret,
}

/// What MediaMTX says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerInfo {
    /// Its version, such as `v1.20.1`.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
}

/// A stream, as MediaMTX sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathState {
    /// Its path: the camera's id.
    pub name: String,
    /// Whether it can be read.
    #[serde(rename = "available")]
    pub ready: bool,
    /// Since when.
    #[serde(rename = "availableTime")]
    pub ready_since: Option<Timestamp>,
    /// Who publishes it.
    pub source: Option<Reader>,
    /// Who reads it.
    #[serde(default)]
    pub readers: Vec<Reader>,
    /// Bytes that came in since its publisher connected.
    #[serde(rename = "inboundBytes")]
    pub bytes_in: u64,
    /// Bytes that went out.
    #[serde(rename = "outboundBytes")]
    pub bytes_out: u64,
}

/// One end of a stream: a reader or its publisher.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reader {
    /// By what it came: `rtspSession`, `webRTCSession`, `hlsSession`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// MediaMTX's id of it.
    pub id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    page_count: usize,
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl ControlClient {
    /// A client of the MediaMTX that was given `secret` ([`crate::render`]).
    pub fn new(address: SocketAddr, secret: ControlSecret) -> Self {
        Self { address, secret }
    }

    /// Whether MediaMTX is up, and which. The health probe: it answers from its main loop.
    ///
    /// # Errors
    /// When it does not answer rightly within 2 s.
    pub async fn info(&self) -> Result<ServerInfo, ControlError> {
        self.get("/v3/info").await
    }

    /// All streams that are there now, with their readers.
    ///
    /// # Errors
    /// When it does not answer rightly within 2 s.
    pub async fn paths(&self) -> Result<Vec<PathState>, ControlError> {
        self.list("/v3/paths/list").await
    }

    /// The stream of one camera; `None` when there is none.
    ///
    /// # Errors
    /// When it does not answer rightly within 2 s.
    pub async fn path(&self, camera: &CameraId) -> Result<Option<PathState>, ControlError> {
        match self.get(&format!("/v3/paths/get/{camera}")).await {
            Ok(path) => Ok(Some(path)),
            Err(ControlError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Names of the paths that are configured.
    ///
    /// # Errors
    /// When it does not answer rightly within 2 s.
    pub async fn configured_paths(&self) -> Result<Vec<String>, ControlError> {
        let paths: Vec<Named> = self.list("/v3/config/paths/list").await?;
        Ok(paths.into_iter().map(|path| path.name).collect())
    }

    /// All who watch now, by any way.
    ///
    /// # Errors
    /// When it does not answer rightly within 2 s.
    pub async fn watchers(&self) -> Result<Vec<Watcher>, ControlError> {
        let mut all = Vec::new();
        for way in Way::ALL {
            let sessions: Vec<Session> = self.list(&format!("/v3/{}/list", way.word())).await?;
            all.extend(sessions.into_iter().filter_map(|session| session.watcher(way)));
        }
        Ok(all)
    }

    /// Ends the session `id` of someone who watches by `way`. One that is gone already is no error.
    ///
    /// # Errors
    /// When MediaMTX does not answer rightly within 2 s.
    pub async fn kick(&self, way: Way, id: &str) -> Result<(), ControlError> {
        match self.ask(Method::POST, &format!("/v3/{}/kick/{id}", way.word())).await {
            Ok(_) | Err(ControlError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ControlError> {
        let mut all = Vec::new();
        let mut number = 0;
        loop {
            let query = format!("{path}?itemsPerPage={PAGE}&page={number}");
            let page: Page<T> = self.get(&query).await?;
            all.extend(page.items);
            number += 1;
            if number >= page.page_count {
                return Ok(all);
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ControlError> {
        let body = self.ask(Method::GET, path).await?;
        let request = || format!("GET {path}");
        serde_json::from_slice(&body)
            .map_err(|source| ControlError::Answer { request: request(), source })
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Bytes, ControlError> {
        let name = format!("{method} {path}");
        let key = format!("Bearer {USER}:{}", self.secret.expose());
        let request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, key);
        let request = request.body(Full::default()).map_err(|error| ControlError::Exchange {
            request: name.clone(),
            source: error.into(),
        })?;
        let (status, _, body) = exchange::ask(self.address, request, LIMIT).await?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(ControlError::refused(name, status, &body))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says `answer` to whoever comes, and a client of it.
    async fn server(answer: &'static str) -> ControlClient {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        ControlClient::new(address, ControlSecret::fixed("x"))
    }

    #[tokio::test]
    async fn answers_that_are_wrong_are_told_apart() {
        let info = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await.info().await;
        assert!(matches!(info, Err(ControlError::Answer { .. })), "{info:?}");
        let info = server("HTTP/1.1 401 No\r\ncontent-length: 4\r\n\r\noops").await.info().await;
        assert!(
            matches!(&info, Err(ControlError::Refused { status: 401, text, .. }) if text == "oops"),
            "{info:?}"
        );
        let info = server("SSH-2.0\r\n").await.info().await;
        assert!(matches!(info, Err(ControlError::Exchange { .. })), "{info:?}");
        let cut = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await.info().await;
        assert!(matches!(cut, Err(ControlError::Exchange { .. })), "{cut:?}");
        let huge = "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n";
        let info = server(huge).await.info().await;
        assert!(matches!(info, Err(ControlError::Exchange { .. })), "{info:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_silent_or_away_costs_no_more_than_the_limit() {
        let silent = server("").await;
        let begun = std::time::Instant::now();
        let info = silent.info().await;
        assert!(matches!(info, Err(ControlError::TimedOut { .. })), "{info:?}");
        assert!(begun.elapsed() < LIMIT * 2);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let info = ControlClient::new(free, ControlSecret::fixed("x")).info().await;
        assert!(matches!(info, Err(ControlError::Connect { .. })), "{info:?}");
    }

    #[test]
    fn a_stream_is_read_from_what_mediamtx_says() {
        let text = r#"{"name":"a","confName":"a","available":true,"online":true,
            "availableTime":"2026-01-31T12:00:00.5+01:00","source":{"type":"rtspSession","id":"1"},
            "readers":[{"type":"hlsSession","id":"2"}],"inboundBytes":7,"outboundBytes":8,"new":1}"#;
        let path: PathState = serde_json::from_str(text).unwrap();
        assert!(path.ready && path.bytes_in == 7 && path.bytes_out == 8);
        assert_eq!(path.ready_since.unwrap().to_string(), "2026-01-31T11:00:00.5Z");
        assert_eq!(
            (path.readers[0].kind.as_str(), path.source.unwrap().id),
            ("hlsSession", "1".into())
        );
    }
}
