//! One request, by the guarded way out. Redirects are not followed.

use std::time::{Duration, Instant};

use egress::{Egress, EgressError, Limits, Reach};
use jiff::Timestamp;
use ureq::Agent;

use crate::error::WebhookError;
use crate::sign;

/// What is posted.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `webhook-id`.
    pub(crate) id: String,
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// Headers beside those of every post.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// HTTP status; `None`: nobody answered.
    pub(crate) status: Option<u16>,
    /// Why not, or that the status is no success.
    pub(crate) error: Option<String>,
    /// How long the receiver wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Answer {
    /// Nothing was asked, for `error`.
    pub(crate) fn refused(error: &WebhookError) -> Self {
        let error = Some(base::error::chain(error));
        Self { status: None, error, retry_after: None, took: Duration::ZERO }
    }
}

/// The way to one address. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    egress: Egress,
    agent: Agent,
    url: String,
    key: ring::hmac::Key,
}

impl Way {
    /// The way to `url`, where each post takes at most `within`. Reads the certificates of the system:
    /// blocks for a moment.
    pub(crate) fn new(url: &str, secret: &ring::hmac::Key, reach: Reach, within: Duration) -> Self {
        let egress = Egress::new(reach);
        let limits = Limits { connect: within, whole: within, redirects: 0, ..Limits::default() };
        Self { egress, agent: egress.agent(limits), url: url.to_owned(), key: secret.clone() }
    }

    /// Posts `message`. Blocks.
    pub(crate) fn post(&self, message: &Message) -> Answer {
        let begun = Instant::now();
        let result = self.ask(message);
        let took = begun.elapsed();
        match result {
            Ok((status, retry_after)) => {
                let taken = (200..300).contains(&status);
                let error = (!taken).then(|| said(status));
                Answer { status: Some(status), error, retry_after, took }
            }
            Err(error) => {
                let error = Some(base::error::chain(&error));
                Answer { status: None, error, retry_after: None, took }
            }
        }
    }

    fn ask(&self, message: &Message) -> Result<(u16, Option<Duration>), EgressError> {
        let address = self.egress.address(&self.url)?;
        let now = Timestamp::now();
        let mut request = self.agent.post(address.as_str());
        request = request.header("content-type", "application/json");
        for (name, value) in sign::headers(&self.key, &message.id, now, &message.body) {
            request = request.header(name, value);
        }
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let request = request.config().http_status_as_error(false).build();
        // The body of the answer is not read: it says nothing that counts.
        let answer = request.send(&message.body[..]);
        let answer = answer.map_err(|error| EgressError::of(address.host(), error))?;
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Ok((answer.status().as_u16(), wait))
    }
}

fn said(status: u16) -> String {
    match status {
        300..=399 => format!("answered with status {status}; redirects are not followed"),
        _ => format!("answered with status {status}"),
    }
}
