//! Webhooks as the API sees them.

use api::webhooks::{
    CreatedWebhook, NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookTrial,
};
use base::error::Kind;
use control::PortError;
use control::ports::{Answer, Webhooks};
use futures::FutureExt;
use webhooks::WebhookError;

/// The webhooks of the crate.
#[derive(Debug)]
pub(crate) struct WebhookPort(pub(crate) webhooks::Webhooks);

fn failed(error: WebhookError) -> PortError {
    let (kind, detail) = (error.kind(), base::error::chain(&error));
    match error {
        WebhookError::Invalid(errors) => PortError::input(detail, errors),
        _ => PortError::new(kind, detail),
    }
}

impl Webhooks for WebhookPort {
    fn list(&self) -> Result<Vec<Webhook>, PortError> {
        self.0.list().map_err(failed)
    }

    fn get(&self, id: &str) -> Result<Webhook, PortError> {
        self.0.get(id).map_err(failed)
    }

    fn create(&self, new: NewWebhook) -> Answer<'_, CreatedWebhook> {
        async move { self.0.create(new).await.map_err(failed) }.boxed()
    }

    fn change<'a>(&'a self, id: &'a str, change: WebhookChange) -> Answer<'a, Webhook> {
        async move { self.0.change(id, change).await.map_err(failed) }.boxed()
    }

    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        async move { self.0.remove(id).await.map_err(failed) }.boxed()
    }

    fn trial<'a>(&'a self, id: &'a str) -> Answer<'a, WebhookTrial> {
        async move { self.0.trial(id).await.map_err(failed) }.boxed()
    }

    fn deliveries<'a>(
        &'a self,
        id: &'a str,
        before: Option<u64>,
        limit: usize,
    ) -> Answer<'a, Vec<WebhookDelivery>> {
        async move { self.0.deliveries(id, before, limit).await.map_err(failed) }.boxed()
    }
}
