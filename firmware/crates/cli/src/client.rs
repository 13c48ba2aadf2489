//! Requests to a device and its answers.

use std::sync::Arc;

use api::problem::Problem;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::connect::connect;
use crate::error::CliError;
use crate::trust::{Judge, Shown, Trust};

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody in particular.
    Nobody,
    /// Who holds this token.
    Token(String),
    /// Name and password, as the value of an `Authorization` header.
    Password(String),
}

/// A device to talk to.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) url: Url,
    caller: Caller,
    trust: Trust,
    judge: Arc<Judge>,
}

impl Client {
    pub(crate) fn new(url: Url, caller: Caller, trust: Trust) -> Self {
        let judge = Judge::new(trust.clone());
        Self { url, caller, trust, judge }
    }

    /// The same device, as somebody else.
    pub(crate) fn called_by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// The certificate that it showed.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.judge.shown()
    }

    /// `GET path`, where `path` is below `/api/v1`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask(Method::GET, path, None).await
    }

    /// Asks, and answers with the JSON that came; null where none did.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let patch = method == Method::PATCH;
        let kind = if patch { "application/merge-patch+json" } else { "application/json" };
        let body = body.map(|body| (kind, Bytes::from(body.to_string())));
        let answer = self.send(method, path, body, &[]).await?;
        self.json(answer).await
    }

    /// `POST path` with the parts of a form (RFC 7578), each a name and its content.
    pub(crate) async fn upload(
        &self,
        path: &str,
        parts: &[(&str, Vec<u8>)],
    ) -> Result<Value, CliError> {
        let (kind, body) = form(parts);
        let answer = self.send(Method::POST, path, Some((&kind, body)), &[]).await?;
        self.json(answer).await
    }

    /// `PATCH path` with the bytes of an upload from `offset` on; answers with how far it is.
    pub(crate) async fn go_on(
        &self,
        path: &str,
        offset: u64,
        bytes: Bytes,
    ) -> Result<u64, CliError> {
        let (body, offset) = (("application/partial-upload", bytes), offset.to_string());
        let headers = [("upload-offset", offset.as_str())];
        let answer = self.send(Method::PATCH, path, Some(body), &headers).await?;
        let offset = answer.headers().get("upload-offset").and_then(|value| value.to_str().ok());
        let offset = offset.and_then(|text| text.parse().ok());
        offset.ok_or_else(|| self.not_ours(answer.status().as_u16(), b"no Upload-Offset"))
    }

    async fn json(&self, answer: Response<Incoming>) -> Result<Value, CliError> {
        let body = self.whole(answer).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| self.not_ours(200, &body))
    }

    /// The server-sent events of `path`, from after `last` on.
    pub(crate) async fn listen(&self, path: &str, last: Option<&str>) -> Result<Events, CliError> {
        let last = last.map(|id| ("last-event-id", id));
        let answer = self.send(Method::GET, path, None, last.as_slice()).await?;
        Ok(Events { body: answer.into_body(), buffer: Vec::new() })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Incoming>, CliError> {
        let broken = |source| CliError::Broken { url: self.url.to_string(), source };
        let line = connect(&self.url, &self.trust, &self.judge).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(line)).await.map_err(broken)?;
        // Ends with the answer.
        tokio::spawn(connection);
        let host = self.url.host_str().unwrap_or_default();
        let host = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = path.trim_start_matches('/');
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("/api/v1/{path}"))
            .header(HOST, host)
            .header(ACCEPT, "application/json, text/event-stream;q=0.9, */*;q=0.1");
        request = match &self.caller {
            Caller::Nobody => request,
            Caller::Token(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Caller::Password(value) => request.header(AUTHORIZATION, value),
        };
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, *kind);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(|(_, body)| body).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(|error| {
            CliError::Input(std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
        })?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let body = self.whole(answer).await?;
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => CliError::Refused(Box::new(problem)),
            Err(_) => self.not_ours(status, &body),
        })
    }

    async fn whole(&self, answer: Response<Incoming>) -> Result<Bytes, CliError> {
        let broken = |source| CliError::Broken { url: self.url.to_string(), source };
        Ok(answer.into_body().collect().await.map_err(broken)?.to_bytes())
    }

    fn not_ours(&self, status: u16, body: &[u8]) -> CliError {
        let text = String::from_utf8_lossy(body).chars().take(200).collect();
        CliError::NotOurs { url: self.url.to_string(), status, text }
    }
}

/// The media type and the body of a form.
fn form(parts: &[(&str, Vec<u8>)]) -> (String, Bytes) {
    // Nothing holds its own hash.
    let hash = parts.iter().fold(Sha256::new(), |hash, (_, content)| hash.chain_update(content));
    let boundary: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

/// Server-sent events as they come.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Events {
    /// The next one; `None`: the stream has ended, orderly or not.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let message = message(&String::from_utf8_lossy(&block));
                // A comment that shows that the connection lives.
                if !message.data.is_empty() {
                    return Some(message);
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// The fields of a block of lines (WHATWG HTML, server-sent events).
fn message(block: &str) -> Message {
    let mut message = Message::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut message.event),
            "data" if message.data.is_empty() => value.clone_into(&mut message.data),
            "data" => message.data.push_str(&format!("\n{value}")),
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_from_its_lines_and_a_comment_is_none() {
        let read = message("id: 7\nevent: object_new\ndata: {\"a\":\ndata: 1}\n: alive\n\n");
        let expected = Message {
            id: Some("7".to_owned()),
            event: "object_new".to_owned(),
            data: "{\"a\":\n1}".to_owned(),
        };
        assert_eq!(read, expected);
        assert_eq!(message(": alive\n\n"), Message::default());
    }
}
