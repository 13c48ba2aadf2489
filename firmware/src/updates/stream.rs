//! The way of RAUC to a bundle that lies elsewhere: an address of this device, of which it asks part after
//! part; each comes over the guarded way out. So RAUC itself never goes anywhere, and what its signature
//! covers is checked block by block as it is read.
//!
//! RAUC asks first for the bytes 0-3, for the length of the whole, and then for the blocks that neither
//! slot has (`adaptive=block-hash-index`). It waits for an answer without a limit, and the kernel's block
//! device 300 s (RAUC 1.13, `nbd.c`).

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use api::updates::UpdateCode as Code;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_RANGE, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ota::state::Reason;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::remote::{MOST_AT_ONCE, Miss, Parts};

/// Parts that are fetched at a time.
const AT_ONCE: usize = 4;

/// A bundle as long as RAUC reads it; dropped, it is there no more.
pub(super) struct Stream {
    location: String,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    path: String,
    parts: Parts,
    turns: Semaphore,
    /// Bytes that came over the network, of all streams of an update.
    transferred: Arc<AtomicU64>,
    /// Why the last part did not come, when it did not.
    trouble: Mutex<Option<Miss>>,
}

impl Stream {
    /// Offers `parts` to this machine; what comes of them is added to `transferred`.
    ///
    /// # Errors
    /// When no port is to be had.
    pub(super) async fn open(parts: Parts, transferred: Arc<AtomicU64>) -> Result<Self, Reason> {
        let unheard = |error: std::io::Error| {
            Reason::new(Code::InstallFailed, format!("RAUC cannot be offered a bundle: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unheard)?;
        let port = listener.local_addr().map_err(unheard)?.port();
        // Another program of this machine does not find it.
        let path = format!("/{}/bundle.raucb", ulid::Ulid::generate());
        let location = format!("http://127.0.0.1:{port}{path}");
        let shared = Arc::new(Shared {
            path,
            parts,
            turns: Semaphore::new(AT_ONCE),
            transferred,
            trouble: Mutex::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, shared.clone()));
        Ok(Self { location, shared, _server: server })
    }

    /// Where RAUC finds it.
    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// The length of the whole in bytes.
    pub(super) fn size(&self) -> u64 {
        self.shared.parts.size()
    }

    /// Why the last part did not come, when it did not.
    pub(super) fn trouble(&self) -> Option<Miss> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.parts.stop();
    }
}

/// Answers whoever comes, until it is dropped.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut lines = JoinSet::new();
    loop {
        // Cancel-safe: who is not accepted here stays in the queue.
        tokio::select! {
            come = listener.accept() => match come {
                Ok((line, _)) => drop(lines.spawn(answer(line, shared.clone()))),
                Err(error) => {
                    tracing::error!(%error, "RAUC cannot read a bundle through this device");
                    return;
                }
            },
            Some(_) = lines.join_next() => {}
        }
    }
}

async fn answer(line: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(part(&shared, &request).await) }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(line), service).await {
        tracing::debug!(%error, "RAUC left in the middle of an answer");
    }
}

async fn part(shared: &Arc<Shared>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != shared.path {
        return said(StatusCode::NOT_FOUND, None, Bytes::new());
    }
    let size = shared.parts.size();
    let asked = request.headers().get(RANGE).and_then(|value| wanted(value.to_str().ok()?, size));
    let Some(asked) = asked else {
        let whole = format!("bytes */{size}");
        return said(StatusCode::RANGE_NOT_SATISFIABLE, Some(whole), Bytes::new());
    };
    // It is closed by nobody.
    let _turn = shared.turns.acquire().await;
    let range = format!("bytes {}-{}/{size}", asked.start(), asked.end());
    let reading = shared.clone();
    let read = tokio::task::spawn_blocking(move || reading.parts.read(&asked)).await;
    let read = read.unwrap_or_else(|error| Err(Miss::ForNow(error.to_string())));
    // What came after all is no trouble any more: RAUC asks again.
    *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = read.as_ref().err().cloned();
    match read {
        Ok(bytes) => {
            shared.transferred.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            said(StatusCode::PARTIAL_CONTENT, Some(range), bytes.into())
        }
        Err(why) => {
            tracing::warn!(?why, "a part of an update does not come");
            said(StatusCode::SERVICE_UNAVAILABLE, None, Bytes::new())
        }
    }
}

fn said(status: StatusCode, range: Option<String>, bytes: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(bytes));
    *answer.status_mut() = status;
    if let Some(range) = range.and_then(|range| range.parse().ok()) {
        answer.headers_mut().insert(CONTENT_RANGE, range);
    }
    answer
}

