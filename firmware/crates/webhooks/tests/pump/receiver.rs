//! A receiver that keeps what it gets and answers as a test says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::event::Event;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// A post as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Got {
    pub(crate) fn event(&self) -> Event {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered to a post, after a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) after: Duration,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self { status, after: Duration::ZERO }
    }
}

type Answers = Arc<Mutex<Box<dyn FnMut(usize) -> Reply + Send>>>;

/// A server; dropping it closes it.
pub(crate) struct Receiver {
    pub(crate) at: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Answers,
    task: JoinHandle<()>,
}

impl Receiver {
    /// One that answers the n-th post, from 0, with `answer`.
    pub(crate) async fn start(answer: impl FnMut(usize) -> Reply + Send + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// The same, at an address where one was before.
    pub(crate) async fn at(
        at: SocketAddr,
        answer: impl FnMut(usize) -> Reply + Send + 'static,
    ) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(at).unwrap();
        let listener = socket.listen(64).unwrap();
        let at = listener.local_addr().unwrap();
        let got = Arc::default();
        let answers: Answers = Arc::new(Mutex::new(Box::new(answer)));
        let task = tokio::spawn(serve(listener, Arc::clone(&got), answers.clone()));
        Self { at, got, answers, task }
    }

    /// Answers so from now on.
    pub(crate) fn answers(&self, answer: impl FnMut(usize) -> Reply + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=1", self.at)
    }

    /// Everything that came so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// `seq` of what it answered with 200, in the order in which it came.
    pub(crate) fn taken(&self) -> Vec<u64> {
        let got = self.got();
        got.iter().filter(|got| got.status == 200).map(|got| got.event().seq).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, got: Arc<Mutex<Vec<Got>>>, answers: Answers) {
    // Ends its connections with itself.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (got, answers) = (Arc::clone(&got), Arc::clone(&answers));
        let service = service_fn(move |request| {
            let (got, answers) = (Arc::clone(&got), Arc::clone(&answers));
            async move { Ok::<_, Infallible>(answer(request, &got, &answers).await) }
        });
        connections.spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A client that has had enough is no fault of ours.
            let _ = served.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    got: &Mutex<Vec<Got>>,
    answers: &Mutex<Box<dyn FnMut(usize) -> Reply + Send>>,
) -> Response<Empty<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let reply = {
        let mut got = got.lock().unwrap();
        let reply = answers.lock().unwrap()(got.len());
        got.push(Got {
            path: head.uri.to_string(),
            headers: headers.collect(),
            body,
            status: reply.status,
        });
        reply
    };
    tokio::time::sleep(reply.after).await;
    let mut response = Response::new(Empty::new());
    *response.status_mut() = reply.status.try_into().unwrap();
    if (300..400).contains(&reply.status) {
        response.headers_mut().insert("location", "http://127.0.0.1:1/".parse().unwrap());
    }
    response
}
