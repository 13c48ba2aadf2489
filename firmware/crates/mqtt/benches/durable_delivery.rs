//! Measures the path of an event from `append` to a subscriber, over the real store and a real
//! mosquitto on this machine. Prints medians over runs; asserts nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement may fail by the one and tells by the other"
)]

#[path = "../tests/session/broker.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod broker;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::event::{EventType, Kind, Phase, Severity, Timing, Zones};
use edgecam_mqtt::{MqttTask, Node, Outbox, OutboxError, Waiting};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use store::{NewEvent, OutboxPolicy, Store, StoreHandle, StoreOptions, StoreThreads, TrackLimits};
use tokio::sync::{mpsc, watch};

const RUNS: usize = 5;

struct StoreOutbox(StoreHandle);

impl Outbox for StoreOutbox {
    async fn next_after(&self, seq: u64, limit: usize) -> Result<Vec<Waiting>, OutboxError> {
        let rows = self.0.outbox_after(seq, limit).await.map_err(|e| OutboxError(e.into()))?;
        let waiting =
            rows.into_iter().map(|row| Waiting { event: row.event, stored_at: row.stored_at });
        Ok(waiting.collect())
    }

    async fn ack(&self, seqs: Vec<u64>) -> Result<(), OutboxError> {
        self.0.ack(seqs).await.map_err(|e| OutboxError(e.into()))
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest()
    }

    fn pending(&self) -> u64 {
        self.0.outbox_status().pending
    }
}

fn event() -> NewEvent {
    let now = base::clock::wall();
    let object = api::event::Object {
        track_id: ulid::Ulid::generate(),
        label: "car".to_owned(),
        score: 0.5,
        top_score: 0.75,
        r#box: [0.25, 0.25, 0.5, 0.5],
        stationary: false,
        velocity: [0.0, 0.0],
        age_ms: 100,
    };
    NewEvent {
        id: ulid::Ulid::generate(),
        phase: Phase::End,
        event_type: EventType::ObjectEnd,
        kind: Kind::Object,
        severity: Severity::Detection,
        camera: Some("front".to_owned()),
        ts: now,
        start_ts: now,
        end_ts: Some(now),
        object: Some(object),
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

fn open(dir: &Path) -> (StoreHandle, StoreThreads) {
    let options = StoreOptions {
        dir: dir.to_owned(),
        node: "ec-bench".to_owned(),
        events_max: 100_000,
        outbox: OutboxPolicy::Keep { max_events: 100_000 },
        tracks: TrackLimits { max_bytes: 0, max_age: Duration::ZERO },
    };
    Store::open(options).unwrap().spawn().unwrap()
}

/// Events per second, and events per commit, with `callers` that each wait for their answer.
async fn ingest(callers: usize, events: usize) -> (f64, f64) {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..events / callers {
                store.append(event()).await.unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let result =
        (events as f64 / started.elapsed().as_secs_f64(), events as f64 / store.commits() as f64);
    threads.stop().await;
    result
}

/// A broker, a subscriber, and a session that brings it what `store` holds.
struct Delivery {
    arrived: mpsc::UnboundedReceiver<Instant>,
    stopper: base::shutdown::Stopper,
    session: tokio::task::JoinHandle<()>,
    subscriber: tokio::task::JoinHandle<()>,
    _broker: broker::Broker,
}

impl Delivery {
    async fn start(store: &StoreHandle) -> Self {
        let broker = broker::Broker::start();
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let subscriber = subscribe(broker.address(), arrivals).await;
        let boot_id = store.boot_id().to_owned();
        let node = Node { id: "ec-bench".to_owned(), boot_id, ..Node::default() };
        let config = config::MqttConfig {
            broker: config::model::Broker::Supervised(broker.address()),
            credentials: None,
            ca_file: None,
            client_cert: None,
            prefix: "edgecam".to_owned(),
            discovery_prefix: None,
            commands: false,
            keep_alive: Duration::from_secs(15),
        };
        let outbox = Arc::new(StoreOutbox(store.clone()));
        let (handle, task) = MqttTask::new(config, node, Vec::new(), outbox);
        let (stopper, shutdown) = base::shutdown::channel();
        let session = tokio::spawn(task.run(shutdown));
        handle.status().wait_for(edgecam_mqtt::MqttStatus::is_connected).await.unwrap();
        Self { arrived, stopper, session, subscriber, _broker: broker }
    }

    async fn stop(self) {
        self.stopper.stop();
        self.session.await.unwrap();
        self.subscriber.abort();
    }
}

/// Time from `append` to its answer, and to a subscriber, for `count` events every `interval`.
async fn latency(interval: Duration, count: u64) -> (Vec<Duration>, Vec<Duration>) {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut delivery = Delivery::start(&store).await;
    let (mut stored, mut delivered) = (Vec::new(), Vec::new());
    let mut tick = tokio::time::interval(interval);
    for _ in 0..count {
        tick.tick().await;
        let started = Instant::now();
        store.append(event()).await.unwrap();
        stored.push(started.elapsed());
        let at: Instant = delivery.arrived.recv().await.unwrap();
        delivered.push(at.duration_since(started));
    }
    delivery.stop().await;
    threads.stop().await;
    (stored, delivered)
}

/// Time in which a broker that was away gets `count` events, from the connection to the last.
async fn drain(count: usize) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut appending = tokio::task::JoinSet::new();
    for _ in 0..count {
        let store = store.clone();
        appending.spawn(async move { store.append(event()).await.unwrap() });
    }
    appending.join_all().await;
    let begun = Instant::now();
    let mut delivery = Delivery::start(&store).await;
    for _ in 0..count {
        delivery.arrived.recv().await.unwrap();
    }
    let took = begun.elapsed();
    delivery.stop().await;
    threads.stop().await;
    took
}

async fn subscribe(
    broker: std::net::SocketAddr,
    arrivals: mpsc::UnboundedSender<Instant>,
) -> tokio::task::JoinHandle<()> {
    let options = MqttOptions::new("bench", broker.ip().to_string(), broker.port());
    let (client, mut event_loop) = AsyncClient::new(options, 16);
    client.subscribe("edgecam/+/+/events", QoS::AtLeastOnce).await.unwrap();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let (mut ready, _client) = (Some(ready), client);
        loop {
            match event_loop.poll().await.unwrap() {
                Event::Incoming(Packet::SubAck(_)) => ready.take().unwrap().send(()).unwrap(),
                Event::Incoming(Packet::Publish(_)) => arrivals.send(Instant::now()).unwrap(),
                _ => {}
            }
        }
    });
    is_ready.await.unwrap();
    task
}

