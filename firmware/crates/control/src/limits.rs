//! How much a client may take of the server, in time and number.

use std::num::NonZeroU32;
use std::time::Duration;

const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// Limits of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request's head must arrive within this time; an idle connection is closed after it too.
    pub head: Duration,
    /// A request must be answered within this time. Streams only have to begin.
    pub answer: Duration,
    /// The same for an upload, whose bytes come no further apart than `answer`.
    pub upload: Duration,
    /// What was sent must be acknowledged within this time, or the connection is given up.
    pub unacknowledged: Duration,
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Connections of one address at a time; more are closed. Loopback has no such limit.
    pub connections_per_address: usize,
    /// Longest head of a request in bytes.
    pub head_bytes: usize,
    /// Requests of one address per second, in the long run. Loopback has no such limit.
    pub per_second: NonZeroU32,
    /// Requests of one address at once.
    pub burst: NonZeroU32,
    /// Event streams at a time; more are refused, so that plain requests always get through.
    pub streams: usize,
    /// WebSockets at a time; more are refused.
    pub sockets: usize,
    /// Longest body in bytes, where nothing else is said.
    pub body: usize,
    /// Longest picture that is sent to be looked at, in bytes.
    pub picture: usize,
    /// Silence on an event stream after which a comment shows that it lives; a client of a WebSocket is
    /// asked for a sign of life as often.
    pub keep_alive: Duration,
    /// How long open requests may take to end after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            upload: Duration::from_secs(600),
            unacknowledged: Duration::from_secs(30),
            connections: 768,
            connections_per_address: 64,
            head_bytes: 32 * 1024,
            per_second: PER_SECOND,
            burst: BURST,
            streams: 512,
            sockets: 64,
            body: 1024 * 1024,
            picture: 8 * 1024 * 1024,
            keep_alive: Duration::from_secs(15),
            drain: Duration::from_secs(3),
        }
    }
}
