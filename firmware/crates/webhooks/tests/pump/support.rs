//! A store with webhooks that run, and a wait for what is to happen.

use std::path::Path;
use std::time::{Duration, Instant};

use api::event::{EventType, Kind, Phase, Severity, Timing, Zones};
use api::webhooks::{DeliveryOutcome, NewWebhook, Webhook};
use base::shutdown::Stopper;
use edgecam_webhooks::{Tuning, Webhooks};
use egress::Reach;
use store::{NewEvent, OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits};
use tokio::task::JoinHandle;
use ulid::Ulid;

/// Longer than anything takes, on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(120);

pub(crate) fn tuning() -> Tuning {
    Tuning {
        within: Duration::from_secs(2),
        trial_within: Duration::from_secs(2),
        wait_least: Duration::from_millis(10),
        wait_most: Duration::from_millis(50),
        // Receivers of tests are on this machine.
        reach: |_| Reach::Anywhere,
    }
}

/// A device as far as webhooks go.
pub(crate) struct Device {
    pub(crate) store: StoreHandle,
    threads: StoreThreads,
    pub(crate) hooks: Webhooks,
    stopper: Stopper,
    keeper: JoinHandle<()>,
}

impl Device {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::with(folder, tuning(), 100_000)
    }

    /// One that keeps `events_max` announcements.
    pub(crate) fn with(folder: &Path, tuning: Tuning, events_max: u64) -> Self {
        let options = StoreOptions {
            dir: folder.to_owned(),
            node: "ec-test".to_owned(),
            events_max,
            outbox: OutboxPolicy::Off,
            tracks: TrackLimits { max_bytes: 0, max_age: LONG },
        };
        let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
        let (hooks, keeper) = Webhooks::open(folder, "ec-test", store.clone(), tuning);
        let (stopper, shutdown) = base::shutdown::channel();
        let keeper = tokio::spawn(keeper.run(shutdown));
        Self { store, threads, hooks, stopper, keeper }
    }

    /// Stops as the daemon does.
    pub(crate) async fn stop(self) {
        let Self { store, threads, hooks, stopper, keeper } = self;
        stopper.stop();
        keeper.await.unwrap();
        drop((store, hooks));
        threads.stop().await;
    }

    /// Ends it without a farewell: nothing more is noted.
    pub(crate) async fn kill(self) {
        let Self { store, threads, hooks, stopper: _stopper, keeper } = self;
        keeper.abort();
        let _ = keeper.await;
        drop((store, hooks));
        threads.stop().await;
    }

    /// Stores `count` announcements of `camera`.
    pub(crate) async fn happen(&self, camera: &str, count: usize) {
        for chunk in vec![event(camera); count].chunks(64) {
            self.store.append_all(chunk.to_vec()).await.unwrap();
        }
    }

    /// Makes a webhook to `url`; answers its id.
    pub(crate) async fn hook(&self, url: &str) -> String {
        self.hook_with(serde_json::json!({ "url": url })).await
    }

    pub(crate) async fn hook_with(&self, new: serde_json::Value) -> String {
        let new: NewWebhook = serde_json::from_value(new).unwrap();
        self.hooks.create(new).await.unwrap().webhook.id
    }

    pub(crate) fn get(&self, id: &str) -> Webhook {
        self.hooks.get(id).unwrap()
    }

    /// What became of its deliveries, newest first.
    pub(crate) async fn outcomes(&self, id: &str) -> Vec<(u64, DeliveryOutcome)> {
        let all = self.hooks.deliveries(id, None, 1000).await.unwrap();
        all.into_iter().map(|one| (one.seq, one.outcome)).collect()
    }
}

pub(crate) fn event(camera: &str) -> NewEvent {
    let now = base::clock::wall();
    NewEvent {
        id: Ulid::generate(),
        phase: Phase::End,
        event_type: EventType::ObjectEnd,
        kind: Kind::Object,
        severity: Severity::Detection,
        camera: Some(camera.to_owned()),
        ts: now,
        start_ts: now,
        end_ts: Some(now),
        object: None,
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing::default(),
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(
    what: &'static str,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    let begun = Instant::now();
    let caller = std::panic::Location::caller();
    async move {
        while !condition() {
            assert!(begun.elapsed() < LONG, "{caller}: never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
