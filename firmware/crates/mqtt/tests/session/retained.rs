//! What the broker keeps for us: complete, newest, and gone with what it was about.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::status::{CameraPhase, CameraStatus, Counts, LineCounts, ZoneCounts};
use edgecam_mqtt::CameraSite;
use serde_json::Value;

use crate::broker::Broker;
use crate::outbox::MemoryOutbox;
use crate::subscriber::{Subscriber, kept};
use crate::support::{Running, config, front, tuning};

const DISCOVERY: &str = "homeassistant/device/edgecam_ec_test/config";

fn labels(labels: &[(&str, u32)]) -> BTreeMap<String, u32> {
    labels.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect()
}

fn status(phase: CameraPhase, counts: Counts) -> CameraStatus {
    CameraStatus { id: "front".to_owned(), phase, counts, ..CameraStatus::default() }
}

fn counts() -> Counts {
    let zone = ZoneCounts { labels: labels(&[("car", 1)]) };
    Counts {
        labels: labels(&[("car", 2), ("traffic light", 1)]),
        zones: [("drive".to_owned(), zone)].into(),
        lines: [("gate".to_owned(), LineCounts { r#in: 3, out: 1, labels: BTreeMap::new() })]
            .into(),
    }
}

/// The keys of Home Assistant's components in a discovery payload.
fn components(payload: &str) -> Vec<String> {
    let payload: Value = serde_json::from_str(payload).unwrap();
    payload["cmps"].as_object().unwrap().keys().cloned().collect()
}

async fn running(broker: &Broker, cameras: Vec<CameraSite>) -> Running {
    let outbox = Arc::new(MemoryOutbox::new());
    let session = Running::with(config(broker.address()), tuning(), cameras, outbox);
    session.until(|status| status.is_connected()).await;
    session
}

/// Waits until `counts()` of the camera are published. Topics go out in alphabetical order: with
/// discovery, all are up to date.
async fn until_all_is_published(subscriber: &mut Subscriber) {
    let newest = |message: &crate::subscriber::Message| {
        message.topic == DISCOVERY
            && components(&message.text()).contains(&"front_count_car".to_owned())
    };
    subscriber.until(|messages| messages.iter().any(newest)).await;
}

#[tokio::test]
async fn counts_zones_lines_and_availability_follow_the_camera() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), "edgecam/#").await;
    let session = running(&broker, vec![front()]).await;
    session.handle.set_camera_status(status(CameraPhase::Running, counts()));
    let expected = [
        ("availability", "online"),
        ("count/all", "3"),
        ("count/car", "2"),
        ("count/traffic_light", "1"),
        ("zone/drive/occupancy", "ON"),
        ("zone/drive/count/car", "1"),
        ("line/gate/in", "3"),
        ("line/gate/out", "1"),
    ];
    for (topic, payload) in expected {
        subscriber.until_last(&format!("edgecam/ec-test/front/{topic}"), payload).await;
    }
    session.handle.set_camera_status(status(CameraPhase::Stalled, Counts::default()));
    for (topic, payload) in [("availability", "offline"), ("zone/drive/occupancy", "OFF")] {
        subscriber.until_last(&format!("edgecam/ec-test/front/{topic}"), payload).await;
    }
    let kept = kept(broker.address(), "edgecam/ec-test/front/state").await;
    let state: Value = serde_json::from_str(&kept["edgecam/ec-test/front/state"]).unwrap();
    assert_eq!(state["phase"], "stalled");
    session.stop().await;
}

