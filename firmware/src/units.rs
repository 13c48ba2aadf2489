//! The units of systemd's that children run in, each as a user of its own, where the daemon's own unit
//! offers them; elsewhere children are processes beside the daemon.

use std::path::{Path, PathBuf};

/// Variable that names the folder with a folder per unit.
const FOLDER_VAR: &str = "EDGECAM_UNITS";
/// A connection to this socket starts the unit.
const SOCKET: &str = "start.sock";

/// The units that there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Units(Option<PathBuf>);

/// A unit that a child runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit(PathBuf);

impl Units {
    /// Those that this process's environment names.
    pub(crate) fn of_this_process() -> Self {
        Self(std::env::var_os(FOLDER_VAR).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    /// The unit `name`; `None`: children are not run in units. One whose socket is missing is given all
    /// the same: a child that does not start is told of, one outside of its sandbox would not be.
    pub(crate) fn get(&self, name: &str) -> Option<Unit> {
        Some(Unit(self.0.as_ref()?.join(name)))
    }

    /// The unit of cameras with this source: one that fetches pictures from the network reaches the
    /// network at home, every other one nothing but this machine.
    pub(crate) fn of_camera(&self, source: &str) -> Option<Unit> {
        let scheme = source.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let fetches = scheme.is_some_and(|scheme| scheme != "file");
        self.get(if fetches { "camera-lan" } else { "camera" })
    }
}

impl Unit {
    /// The socket that starts it.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// The folder for files that it reads: what is made here belongs to its group.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_reaches_the_network_only_to_fetch_its_pictures() {
        let units = Units(Some("/nonexistent".into()));
        let of = |source: &str| units.of_camera(source).unwrap().0;
        for near in ["scene", "/dev/video0", "libcamera", "clip.mp4", "File:///clip.mp4"] {
            assert!(of(near).ends_with("camera"), "{near}");
        }
        for far in ["rtsp://10.0.0.9/stream", " RTSPS://gate.local/1"] {
            assert!(of(far).ends_with("camera-lan"), "{far}");
        }
        assert_eq!(Units::default().of_camera("scene"), None);
    }
}
