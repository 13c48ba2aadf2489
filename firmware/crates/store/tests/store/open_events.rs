//! Events whose camera or daemon died are ended.

use api::event::{EventType, InputState, Kind, Phase};
use edgecam_store::{CloseReason, CountQuery, EventQuery, NewEvent};

use crate::support::{event, open, seqs, whole};

#[tokio::test]
async fn a_camera_that_died_has_its_open_events_ended_now() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let first = event("front", Phase::New);
    let ended = event("front", Phase::New);
    let elsewhere = event("back", Phase::New);
    store.append_all(vec![first.clone(), ended.clone(), elsewhere.clone()]).await.unwrap();
    store.append(NewEvent { id: first.id, ..event("front", Phase::Update) }).await.unwrap();
    store.append(NewEvent { id: ended.id, ..event("front", Phase::End) }).await.unwrap();
    assert_eq!(seqs(&store.open_events(Some("front")).await.unwrap()), [4]);

    let stored = store.close_open(Some("front"), CloseReason::CameraGone).await.unwrap();
    assert_eq!(stored.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [6]);
    let life = store.event(first.id).await.unwrap();
    let end = life.last().unwrap();
    assert_eq!((end.phase, end.event_type), (Phase::End, EventType::ObjectEnd));
    assert_eq!((end.start_ts, end.timing.sensor_ts_ns), (life[1].start_ts, 0));
    assert!(end.end_ts.unwrap() >= life[1].ts);
    let waiting = store.outbox_after(5, 10).await.unwrap();
    assert_eq!(waiting[0].event.id, first.id, "the end is announced");
    assert_eq!(store.open_events(None).await.unwrap()[0].id, elsewhere.id);
    threads.stop().await;
}

#[tokio::test]
async fn a_daemon_that_comes_back_ends_all_in_the_order_in_which_they_began() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut zone = event("back", Phase::New);
    (zone.kind, zone.event_type) = (Kind::Zone, EventType::ZoneEntered);
    let object = event("front", Phase::New);
    store.append_all(vec![zone.clone(), object.clone(), whole("front")]).await.unwrap();
    store.append(NewEvent { id: zone.id, ..zone.clone() }).await.unwrap();
    threads.stop().await;

    let (store, threads) = open(dir.path());
    let stored = store.close_open(None, CloseReason::DaemonRestarted).await.unwrap();
    assert_eq!(stored.len(), 2);
    let ends = store.outbox_after(4, 10).await.unwrap();
    assert_eq!([ends[0].event.id, ends[1].event.id], [zone.id, object.id]);
    assert_eq!(ends[0].event.event_type, EventType::ZoneLeft);
    assert_eq!(ends[1].event.end_ts, Some(object.ts), "nobody knows of any later time");
    assert!(store.close_open(None, CloseReason::DaemonRestarted).await.unwrap().is_empty());
    threads.stop().await;
}

#[tokio::test]
async fn an_event_that_has_its_end_from_the_beginning_is_never_open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut crossing = event("front", Phase::New);
    crossing.kind = Kind::LineCrossing;
    crossing.end_ts = Some(crossing.ts);
    store.append(crossing).await.unwrap();
    assert!(store.open_events(None).await.unwrap().is_empty());
    threads.stop().await;
}

#[tokio::test]
async fn an_input_of_the_device_lasts_without_a_camera_and_ends_with_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let bell = |camera: Option<&str>| {
        let label = "doorbell".to_owned();
        let input = InputState { label, active: true, ..InputState::default() };
        let camera = camera.map(str::to_owned);
        let (kind, event_type) = (Kind::Input, EventType::InputOn);
        let new = event("front", Phase::New);
        NewEvent { camera, kind, event_type, input: Some(input), object: None, ..new }
    };
    store.append_all(vec![bell(None), bell(Some("front"))]).await.unwrap();
    let gone = store.close_open(Some("front"), CloseReason::CameraGone).await.unwrap();
    assert!(gone.is_empty(), "it is pressed whether its camera is there or not");
    let label = Some("doorbell".to_owned());
    let query = EventQuery { label, ..EventQuery::default() };
    let found = store.events(query.clone()).await.unwrap();
    let cameras: Vec<_> = found.iter().map(|event| event.camera.as_deref()).collect();
    assert_eq!(cameras, [None, Some("front")]);
    let counts = CountQuery {
        from: found[0].ts - jiff::SignedDuration::from_secs(60),
        to: found[0].ts + jiff::SignedDuration::from_secs(60),
        bucket: std::time::Duration::from_secs(120),
        cameras: None,
        label: None,
        kind: None,
    };
    let counts = store.counts(counts).await.unwrap();
    let cameras: Vec<_> = counts.iter().map(|count| count.camera.as_deref()).collect();
    assert_eq!(cameras, [None, Some("front")]);

    store.close_open(None, CloseReason::DaemonRestarted).await.unwrap();
    let ends = store.events(EventQuery { after_seq: Some(2), ..query }).await.unwrap();
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|end| end.event_type == EventType::InputOff));
    assert!(ends.iter().all(|end| !end.input.as_ref().unwrap().active));
    threads.stop().await;
}
