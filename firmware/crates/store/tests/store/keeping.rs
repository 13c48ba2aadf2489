//! What was stored is found again, in order, by every filter, and after a restart.

use api::event::{EventType, Kind, Phase};
use edgecam_store::{EventQuery, OutboxPolicy, SeqBounds, Store, StoreError};

use crate::support::{event, object, open, options, seqs, whole};

#[tokio::test]
async fn an_event_comes_back_as_it_went_in_with_seq_node_and_boot_id() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let new = event("front", Phase::New);
    let stored = store.append(new.clone()).await.unwrap();
    let found = store.event(new.id).await.unwrap();
    assert_eq!((stored.seq, found.len()), (1, 1));
    assert_eq!((found[0].seq, found[0].node.as_str()), (1, "ec-test"));
    assert_eq!(found[0].boot_id, store.boot_id());
    assert_eq!((found[0].schema.as_str(), found[0].replayed), (api::event::SCHEMA, false));
    assert_eq!((&found[0].object, found[0].ts), (&new.object, new.ts));
    threads.stop().await;
    assert!(matches!(store.append(whole("front")).await, Err(StoreError::Stopped)));
}

#[tokio::test]
async fn filters_orders_and_pages_list_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let mut person = event("front", Phase::Update);
    person.object = Some(object("person"));
    let mut zone = whole("back");
    (zone.kind, zone.event_type) = (Kind::Zone, EventType::ZoneLeft);
    store.append_all(vec![event("front", Phase::New), person, zone, whole("back")]).await.unwrap();

    let list = async |query| seqs(&store.events(query).await.unwrap());
    let all = EventQuery::default;
    assert_eq!(list(all()).await, [1, 2, 3, 4]);
    assert_eq!(list(EventQuery { after_seq: Some(2), ..all() }).await, [3, 4]);
    assert_eq!(list(EventQuery { camera: Some("back".into()), ..all() }).await, [3, 4]);
    assert_eq!(list(EventQuery { label: Some("person".into()), ..all() }).await, [2]);
    assert_eq!(list(EventQuery { kind: Some(Kind::Zone), ..all() }).await, [3]);
    assert_eq!(list(EventQuery { event_type: Some(EventType::ObjectEnd), ..all() }).await, [4]);
    assert_eq!(list(EventQuery { phase: Some(Phase::New), ..all() }).await, [1]);
    let newest = EventQuery { order: edgecam_store::Order::NewestFirst, limit: 2, ..all() };
    assert_eq!(list(newest.clone()).await, [4, 3]);
    assert_eq!(list(EventQuery { before_seq: Some(3), ..newest }).await, [2, 1]);
    threads.stop().await;
}

#[tokio::test]
async fn all_announcements_of_one_event_are_found_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let new = event("front", Phase::New);
    for phase in [Phase::New, Phase::Update, Phase::End] {
        store.append(whole("back")).await.unwrap();
        store
            .append(edgecam_store::NewEvent { id: new.id, ..event("front", phase) })
            .await
            .unwrap();
    }
    let life = store.event(new.id).await.unwrap();
    assert_eq!(seqs(&life), [2, 4, 6]);
    assert_eq!(life.last().unwrap().phase, Phase::End);
    threads.stop().await;
}

#[tokio::test]
async fn seq_goes_on_after_a_restart_and_the_boot_id_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    store.append_all(vec![whole("front"), whole("front")]).await.unwrap();
    let first_boot = store.boot_id().to_owned();
    threads.stop().await;

    let (store, threads) = open(dir.path());
    assert_eq!(*store.newest().borrow(), 2);
    assert_eq!(store.append(whole("front")).await.unwrap().seq, 3);
    assert_ne!(store.boot_id(), first_boot);
    assert_eq!(store.events(EventQuery::default()).await.unwrap()[0].boot_id, first_boot);
    threads.stop().await;
}

#[tokio::test]
async fn whoever_is_told_of_a_seq_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            writer.append_all(vec![whole("front"); 7]).await.unwrap();
        }
    });
    let (mut newest, mut seen) = (store.newest(), Vec::new());
    let mut live = store.subscribe();
    while seen.len() < 350 {
        newest.changed().await.unwrap();
        let told = *newest.borrow_and_update();
        let after_seq = seen.last().copied();
        let query = EventQuery { after_seq, limit: EventQuery::MAX_LIMIT, ..EventQuery::default() };
        seen.extend(seqs(&store.events(query).await.unwrap()));
        assert!(seen.last().is_some_and(|last| *last >= told), "told of {told}, found {seen:?}");
    }
    writing.await.unwrap();
    assert_eq!(seen, (1..=350).collect::<Vec<_>>());
    let mut live_seq = 0;
    while let Ok(event) = live.try_recv() {
        assert!(live_seq == 0 || event.seq == live_seq + 1);
        live_seq = event.seq;
    }
    assert_eq!(live_seq, 350);
    threads.stop().await;
}

#[tokio::test]
async fn the_outbox_gives_the_oldest_first_until_they_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    store.append_all(vec![whole("front"); 5]).await.unwrap();
    let waiting = async |after, limit| {
        let rows = store.outbox_after(after, limit).await.unwrap();
        rows.iter().map(|row| row.event.seq).collect::<Vec<_>>()
    };
    assert_eq!(waiting(0, 3).await, [1, 2, 3]);
    store.ack(vec![1, 3, 99]).await.unwrap();
    assert_eq!(waiting(0, 10).await, [2, 4, 5]);
    assert_eq!(waiting(2, 10).await, [4, 5]);
    let status = store.outbox_status();
    assert_eq!((status.pending, status.oldest_seq, status.dropped_total), (3, Some(2), 0));
    threads.stop().await;

    let (store, threads) = open(dir.path());
    assert_eq!(store.outbox_status(), status);
    threads.stop().await;
}

#[tokio::test]
async fn without_mqtt_nothing_waits() {
    let dir = tempfile::tempdir().unwrap();
    let off = edgecam_store::StoreOptions { outbox: OutboxPolicy::Off, ..options(dir.path()) };
    let (store, threads) = Store::open(off).unwrap().spawn().unwrap();
    store.append(whole("front")).await.unwrap();
    assert_eq!(store.outbox_status().pending, 0);
    threads.stop().await;
}

#[tokio::test]
async fn events_that_come_together_share_commits() {
    const EVENTS: usize = 64 * 20;
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let appending: Vec<_> = (0..EVENTS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.append(whole("front")).await.unwrap().seq })
        })
        .collect();
    let mut given = Vec::new();
    for task in appending {
        given.push(task.await.unwrap());
    }
    given.sort_unstable();
    assert_eq!(given, (1..=EVENTS as u64).collect::<Vec<_>>());
    assert!(store.commits() <= 40, "{} commits for {EVENTS} events", store.commits());
    threads.stop().await;
}

#[tokio::test]
async fn bounds_tell_what_can_be_had() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    assert_eq!(store.bounds().await.unwrap(), SeqBounds { oldest: 1, newest: 0 });
    store.append_all(vec![whole("front"); 3]).await.unwrap();
    assert_eq!(store.bounds().await.unwrap(), SeqBounds { oldest: 1, newest: 3 });
    threads.stop().await;
}
