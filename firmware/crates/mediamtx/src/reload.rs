//! A changed set of cameras, taken over by a running MediaMTX without a restart: streams of the
//! other cameras go on.
//!
//! MediaMTX watches its file and reads it again. That has a hole: it overlooks a change within a
//! second of the one before. So the file is written again until the control API shows the new
//! paths. (Changing paths through the control API instead would be a second way to say the same,
//! and could not be told apart from the file after a restart.)

use std::collections::BTreeSet;
use std::time::Duration;

use config::CameraId;
use tokio::time::{Instant, sleep};

use crate::control::ControlClient;
use crate::error::{ControlError, WriteError};
use crate::file::ConfigFile;
use crate::render::path_name;

/// How long MediaMTX may take to have the new cameras.
pub const LIMIT: Duration = Duration::from_secs(5);
/// MediaMTX overlooks changes for one second after a change.
const BLIND: Duration = Duration::from_millis(1_100);
const PERIOD: Duration = Duration::from_millis(50);

/// Why a running MediaMTX did not take over a change. Restarting it is the way out.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It cannot be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It does not have the new cameras within [`LIMIT`].
    #[error("MediaMTX did not take over its changed configuration within {LIMIT:?}")]
    TimedOut,
}

/// Writes `text` ([`crate::render`]ed for `cameras`) and waits until MediaMTX has exactly these
/// cameras. Listeners must not have changed: for that, restart MediaMTX.
///
/// # Errors
/// When the file cannot be written, or MediaMTX does not follow.
pub async fn reload<'a>(
    file: &ConfigFile,
    text: &str,
    cameras: impl IntoIterator<Item = &'a CameraId>,
    control: &ControlClient,
) -> Result<(), ReloadError> {
    let wanted: BTreeSet<_> = cameras.into_iter().map(path_name).collect();
    let deadline = Instant::now() + LIMIT;
    let mut write_at = Instant::now();
    while Instant::now() < deadline {
        if Instant::now() >= write_at {
            file.write(text)?;
            write_at = Instant::now() + BLIND;
        }
        let has: BTreeSet<_> = control.configured_paths().await?.into_iter().collect();
        if has == wanted {
            return Ok(());
        }
        sleep(PERIOD).await;
    }
    Err(ReloadError::TimedOut)
}
