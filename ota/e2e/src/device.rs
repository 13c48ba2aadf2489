//! The product, asked over its API as its owner does.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::wait_for;

/// The name and password of the owner.
const OWNER: (&str, &str) = ("owner", "correct horse battery staple");
/// From power on until the API answers, several times what it takes alone.
const READY: Duration = Duration::from_secs(400);

/// A device that can be asked.
#[derive(Debug)]
pub struct Device {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// An answer: its status and its body, `null` when it is no JSON.
pub type Answer = (u16, Value);

impl Device {
    /// The one whose HTTPS port is at `port` here.
    pub fn at(port: u16) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        // Its certificate is its own; the way to it is this machine's loopback.
        let tls = ureq::tls::TlsConfig::builder().disable_verification(true).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(Duration::from_secs(120)))
            .build();
        Self { agent: config.into(), base: format!("https://127.0.0.1:{port}"), token: None }
    }

    /// The same device and owner after a new start, whose port is another.
    pub fn moved_to(&mut self, port: u16) {
        self.base = format!("https://127.0.0.1:{port}");
    }

    /// Asks once.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answer(request.call())
    }

    /// Orders once.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answer(request.send_json(body))
    }

    /// Takes something away.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        let mut request = self.agent.delete(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answer(request.call())
    }

    /// Changes with a merge patch.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let mut request = self.agent.patch(format!("{}{path}", self.base));
        request = request.header("content-type", "application/merge-patch+json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answer(request.send(body.to_string()))
    }

    /// Sends a file as the body, once the device says that it takes it.
    ///
    /// # Errors
    /// When it cannot be read or nobody answers.
    pub fn send(&self, path: &str, file: &Path) -> anyhow::Result<Answer> {
        let file = std::fs::File::open(file)?;
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.header("content-type", "application/octet-stream");
        request = request.header("content-length", file.metadata()?.len().to_string());
        request = request.header("expect", "100-continue");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        answer(request.send(&file))
    }

    /// Waits until every check of the device passes.
    ///
    /// # Errors
    /// When one does not within the time.
    pub fn ready(&self) -> anyhow::Result<()> {
        let mut last = String::new();
        let ready = || match self.get("/readyz") {
            Ok((200, _)) => Some(()),
            other => {
                last = format!("{other:?}");
                None
            }
        };
        wait_for("device that is ready", READY, Duration::from_secs(1), ready).context(last)
    }

    /// Makes the device the owner's with its claim code; later calls are the owner's.
    ///
    /// # Errors
    /// When it refuses.
    pub fn claim(&mut self, code: &str) -> anyhow::Result<()> {
        let (username, password) = OWNER;
        let body = json!({"code": code, "username": username, "password": password});
        let claimed =
            self.agent.post(format!("{}/api/v1/setup/claim", self.base)).send_json(body)?;
        let cookie = claimed.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.with_context(|| format!("claim: {}", claimed.status()))?;
        let new = json!({"name": "e2e", "role": "admin"});
        let request = self.agent.post(format!("{}/api/v1/tokens", self.base));
        let request = request.header("cookie", cookie).header("origin", &self.base);
        let (status, made) = answer(request.send_json(new))?;
        let secret = made["secret"].as_str().with_context(|| format!("token: {status} {made}"))?;
        self.token = Some(secret.to_owned());
        Ok(())
    }
}

fn answer(
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> anyhow::Result<Answer> {
    let mut response = response?;
    let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok((response.status().as_u16(), body))
}
