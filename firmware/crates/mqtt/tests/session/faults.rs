//! Harm on the way to the broker: nothing is lost, the order of first delivery stays.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use edgecam_mqtt::Tuning;

use crate::broker::Broker;
use crate::outbox::MemoryOutbox;
use crate::proxy::{Plan, Proxy};
use crate::subscriber::{Subscriber, first_seen};
use crate::support::{Running, config, front, tuning};

const EVENTS: &str = "edgecam/ec-test/+/events";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_and_eaten_acknowledgements_lose_nothing() {
    const COUNT: u64 = 3_000;
    let broker = Broker::start();
    let plan = Plan { seed: 42, refuse: 0.1, eat: 0.01, cut: 0.01 };
    let proxy = Proxy::start(broker.address(), plan).await;
    let mut subscriber = Subscriber::start(broker.address(), EVENTS).await;
    let tuning = Tuning {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(40),
        ack_timeout: Duration::from_millis(100),
        ..tuning()
    };
    let outbox = Arc::new(MemoryOutbox::new());
    let session = Running::with(config(proxy.address()), tuning, vec![front()], outbox);
    let started = Instant::now();
    for _ in 0..COUNT / 50 {
        session.outbox.append(50);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let announcements = subscriber.announcements(usize::try_from(COUNT).unwrap()).await;
    session.until(|status| status.pending == 0).await;
    let harm = proxy.harm();
    let sent_again = announcements.len() as u64 - COUNT;
    println!(
        "{COUNT} events, {} faults ({} refused, {} acknowledgements eaten, {} cuts) in {:?}: \
         {} arrived, {sent_again} of them again",
        harm.faults(),
        harm.refused.load(Ordering::Relaxed),
        harm.eaten.load(Ordering::Relaxed),
        harm.cut.load(Ordering::Relaxed),
        started.elapsed(),
        announcements.len(),
    );
    assert!(harm.faults() >= 50, "only {} faults", harm.faults());
    assert_eq!(first_seen(&announcements), (1..=COUNT).collect::<Vec<_>>());
    let mut ids = HashMap::new();
    for event in &announcements {
        let before = ids.insert(event.seq, event.id);
        assert!(before.is_none_or(|id| id == event.id), "seq {} has two ids", event.seq);
        assert!(before.is_none() || event.replayed, "seq {} came again unmarked", event.seq);
    }
    session.stop().await;
}

#[tokio::test]
async fn an_acknowledgement_that_never_comes_ends_the_connection() {
    let broker = Broker::start();
    let plan = Plan { seed: 1, eat: 1.0, ..Plan::default() };
    let proxy = Proxy::start(broker.address(), plan).await;
    let tuning = Tuning { ack_timeout: Duration::from_millis(300), ..tuning() };
    let outbox = Arc::new(MemoryOutbox::new());
    outbox.append(10);
    let session = Running::with(config(proxy.address()), tuning, vec![front()], outbox);
    let status = session.until(|status| status.alarm().is_some()).await;
    assert!(status.alarm().unwrap().contains("acknowledged nothing"), "{status:?}");
    assert_eq!(status.pending, 10);
    session.stop().await;
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_given_up_within_two_keep_alives() {
    let broker = Broker::start();
    let proxy = Proxy::start(broker.address(), Plan::default()).await;
    let mut config = config(proxy.address());
    config.keep_alive = Duration::from_secs(1);
    let outbox = Arc::new(MemoryOutbox::new());
    let session = Running::with(config, tuning(), vec![front()], outbox);
    session.until(|status| status.is_connected()).await;
    proxy.go_silent();
    let silent = Instant::now();
    session.until(|status| !status.is_connected()).await;
    assert!(silent.elapsed() < Duration::from_millis(2_500), "{:?}", silent.elapsed());
    proxy.speak();
    session.until(|status| status.is_connected()).await;
    session.stop().await;
}
