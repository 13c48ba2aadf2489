//! What is posted, in which order, and by which headers it is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::receiver::Receiver;
use crate::support::{Device, until};

/// HMAC (RFC 2104) over SHA-256, written out: another way to the same number.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36)[..], text].concat());
    Sha256::digest([&padded(0x5c)[..], &inner].concat()).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_posted_in_order_as_they_are_stored_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let receiver = Receiver::start(|_| 200.into()).await;
    device.happen("front", 3).await;
    let new = serde_json::from_value(json!({ "url": receiver.url() })).unwrap();
    let made = device.hooks.create(new).await.unwrap();
    device.happen("front", 100).await;
    until("all is posted", || receiver.taken().len() >= 100).await;
    assert_eq!(receiver.taken(), (4..=103).collect::<Vec<_>>(), "what happens from now on");

    let secret = made.secret.unwrap();
    let key = STANDARD.decode(secret.reveal().strip_prefix("whsec_").unwrap()).unwrap();
    let stored = device.store.events(store::EventQuery::default()).await.unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for got in receiver.got().into_iter().take(50) {
        let header = |name: &str| got.headers[name].clone();
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let body = std::str::from_utf8(&got.body).unwrap();
        let expected = STANDARD.encode(hmac(&key, format!("{id}.{time}.{body}").as_bytes()));
        assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
        let age = base::clock::wall().as_second() - time.parse::<i64>().unwrap();
        assert!((0..60).contains(&age), "{time}");
        assert!(ids.insert(id), "each has an id of its own");
        assert_eq!(
            (got.path.as_str(), header("content-type").as_str()),
            ("/hook?key=1", "application/json")
        );
        assert!(!got.headers.contains_key("webhook-gap"));
        assert!(stored.contains(&got.event()), "as it is stored: {body}");
    }
    until("that is shown", || device.get(&made.webhook.id).status.backlog == 0).await;
    let status = device.get(&made.webhook.id).status;
    assert_eq!((status.delivered, status.refused, status.unanswered), (100, 0, 0));
    assert!(status.last_success_at.is_some() && status.failing_since.is_none());
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_what_its_filter_lets_through_and_none_waits_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let receiver = Receiver::start(|_| 200.into()).await;
    let away = device.hook("http://127.0.0.1:9/").await;
    let filter = json!({ "url": receiver.url(), "filter": { "cameras": ["back"] } });
    let only_back = device.hook_with(filter).await;
    for _ in 0..3 {
        device.happen("front", 60).await;
        device.happen("back", 1).await;
    }
    until("all of that camera came", || receiver.taken().len() >= 3).await;
    assert_eq!(receiver.taken(), [61, 122, 183]);
    until("nothing is left", || device.get(&only_back).status.backlog == 0).await;
    until("the other fails", || device.get(&away).status.unanswered > 0).await;
    let status = device.get(&away).status;
    assert_eq!(status.backlog, 183);
    assert!(status.error.unwrap().contains("127.0.0.1 cannot be asked"));
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_marked_answers_what_came_back_and_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let receiver = Receiver::start(|nth| if nth == 0 { 204.into() } else { 302.into() }).await;
    let id = device.hook_with(json!({ "url": receiver.url(), "enabled": false })).await;
    let trial = device.hooks.trial(&id).await.unwrap();
    assert_eq!((trial.delivered, trial.status, trial.error), (true, Some(204), None));
    let got = receiver.got().remove(0);
    assert_eq!(got.headers["webhook-test"], "true");
    assert_eq!(got.headers["webhook-id"], trial.message_id);
    let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(
        (&body["test"], &body["seq"], &body["node"]),
        (&json!(true), &json!(0), &json!("ec-test"))
    );

    let moved = device.hooks.trial(&id).await.unwrap();
    assert_eq!((moved.delivered, moved.status), (false, Some(302)));
    assert!(moved.error.unwrap().contains("redirects are not followed"));
    assert_eq!(receiver.got().len(), 2, "and it was not");
    assert!(device.outcomes(&id).await.is_empty());
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_webhook_does_not_reach_this_machine_by_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let tuning = edgecam_webhooks::Tuning::default();
    let device = Device::with(folder.path(), tuning, 1000);
    for url in
        ["http://127.0.0.1:9/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/"]
    {
        let new = json!({ "url": url, "allow_private": true });
        let new = serde_json::from_value(new).unwrap();
        let error = device.hooks.create(new).await.unwrap_err();
        assert!(matches!(error, edgecam_webhooks::WebhookError::Invalid(_)), "{url}: {error}");
    }
    device.stop().await;
}
