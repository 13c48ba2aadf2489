//! What the API needs to know of the settings, and how it has them changed.

use std::sync::Arc;
use std::time::Duration;

use api::revisions::{SettingsChange, SettingsRevision, SettingsRevisionDetail, SettingsStatus};
use api::settings::Settings;
use config::Entry;
use serde_json::Value;

use super::Answer;

/// The settings in force.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The revision; 0: nothing was made over the API.
    pub revision: u64,
    /// All settings, complete (see `config::load`), secrets included.
    pub settings: Arc<Settings>,
    /// Those that were made over the API, secrets included.
    pub made: Arc<Value>,
}

/// A change that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRequest {
    /// What to change.
    pub what: What,
    /// It is made only while one of these revisions is in force; `None`: in any case.
    pub only_on: Option<Vec<u64>>,
    /// Only say what it would come to.
    pub dry_run: bool,
    /// Take it back after this time unless it is confirmed.
    pub confirm_within: Option<Duration>,
    /// Who asks.
    pub by: String,
}

/// What to change.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// What this merge patch names, a pointer of which is one into the settings.
    Patch(Value),
    /// An entry of the settings comes, which must not be there.
    Add(Entry),
    /// An entry of the settings takes the place of what is there, if something is.
    Put(Entry),
    /// The entry goes that these keys lead to.
    Remove(Vec<String>),
    /// Back to what was made at this revision; 0: nothing.
    BackTo(u64),
    /// All that is made over the API is this.
    Exactly(Value),
}

/// The settings. Refused input names fields by their pointers in the settings.
pub trait SettingsPort: Send + Sync + 'static {
    /// What is in force. Must be quick: it is asked for every page.
    fn in_force(&self) -> InForce;

    /// Changes settings, whole or not at all; one change at a time. `Aborted`: another revision is in
    /// force than the change was made for.
    fn change(&self, change: ChangeRequest) -> Answer<'_, SettingsChange>;

    /// What waits to be confirmed stays.
    fn confirm(&self) -> Answer<'_, SettingsStatus>;

    /// How the settings stand.
    fn status(&self) -> Answer<'_, SettingsStatus>;

    /// At most `limit` revisions below `below`, the newest first.
    fn revisions(&self, below: u64, limit: usize) -> Answer<'_, Vec<SettingsRevision>>;

    /// The revision `number`; `None`: it is not kept.
    fn revision(&self, number: u64) -> Answer<'_, Option<SettingsRevisionDetail>>;
}
