//! Updates of the firmware: where the device is with one, what it would take, why it refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::UpdateSettings;

/// Most bytes of a bundle: more than both partitions of a slot of any image of ours have.
pub const BUNDLE_BYTES_MAX: u64 = 2 << 30;

/// Which kernel an image was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageKernel {
    /// Debian's.
    #[default]
    Debian,
    /// Raspberry Pi's.
    Raspberrypi,
}

/// What the running image says of itself (`/usr/lib/edgecam/release.json`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Its version (semver).
    #[schema(example = "0.4.0")]
    pub version: String,
    /// Which devices it is for; only bundles with the same word are taken.
    #[schema(example = "edgecam-debian-arm64")]
    pub compatible: String,
    /// The commit that it was built from.
    #[schema(example = "ffba41e")]
    pub commit: String,
    /// When it was built.
    #[schema(value_type = String, format = DateTime)]
    pub built_at: Timestamp,
    /// Its kernel.
    pub kernel: ImageKernel,
    /// Whether it takes updates signed with keys that are made for development, which anybody may have:
    /// not for a device that is in earnest use.
    pub development_keys: bool,
}

/// Where the device is with an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdatePhase {
    /// Nowhere: no update is under way.
    #[default]
    Idle,
    /// A bundle is fetched from an address.
    Fetching,
    /// A bundle is being sent to the device.
    Receiving,
    /// A bundle is here, whole, its signature good: `POST /api/v1/updates/install` installs it.
    Staged,
    /// It is written to the slot that does not run.
    Installing,
    /// It is written; the next start of the machine tries it.
    Installed,
    /// The new system runs on trial: it must show that cameras, detector, API and event store work.
    Trial,
    /// The trial went well; the owner must say so (`POST /api/v1/updates/commit`) before `confirm_by`, or
    /// the old system comes back.
    AwaitingConfirmation,
    /// The new system stays.
    Committed,
    /// The old system is back; `problem` says why.
    RolledBack,
    /// The update was refused or broke off before it ran; `problem` says why. The running system is
    /// untouched.
    Failed,
}

impl UpdatePhase {
    /// Whether the update that it speaks of may still come to be the running one.
    pub fn has_one(self) -> bool {
        self.is_busy() || self == Self::Staged
    }

    /// Whether an update is under way, so that no other may begin.
    pub fn is_busy(self) -> bool {
        use UpdatePhase as P;
        match self {
            P::Fetching
            | P::Receiving
            | P::Installing
            | P::Installed
            | P::Trial
            | P::AwaitingConfirmation => true,
            P::Idle | P::Staged | P::Committed | P::RolledBack | P::Failed => false,
        }
    }
}

/// Why an update, or something that was asked about one, was refused or came to nothing. New words may
/// come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UpdateCode {
    /// This firmware does not run from an EdgeCam image.
    UpdatesNotSupported,
    /// Another update is under way.
    UpdateRunning,
    /// Nothing is staged, and no newer version is known.
    NothingStaged,
    /// No new system waits to be confirmed.
    NothingToCommit,
    /// The other slot has no system that may be gone back to.
    NoWayBack,
    /// An upload was continued elsewhere than where it broke off.
    WrongOffset,
    /// The settings name no index of releases.
    NoIndex,
    /// The address may not be asked: not public, and not among `updates.allowed_hosts`.
    AddressRefused,
    /// The address, or the index, does not answer as it should.
    FetchFailed,
    /// It is no bundle, or one of a format that is not taken.
    NoBundle,
    /// It arrived damaged: its SHA-256, its length or its blocks are not what they should be.
    Damaged,
    /// It is not signed with a key that this device trusts.
    WrongSignature,
    /// Its signer's certificate has expired, or is not valid yet.
    CertificateExpired,
    /// It is for other devices.
    WrongCompatible,
    /// It is older than the running version.
    OlderVersion,
    /// It is the running version; `force` takes it all the same.
    SameVersion,
    /// It is larger than a slot, or than a bundle may be.
    TooLargeForSlot,
    /// The data partition has no room for it.
    DiskFull,
    /// The installer (RAUC) does not answer.
    InstallerUnavailable,
    /// Writing it broke off: power, or the end of a process. It may be repeated.
    Interrupted,
    /// Writing it failed.
    InstallFailed,
    /// The new system did not start.
    DidNotStart,
    /// The new system started, and did not show in time that it works.
    TrialFailed,
    /// The owner did not confirm the new system in time.
    NotConfirmed,
    /// Somebody asked for the old system.
    AskedBack,
    /// Somebody gave it up.
    Cancelled,
}

