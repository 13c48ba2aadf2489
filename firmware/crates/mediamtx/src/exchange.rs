//! One HTTP/1.1 exchange with MediaMTX over a new loopback connection.
//!
//! By hyper, which is in the program already as the ground of the REST API: no connection pool, no TLS.
//! (ureq would block a thread per question and cannot be given up in between; reqwest brings a pool and
//! TLS that are of no use here.)

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::Connection;
use hyper::{HeaderMap, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::ControlError;

/// The largest answer that is read whole, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    headers: HeaderMap,
    /// Its body.
    pub(crate) body: ReplyBody,
}

/// A connection of ours; it moves its bytes while it is polled.
type Driven = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A body as it comes. The connection is driven by whoever reads, and ends with it: there is no task.
#[derive(Debug)]
pub struct ReplyBody {
    connection: Option<Pin<Box<Driven>>>,
    incoming: Incoming,
}

/// Sends `request` to MediaMTX at `address`; the head of the answer must come within `limit`.
pub(crate) async fn send(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<Reply, ControlError> {
    let name = name_of(&request);
    match timeout(limit, begin(address, request, &name)).await {
        Ok(reply) => reply,
        Err(_) => Err(ControlError::TimedOut { request: name, limit }),
    }
}

/// The same; the body, too, must have come within `limit`.
pub(crate) async fn ask(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<(u16, HeaderMap, Bytes), ControlError> {
    let name = name_of(&request);
    let exchange = async {
        let Reply { status, headers, body } = begin(address, request, &name).await?;
        let body = body.whole().await.map_err(|source| broken(&name, source))?;
        Ok((status, headers, body))
    };
    match timeout(limit, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(ControlError::TimedOut { request: name.clone(), limit }),
    }
}

/// Method and path: a query may hold secrets.
fn name_of(request: &Request<Full<Bytes>>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

fn broken(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ControlError {
    ControlError::Exchange { request: name.to_owned(), source: source.into() }
}

async fn begin(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
    name: &str,
) -> Result<Reply, ControlError> {
    let connect = TcpStream::connect(address).await;
    let stream = connect.map_err(|source| ControlError::Connect { address, source })?;
    let host = header::HeaderValue::from_str(&address.to_string());
    request.headers_mut().insert(header::HOST, host.map_err(|error| broken(name, error))?);
    let close = header::HeaderValue::from_static("close");
    request.headers_mut().insert(header::CONNECTION, close);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(name, error))?;
    let mut connection = Some(Box::pin(connection));
    let answer = drive(&mut connection, sender.send_request(request)).await;
    let (head, incoming) = answer.map_err(|error| broken(name, error))?.into_parts();
    let body = ReplyBody { connection, incoming };
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}

/// Completes `answer` while `connection` moves its bytes.
async fn drive<T, C: Future + Unpin>(
    connection: &mut Option<C>,
    answer: impl Future<Output = T>,
) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Some(moving) = connection {
        tokio::select! {
            // The answer first: the connection may end in the same moment.
            biased;
            answer = &mut answer => return answer,
            // All bytes are there, or none come any more: the answer knows which.
            _ = moving => {}
        }
    }
    *connection = None;
    answer.await
}

impl ReplyBody {
    async fn whole(self) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
        let Self { mut connection, incoming } = self;
        let body = drive(&mut connection, Limited::new(incoming, MAX_ANSWER).collect()).await?;
        Ok(body.to_bytes())
    }
}

impl Stream for ReplyBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            // What it read is in the body still, and the body knows whether that is all.
            self.connection = None;
        }
        loop {
            return match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    // Trailers are of no use here.
                    Err(_) => continue,
                },
                Some(Err(error)) => Poll::Ready(Some(Err(io::Error::other(error)))),
                None => Poll::Ready(None),
            };
        }
    }
}
