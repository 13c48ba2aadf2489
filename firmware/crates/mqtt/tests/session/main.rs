//! The session against a real mosquitto: order, outages, faults, refusal, TLS, what is retained.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by the one and tell by the other"
)]

mod broker;
mod delivery;
mod faults;
mod outbox;
mod proxy;
mod refusal;
mod retained;
mod subscriber;
mod support;
mod tls;
mod trial;
mod updates;
