//! Metrics of webhooks, by their id.

use std::fmt;

use api::webhooks::Webhook;
use prometheus_client::registry::Unit;

use super::{Labels, Page, Scrape, flag, float};

impl Scrape {
    pub(super) fn webhooks(&self, page: &mut Page<'_>) -> fmt::Result {
        let enabled = self.per_hook(|hook| flag(hook.enabled));
        page.gauge("webhook_enabled", "Whether it is switched on.", None, enabled)?;
        let backlog = self.per_hook(|hook| float(hook.status.backlog));
        let help = "Announcements that it has not come to yet.";
        page.gauge("webhook_backlog_events", help, None, backlog)?;
        let deliveries = self.webhooks.iter().flat_map(|hook| {
            let status = &hook.status;
            let all = [
                ("delivered", status.delivered),
                ("refused", status.refused),
                ("unanswered", status.unanswered),
            ];
            all.map(|(outcome, count)| {
                let mut labels = of(hook);
                labels.push(("outcome", outcome.to_owned()));
                (labels, count)
            })
        });
        let help = "Posts by what came of them, since the daemon started.";
        page.counter("webhook_deliveries", help, deliveries)?;
        let now = base::clock::wall();
        let ages = self.webhooks.iter().filter_map(|hook| {
            let age = now.duration_since(hook.status.last_success_at?);
            Some((of(hook), age.as_secs_f64().max(0.0)))
        });
        let help = "Time since a post was last taken.";
        page.gauge("webhook_last_success_age", help, Some(&Unit::Seconds), ages)
    }

    fn per_hook(&self, value: impl Fn(&Webhook) -> f64) -> impl Iterator<Item = (Labels, f64)> {
        self.webhooks.iter().map(move |hook| (of(hook), value(hook)))
    }
}

fn of(hook: &Webhook) -> Labels {
    vec![("webhook", hook.id.clone())]
}