fn quantile(sorted: &[Duration], share: usize) -> f64 {
    sorted[(sorted.len() * share / 100).min(sorted.len() - 1)].as_secs_f64() * 1_000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this as a test: once, and short.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let runs = if quick { 1 } else { RUNS };
    for callers in [1, 8, 256] {
        let events = if quick { callers } else { (callers * 50).clamp(100, 10_000) };
        let (mut rates, mut groups) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (rate, group) = ingest(callers, events).await;
            rates.push(rate);
            groups.push(group);
        }
        println!(
            "durable ingest, {callers} callers: {:.0} events/s, {:.1} events/commit",
            median(rates),
            median(groups)
        );
    }
    let count = if quick { 5 } else { 500 };
    let (mut to_disk, mut to_subscriber) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (stored, delivered) = latency(Duration::from_millis(10), count).await;
        to_disk.push(stored);
        to_subscriber.push(delivered);
    }
    println!("event append -> stored: {}", quantiles(to_disk));
    println!("event append -> subscriber: {}", quantiles(to_subscriber));
    let count = if quick { 10 } else { 10_000 };
    let mut times = Vec::new();
    for _ in 0..runs {
        times.push(drain(count).await.as_secs_f64());
    }
    println!("backlog of {count} events to a subscriber: {:.2} s", median(times));
}

/// The median over `runs` of each quantile.
fn quantiles(mut runs: Vec<Vec<Duration>>) -> String {
    runs.iter_mut().for_each(|run| run.sort_unstable());
    let of = |share| median(runs.iter().map(|run| quantile(run, share)).collect());
    format!("p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms", of(50), of(95), of(99))
}
