//! The machine as the API shows and changes it: name, network, time, logs, what is wrong with it, and
//! backups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::settings::{NetworkSettings, Secret};

/// What may be changed of the machine: a merge patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SystemPatch {
    /// Name shown to people: the setting `node.name`.
    pub name: Option<String>,
    /// Time zone (IANA), such as `Europe/Berlin`: the setting `time.zone`.
    pub time_zone: Option<String>,
    /// NTP servers: the setting `time.servers`.
    pub ntp_servers: Option<Vec<String>>,
}

/// The network as it is and as it is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// Whether EdgeCam manages this machine's network; where it does not, it only shows it.
    pub managed: bool,
    /// The machine's name in the network.
    pub hostname: String,
    /// Name servers in use.
    pub dns: Vec<String>,
    /// Routers in use.
    pub gateways: Vec<String>,
    /// The interfaces as they are, ordered by name, without loopback.
    pub interfaces: Vec<NetworkInterface>,
    /// What is set, without passwords.
    pub settings: NetworkSettings,
}

/// A network interface as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkInterface {
    /// Its name, as the kernel gives it.
    #[schema(example = "end0")]
    pub name: String,
    /// Whether it is wireless.
    pub wireless: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Its hardware address; null where it has none.
    #[schema(example = "d8:3a:dd:01:02:03")]
    pub mac: Option<String>,
    /// Its speed in Mbit/s; null where it does not say.
    pub speed_mbps: Option<u32>,
    /// Its addresses, with the length of the prefix.
    #[schema(example = json!(["192.168.1.20/24"]))]
    pub addresses: Vec<String>,
}

/// The clock as it is and as it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Time {
    /// The time now.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// Whether it was set by an NTP server since the machine started; null where the machine does not
    /// say.
    pub synchronised: Option<bool>,
    /// The time zone in use (IANA); null where it has no name.
    #[schema(example = "Europe/Berlin")]
    pub zone: Option<String>,
    /// The NTP servers that are set; empty: those of the machine.
    pub servers: Vec<String>,
    /// Whether EdgeCam manages this machine's clock; where it does not, it only shows it.
    pub managed: bool,
}

/// How the clock is to be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewTime {
    /// Time zone (IANA); null: the machine's.
    #[schema(example = "Europe/Berlin")]
    pub zone: Option<String>,
    /// NTP servers, at most eight; null: the machine's.
    #[schema(example = json!(["pool.ntp.org"]))]
    pub servers: Option<Vec<String>>,
}

/// That a reset to the state of delivery is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactoryReset {
    /// The device's id or its name, as `GET /api/v1/system` tells them.
    #[schema(example = "ec-0a1b2c")]
    pub confirm: String,
}

/// That something was begun which ends the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Begun {
    /// What happens now.
    #[schema(example = "the device starts anew; it is back in about a minute")]
    pub detail: String,
}

/// How grave a line of the log is, the least grave first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For whoever looks for a fault in the program.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What may need someone's attention.
    Warning,
    /// What failed.
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Grows with every line since the daemon started; null in the system's log.
    pub seq: Option<u64>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How grave it is.
    pub level: LogLevel,
    /// Who wrote it: `edgecamd`, a program that it runs (`camera-front`, `mediamtx`), or a unit of the
    /// system.
    pub unit: String,
    /// What it says.
    pub message: String,
    /// What it says it about.
    pub fields: BTreeMap<String, String>,
}

/// Lines of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    /// The newest lines that were asked for, the oldest of them first.
    pub items: Vec<LogLine>,
}

/// A message of the log stream: the fields of a server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogMessage {
    /// The line's `seq`, in decimals; absent in the system's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "4711", nullable = false)]
    pub id: Option<String>,
    /// JSON: a `LogLine`.
    #[schema(example = r#"{"level":"info","unit":"mediamtx","message":"listener opened"}"#)]
    pub data: String,
}

/// How much something that is wrong matters.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IssueSeverity {
    /// Good to know.
    #[default]
    Info,
    /// Something will fail, or works less well than it could.
    Warning,
    /// Something does not work.
    Error,
}

/// Something that is wrong now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issue {
    /// What it is; with a `.` and whatever it is about where there can be several.
    #[schema(example = "camera_down.front")]
    pub code: String,
    /// How much it matters.
    pub severity: IssueSeverity,
    /// Since when it is known, in this run of the daemon.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What is wrong, in a sentence.
    pub text: String,
    /// What can be done about it.
    pub suggestion: String,
    /// Whether `POST /api/v1/system/issues/{code}/fix` does something about it.
    pub fixable: bool,
}

/// What a backup is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewBackup {
    /// What it is for, for people; at most 200 characters.
    #[schema(example = "before the move")]
    pub note: Option<String>,
    /// Whether users and tokens are in it, their passwords and secrets as hashes. Default: true.
    pub users: Option<bool>,
    /// What it is encrypted with, 12 to 200 characters. Without it the file holds the passwords of
    /// cameras and of the broker as they are. Nobody can read it without this, nor make it anew.
    #[schema(write_only, value_type = Option<String>)]
    pub passphrase: Option<Secret>,
}

/// A backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// Its id (ULID).
    #[schema(example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")]
    pub id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// The device that made it.
    pub node: String,
    /// The firmware that made it.
    pub version: String,
    /// The revision of the settings that is in it.
    pub revision: u64,
    /// Whether users and tokens are in it.
    pub users: bool,
    /// Whether it is encrypted. One that is not holds secrets as they are.
    pub encrypted: bool,
    /// What it is for.
    pub note: Option<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A backup's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Always `edgecam.backup/1`.
    #[schema(example = "edgecam.backup/1")]
    pub format: String,
    /// Its id.
    pub id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// The device that made it.
    pub node: String,
    /// The firmware that made it.
    pub version: String,
    /// Schema of the settings in it.
    pub schema: u32,
    /// The revision of the settings in it.
    pub revision: u64,
    /// Whether users and tokens are in it.
    pub users: bool,
    /// What it is for.
    pub note: Option<String>,
    /// How it is encrypted; null: not at all.
    pub encryption: Option<BackupEncryption>,
    /// SHA-256 of `content` as it stands here, in hexadecimal.
    pub sha256: String,
    /// Settings and users in base64: JSON, or its ciphertext.
    pub content: String,
}

/// How a backup is encrypted: ChaCha20-Poly1305 under a key that argon2id makes of the passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupEncryption {
    /// Always `argon2id-chacha20poly1305`.
    #[schema(example = "argon2id-chacha20poly1305")]
    pub method: String,
    /// Memory of argon2id in KiB.
    pub memory_kib: u32,
    /// Passes of argon2id.
    pub passes: u32,
    /// Salt of argon2id, base64.
    pub salt: String,
    /// Nonce of the cipher, base64.
    pub nonce: String,
}

/// What is to be restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreBackup {
    /// A backup that the device keeps, by its id; or else `backup`.
    #[serde(default)]
    #[schema(example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")]
    pub id: Option<String>,
    /// A backup's file, as it was downloaded; or else `id`.
    #[serde(default)]
    #[schema(value_type = Option<BackupFile>)]
    pub backup: Option<Value>,
    /// What it is encrypted with.
    #[serde(default)]
    #[schema(write_only, value_type = Option<String>)]
    pub passphrase: Option<Secret>,
    /// Whether users and tokens are restored too, where it has them: those there are now go, and all
    /// sessions end. Default: false.
    #[serde(default)]
    pub users: bool,
}
