//! The store as its users see it: real files, real threads, real crashes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by the one and tell by the other"
)]

mod audit;
mod damage;
mod hooks;
mod keeping;
mod kill;
mod limits;
mod open_events;
mod past;
mod support;
mod tracks;