/// Why the last update came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateProblem {
    /// For programs.
    pub code: UpdateCode,
    /// For people: what went wrong, and the way out.
    #[schema(example = "camera front gave no frames for 120 s")]
    pub detail: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The version that it was; null where that was not known.
    #[schema(example = "0.5.0")]
    pub version: Option<String>,
}

/// How a bundle came here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOrigin {
    /// It was sent to the device.
    #[default]
    Upload,
    /// It was fetched from an address that somebody gave.
    Url,
    /// It was fetched from where the index of releases says.
    Index,
}

/// The update that the device is at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateBundle {
    /// Its version; null until it was looked into.
    #[schema(example = "0.5.0")]
    pub version: Option<String>,
    /// Which devices it is for; null until it was looked into.
    #[schema(example = "edgecam-debian-arm64")]
    pub compatible: Option<String>,
    /// Its length in bytes; null until it is known.
    #[schema(example = 148_897_792)]
    pub size_bytes: Option<u64>,
    /// Its SHA-256, 64 hexadecimal digits; null until it is known. What is installed has this one.
    #[schema(example = "1942dede585c2163c888e34295fffffdf73841ca8e79b2a548042393510fb9ae")]
    pub sha256: Option<String>,
    /// How it came here.
    pub origin: UpdateOrigin,
    /// Bytes of it that came over the network until now, where it is not downloaded but read where it lies
    /// (`updates.transfer`); else null.
    #[schema(example = 14_680_064)]
    pub transferred_bytes: Option<u64>,
}

/// How good a slot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Its system started and was found to work.
    Good,
    /// Its system is not started: it failed, or is only half written.
    Bad,
    /// Its system is on trial.
    Pending,
    /// It has no system, or nothing is known of it.
    #[default]
    Unknown,
}

/// One of the two places for a system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateSlot {
    /// Its name: `A` or `B`.
    #[schema(example = "A")]
    pub name: String,
    /// Version of its system; null where it has none.
    #[schema(example = "0.4.0")]
    pub version: Option<String>,
    /// How good it is.
    pub state: SlotState,
    /// Whether it runs.
    pub booted: bool,
    /// Whether the next start of the machine tries it first.
    pub primary: bool,
    /// When it was written; null where it came with the card.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub installed_at: Option<Timestamp>,
}

/// A version that there is to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AvailableUpdate {
    /// The version.
    #[schema(example = "0.5.0")]
    pub version: String,
    /// Where its bundle is.
    #[schema(example = "https://updates.example.org/edgecam-0.5.0.raucb")]
    pub url: String,
    /// Length of its bundle in bytes.
    #[schema(example = 148_897_792)]
    pub size_bytes: Option<u64>,
    /// SHA-256 of its bundle, 64 hexadecimal digits.
    #[schema(example = "1942dede585c2163c888e34295fffffdf73841ca8e79b2a548042393510fb9ae")]
    pub sha256: Option<String>,
    /// What it brings, for people.
    #[schema(example = "Faster start, and a rule for crowding.")]
    pub summary: Option<String>,
    /// Where people read what it brings.
    #[schema(example = "https://example.org/edgecam/releases/0.5.0")]
    pub release_url: Option<String>,
    /// When it came out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Timestamp>,
}

/// The index of releases, as it lies at `updates.index_url`: one file for each channel and kind of device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateIndex {
    /// Which devices it is for.
    #[schema(example = "edgecam-debian-arm64")]
    pub compatible: String,
    /// The releases, in any order. The newest version counts.
    pub releases: Vec<AvailableUpdate>,
}

