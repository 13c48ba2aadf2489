//! How much a client may take of the server, in time and number.

use std::time::Duration;

/// Limits of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request's head must arrive within this time; an idle connection is closed after it too.
    pub head: Duration,
    /// A request must be answered within this time. Streams only have to begin.
    pub answer: Duration,
    /// What was sent must be acknowledged within this time, or the connection is given up.
    pub unacknowledged: Duration,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Event streams at a time; more are refused, so that plain requests always get through.
    pub streams: usize,
    /// Longest body in bytes.
    pub body: usize,
    /// Silence on an event stream after which a comment shows that it lives.
    pub keep_alive: Duration,
    /// How long open requests may take to end after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            unacknowledged: Duration::from_secs(30),
            connections: 256,
            streams: 64,
            body: 1024 * 1024,
            keep_alive: Duration::from_secs(15),
            drain: Duration::from_secs(3),
        }
    }
}
