//! Looking back: by zone and by time, and how much happened when.

use std::time::Duration;

use api::event::{Kind, Phase, Zones};
use edgecam_store::{CountQuery, EventQuery, NewEvent, Order, StoreHandle};
use jiff::{SignedDuration, Timestamp};

use crate::support::{event, object, open, seqs};

/// The time now, before which and after which nothing is stored in the same millisecond.
fn mark() -> Timestamp {
    let ms = || base::clock::wall().as_millisecond();
    let before = ms();
    while ms() == before {
        std::thread::yield_now();
    }
    let mark = ms();
    while ms() == mark {
        std::thread::yield_now();
    }
    Timestamp::from_millisecond(mark).unwrap()
}

fn in_zones(current: &[&str], subject: Option<&str>) -> NewEvent {
    let current = current.iter().map(|zone| (*zone).to_owned()).collect();
    let zones = Zones { current, subject: subject.map(str::to_owned), ..Zones::default() };
    NewEvent { zones, ..event("front", Phase::Update) }
}

async fn found(store: &StoreHandle, query: EventQuery) -> Vec<u64> {
    seqs(&store.events(query).await.unwrap())
}

#[tokio::test]
async fn announcements_are_found_by_zone_also_by_the_one_that_they_are_about() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    for event in [
        in_zones(&["door"], None),
        in_zones(&["door", "yard"], Some("yard")),
        in_zones(&[], Some("door")),
        in_zones(&["door-2"], None),
        in_zones(&[], None),
    ] {
        store.append(event).await.unwrap();
    }
    let zone = |zone: &str| EventQuery { zone: Some(zone.to_owned()), ..EventQuery::default() };
    assert_eq!(found(&store, zone("door")).await, [1, 2, 3]);
    assert_eq!(found(&store, zone("yard")).await, [2]);
    assert_eq!(found(&store, zone("doo")).await, [0_u64; 0]);
    let newest = EventQuery { order: Order::NewestFirst, limit: 2, ..zone("door") };
    assert_eq!(found(&store, newest).await, [3, 2]);
    let older = EventQuery { order: Order::NewestFirst, before_seq: Some(3), ..zone("door") };
    assert_eq!(found(&store, older).await, [2, 1]);
    threads.stop().await;
}

#[tokio::test]
async fn announcements_are_found_by_time_together_with_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut marks = vec![mark()];
    for camera in ["front", "yard", "front"] {
        store.append(event(camera, Phase::New)).await.unwrap();
        store.append(in_zones(&["door"], None)).await.unwrap();
        marks.push(mark());
    }
    let between = |from: usize, to: usize| EventQuery {
        from: Some(marks[from]),
        to: Some(marks[to]),
        ..EventQuery::default()
    };
    assert_eq!(found(&store, between(1, 3)).await, [3, 4, 5, 6]);
    assert_eq!(found(&store, between(1, 1)).await, [0_u64; 0]);
    let newest = EventQuery { order: Order::NewestFirst, limit: 3, ..between(0, 2) };
    assert_eq!(found(&store, newest).await, [4, 3, 2]);
    let since = EventQuery { from: Some(marks[2]), ..EventQuery::default() };
    assert_eq!(found(&store, since).await, [5, 6]);
    let until = EventQuery { to: Some(marks[1]), ..EventQuery::default() };
    assert_eq!(found(&store, until).await, [1, 2]);
    let of_yard = EventQuery { camera: Some("yard".into()), ..between(0, 3) };
    assert_eq!(found(&store, of_yard).await, [3]);
    let seen = EventQuery { cameras: Some(vec!["yard".into()]), ..between(0, 3) };
    assert_eq!(found(&store, seen).await, [3]);
    let in_zone = EventQuery { zone: Some("door".into()), ..between(1, 3) };
    assert_eq!(found(&store, in_zone).await, [4, 6]);
    let new = EventQuery {
        phase: Some(Phase::New),
        kind: Some(Kind::Object),
        label: Some("car".into()),
        after_seq: Some(1),
        ..between(0, 3)
    };
    assert_eq!(found(&store, new).await, [3, 5]);
    threads.stop().await;
}

#[tokio::test]
async fn events_are_counted_once_each_by_bucket_camera_label_and_kind() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let new = |camera: &str, label: &str| NewEvent {
        object: Some(object(label)),
        ..event(camera, Phase::New)
    };
    for event in [
        new("front", "car"),
        new("front", "car"),
        new("front", "cat"),
        new("yard", "car"),
        NewEvent { kind: Kind::Governor, object: None, ..event("yard", Phase::New) },
        // Not the begin of an event.
        event("front", Phase::Update),
        event("front", Phase::End),
    ] {
        store.append(event).await.unwrap();
    }
    let now = base::clock::wall();
    let query = CountQuery {
        from: now - SignedDuration::from_secs(90),
        to: now + SignedDuration::from_secs(30),
        bucket: Duration::from_secs(60),
        cameras: None,
        label: None,
        kind: None,
    };
    let told = async |query: &CountQuery| {
        let counts = store.counts(query.clone()).await.unwrap();
        let row = |count: &edgecam_store::Count| {
            let label = count.label.as_deref().unwrap_or("-");
            let camera = count.camera.as_deref().unwrap_or("-");
            format!("{} {camera} {label} {:?} {}", count.bucket, count.kind, count.events)
        };
        counts.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&query).await,
        [
            "1 front car Object 2",
            "1 front cat Object 1",
            "1 yard - Governor 1",
            "1 yard car Object 1"
        ]
    );
    let cameras = Some(vec!["yard".to_owned()]);
    let narrow = CountQuery {
        cameras,
        label: Some("car".into()),
        kind: Some(Kind::Object),
        ..query.clone()
    };
    assert_eq!(told(&narrow).await, ["1 yard car Object 1"]);
    let before = CountQuery { to: now - SignedDuration::from_secs(30), ..query };
    assert!(told(&before).await.is_empty());
    threads.stop().await;
}
