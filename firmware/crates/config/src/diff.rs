//! What differs between two settings, and what each difference costs.

use serde_json::Value;

use api::settings::Settings;

use crate::model::CameraConfig;

/// What a change of a setting costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing: taken over while everything runs.
    Live,
    /// The camera's process starts again.
    Rebuild,
    /// The daemon starts again.
    Restart,
}

/// One setting that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// JSON pointer to it.
    pub pointer: String,
    /// Value before; `None`: there was none.
    pub old: Option<Value>,
    /// Value after; `None`: there is none any more.
    pub new: Option<Value>,
    /// What the change costs.
    pub cost: Cost,
}

/// All settings that differ, ordered by their pointers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigDiff {
    /// The differences.
    pub changes: Vec<FieldChange>,
}

impl ConfigDiff {
    /// What must change in `old` to get `new`.
    pub fn between(_old: &Settings, _new: &Settings) -> Self {
        Self::default()
    }

    /// The way back.
    #[must_use]
    pub fn flip(self) -> Self {
        self
    }
}

/// What a camera process has to do about a new configuration. Fields are JSON pointers inside the
/// camera, such as `/encoder/bitrate_kbps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing differs.
    None,
    /// These fields differ, and all of them can be taken over as it runs.
    Live(Vec<&'static str>),
    /// These fields differ and need a new process; others may differ too.
    Rebuild(Vec<&'static str>),
}

/// Compares what a camera process runs on with what it is to run on.
pub fn camera_change(_old: &CameraConfig, _new: &CameraConfig) -> Change {
    Change::None
}
