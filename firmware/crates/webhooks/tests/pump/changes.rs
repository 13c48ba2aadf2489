//! Webhooks that are changed, switched off, deleted; the file that they lie in.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::webhooks::{DeliveryOutcome, WebhookChange};
use edgecam_webhooks::WebhookError;
use serde_json::json;

use crate::receiver::Receiver;
use crate::support::{Device, until};

fn change(value: serde_json::Value) -> WebhookChange {
    serde_json::from_value(value).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_not_asked_again_until_its_owner_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let receiver = Receiver::start(|_| 410.into()).await;
    let id = device.hook(&receiver.url()).await;
    device.happen("front", 2).await;
    until("it is switched off", || !device.get(&id).enabled).await;
    assert!(device.get(&id).disabled_reason.unwrap().contains("410"));
    while device.outcomes(&id).await != [(1, DeliveryOutcome::Abandoned)] {
        tokio::task::yield_now().await;
    }
    device.happen("front", 2).await;
    receiver.answers(|_| 200.into());
    device.stop().await;
    let device = Device::start(folder.path());
    assert!(!device.get(&id).enabled, "kept over a start");
    let on = device.hooks.change(&id, change(json!({ "enabled": true }))).await.unwrap();
    assert_eq!((on.disabled_reason, on.status.backlog), (None, 0));
    device.happen("front", 1).await;
    until("what happens then is posted", || !receiver.taken().is_empty()).await;
    assert_eq!(receiver.taken(), [5], "and nothing from before");
    assert_eq!(receiver.got().len(), 2);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_where_the_changed_address_leads() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let wrong = Receiver::start(|_| 404.into()).await;
    let right = Receiver::start(|_| 200.into()).await;
    let id = device.hook(&wrong.url()).await;
    device.happen("front", 3).await;
    until("it is refused", || !wrong.got().is_empty()).await;
    device.hooks.change(&id, change(json!({ "url": right.url() }))).await.unwrap();
    until("all is taken", || right.taken().len() >= 3).await;
    assert_eq!(right.taken(), [1, 2, 3]);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_switched_off_or_deleted_in_a_backlog_posts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let receiver = Receiver::start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        200.into()
    });
    let receiver = receiver.await;
    for delete in [false, true] {
        let id = device.hook(&receiver.url()).await;
        let before = receiver.got().len();
        device.happen("front", 2000).await;
        until("it posts", || receiver.got().len() > before + 5).await;
        if delete {
            device.hooks.remove(&id).await.unwrap();
            let gone = device.hooks.get(&id).unwrap_err();
            assert!(matches!(gone, WebhookError::NotFound(_)));
        } else {
            let off = change(json!({ "enabled": false }));
            let off = device.hooks.change(&id, off).await.unwrap();
            assert_eq!(off.status.backlog, 0, "nothing waits for it");
        }
        // The keeper has ended its pump's last post by the time that it stops.
        assert!(receiver.got().len() < before + 2000);
    }
    device.stop().await;
    assert!(count.load(Ordering::Relaxed) < 4000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_for_nobody_else_to_read_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let secret = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5";
    let new = json!({ "url": "http://127.0.0.1:9/", "name": "a", "secret": secret });
    let made = device.hooks.create(serde_json::from_value(new).unwrap()).await.unwrap();
    assert_eq!(made.secret, None, "its owner knows it");
    let file = folder.path().join("webhooks.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = serde_json::to_string(&device.hooks.list().unwrap()).unwrap();
    assert!(!shown.contains("Y2FuYXJ5") && !format!("{:?}", device.hooks).contains("Y2FuYXJ5"));
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_left_as_it_is_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.json");
    for text in ["{\"format\": 1, \"hooks\":", r#"{"format": 2, "hooks": {}}"#] {
        std::fs::write(&file, text).unwrap();
        let device = Device::start(folder.path());
        let error = device.hooks.list().unwrap_err();
        assert!(error.to_string().contains("webhooks.json"), "{error}");
        let new = serde_json::from_value(json!({ "url": "http://127.0.0.1:9/" })).unwrap();
        assert!(matches!(device.hooks.create(new).await, Err(WebhookError::Damaged { .. })));
        device.stop().await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
