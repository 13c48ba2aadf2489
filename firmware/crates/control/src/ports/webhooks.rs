//! Webhooks, as the API needs them.

use api::webhooks::{
    CreatedWebhook, NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookTrial,
};

use super::{Answer, PortError};

/// The webhooks. Ids are texts of a caller: what is none is not found.
pub trait Webhooks: Send + Sync + 'static {
    /// All of them, the oldest first. Must be quick: it is asked for every scrape.
    ///
    /// # Errors
    /// When what is kept of them is damaged.
    fn list(&self) -> Result<Vec<Webhook>, PortError>;

    /// The webhook `id`.
    ///
    /// # Errors
    /// When there is none.
    fn get(&self, id: &str) -> Result<Webhook, PortError>;

    /// Makes one.
    fn create(&self, new: NewWebhook) -> Answer<'_, CreatedWebhook>;

    /// Changes the webhook `id`.
    fn change<'a>(&'a self, id: &'a str, change: WebhookChange) -> Answer<'a, Webhook>;

    /// Deletes the webhook `id`.
    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()>;

    /// Posts a test now.
    fn trial<'a>(&'a self, id: &'a str) -> Answer<'a, WebhookTrial>;

    /// The last deliveries of the webhook `id` with a `seq` below `before` (`None`: of all), at most
    /// `limit`, newest first.
    fn deliveries<'a>(
        &'a self,
        id: &'a str,
        before: Option<u64>,
        limit: usize,
    ) -> Answer<'a, Vec<WebhookDelivery>>;
}
