//! Updates of the firmware: where they come from, when they are made, who says that they stay.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who says that a new system stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateConfirm {
    /// The device, once cameras, detector, API and event store have shown that they work.
    #[default]
    Automatic,
    /// The owner, after that: without a word within `confirm_within_min` the old system comes back.
    Owner,
}

/// How a bundle at an address comes to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateTransfer {
    /// It is read where it lies while it is installed, and of it only what the device does not have yet,
    /// where its server gives files in parts (HTTP ranges). It needs no room, but the server must be there
    /// until it is installed. Else as `whole`, and always so where `sha256` was given with the request.
    #[default]
    Adaptive,
    /// It is downloaded whole and then installed.
    Whole,
}

/// Updates of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateSettings {
    /// Where the index of releases is: `https://…`, with `{channel}` and `{compatible}` for what stands
    /// in `channel` and in the image. Absent: nothing is looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://updates.example.org/{channel}/{compatible}.json")]
    pub index_url: Option<String>,
    /// Which releases: a word of the index, lower case letters, digits and `-`, 1 to 32 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "stable")]
    pub channel: Option<String>,
    /// Whether the device looks at the index every day and installs what is newer, within `window`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic: Option<bool>,
    /// When it installs by itself, in local time: `daily 02:00-05:00`, `sat,sun 00:00-24:00`; at most 64.
    /// Empty for always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Vec<String>>,
    /// Who says that a new system stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<UpdateConfirm>,
    /// Minutes that the owner has to say so, 1..=1440.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_within_min: Option<u16>,
    /// How a bundle at an address comes to the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<UpdateTransfer>,
    /// Hosts of the local network that updates may be fetched from, by name or address, such as
    /// `updates.lan`. Others must be public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
}
