//! MQTT topics, payloads, discovery, and the session that drains the outbox. The only crate that
//! sees rumqttc.
//!
//! | module | owns |
//! |---|---|
//! | [`handle`] | the cloneable front: newest values in, status out |
//! | [`task`] | the life of the session: connect, run, back off, again |
//! | `courier` | what outlives a connection: retained state, what was sent before, status |
//! | `session` | one connection: the only code that talks to rumqttc's client and event loop |
//! | `feed`, `acks` | announcements from the outbox, and acknowledgements back to it |
//! | `window` | what is in flight, by packet id (pure) |
//! | `retained` | what the broker keeps for us against what it should keep (pure) |
//! | [`topics`], [`to_wire`], [`discovery`] | names and payloads (pure) |
//! | `connect` | address, TLS, credentials, last will |
//! | [`trial`] | a try of a broker, step by step |
//! | [`ports`] | the outbox and commands, implemented by `edgecamd` |
//! | [`site`], [`status`], `error` | what comes in, how it goes, what can go wrong |
//!
//! Channels: a `watch` of everything retained (newest value wins), a `watch` of the status out,
//! the outbox's `watch` of the newest `seq` in, commands out by a bounded `mpsc`.
//!
//! Invariants (evidence: rumqttc 0.25.1 drops its queue on every reconnect, does not come back
//! from a packet id collision, and neither backs off nor checks sizes before it queues):
//! - The truth is the outbox. A row leaves it only after the broker's PUBACK for this very row;
//!   on any error the whole client is dropped and all is sent again from the oldest row.
//! - Rows are sent by growing `seq`; a row is never sent before an older one that waits.
//! - At most `window::EVENTS` packets separate the oldest unacknowledged one from the next
//!   announcement, and `window::ALL` from any other packet: less than rumqttc's 100 packet ids,
//!   so that none is ever used twice at once.
//! - `poll` of the event loop is never cancelled: it may hold a packet that is half written.

mod acks;
mod backoff;
mod connect;
mod courier;
pub mod discovery;
mod error;
mod feed;
#[cfg(test)]
mod goldens;
pub mod handle;
pub mod ports;
mod retained;
mod session;
pub mod site;
pub mod status;
pub mod task;
pub mod to_wire;
pub mod topics;
pub mod trial;
mod window;

pub use handle::MqttHandle;
pub use ports::{Command, Outbox, OutboxError, Waiting};
pub use site::{CameraSite, Firmware, Node, SystemHealth};
pub use status::{LinkStatus, MqttStatus};
pub use task::{MqttTask, Tuning};
