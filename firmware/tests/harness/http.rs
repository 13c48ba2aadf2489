//! The REST API as a client sees it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// The first user of a test's device.
pub(crate) const OWNER: &str = "owner";
/// Their password.
pub(crate) const PASSWORD: &str = "a quiet street";
/// No answer takes longer than this.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A client of the API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    base: String,
    agent: ureq::Agent,
    /// Sent with every request.
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) etag: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("{}: no JSON ({e}): {text}", self.status))
    }
}

impl Api {
    /// The API at `address`.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::within(address, ANSWERS_WITHIN)
    }

    /// The same, with another longest time for an answer.
    pub(crate) fn within(address: SocketAddr, longest: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(longest))
            .http_status_as_error(false)
            .build();
        Self {
            base: format!("http://{address}"),
            agent: ureq::Agent::new_with_config(config),
            token: None,
        }
    }

    /// The same, as who has `token`.
    pub(crate) fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    fn signed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// `GET path`, or why nothing answered.
    pub(crate) fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        taken(self.signed(self.agent.get(format!("{}{path}", self.base))).call())
    }

    /// `GET path`.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// `PATCH path` with a merge patch.
    #[track_caller]
    pub(crate) fn patch(&self, path: &str, patch: &Value) -> Answer {
        let request = self.signed(self.agent.patch(format!("{}{path}", self.base)));
        let request = request.header("Content-Type", "application/merge-patch+json");
        taken(request.send(patch.to_string()))
            .unwrap_or_else(|error| panic!("PATCH {path}: {error}"))
    }

    /// The same, of the revision `etag` only.
    #[track_caller]
    pub(crate) fn patch_if(&self, path: &str, patch: &Value, etag: &str) -> Answer {
        let request = self.signed(self.agent.patch(format!("{}{path}", self.base)));
        let request = request.header("If-Match", etag);
        let request = request.header("Content-Type", "application/merge-patch+json");
        taken(request.send(patch.to_string()))
            .unwrap_or_else(|error| panic!("PATCH {path}: {error}"))
    }

    /// `POST path` with JSON.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.signed(self.agent.post(format!("{}{path}", self.base)));
        let request = request.header("Content-Type", "application/json");
        taken(request.send(body.to_string())).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// `POST path` with `body`, sent as `kind`.
    #[track_caller]
    pub(crate) fn send(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let request = self.signed(self.agent.post(format!("{}{path}", self.base)));
        taken(request.header("Content-Type", kind).send(body))
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// `PUT path` with JSON.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.signed(self.agent.put(format!("{}{path}", self.base)));
        let request = request.header("Content-Type", "application/json");
        taken(request.send(body.to_string())).unwrap_or_else(|error| panic!("PUT {path}: {error}"))
    }

    /// `DELETE path`.
    #[track_caller]
    pub(crate) fn deleted(&self, path: &str) -> Answer {
        let request = self.signed(self.agent.delete(format!("{}{path}", self.base)));
        taken(request.call()).unwrap_or_else(|error| panic!("DELETE {path}: {error}"))
    }

    /// `DELETE path`; whatever comes of it.
    pub(crate) fn delete(&self, path: &str) {
        let _ = self.signed(self.agent.delete(format!("{}{path}", self.base))).call();
    }

    /// Claims the device whose code is `code`, and answers a token of its owner.
    pub(crate) fn claim(&self, code: &str) -> String {
        let claim = serde_json::json!({ "code": code, "username": OWNER, "password": PASSWORD });
        let request = self.agent.post(format!("{}/api/v1/setup/claim", self.base));
        let claimed = request.header("Content-Type", "application/json").send(claim.to_string());
        let claimed = claimed.expect("the API answers");
        let cookie = claimed.headers().get("set-cookie").expect("a claim signs in");
        let cookie = cookie.to_str().expect("plain text").split(';').next().unwrap_or_default();
        let new = serde_json::json!({ "name": "test", "role": "admin" });
        let request = self.agent.post(format!("{}/api/v1/tokens", self.base));
        let request = request.header("Content-Type", "application/json");
        let request = request.header("Cookie", cookie).header("Origin", &self.base);
        let made = taken(request.send(new.to_string())).expect("the API answers").json();
        made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// The status of the camera `cam`.
    #[track_caller]
    pub(crate) fn camera(&self) -> Value {
        self.get("/api/v1/cameras/cam").json()
    }
}

fn taken(
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, ureq::Error> {
    let mut response = result?;
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (content_type, etag) = (header("content-type"), header("etag"));
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
    Ok(Answer { status: response.status().as_u16(), content_type, etag, body })
}
