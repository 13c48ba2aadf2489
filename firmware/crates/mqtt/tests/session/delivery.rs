//! Announcements arrive in `seq` order, each once while nothing goes wrong, and none is lost when
//! the broker dies.

use std::sync::Arc;
use std::time::Duration;

use edgecam_mqtt::{LinkStatus, Tuning};

use crate::broker::Broker;
use crate::outbox::{BOOT_ID, MemoryOutbox};
use crate::subscriber::{Subscriber, decode, first_seen};
use crate::support::{Running, config, front, tuning};

const EVENTS: &str = "edgecam/ec-test/+/events";

#[tokio::test]
async fn announcements_arrive_in_order_each_once_and_leave_the_outbox() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), EVENTS).await;
    let session = Running::start(broker.address());
    session.outbox.append(500);
    let announcements = subscriber.announcements(500).await;
    assert_eq!(
        announcements.iter().map(|e| e.seq).collect::<Vec<_>>(),
        (1..=500).collect::<Vec<_>>()
    );
    assert!(announcements.iter().all(|event| !event.replayed && event.boot_id == BOOT_ID));
    let latency = announcements[0].timing.sensor_to_publish_ms.unwrap();
    assert!((0.0..10_000.0).contains(&latency), "{latency}");
    assert!(subscriber.messages().iter().all(|message| !message.retain));
    let status = session.until(|s| s.pending == 0 && s.acknowledged == 500).await;
    assert_eq!((status.published, status.replayed, status.connections), (500, 0, 1));
    session.stop().await;
}

#[tokio::test]
async fn a_new_announcement_does_not_wait_for_a_timer() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), EVENTS).await;
    let session = Running::start(broker.address());
    session.until(|status| status.is_connected()).await;
    for expected in 1..=20 {
        session.outbox.append(1);
        subscriber.announcements(expected).await;
    }
    let mut latencies: Vec<_> = decode(&subscriber.messages())
        .iter()
        .map(|event| event.timing.sensor_to_publish_ms.unwrap())
        .collect();
    latencies.sort_by(f32::total_cmp);
    assert!(latencies[10] < 50.0, "median {} ms", latencies[10]);
    session.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_killed_in_the_stream_loses_nothing_and_the_order_stays() {
    const COUNT: u64 = 1_000;
    let mut broker = Broker::with("allow_anonymous true\npersistence true\n", |_| {});
    let mut subscriber = Subscriber::persistent(broker.address(), EVENTS).await;
    broker.save();
    let session = Running::start(broker.address());
    let outbox = Arc::clone(&session.outbox);
    let producing = tokio::spawn(async move {
        for _ in 0..COUNT / 10 {
            outbox.append(10);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for seen in [200, 400, 600] {
        subscriber.announcements(seen).await;
        broker.kill();
        session.until(|status| status.alarm().is_some() && status.pending > 0).await;
        broker.restart();
        session.until(|status| status.is_connected()).await;
    }
    producing.await.unwrap();
    let announcements = subscriber.announcements(usize::try_from(COUNT).unwrap()).await;
    assert_eq!(first_seen(&announcements), (1..=COUNT).collect::<Vec<_>>());
    session.until(|status| status.pending == 0).await;
    session.stop().await;
}

#[tokio::test]
async fn a_backlog_of_an_earlier_life_goes_first_and_is_marked_replayed() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), EVENTS).await;
    let outbox = Arc::new(MemoryOutbox::new());
    (0..300).for_each(|_| outbox.append_as("old"));
    outbox.append(1);
    let session = Running::with(config(broker.address()), tuning(), vec![front()], outbox);
    let announcements = subscriber.announcements(301).await;
    assert_eq!(first_seen(&announcements), (1..=301).collect::<Vec<_>>());
    let (fresh, replayed): (Vec<_>, Vec<_>) = announcements.iter().partition(|e| !e.replayed);
    assert_eq!((fresh.len(), fresh[0].seq), (1, 301));
    assert!(replayed.iter().all(|event| event.timing.sensor_to_publish_ms.is_none()));
    session.stop().await;
}

#[tokio::test]
async fn an_announcement_that_waited_for_long_is_marked_replayed() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), EVENTS).await;
    let outbox = Arc::new(MemoryOutbox::new());
    outbox.append(1);
    let tuning = Tuning { late_after: Duration::ZERO, ..tuning() };
    let session = Running::with(config(broker.address()), tuning, vec![front()], outbox);
    assert!(subscriber.announcements(1).await[0].replayed);
    session.stop().await;
}

#[tokio::test]
async fn without_a_broker_the_session_waits_and_stops_when_asked() {
    let mut broker = Broker::start();
    broker.kill();
    let session = Running::start(broker.address());
    session.outbox.append(3);
    let status = session.until(|status| status.alarm().is_some()).await;
    let LinkStatus::Connecting { attempts, error, next_try, .. } = &status.link else {
        panic!("{status:?}")
    };
    assert!(*attempts >= 1 && next_try.is_some());
    let address = broker.address().to_string();
    assert!(error.as_ref().unwrap().contains(&address), "{error:?}");
    let handle = session.stop().await;
    assert_eq!(handle.status().borrow().link, LinkStatus::Stopped);
    assert_eq!(handle.status().borrow().pending, 3);
}
