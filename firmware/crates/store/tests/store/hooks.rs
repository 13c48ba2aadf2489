//! How far webhooks have come: kept over a restart, bounded, gone with them.

use api::webhooks::{DeliveryOutcome, WebhookDelivery};
use edgecam_store::HookNote;
use ulid::Ulid;

use crate::support::{open, whole};

fn delivery(seq: u64, attempts: u32) -> Box<WebhookDelivery> {
    let at = "2026-11-21T08:00:00Z".parse().unwrap();
    Box::new(WebhookDelivery {
        seq,
        message_id: format!("m_{seq}"),
        first_at: at,
        last_at: at,
        attempts,
        outcome: DeliveryOutcome::Retrying,
        status: Some(500),
        duration_ms: 3,
        error: None,
        gap: None,
    })
}

#[tokio::test]
async fn how_far_a_webhook_has_come_outlives_a_restart_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let (hook, other) = (Ulid::generate(), Ulid::generate());
    let notes = vec![
        HookNote::Cursor { hook, seq: 6 },
        HookNote::Cursor { hook: other, seq: 9 },
        HookNote::Delivery { hook, delivery: delivery(7, 1), up_to: None },
        HookNote::Delivery { hook, delivery: delivery(7, 2), up_to: Some(7) },
    ];
    store.note_hooks(notes).await.unwrap();
    drop(store);
    threads.stop().await;

    let (store, threads) = open(dir.path());
    let progress = store.hook_progress(hook).await.unwrap();
    assert_eq!(progress.cursor, Some(7));
    assert_eq!(progress.newest, [*delivery(7, 2)], "a try takes the place of the one before");
    store.note_hooks(vec![HookNote::KeepOnly { hooks: vec![hook] }]).await.unwrap();
    assert_eq!(store.hook_progress(other).await.unwrap().cursor, None);
    assert_eq!(store.hook_progress(hook).await.unwrap().cursor, Some(7));
    store.note_hooks(vec![HookNote::Forget { hook }]).await.unwrap();
    assert_eq!(store.hook_progress(hook).await.unwrap(), Default::default());
    drop(store);
    threads.stop().await;
}

#[tokio::test]
async fn the_last_hundred_deliveries_are_kept_and_listed_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let hook = Ulid::generate();
    let note = |seq| HookNote::Delivery { hook, delivery: delivery(seq, 1), up_to: Some(seq) };
    store.note_hooks((1..=130).map(note).collect()).await.unwrap();
    let seqs = async |before, limit| {
        let page = store.hook_deliveries(hook, before, limit).await.unwrap();
        page.iter().map(|delivery| delivery.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(None, 1000).await, (31..=130).rev().collect::<Vec<_>>());
    assert_eq!(seqs(Some(33), 10).await, [32, 31]);
    drop(store);
    threads.stop().await;
}

#[tokio::test]
async fn what_waits_for_the_broker_has_a_size_and_an_age() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    assert_eq!(store.outbox_extent().await.unwrap(), Default::default());
    let before = base::clock::wall().as_millisecond();
    let stored = store.append_all(vec![whole("front"), whole("front")]).await.unwrap();
    let both = store.outbox_extent().await.unwrap();
    assert!(both.oldest_at.unwrap().as_millisecond() >= before);
    store.ack(vec![stored[0].seq]).await.unwrap();
    let one = store.outbox_extent().await.unwrap();
    assert!(one.bytes > 100 && one.bytes < both.bytes, "{one:?} of {both:?}");
    drop(store);
    threads.stop().await;
}
