//! Webhooks against real receivers over loopback: order, outages, restarts, refusals, signatures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by the one and tell by the other"
)]

mod changes;
mod delivery;
mod outage;
mod receiver;
mod support;
