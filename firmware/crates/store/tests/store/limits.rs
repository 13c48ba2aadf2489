//! How much is kept: the oldest goes, what waits for the broker stays, what is dropped is counted.

use api::event::Phase;
use base::error::{ErrorKind, Kind};
use edgecam_store::{EventQuery, OutboxPolicy, Store, StoreOptions};

use crate::support::{event, object, options, seqs, whole};

async fn kept(store: &edgecam_store::StoreHandle) -> Vec<u64> {
    let query = EventQuery { limit: EventQuery::MAX_LIMIT, ..EventQuery::default() };
    seqs(&store.events(query).await.unwrap())
}

#[tokio::test]
async fn the_oldest_events_go_unless_they_wait_or_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { events_max: 10, ..options(dir.path()) };
    let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
    store.append(event("front", Phase::New)).await.unwrap();
    store.append_all(vec![whole("front"); 99]).await.unwrap();
    assert_eq!(kept(&store).await.len(), 100, "all wait for the broker");

    store.ack((1..=90).collect()).await.unwrap();
    let kept = kept(&store).await;
    assert_eq!(kept.first(), Some(&1), "it is still open");
    assert_eq!(kept[1..], (91..=100).collect::<Vec<_>>());
    assert_eq!(store.bounds().await.unwrap().newest, 100);
    threads.stop().await;
}

#[tokio::test]
async fn seq_has_no_gap_after_everything_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { events_max: 0, ..options(dir.path()) };
    let (store, threads) = Store::open(options.clone()).unwrap().spawn().unwrap();
    store.append_all(vec![whole("front"); 70]).await.unwrap();
    store.ack((1..=70).collect()).await.unwrap();
    assert_eq!(kept(&store).await, [0_u64; 0]);
    threads.stop().await;
    let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
    assert_eq!(store.append(whole("front")).await.unwrap().seq, 71);
    threads.stop().await;
}

#[tokio::test]
async fn a_full_outbox_drops_the_oldest_and_counts_them_but_keeps_the_events() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = OutboxPolicy::Keep { max_events: 10 };
    let options = StoreOptions { outbox, ..options(dir.path()) };
    let (store, threads) = Store::open(options.clone()).unwrap().spawn().unwrap();
    store.append_all(vec![whole("front"); 25]).await.unwrap();
    let status = store.outbox_status();
    assert_eq!((status.pending, status.oldest_seq, status.dropped_total), (10, Some(16), 15));
    assert_eq!(kept(&store).await.len(), 25);
    threads.stop().await;

    let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
    assert_eq!(store.outbox_status().dropped_total, 15, "the count survives a restart");
    threads.stop().await;
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_and_leaves_no_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = Store::open(options(dir.path())).unwrap().spawn().unwrap();
    let mut large = whole("front");
    large.object = Some(object(&"x".repeat(70_000)));
    let refused = store.append_all(vec![whole("front"), large]);
    let (refused, stored) = tokio::join!(refused, store.append(whole("front")));
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("bytes; at most"), "{refused}");
    assert_eq!(stored.unwrap().seq, 1, "all or none of what came together");
    threads.stop().await;
}
