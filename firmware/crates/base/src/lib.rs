//! What every process of EdgeCam needs and nothing of ours: time, stop, error kinds, tracing,
//! named threads, a latest-wins slot and files that survive power loss.
//!
//! | module | owns |
//! |---|---|
//! | [`clock`] | monotonic and wall time, as all stamps of a frame are taken |
//! | [`durable`] | files that are there whole or not at all, whenever the power goes |
//! | [`error`] | the kinds of failure that become HTTP statuses and exit codes |
//! | [`histogram`] | times counted by length, since the start |
//! | [`latency`] | quantiles of the newest measurements |
//! | [`log_ring`] | the newest lines of the log |
//! | [`shutdown`] | one stop signal for tasks and threads |
//! | [`slot`] | the newest value, overwritten until taken; overwrites are counted |
//! | [`thread`] | named threads |
//! | [`trace`] | tracing set-up of a binary |

pub mod clock;
pub mod durable;
pub mod error;
pub mod histogram;
pub mod latency;
pub mod log_ring;
pub mod shutdown;
pub mod slot;
pub mod thread;
pub mod trace;
