//! The API over real HTTP on a loopback port, with ports that live in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod answers;
mod cameras;
mod client;
mod document;
mod entries;
mod events;
mod fake;
mod gate;
mod gpio;
mod hooks;
mod jobs;
mod live;
mod machine;
mod past;
mod secure;
mod serving;
mod settings;
mod socket;
mod traversal;
mod updates;
mod viewing;
mod work;
