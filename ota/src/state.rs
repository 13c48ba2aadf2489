//! What is remembered of an update across reboots, in either slot: values, their form on disk.
//!
//! The firmware in the other slot reads the same file, and may be older or newer: what it does not know
//! it keeps ([`State::rest`], [`Order::rest`]), and a phase that it does not know is [`Phase::Unknown`].

use std::collections::BTreeMap;
use std::fmt;

use api::updates::UpdateCode;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The form of the file that this firmware writes.
pub const SCHEMA: u32 = 1;

/// A slot by the name that the boot loader has for it, such as `A`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotName(pub String);

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The form of the file.
    pub schema: u32,
    /// Where the update is.
    #[serde(default)]
    pub phase: Phase,
    /// Since when, as far as the clock was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How the newest one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Outcome>,
    /// What another firmware wrote and this one does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for State {
    fn default() -> Self {
        Self { schema: SCHEMA, phase: Phase::Idle, since: None, last: None, rest: Map::new() }
    }
}

/// Where an update is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Phase {
    /// None is under way.
    #[default]
    Idle,
    /// The bundle is being downloaded.
    Fetching {
        /// What was asked for.
        order: Order,
    },
    /// The bundle is being uploaded.
    Receiving {
        /// What was asked for.
        order: Order,
    },
    /// The bundle is here; RAUC looks at it.
    Inspecting {
        /// What was asked for.
        order: Order,
    },
    /// The bundle is here, signed, for this device, and its hash is pinned.
    Staged {
        /// What was asked for.
        order: Order,
        /// What it is.
        bundle: Bundle,
    },
    /// The other slot is being written, or made the next one.
    Installing(Update),
    /// The other slot is the next one to start.
    Installed(Update),
    /// The new system runs and has to prove itself.
    Trial {
        /// What is tried.
        #[serde(flatten)]
        update: Update,
        /// When the trial began.
        began: Moment,
    },
    /// The new system has proven itself; its owner has to confirm it.
    Confirming {
        /// What is to be confirmed.
        #[serde(flatten)]
        update: Update,
        /// When the wait began.
        began: Moment,
        /// How long it lasts, in seconds.
        within_s: u64,
        /// Whether it was confirmed: all that is left is to make it stay.
        #[serde(default)]
        confirmed: bool,
    },
    /// The new system did not prove itself: the old one comes back with the next start.
    Returning {
        /// What did not prove itself.
        #[serde(flatten)]
        update: Update,
        /// Why.
        reason: Reason,
        /// The boot in which going back was last tried.
        boot: String,
        /// Boots in which it was tried.
        tries: u32,
    },
    /// Another firmware's.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// What it is called, for people.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Idle => "no update is under way",
            Self::Fetching { .. } => "an update is being downloaded",
            Self::Receiving { .. } => "an update is being uploaded",
            Self::Inspecting { .. } => "an update is being looked at",
            Self::Staged { .. } => "an update waits to be installed",
            Self::Installing(_) => "an update is being installed",
            Self::Installed(_) => "an installed update waits for a restart",
            Self::Trial { .. } => "a new system is proving itself",
            Self::Confirming { .. } => "a new system waits to be confirmed",
            Self::Returning { .. } => "the device goes back to its old system",
            Self::Unknown => "another firmware left an update half way",
        }
    }

    /// The change of slots that is under way, once it is.
    pub fn update(&self) -> Option<&Update> {
        match self {
            Self::Installing(update)
            | Self::Installed(update)
            | Self::Trial { update, .. }
            | Self::Confirming { update, .. }
            | Self::Returning { update, .. } => Some(update),
            Self::Idle
            | Self::Fetching { .. }
            | Self::Receiving { .. }
            | Self::Inspecting { .. }
            | Self::Staged { .. }
            | Self::Unknown => None,
        }
    }

    /// What was asked for.
    pub fn order(&self) -> Option<&Order> {
        match self {
            Self::Fetching { order }
            | Self::Receiving { order }
            | Self::Inspecting { order }
            | Self::Staged { order, .. } => Some(order),
            other => other.update().map(|update| &update.order),
        }
    }

    /// What it is, once that is known.
    pub fn bundle(&self) -> Option<&Bundle> {
        match self {
            Self::Staged { bundle, .. } => Some(bundle),
            other => other.update().map(|update| &update.bundle),
        }
    }
}

/// A change of slots that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// What was asked for.
    pub order: Order,
    /// What it is.
    pub bundle: Bundle,
    /// From where to where.
    pub change: Change,
}

