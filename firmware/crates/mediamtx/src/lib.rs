//! MediaMTX: its rendered configuration, its control API, where its binary is.
//!
//! | module | owns |
//! |---|---|
//! | [`locate`] | which binary, and whether it is the release that EdgeCam is made for |
//! | [`render`] | the configuration as text: pure, held by a golden file |
//! | [`file`](ConfigFile) | that text on disk: readable by the owner only, replaced whole |
//! | [`control`] | the client of MediaMTX's control API: paths, readers, health, kick |
//! | [`reload`] | a changed set of cameras, taken over without a restart |
//! | [`addresses`] | where a camera's stream is found |
//!
//! No tasks and no channels: whoever runs MediaMTX (`edgecamd`, by `supervise`) calls these.
//!
//! Invariants:
//! - Only RTSP over TCP, HLS, WebRTC and, with a secret of this start, the control API are on.
//! - Only this machine may publish, and only to the paths of known cameras.
//! - Nothing that MediaMTX could execute (`runOn…`) is ever written, and its environment must not
//!   be inherited: variables `MTX_…` would override the file.

pub mod addresses;
pub mod control;
pub mod error;
mod file;
pub mod locate;
pub mod reload;
pub mod render;
mod secret;

pub use addresses::{StreamAddresses, publish_url};
pub use control::{ControlClient, PathState, Reader, ServerInfo};
pub use error::{ControlError, LocateError, WriteError};
pub use file::ConfigFile;
pub use locate::{Binary, Places};
pub use render::render;
pub use secret::ControlSecret;

use std::ffi::OsString;
use std::path::Path;

/// Arguments of MediaMTX that make it read its configuration from `config`.
pub fn arguments(config: &Path) -> Vec<OsString> {
    vec![config.into()]
}
