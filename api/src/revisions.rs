//! How settings are changed over the API: changes and what they cost, revisions, the way back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What came of a change of settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsChange {
    /// The revision in force after it, from 1 on; 0: nothing was made over the API. It is the `ETag` of
    /// the settings.
    #[schema(minimum = 0, example = 12)]
    pub revision: u64,
    /// What came of it.
    pub status: ChangeStatus,
    /// Every setting that differs, ordered by pointer.
    pub changes: Vec<FieldChange>,
    /// When it is taken back unless it is confirmed; null: it stays.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirm_by: Option<Timestamp>,
}

/// What came of a change of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeStatus {
    /// It is in force.
    Applied,
    /// It is kept, and the daemon starts again to take it over.
    Applying,
    /// It is in force, and is taken back unless it is confirmed.
    PendingConfirmation,
    /// Nothing differs from what was in force.
    Unchanged,
    /// It could be taken over; nothing was changed.
    DryRun,
}

/// What a change of a setting costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeCost {
    /// Nothing: taken over while everything runs.
    Live,
    /// The camera's process starts again.
    Rebuild,
    /// The daemon starts again.
    Restart,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// JSON pointer to it in the settings.
    #[schema(example = "/cameras/front/encoder/bitrate_kbps")]
    pub pointer: String,
    /// Its value before; null: it had none, or it is a secret.
    pub before: Option<Value>,
    /// Its value after; null: it has none any more, or it is a secret.
    pub after: Option<Value>,
    /// What the change costs.
    pub cost: ChangeCost,
}

/// Settings that were made over the API, at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsRevision {
    /// Its number, from 1 on.
    #[schema(minimum = 1, example = 12)]
    pub revision: u64,
    /// Whether it is in force.
    pub in_force: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Who made it; `device`: nobody, it took another one back.
    #[schema(example = "owner")]
    pub made_by: String,
    /// What is said about it, such as why another one was taken back; null: nothing.
    pub note: Option<String>,
    /// The revision that was in force before it; 0: none.
    #[schema(minimum = 0, example = 11)]
    pub parent: u64,
    /// The revision that it took back; null: none.
    #[schema(minimum = 1)]
    pub undoes: Option<u64>,
}

/// A revision with what is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsRevisionDetail {
    /// The revision.
    pub revision: SettingsRevision,
    /// All settings that were made over the API, and no others; without secrets.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// What differs from its parent, as far as that is still kept: an empty list where it is not.
    pub changes: Vec<FieldChange>,
}

/// Revisions of the settings, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsRevisionPage {
    /// The revisions.
    pub items: Vec<SettingsRevision>,
    /// Give it as `cursor` for the page after; null on the last.
    pub next_cursor: Option<String>,
}

/// Which settings to go back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsRollback {
    /// The revision whose settings come back, as a new revision; 0: nothing made over the API.
    #[schema(minimum = 0, example = 11)]
    pub revision: u64,
}

/// How the settings stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsStatus {
    /// The revision in force; 0: nothing was made over the API.
    #[schema(minimum = 0, example = 12)]
    pub revision: u64,
    /// The revision that is being taken over; null: none.
    pub applying: Option<u64>,
    /// What waits to be confirmed; null: nothing.
    pub pending: Option<PendingConfirmation>,
    /// The last revision that was taken back, as long as nothing was changed since; null: none.
    pub rolled_back: Option<RolledBack>,
    /// What was found to be wrong with the kept settings, a sentence each.
    pub problems: Vec<String>,
    /// Settings that the API cannot change, because the environment or the command line fixes them.
    pub fixed: Vec<FixedSetting>,
}

/// A revision that is taken back unless it is confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PendingConfirmation {
    /// The revision.
    #[schema(minimum = 1, example = 12)]
    pub revision: u64,
    /// The revision that it goes back to; 0: nothing made over the API.
    #[schema(minimum = 0, example = 11)]
    pub back_to: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub confirm_by: Timestamp,
}

/// A revision that was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolledBack {
    /// The revision.
    #[schema(minimum = 1, example = 12)]
    pub revision: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A setting that the API cannot change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FixedSetting {
    /// JSON pointer to it in the settings.
    #[schema(example = "/api/listen")]
    pub pointer: String,
    /// What fixes it.
    #[schema(example = "environment variable EDGECAM__API__LISTEN")]
    pub origin: String,
}
