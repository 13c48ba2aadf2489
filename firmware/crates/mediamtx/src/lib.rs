//! MediaMTX: its rendered configuration, its control API, where its binary is.
//!
//! | module | owns |
//! |---|---|
//! | [`locate`] | which binary, and whether it is the release that EdgeCam is made for |
//! | [`render`] | the configuration as text: pure, held by a golden file |
//! | [`file`](ConfigFile) | that text on disk: readable by the owner only, replaced whole |
//! | [`hook`] | MediaMTX's question whether someone may, answered by a [`Doorkeeper`] |
//! | [`control`] | the client of MediaMTX's control API: paths, watchers, health, kick |
//! | [`watchers`] | who watches, as the control API tells it (pure) |
//! | [`relay`] | WebRTC's signalling and HLS, for who brings viewers here |
//! | `exchange` | one HTTP exchange with MediaMTX |
//! | `secret` | secrets of one start |
//! | [`reload`] | a changed set of cameras, taken over without a restart |
//! | [`addresses`] | where a camera's stream is found |
//!
//! No channels, and no tasks but those of the hook, which end with it: whoever runs MediaMTX (`edgecamd`,
//! by `supervise`) calls these.
//!
//! Invariants:
//! - Only RTSP over TCP, HLS, WebRTC and, with a secret of this start, the control API are on.
//! - Whoever comes to MediaMTX, for whatever, is asked about at the hook; while that does not answer
//!   nobody comes in.
//! - A camera's process publishes with a password of its own, and only as its own camera.
//! - Nothing that MediaMTX could execute (`runOn…`) is ever written, and its environment must not
//!   be inherited: variables `MTX_…` would override the file.

pub mod addresses;
pub mod control;
pub mod error;
mod exchange;
mod file;
pub mod hook;
pub mod locate;
pub mod relay;
pub mod reload;
pub mod render;
mod secret;
pub mod watchers;

pub use addresses::{publish_url, rtsp_url};
pub use control::{ControlClient, PathState, Reader, ServerInfo};
pub use error::{ControlError, LocateError, WriteError};
pub use exchange::ReplyBody;
pub use file::ConfigFile;
pub use hook::{Action, Doorkeeper, Hook, HookAddress, Protocol, Question};
pub use locate::{Binary, Places};
pub use relay::{Relay, RelayError, Viewer, WhepAnswer};
pub use render::render;
pub use secret::{ControlSecret, PublishKey};
pub use watchers::{Watcher, Way};

use std::ffi::OsString;
use std::path::Path;

/// Arguments of MediaMTX that make it read its configuration from `config`.
pub fn arguments(config: &Path) -> Vec<OsString> {
    vec![config.into()]
}