/// The one part that `text` (`bytes=0-3`) asks for of a file of `size` bytes; `None`: it asks for none that
/// is to be had.
fn wanted(text: &str, size: u64) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let last = last.min(size.checked_sub(1)?);
    (first <= last && last - first < MOST_AT_ONCE).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use egress::{Egress, Reach};
    use ota::state::Remote;

    use super::*;

    /// A server of one file that changes, with ranges; `None`: it has no time.
    async fn server(file: Arc<Mutex<Option<&'static str>>>) -> (String, JoinSet<()>) {
        let answer = move |request: Request<Body>| {
            let text = *file.lock().unwrap();
            async move {
                let Some(text) = text else { return StatusCode::BAD_GATEWAY.into_response() };
                let range = request.headers().get(RANGE).unwrap().to_str().unwrap();
                let range = wanted(range, text.len() as u64).unwrap();
                let said = format!("bytes {}-{}/{}", range.start(), range.end(), text.len());
                let (first, last) = (*range.start() as usize, *range.end() as usize);
                let head = [(CONTENT_RANGE, said), (hyper::header::ETAG, format!("{text:?}"))];
                (StatusCode::PARTIAL_CONTENT, head, &text[first..=last]).into_response()
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/b", listener.local_addr().unwrap());
        let app = Router::new().route("/b", get(answer));
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, app).await.unwrap() });
        (url, running)
    }

    /// What RAUC sees of `text` at the server.
    async fn stream(url: &str, text: &str, patience: Duration) -> (Stream, Arc<AtomicU64>) {
        let there = Remote { size: text.len() as u64, validator: format!("{text:?}") };
        // The server is on this machine.
        let parts = Parts::new(Egress::new(Reach::Anywhere), url, there, patience);
        let transferred: Arc<AtomicU64> = Arc::default();
        (Stream::open(parts, transferred.clone()).await.unwrap(), transferred)
    }

    /// Asks as RAUC does.
    async fn ask(stream: &Stream, range: &str) -> (u16, String, String) {
        let (at, range) = (stream.location().to_owned(), range.to_owned());
        let asked = move || {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).build();
            let agent: ureq::Agent = agent.into();
            let mut answer = agent.get(at).header("Range", range).call().unwrap();
            let said = answer.headers().get(CONTENT_RANGE);
            let said = said.map(|said| said.to_str().unwrap().to_owned()).unwrap_or_default();
            (answer.status().as_u16(), said, answer.body_mut().read_to_string().unwrap())
        };
        tokio::task::spawn_blocking(asked).await.unwrap()
    }

    #[tokio::test]
    async fn rauc_gets_the_parts_that_it_asks_for_and_only_these_come_over_the_network() {
        let file = Arc::new(Mutex::new(Some("hsqs-the-rest")));
        let (url, _server) = server(file).await;
        let (stream, transferred) = stream(&url, "hsqs-the-rest", Duration::ZERO).await;
        let first = ask(&stream, "bytes=0-3").await;
        assert_eq!(first, (206, "bytes 0-3/13".to_owned(), "hsqs".to_owned()));
        let end = ask(&stream, "bytes=9-4095").await;
        assert_eq!(end, (206, "bytes 9-12/13".to_owned(), "rest".to_owned()));
        assert_eq!(transferred.load(Ordering::Relaxed), 8);
        for odd in ["bytes=13-20", "bytes=-4", "bytes=4-2", "bytes=0-3,5-6", "lines=1-2"] {
            assert_eq!(ask(&stream, odd).await.0, 416, "{odd}");
        }
        assert_eq!(stream.trouble(), None);
    }

    #[tokio::test]
    async fn a_server_that_has_no_time_is_asked_again_and_rauc_notices_nothing() {
        let file = Arc::new(Mutex::new(None));
        let (url, _server) = server(file.clone()).await;
        // RAUC may have asked for nothing for longer than its patience: that is no failure of the server's.
        let (stream, _) = stream(&url, "hsqs", Duration::from_millis(1)).await;
        let back = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            *file.lock().unwrap() = Some("hsqs");
        };
        let (answer, ()) = tokio::join!(ask(&stream, "bytes=0-3"), back);
        assert_eq!((answer.0, answer.2.as_str()), (206, "hsqs"));
    }

    #[tokio::test]
    async fn a_server_that_stays_away_is_named_and_so_is_a_file_that_changes() {
        let file = Arc::new(Mutex::new(None));
        let (url, _server) = server(file.clone()).await;
        let (stream, transferred) = stream(&url, "hsqs", Duration::ZERO).await;
        assert_eq!(ask(&stream, "bytes=0-3").await.0, 503);
        let Some(Miss::ForNow(trouble)) = stream.trouble() else { panic!("it may come back") };
        assert!(trouble.contains("127.0.0.1 answers with status 502"), "{trouble}");
        // As long as the one before, but another.
        *file.lock().unwrap() = Some("HSQS");
        assert_eq!(ask(&stream, "bytes=0-3").await.0, 503);
        let Some(Miss::ForGood(trouble)) = stream.trouble() else { panic!("it is gone") };
        assert!(trouble.contains("is not the one any more that was begun with"), "{trouble}");
        assert_eq!(transferred.load(Ordering::Relaxed), 0);
        // What comes in the end is no trouble any more.
        *file.lock().unwrap() = Some("hsqs");
        assert_eq!((ask(&stream, "bytes=0-3").await.0, stream.trouble()), (206, None));
    }
}
