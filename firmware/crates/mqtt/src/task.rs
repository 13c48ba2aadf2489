//! The life of the session: connect, run, back off, again.

use std::sync::Arc;
use std::time::Duration;

use base::shutdown::Shutdown;
use config::MqttConfig;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::backoff::Backoff;
use crate::connect::{self, Address};
use crate::courier::Courier;
use crate::error::MqttError;
use crate::handle::MqttHandle;
use crate::ports::{Command, Outbox};
use crate::session::Session;
use crate::site::{CameraSite, Node, Site};
use crate::status::{LinkStatus, MqttStatus};
use crate::topics::Topics;

/// Times of the session; the defaults are right for a device, tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Longest first wait between two tries to connect.
    pub backoff_min: Duration,
    /// Longest wait between two tries to connect.
    pub backoff_max: Duration,
    /// With something in flight and nothing acknowledged for so long, the connection is given up.
    pub ack_timeout: Duration,
    /// Retained values that always differ (rates, health) are published as often as this.
    pub state_interval: Duration,
    /// A connection that held for so long was a good one: the next wait is short again.
    pub healthy_after: Duration,
    /// An announcement that waited for so long is marked `replayed`.
    pub late_after: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(10),
            state_interval: Duration::from_secs(30),
            healthy_after: Duration::from_secs(10),
            late_after: Duration::from_secs(10),
        }
    }
}

/// The session, not yet at work.
pub struct MqttTask<O> {
    config: MqttConfig,
    courier: Courier<O>,
}

impl<O: Outbox> MqttTask<O> {
    /// A session for `node` with `cameras`, fed by `outbox`. Give it the configured cameras at
    /// once: the retained topics of any other are emptied when it connects.
    pub fn new(
        config: MqttConfig,
        node: Node,
        cameras: Vec<CameraSite>,
        outbox: Arc<O>,
    ) -> (MqttHandle, Self) {
        let mut site = Site::default();
        site.set_cameras(cameras);
        let site = Arc::new(watch::Sender::new(site));
        let link = connecting(base::clock::wall(), 0, None, None);
        let (status_sender, status) = watch::channel(MqttStatus { link, ..MqttStatus::default() });
        let topics = Topics::new(&config.prefix, config.discovery_prefix.as_deref(), &node.id);
        let courier = Courier::new(outbox, topics, node, Arc::clone(&site), status_sender);
        (MqttHandle { site, status }, Self { config, courier })
    }

    /// The same with other times.
    #[must_use]
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.courier.tuning = tuning;
        self
    }

    /// The same; commands that the broker's clients give go to `commands`. Without, none are taken.
    #[must_use]
    pub fn with_commands(mut self, commands: mpsc::Sender<Command>) -> Self {
        self.courier.commands = Some(commands);
        self
    }

    /// Runs until `shutdown`. No failure ends it: every one is shown in the status and tried
    /// again after a wait.
    pub async fn run(mut self, mut shutdown: Shutdown) {
        let tuning = self.courier.tuning;
        let mut backoff = Backoff::new(tuning.backoff_min, tuning.backoff_max);
        let (mut since, mut attempts) = (base::clock::wall(), 0);
        let mut error = None;
        while !shutdown.is_stopping() {
            self.courier.show(Some(connecting(since, attempts, error.clone(), None)), 0);
            let (failure, was_good) = match self.connect_and_run(&mut shutdown).await {
                (Ok(()), _) => break,
                (Err(failure), was_good) => (failure, was_good),
            };
            // Before anything is sent again: what was acknowledged must not be.
            self.courier.acks.flush().await;
            if was_good {
                backoff.reset();
                (since, attempts) = (base::clock::wall(), 0);
            }
            attempts += 1;
            let wait = backoff.wait();
            error = Some(self.say(&failure, attempts, error.as_deref()));
            let next_try = base::clock::wall()
                .saturating_add(jiff::SignedDuration::try_from(wait).unwrap_or_default());
            let next_try = next_try.unwrap_or_else(|_| base::clock::wall());
            self.courier.show(Some(connecting(since, attempts, error.clone(), Some(next_try))), 0);
            self.wait(wait, &mut shutdown).await;
        }
        self.courier.acks.flush().await;
        self.courier.show(Some(LinkStatus::Stopped), 0);
    }

    /// Waits, and shows meanwhile how much has come to wait with it.
    async fn wait(&mut self, wait: Duration, shutdown: &mut Shutdown) {
        let mut show = tokio::time::interval(Courier::<O>::SHOW_INTERVAL);
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = shutdown.wait() => return,
                _ = show.tick() => self.courier.show(None, 0),
            }
        }
    }

    async fn connect_and_run(&mut self, shutdown: &mut Shutdown) -> (Result<(), MqttError>, bool) {
        let prepared = Address::of(&self.config.broker).and_then(|address| {
            let options = connect::options(&self.config, &address, &self.courier.topics)?;
            Ok((address, options))
        });
        let (address, options) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), false),
        };
        let (mut session, event_loop) = Session::new(&mut self.courier, options, &address);
        let result = session.run(event_loop, shutdown).await;
        (result, session.was_good())
    }

    /// Logs a failure, loudly when it is a new one, and answers with its words.
    fn say(&self, failure: &MqttError, attempts: u32, before: Option<&str>) -> String {
        let words = base::error::chain(failure);
        if before == Some(words.as_str()) {
            tracing::debug!(error = words, attempts, "still no broker");
        } else {
            let pending = self.courier.outbox.pending();
            tracing::warn!(error = words, attempts, pending, "no broker; events wait");
        }
        words
    }
}

fn connecting(
    since: Timestamp,
    attempts: u32,
    error: Option<String>,
    next_try: Option<Timestamp>,
) -> LinkStatus {
    LinkStatus::Connecting { since, attempts, error, next_try }
}
