//! The machine below EdgeCam: what is read from its kernel, and the few things that are done to it.
//!
//! | module | owns |
//! |---|---|
//! | [`look`] | interfaces, routers, name servers, clock: read, never changed |
//! | [`request`] | what can be done to the machine: the whole list |
//! | [`ask`](fn@ask) | the daemon's side: asks the agent, blocks |
//! | [`agent`] | the agent's side: does it; the one part of EdgeCam that is root |
//! | [`card`] | the owner's choices on the card before the first boot |
//! | [`render`] | the files of systemd-networkd, systemd-timesyncd and wpa_supplicant (pure) |
//!
//! The agent is started by a connection to its socket, once per request: `edgecamd host-agent` with the
//! connection as its standard input. It takes values, not files or commands: what it writes and runs is
//! its own, whoever asks. Where there is no agent the machine is not EdgeCam's to change.

pub mod agent;
mod ask;
pub mod card;
pub mod error;
pub mod look;
pub mod render;
pub mod request;
mod wire;

pub use ask::ask;
pub use error::HostError;
pub use request::{Plan, Request};
