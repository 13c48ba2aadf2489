//! Who may do what: claiming a new device, users, tokens, sessions, and the record of changes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::ToSchema;

use crate::settings::Secret;

/// What someone may do; each may do all that those before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See: pictures, streams, events, states.
    #[default]
    Viewer,
    /// Run: zones, lines, rules, picture and detection of cameras; restart them.
    Operator,
    /// Everything: users, network, models, updates, backups.
    Admin,
}

/// What one may do, and with which cameras.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// What one may do.
    pub role: Role,
    /// Ids of the only cameras that are seen; null for all. Who is limited so changes nothing but
    /// these cameras.
    #[serde(default)]
    pub cameras: Option<Vec<String>>,
}

/// Whether the device has an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// Whether someone has claimed it. Until then nothing else is answered.
    pub claimed: bool,
    /// SHA-256 of the device's certificate, in hexadecimal; null where HTTPS is not served.
    pub certificate_sha256: Option<String>,
}

/// Makes the first user of a new device, an admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The code that the device shows, with or without its dash.
    #[schema(value_type = String, example = "K7QDM-3XA9T")]
    pub code: Secret,
    /// Name of the first user: lower case letters, digits, `-`, `_` and `.`, 1 to 32 characters.
    #[schema(example = "owner")]
    pub username: String,
    /// Password, 10 to 256 characters.
    #[schema(value_type = String, write_only)]
    pub password: Secret,
}

/// Name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Name of the user.
    #[schema(example = "owner")]
    pub username: String,
    /// The user's password.
    #[schema(value_type = String, write_only)]
    pub password: Secret,
}

/// How someone showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By the cookie of a session.
    Session,
    /// By a token.
    Token,
    /// By name and password, with a media player.
    Password,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Name of the user.
    pub username: String,
    /// What may be done.
    #[serde(flatten)]
    pub grant: Grant,
    /// How it was shown.
    pub via: Via,
    /// When this way in ends; null: when it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Name.
    pub username: String,
    /// What they may do.
    #[serde(flatten)]
    pub grant: Grant,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When they last signed in since the daemon's start; null: not since then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_login_at: Option<Timestamp>,
    /// Sessions that are open.
    pub sessions: u32,
}

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Name: lower case letters, digits, `-`, `_` and `.`, 1 to 32 characters.
    #[schema(example = "gate-house")]
    pub username: String,
    /// Password, 10 to 256 characters.
    #[schema(value_type = String, write_only)]
    pub password: Secret,
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// Ids of the only cameras that they see; null for all.
    #[serde(default)]
    pub cameras: Option<Vec<String>>,
}

/// What is to be changed of a user; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Ids of the only cameras that they see; null for all.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub cameras: Option<Option<Vec<String>>>,
}

/// A new password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The present one; needed to change one's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub current: Option<Secret>,
    /// Password, 10 to 256 characters.
    #[schema(value_type = String, write_only)]
    pub password: Secret,
}

/// A token: a way in for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    #[schema(value_type = String, example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")]
    pub id: Ulid,
    /// What it is for.
    pub name: String,
    /// Whose it is. It may never do more than they may, and goes with them.
    pub username: String,
    /// What it may do.
    #[serde(flatten)]
    pub grant: Grant,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends; null: when it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used since the daemon's start; null: not since then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 64 characters.
    #[schema(example = "Home Assistant")]
    pub name: String,
    /// What it may do; at most what its maker may.
    #[serde(default)]
    pub role: Role,
    /// Ids of the only cameras that it sees; null for all that its maker sees.
    #[serde(default)]
    pub cameras: Option<Vec<String>>,
    /// When it ends; null: when it is revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A token that was made. Its secret is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// What goes behind `Authorization: Bearer`.
    #[schema(value_type = String, example = "ect_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    pub secret: Secret,
}

/// The certificate that HTTPS is served with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Whether the device made it itself. Such a one is renewed by itself in time.
    pub self_made: bool,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// Who vouches for it.
    pub issuer: String,
    /// From when on it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Until when it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// SHA-256 of the certificate in hexadecimal: the fingerprint that browsers show.
    pub sha256: String,
}

/// A certificate to be put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    /// PEM: the certificate, then those of its authorities.
    #[schema(example = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n")]
    pub certificate_pem: String,
    /// PEM: its private key.
    #[schema(value_type = String, write_only)]
    pub key_pem: Secret,
}

/// A change of something over the API, or an attempt at one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Number, growing.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: name of the user; null for nobody known, such as a failed sign-in.
    pub username: Option<String>,
    /// How they showed who they are.
    pub via: Option<Via>,
    /// Address that the request came from.
    #[schema(example = "192.168.1.7")]
    pub from: String,
    /// What: the operation, as in this document.
    #[schema(example = "patch_camera")]
    pub operation: String,
    /// Path of the request.
    #[schema(example = "/api/v1/cameras/front")]
    pub path: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// How it was before, without secrets; null where that does not apply.
    pub before: Option<serde_json::Value>,
    /// How it is since, without secrets; null where that does not apply.
    pub after: Option<serde_json::Value>,
}

/// A page of the record of changes, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub items: Vec<AuditEntry>,
    /// Give this as `cursor` for the page after this one; null on the last page.
    pub next_cursor: Option<String>,
}

/// Tells a field that is null from one that is absent.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, T: Serialize>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        T::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grow_from_seeing_to_everything() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }

    #[test]
    fn cameras_that_are_null_are_told_from_cameras_that_are_absent() {
        let change = |text: &str| serde_json::from_str::<UserChange>(text).unwrap().cameras;
        assert_eq!(change("{}"), None);
        assert_eq!(change(r#"{"cameras": null}"#), Some(None));
        assert_eq!(change(r#"{"cameras": ["front"]}"#), Some(Some(vec!["front".to_owned()])));
    }
}
