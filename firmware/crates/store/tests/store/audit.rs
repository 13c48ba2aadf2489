//! The record of changes: numbered, newest first, bounded, kept over a restart.

use api::access::{AuditEntry, Via};
use serde_json::json;

use crate::support::open;

fn entry(operation: &str) -> AuditEntry {
    AuditEntry {
        seq: 0,
        at: "2026-11-21T08:00:00Z".parse().unwrap(),
        username: Some("owner".into()),
        via: Some(Via::Session),
        from: "192.168.1.7".into(),
        operation: operation.into(),
        path: "/api/v1/cameras/front".into(),
        status: 200,
        before: None,
        after: Some(json!({ "bitrate_kbps": 800 })),
    }
}

#[tokio::test]
async fn entries_come_back_newest_first_page_by_page_and_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    for operation in ["login", "patch_camera", "create_user"] {
        store.append_audit(entry(operation)).await.unwrap();
    }
    drop(store);
    threads.stop().await;
    let (store, threads) = open(dir.path());
    let page = store.audit(None, 2).await.unwrap();
    let told: Vec<_> = page.iter().map(|entry| (entry.seq, entry.operation.as_str())).collect();
    assert_eq!(told, [(3, "create_user"), (2, "patch_camera")]);
    assert_eq!(page[1], AuditEntry { seq: 2, ..entry("patch_camera") });
    let rest = store.audit(Some(2), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].operation, "login");
    drop(store);
    threads.stop().await;
}

#[tokio::test]
async fn a_change_of_everything_is_kept_short() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    let long = AuditEntry { after: Some(json!("x".repeat(100_000))), ..entry("patch_settings") };
    store.append_audit(long).await.unwrap();
    let kept = store.audit(None, 1).await.unwrap();
    assert_eq!((kept[0].operation.as_str(), &kept[0].after), ("patch_settings", &None));
    drop(store);
    threads.stop().await;
}
