//! Which machine this is, which GStreamer elements it has, and which video devices.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::MediaError;

/// Every element that a plan may name, with the Debian package that has it.
const ELEMENTS: &[(&str, &str)] = &[
    ("appsink", "gstreamer1.0-plugins-base"),
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("capsfilter", "libgstreamer1.0-0"),
    ("clocksync", "libgstreamer1.0-0"),
    ("decodebin", "gstreamer1.0-plugins-base"),
    ("filesrc", "libgstreamer1.0-0"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("libcamerasrc", "gstreamer1.0-libcamera"),
    ("openh264enc", "gstreamer1.0-plugins-bad"),
    ("queue", "libgstreamer1.0-0"),
    ("rtspclientsink", "gstreamer1.0-rtsp"),
    ("rtspsrc", "gstreamer1.0-plugins-good"),
    ("v4l2h264enc", "gstreamer1.0-plugins-good"),
    ("v4l2src", "gstreamer1.0-plugins-good"),
    ("videoconvertscale", "gstreamer1.0-plugins-base"),
    ("videoflip", "gstreamer1.0-plugins-good"),
    ("videorate", "gstreamer1.0-plugins-base"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

/// Where the kernel says which machine this is.
const MODEL_FILE: &str = "/proc/device-tree/model";

/// The hardware encoder of the Raspberry Pi 4 (bcm2835-codec).
pub(crate) const RPI4_ENCODER: &str = "/dev/video11";

/// The Debian package that has `element`.
pub(crate) fn package_of(element: &str) -> &'static str {
    ELEMENTS
        .iter()
        .find(|(name, _)| *name == element)
        .map_or("gstreamer1.0-plugins-good", |(_, package)| package)
}

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKind {
    /// Raspberry Pi 4: hardware H.264 up to 1080p30.
    Rpi4,
    /// Raspberry Pi 5: no hardware H.264.
    Rpi5,
    /// Any other.
    Host,
}

impl BoardKind {
    /// The kind of a machine that calls itself `model`.
    fn of_model(model: &str) -> Self {
        if model.starts_with("Raspberry Pi 5") || model.contains("Compute Module 5") {
            Self::Rpi5
        } else if model.starts_with("Raspberry Pi 4") || model.contains("Compute Module 4") {
            Self::Rpi4
        } else {
            Self::Host
        }
    }
}

impl fmt::Display for BoardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rpi4 => "rpi4",
            Self::Rpi5 => "rpi5",
            Self::Host => "host",
        })
    }
}

/// What the plan must know about the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The machine.
    pub kind: BoardKind,
    /// Factories of the GStreamer elements that are installed, among those that a plan may name.
    pub elements: BTreeSet<String>,
    /// Video devices that are present.
    pub devices: BTreeSet<PathBuf>,
}

impl Board {
    /// Looks at this machine.
    ///
    /// # Errors
    /// When GStreamer does not start.
    pub fn detect() -> Result<Self, MediaError> {
        gstreamer::init().map_err(MediaError::Init)?;
        let model = std::fs::read_to_string(MODEL_FILE).unwrap_or_default();
        let installed = |name: &&str| gstreamer::ElementFactory::find(name).is_some();
        Ok(Self {
            kind: BoardKind::of_model(&model),
            elements: ELEMENTS
                .iter()
                .map(|(name, _)| *name)
                .filter(installed)
                .map(str::to_owned)
                .collect(),
            devices: video_devices(Path::new("/dev")),
        })
    }

    /// A machine of `kind` with every element that its EdgeCam image carries: for plans of boards
    /// that are not at hand.
    pub fn typical(kind: BoardKind) -> Self {
        let pi = kind != BoardKind::Host;
        let on_pi_only = |name: &str| matches!(name, "libcamerasrc" | "v4l2h264enc");
        let names = ELEMENTS.iter().map(|(name, _)| *name).filter(|name| pi || !on_pi_only(name));
        let encoder = (kind == BoardKind::Rpi4).then(|| PathBuf::from(RPI4_ENCODER));
        Self {
            kind,
            elements: names.map(str::to_owned).collect(),
            devices: encoder.into_iter().collect(),
        }
    }

    /// Whether `element` is installed.
    pub(crate) fn has(&self, element: &str) -> bool {
        self.elements.contains(element)
    }
}

fn video_devices(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let is_video = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.strip_prefix("video").is_some_and(|n| n.parse::<u32>().is_ok())
        })
    };
    entries.flatten().map(|entry| entry.path()).filter(is_video).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_known_by_what_the_device_tree_calls_it() {
        for (model, kind) in [
            ("Raspberry Pi 4 Model B Rev 1.5\0", BoardKind::Rpi4),
            ("Raspberry Pi Compute Module 4 Rev 1.0\0", BoardKind::Rpi4),
            ("Raspberry Pi 5 Model B Rev 1.0\0", BoardKind::Rpi5),
            ("Raspberry Pi 3 Model B\0", BoardKind::Host),
            ("", BoardKind::Host),
        ] {
            assert_eq!(BoardKind::of_model(model), kind, "{model}");
        }
    }

    #[test]
    fn only_numbered_video_nodes_are_video_devices() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["video0", "video11", "video", "videox", "media0"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = video_devices(dir.path());
        let names: Vec<_> = found.iter().filter_map(|p| p.file_name()?.to_str()).collect();
        assert_eq!(names, ["video0", "video11"]);
    }
}
