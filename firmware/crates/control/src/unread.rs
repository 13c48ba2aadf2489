//! What a handler left of a request's body.
//!
//! HTTP/1 has the next request right behind the body, so a body that nobody read is in its way. What is
//! left of a small one is read, and the client can go on with its connection; a large one costs the
//! connection, and the answer says so. Left to itself hyper closes the connection unannounced, unless the
//! body has come already: a client that goes on with it finds it dead.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// Bytes that are read of what is left, and how long they may take.
const MOST: usize = 64 * 1024;
const WITHIN: Duration = Duration::from_secs(1);

/// Reads what is left of `request`'s body when it is answered, or has its connection closed.
pub(crate) async fn read(request: Request, next: Next) -> Response {
    let (give_back, mut left) = oneshot::channel();
    let lend = |body| Body::new(Lent { body, ended: false, give_back: Some(give_back) });
    let mut response = next.run(request.map(lend)).await;
    // Who still reads at this time goes on reading.
    let Ok(left) = left.try_recv() else { return response };
    if !is_read(left).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn is_read(left: Body) -> bool {
    let small = HttpBody::size_hint(&left).lower() <= MOST as u64;
    small && matches!(tokio::time::timeout(WITHIN, to_bytes(left, MOST)).await, Ok(Ok(_)))
}

/// A body that gives itself back when its reader has had enough of it.
struct Lent {
    body: Body,
    ended: bool,
    give_back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take()
            && !self.ended
            && !self.body.is_end_stream()
        {
            // Nobody waits for it when the answer is on its way already.
            let _ = give_back.send(std::mem::take(&mut self.body));
        }
    }
}
