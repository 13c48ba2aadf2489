//! Webhooks: where announcements are posted to, and what became of that.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::{Kind, Phase};
use crate::resources::StreamGap;
use crate::settings::Secret;

/// Which announcements are posted. What is null lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFilter {
    /// Only those of these cameras, by id: 1 to 64.
    #[schema(example = json!(["front"]))]
    pub cameras: Option<Vec<String>>,
    /// Only those of objects of these classes, or of inputs with these labels: 1 to 64.
    #[schema(example = json!(["person", "car"]))]
    pub labels: Option<Vec<String>>,
    /// Only those about one of these zones, or of an object that is in one: 1 to 64.
    #[schema(example = json!(["door"]))]
    pub zones: Option<Vec<String>>,
    /// Only those about one of these.
    pub kinds: Option<Vec<Kind>>,
    /// Only those in one of these places of an event's life: `type` of the announcement.
    pub types: Option<Vec<Phase>>,
}

/// A webhook to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// What it is for, at most 64 characters.
    #[serde(default)]
    #[schema(example = "Home Assistant", max_length = 64, default = "")]
    pub name: String,
    /// Where to: `https://…` or `http://…`, without user name and password, at most 2048 bytes.
    #[schema(example = "https://hooks.example.org/edgecam", max_length = 2048)]
    pub url: String,
    /// Whether announcements are posted, from now on. Default: true.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// Whether it may lead into a private network, such as the owner's own (RFC 1918, ULA). Never to the
    /// device itself, to link-local addresses or to the metadata of a cloud. Default: false.
    #[serde(default)]
    #[schema(default = false)]
    pub allow_private: bool,
    /// Which announcements. Default: all.
    #[serde(default)]
    pub filter: WebhookFilter,
    /// What the posts are signed with: `whsec_` and 24 to 64 bytes in base64. Absent: the device makes
    /// one and shows it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, write_only)]
    pub secret: Option<Secret>,
}

fn yes() -> bool {
    true
}

/// What is to be changed of a webhook; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookChange {
    /// What it is for, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub name: Option<String>,
    /// Where to. What waits goes there too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// Whether announcements are posted. One that is switched on begins with what happens then: what
    /// waited when it was switched off, and what happened meanwhile, is not posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether it may lead into a private network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_private: Option<bool>,
    /// Which announcements; the whole filter, in place of the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<WebhookFilter>,
    /// What the posts are signed with from now on: `whsec_` and 24 to 64 bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, write_only)]
    pub secret: Option<Secret>,
}

/// How a webhook is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookStatus {
    /// Announcements that it has not come to yet, those that its filter leaves out included.
    pub backlog: u64,
    /// Posts that were taken (2xx), since the daemon started.
    pub delivered: u64,
    /// Posts that were answered with another status, since the daemon started.
    pub refused: u64,
    /// Posts that nobody answered, since the daemon started.
    pub unanswered: u64,
    /// When a post was last taken; null: not as far as is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// Since when nothing gets through; null while all does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Why the last try failed; null when it did not.
    pub error: Option<String>,
    /// When the next try is made; null while none is waited for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<Timestamp>,
}

/// A webhook: announcements are posted to it, at least once and in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id, a ULID.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")]
    pub id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What it is for.
    pub name: String,
    /// Where to.
    #[schema(example = "https://hooks.example.org/edgecam")]
    pub url: String,
    /// Whether announcements are posted.
    pub enabled: bool,
    /// Whether it may lead into a private network.
    pub allow_private: bool,
    /// Which announcements.
    pub filter: WebhookFilter,
    /// Why the device has switched it off; null when it has not.
    pub disabled_reason: Option<String>,
    /// How it is doing.
    pub status: WebhookStatus,
}

/// A webhook that was made. A secret that the device made is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWebhook {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// What the posts are signed with, where the device made it; null where its owner said it.
    #[schema(value_type = Option<String>, example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    pub secret: Option<Secret>,
}

/// What became of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// It was taken.
    Delivered,
    /// It was not taken yet and is tried again.
    Retrying,
    /// It was not taken and is not tried again: the webhook was switched off.
    Abandoned,
}

/// An announcement and what became of posting it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    /// Number of the announcement.
    #[schema(example = 4711)]
    pub seq: u64,
    /// `webhook-id` of the post, the same for each try.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E_4ca027_4711")]
    pub message_id: String,
    /// When it was first tried.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When it was last tried.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// HTTP status of the last try; null: nobody answered.
    #[schema(example = 204)]
    pub status: Option<u16>,
    /// How long the last try took, in milliseconds.
    pub duration_ms: u64,
    /// Why the last try failed; null when it did not.
    pub error: Option<String>,
    /// Announcements before it that are not kept any more and were never posted; null: none.
    pub gap: Option<StreamGap>,
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDeliveryPage {
    /// The deliveries.
    pub items: Vec<WebhookDelivery>,
    /// Give this as `cursor` for the page after this one; null on the last page.
    pub next_cursor: Option<String>,
}

/// What came back for a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTrial {
    /// Whether it was taken (2xx).
    pub delivered: bool,
    /// `webhook-id` of the post.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E_test_01K4Z9T7QW3X5Y6Z7A8B9C0D1F")]
    pub message_id: String,
    /// HTTP status of the answer; null: nobody answered.
    #[schema(example = 204)]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed; null when it did not.
    pub error: Option<String>,
}
