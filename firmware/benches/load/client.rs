//! One connection to a server, kept open.

use std::io;
use std::net::SocketAddr;

use axum::body::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is asked for, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) server: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    question: Question,
}

impl Connection {
    /// Connects to the server of `question`.
    pub(crate) async fn open(question: Question) -> io::Result<Self> {
        let stream = TcpStream::connect(question.server).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // What goes wrong there is seen by whoever asks.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, question })
    }

    /// Asks; the answer's body comes as it is read.
    pub(crate) async fn begin(&mut self) -> io::Result<Response<Incoming>> {
        let mut request = Request::get(&self.question.path);
        request = request.header(header::HOST, self.question.server.to_string());
        if let Some(token) = &self.question.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::new()).map_err(io::Error::other)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let answer = self.sender.send_request(request).await.map_err(io::Error::other)?;
        if answer.status() == StatusCode::OK {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("{}: {}", self.question.path, answer.status())))
        }
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&mut self) -> io::Result<()> {
        self.begin().await?.into_body().collect().await.map_err(io::Error::other)?;
        Ok(())
    }
}