#[tokio::test]
async fn a_removed_camera_is_gone_from_the_broker_and_from_home_assistant() {
    let broker = Broker::start();
    let back = CameraSite { id: "back".to_owned(), name: "Back".to_owned(), ..front() };
    let mut subscriber = Subscriber::start(broker.address(), "#").await;
    let session = running(&broker, vec![front(), back]).await;
    session.handle.set_camera_status(status(CameraPhase::Running, counts()));
    until_all_is_published(&mut subscriber).await;
    let before = kept(broker.address(), "edgecam/ec-test/front/#").await;
    assert!(before.len() >= 9, "{before:#?}");

    let back = CameraSite { id: "back".to_owned(), name: "Back".to_owned(), ..front() };
    session.handle.set_cameras(vec![back]);
    for topic in before.keys() {
        subscriber.until_last(topic, "").await;
    }
    // First Home Assistant is told to remove the components, then they are no longer listed.
    let discoveries = subscriber
        .until(|messages| {
            let mut discoveries = messages.iter().rev().filter(|m| m.topic == DISCOVERY);
            let last = discoveries.next().map(|m| components(&m.text())).unwrap_or_default();
            !last.is_empty() && !last.iter().any(|key| key.starts_with("front_"))
        })
        .await;
    let discoveries: Vec<_> = discoveries.iter().filter(|m| m.topic == DISCOVERY).collect();
    let removal: Value = serde_json::from_str(&discoveries[discoveries.len() - 2].text()).unwrap();
    assert_eq!(removal["cmps"]["front_event"], serde_json::json!({ "p": "event" }));
    assert!(kept(broker.address(), "edgecam/ec-test/front/#").await.is_empty());
    session.stop().await;
}

#[tokio::test]
async fn what_an_earlier_life_left_is_removed_and_labels_it_saw_stay() {
    let broker = Broker::start();
    let gone = CameraSite { id: "gone".to_owned(), ..front() };
    let session = running(&broker, vec![front(), gone]).await;
    session.handle.set_camera_status(status(CameraPhase::Running, counts()));
    let mut subscriber = Subscriber::start(broker.address(), "#").await;
    until_all_is_published(&mut subscriber).await;
    session.kill().await;

    // A new life: no camera `gone`, no line `gate`, and nothing seen yet.
    let front = CameraSite { lines: Vec::new(), ..front() };
    let session = running(&broker, vec![front]).await;
    for topic in ["gone/state", "gone/zone/drive/occupancy", "front/line/gate/in"] {
        subscriber.until_last(&format!("edgecam/ec-test/{topic}"), "").await;
    }
    for topic in ["front/count/car", "front/count/traffic_light", "front/zone/drive/count/car"] {
        subscriber.until_last(&format!("edgecam/ec-test/{topic}"), "0").await;
    }
    let mut discovery = Subscriber::start(broker.address(), DISCOVERY).await;
    let keys = |messages: &[crate::subscriber::Message]| {
        messages.last().map(|message| components(&message.text())).unwrap_or_default()
    };
    let messages = discovery
        .until(|messages| {
            let keys = keys(messages);
            !keys.is_empty() && !keys.iter().any(|key| key.starts_with("gone_"))
        })
        .await;
    let keys = keys(&messages);
    assert!(keys.contains(&"front_occupancy_car".to_owned()), "{keys:#?}");
    assert!(!keys.iter().any(|key| key.contains("gate")), "{keys:#?}");
    session.stop().await;
}

#[tokio::test]
async fn home_assistant_is_told_again_when_it_comes_up() {
    let broker = Broker::start();
    let mut subscriber = Subscriber::start(broker.address(), DISCOVERY).await;
    let session = running(&broker, vec![front()]).await;
    let told = |n: usize| move |messages: &[crate::subscriber::Message]| messages.len() >= n;
    subscriber.until(told(1)).await;
    // The session subscribes right after it connected; the broker serves a client in order.
    session.until(|status| status.is_connected()).await;
    let before = subscriber.messages().len();
    subscriber.publish("homeassistant/status", true, "online").await;
    subscriber.until(told(before + 1)).await;
    session.stop().await;
}

#[tokio::test]
async fn everything_is_kept_again_after_the_broker_forgot_it() {
    let mut broker = Broker::start();
    let session = running(&broker, vec![front()]).await;
    session.handle.set_camera_status(status(CameraPhase::Running, counts()));
    let mut subscriber = Subscriber::start(broker.address(), "#").await;
    until_all_is_published(&mut subscriber).await;
    let before = kept(broker.address(), "#").await;
    broker.kill();
    broker.restart();
    let mut subscriber = Subscriber::start(broker.address(), "#").await;
    for (topic, payload) in &before {
        subscriber.until_last(topic, payload).await;
    }
    session.stop().await;
}
