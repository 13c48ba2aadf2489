//! Cameras, zones, lines and privacy masks as entries of a list: their settings with their id.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::{CameraSettings, LineSettings, PrivacyMaskSettings, ZoneSettings};

/// A camera that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewCamera {
    /// Its id, which stays: 1 to 32 lower case letters, digits and `-`.
    #[schema(example = "yard")]
    pub id: String,
    /// Its settings; what is absent has its default.
    #[serde(default)]
    #[schema(required = false)]
    pub settings: CameraSettings,
}

/// A zone with its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ZoneEntry {
    /// Its id, which stays: 1 to 32 lower case letters, digits and `-`.
    #[schema(example = "door")]
    pub id: String,
    /// Its settings.
    #[serde(flatten)]
    pub settings: ZoneSettings,
}

/// A line with its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineEntry {
    /// Its id, which stays: 1 to 32 lower case letters, digits and `-`.
    #[schema(example = "gate")]
    pub id: String,
    /// Its settings.
    #[serde(flatten)]
    pub settings: LineSettings,
}

/// A privacy mask with its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyMaskEntry {
    /// Its id, which stays: 1 to 32 lower case letters, digits and `-`.
    #[schema(example = "neighbours")]
    pub id: String,
    /// Its settings.
    #[serde(flatten)]
    pub settings: PrivacyMaskSettings,
}