/// Where a bundle comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// Over the API, from its owner.
    Upload {
        /// Its bytes.
        size: u64,
        /// What they must hash to, in lower case hex; where somebody said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// At an address: downloaded to the data partition, or read where it lies.
    Url {
        /// The address, which holds no user name or password.
        url: String,
        /// What its bytes must hash to, in lower case hex; where somebody said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// Its bytes, where somebody said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Whether the index of releases names it.
        #[serde(default)]
        from_index: bool,
        /// What lies there, where RAUC reads it through the device, block by block, and not from the disk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote: Option<Remote>,
    },
    /// None: the system that is in the other slot already.
    OtherSlot,
}

/// A file that a server gives in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its bytes.
    pub size: u64,
    /// What the server tells it from others by: its strong `ETag`, else its `Last-Modified`. Empty: nothing.
    #[serde(default)]
    pub validator: String,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Names it, here and as RAUC's transaction.
    pub id: String,
    /// Where its bundle comes from.
    pub source: Source,
    /// Whether the version that runs may be installed again.
    #[serde(default)]
    pub force: bool,
    /// Whether to install it without being asked again.
    #[serde(default)]
    pub install: bool,
    /// Whether to start the new system without being asked again.
    #[serde(default)]
    pub reboot: bool,
    /// Who asked.
    #[serde(default)]
    pub by: String,
    /// When, as far as the clock was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What another firmware wrote and this one does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a bundle says of itself, its signature checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Its version.
    pub version: String,
    /// For which devices it is.
    pub compatible: String,
    /// Hash of its manifest; the bundle that is installed must have the same. Empty: none.
    #[serde(default)]
    pub hash: String,
    /// SHA-256 of its bytes, in lower case hex. Empty: not all of them were here.
    #[serde(default)]
    pub sha256: String,
    /// Its bytes.
    #[serde(default)]
    pub size: u64,
}

/// From where to where, and what must work afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The slot that ran when it was asked for: where the way back leads.
    pub from: SlotName,
    /// The version that ran in it.
    #[serde(default)]
    pub from_version: String,
    /// The slot of the new system.
    pub target: SlotName,
    /// The boot in which it was asked for.
    pub boot: String,
    /// What worked before.
    #[serde(default)]
    pub baseline: Baseline,
    /// How long the owner has to confirm the new system, in seconds; absent: that is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within_s: Option<u64>,
}

/// What did not work before the update, which the new system is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Cameras, by id.
    pub cameras: BTreeMap<String, Worked>,
}

/// What worked of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worked {
    /// Frames came, and were encoded.
    pub pictures: bool,
    /// Its detector gave results.
    pub detector: bool,
}

/// A moment that means something until the next boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The boot, as the kernel names it.
    pub boot: String,
    /// Seconds since it.
    pub at_s: u64,
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// Its order.
    pub order: String,
    /// Its version, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version that ran when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<String>,
    /// The slot that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SlotName>,
    /// Why it did not go well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When, as far as the clock was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Why something did not go well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs. A word that only another firmware knows is read as the most general one.
    #[serde(deserialize_with = "known_code")]
    pub code: UpdateCode,
    /// For people.
    pub detail: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: UpdateCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

fn known_code<'de, D: Deserializer<'de>>(from: D) -> Result<UpdateCode, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or(UpdateCode::InstallFailed))
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The new system stays.
    Committed,
    /// The old one came back.
    RolledBack,
    /// It went no further; nothing changed.
    Failed,
    /// Its owner did not want it any more.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_newer_firmware_wrote_survives_an_older_one() {
        let written = json!({
            "schema": 2,
            "phase": {
                "name": "staged",
                "order": {
                    "id": "1", "source": {"kind": "upload", "size": 9}, "force": false,
                    "install": true, "reboot": true, "by": "ann", "wave": 7
                },
                "bundle": {
                    "version": "2.0.0", "compatible": "c", "hash": "", "sha256": "", "size": 0
                },
            },
            "fleet": {"id": "north"},
        });
        let state: State = serde_json::from_value(written.clone()).unwrap();
        assert!(matches!(state.phase, Phase::Staged { .. }));
        assert_eq!(serde_json::to_value(state).unwrap(), written);
    }

    #[test]
    fn a_phase_that_only_another_firmware_knows_is_no_fault() {
        let written = json!({"schema": 9, "phase": {"name": "dancing", "steps": 3}});
        let state: State = serde_json::from_value(written).unwrap();
        assert_eq!(state.phase, Phase::Unknown);
    }

    #[test]
    fn a_reason_that_only_another_firmware_knows_keeps_its_words() {
        let written = json!({"code": "wrong_moon", "detail": "the moon is wrong"});
        let reason: Reason = serde_json::from_value(written).unwrap();
        assert_eq!(reason, Reason::new(UpdateCode::InstallFailed, "the moon is wrong"));
    }

    #[test]
    fn an_empty_file_of_ours_is_idle() {
        let state: State = serde_json::from_value(json!({"schema": 1})).unwrap();
        assert_eq!(state, State::default());
    }
}