/// An upload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateUpload {
    /// Its id, a ULID.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")]
    pub id: String,
    /// Bytes that will come.
    #[schema(example = 148_897_792)]
    pub size_bytes: u64,
    /// Bytes that came, and are safe: where to go on.
    #[schema(example = 67_108_864)]
    pub offset: u64,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is forgotten unless it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// What is going to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// Length of the bundle in bytes.
    #[schema(minimum = 1, maximum = 2_147_483_648_u64, example = 148_897_792)]
    pub size_bytes: u64,
    /// SHA-256 of the bundle, 64 hexadecimal digits. Where it is given, what arrives must have it.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: Option<String>,
}

/// What to install: what `url` leads to; without it what is staged, else the newest version that a look at
/// the index found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InstallUpdate {
    /// Where the bundle is: `https://…`; `http://…` too, where `sha256` is given.
    #[schema(example = "https://updates.example.org/edgecam-0.5.0.raucb")]
    pub url: Option<String>,
    /// SHA-256 of the bundle, 64 hexadecimal digits. Where it is given, what is installed must have it.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: Option<String>,
    /// Whether the running version is taken again. An older one never is. Default: false.
    pub force: Option<bool>,
    /// Whether the machine starts anew as soon as it is installed. Default: true.
    pub reboot: Option<bool>,
}

/// What was installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstalledUpdate {
    /// Its version.
    #[schema(example = "0.5.0")]
    pub version: String,
    /// The slot that has it.
    #[schema(example = "B")]
    pub slot: String,
    /// Whether the machine starts anew now.
    pub reboot: bool,
}

/// Updates: where the device is with one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Updates {
    /// Whether this device can be updated over the API.
    pub supported: bool,
    /// Why it cannot; null where it can.
    #[schema(example = "this firmware does not run from an EdgeCam image")]
    pub reason: Option<String>,
    /// Version that runs.
    #[schema(example = "0.4.0")]
    pub version: String,
    /// What the running image says of itself; null where none runs.
    pub release: Option<Release>,
    /// Where it is with an update.
    pub phase: UpdatePhase,
    /// Since when; null where nothing ever happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The update that it is at, or was at last; null before the first.
    pub update: Option<UpdateBundle>,
    /// How much of `phase` is done, 0..=1; null where that cannot be said.
    #[schema(minimum = 0, maximum = 1)]
    pub progress: Option<f32>,
    /// Id of the job that is at it; null where none is.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")]
    pub job: Option<String>,
    /// The upload that is under way; null where none is.
    pub upload: Option<UpdateUpload>,
    /// When the old system comes back unless the new one was found to work, or is confirmed; null outside
    /// of a trial.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirm_by: Option<Timestamp>,
    /// Why the last update came to nothing; kept until the next one.
    pub problem: Option<UpdateProblem>,
    /// The slots, by name; empty where there are none.
    pub slots: Vec<UpdateSlot>,
    /// The newest version that the index has, if it is newer than the running one.
    pub available: Option<AvailableUpdate>,
    /// When the index was last looked at; null where it was not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_at: Option<Timestamp>,
    /// Why the last look at the index failed; null where it did not.
    pub check_error: Option<String>,
    /// The settings in force.
    pub settings: UpdateSettings,
}

/// A message of the stream of updates: the fields of a server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateMessage {
    /// Always `update`.
    #[schema(example = "update")]
    pub event: String,
    /// JSON: an `Updates`.
    #[schema(
        example = r#"{"supported":true,"version":"0.4.0","phase":"installing","progress":0.4}"#
    )]
    pub data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_facts_read_as_images_write_them() {
        let text = r#"{"version":"0.4.0","compatible":"edgecam-raspberrypi-arm64","commit":"ffba41e",
            "built_at":"2026-07-01T12:00:00Z","kernel":"raspberrypi","development_keys":true}"#;
        let release: Release = serde_json::from_str(text).unwrap();
        assert_eq!(release.kernel, ImageKernel::Raspberrypi);
        assert!(release.development_keys);
    }
}
