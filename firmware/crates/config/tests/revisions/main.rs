//! Settings made over the API are kept: each change whole or not at all, whatever stops it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod keeping;
mod kill;
mod paper;
mod power;
mod script;
