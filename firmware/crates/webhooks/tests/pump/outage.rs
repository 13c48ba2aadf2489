//! Receivers that fail, hang or are away; a daemon that stops or is killed meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use api::webhooks::DeliveryOutcome;
use serde_json::{Value, json};

use crate::receiver::{Receiver, Reply};
use crate::support::{Device, tuning, until};

/// What was taken, each once, in the order in which it first was.
fn first_taken(receiver: &Receiver) -> Vec<u64> {
    let mut seqs = Vec::new();
    for seq in receiver.taken() {
        if !seqs.contains(&seq) {
            seqs.push(seq);
        }
    }
    seqs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_posted_again_under_the_same_id_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::start(folder.path());
    let receiver = Receiver::start(|nth| [500, 404, 429][nth.min(2)].into()).await;
    let id = device.hook(&receiver.url()).await;
    device.happen("front", 3).await;
    until("it was tried", || receiver.got().len() > 4).await;
    let failing = device.get(&id).status;
    assert!(failing.refused > 3 && failing.failing_since.is_some(), "{failing:?}");
    assert_eq!((failing.backlog, failing.delivered), (3, 0));
    receiver.answers(|_| 200.into());
    until("all is taken", || receiver.taken().len() >= 3).await;

    let got = receiver.got();
    assert_eq!(receiver.taken(), [1, 2, 3]);
    let tries: Vec<_> = got.iter().filter(|got| got.event().seq == 1).collect();
    assert!(tries.iter().all(|got| got.headers["webhook-id"] == tries[0].headers["webhook-id"]));
    let replayed: Vec<_> = tries.iter().map(|got| got.event().replayed).collect();
    assert_eq!((replayed[0], replayed.last()), (false, Some(&true)));
    until("it is well again", || device.get(&id).status.failing_since.is_none()).await;
    let deliveries = loop {
        let deliveries = device.hooks.deliveries(&id, None, 10).await.unwrap();
        if deliveries.len() == 3 {
            break deliveries;
        }
    };
    let last = &deliveries[2];
    assert_eq!((last.seq, last.outcome), (1, DeliveryOutcome::Delivered));
    assert_eq!((last.attempts as usize, last.status), (tries.len(), Some(200)));
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_is_given_up_and_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let quick = edgecam_webhooks::Tuning { within: Duration::from_millis(100), ..tuning() };
    let device = Device::with(folder.path(), quick, 1000);
    let hang = Reply { status: 200, after: Duration::from_secs(60) };
    let receiver = Receiver::start(move |nth| if nth == 0 { hang } else { 200.into() }).await;
    let id = device.hook(&receiver.url()).await;
    device.happen("front", 2).await;
    until("both are taken", || receiver.got().len() >= 3).await;
    until("that is known", || device.get(&id).status.delivered == 2).await;
    assert_eq!(device.get(&id).status.unanswered, 1);
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_daemon_stops_or_dies_in_the_middle_of_a_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_| 503.into()).await;
    let device = Device::start(folder.path());
    let id = device.hook(&receiver.url()).await;
    device.happen("front", 1000).await;
    until("it was tried", || !receiver.got().is_empty()).await;
    receiver.answers(|_| 200.into());
    until("it has begun", || receiver.taken().len() > 20).await;
    device.stop().await;
    let at_stop = receiver.taken();
    assert!(at_stop.len() < 1000, "it was stopped in the middle");

    let device = Device::start(folder.path());
    device.happen("front", 300).await;
    let begun = at_stop.len();
    until("it goes on", || receiver.taken().len() > begun + 50).await;
    // What was posted last may not be noted.
    device.kill().await;
    let device = Device::start(folder.path());
    device.happen("front", 1).await;
    until("all is taken", || first_taken(&receiver).len() >= 1301).await;
    assert_eq!(first_taken(&receiver), (1..=1301).collect::<Vec<_>>());
    let mut ids = BTreeMap::<u64, String>::new();
    for got in receiver.got() {
        let id = got.headers["webhook-id"].clone();
        assert_eq!(ids.entry(got.event().seq).or_insert(id.clone()), &id);
    }
    let twice = receiver.taken().len() - 1301;
    println!("{twice} of 1301 came twice");
    assert!(twice <= 70, "no more than what waits to be noted");
    // After an orderly stop nothing comes twice.
    assert_eq!(at_stop, (1..=at_stop.len() as u64).collect::<Vec<_>>());
    until("that is known", || device.get(&id).status.backlog == 0).await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_away_is_told_what_was_let_go_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::with(folder.path(), tuning(), 100);
    let receiver = Receiver::start(|_| 200.into()).await;
    let id = device.hook(&receiver.url()).await;
    device.happen("front", 10).await;
    until("the first came", || receiver.taken().len() >= 10).await;
    let (at, url) = (receiver.at, receiver.url());
    drop(receiver);
    device.happen("front", 500).await;
    until("it is away", || device.get(&id).status.unanswered > 0).await;
    device.stop().await;

    let device = Device::with(folder.path(), tuning(), 100);
    let receiver = Receiver::at(at, |_| 200.into()).await;
    assert_eq!(receiver.url(), url);
    until("the last came", || receiver.taken().last() == Some(&510)).await;
    let taken = receiver.taken();
    // The one that was being tried when it was let go may come before the gap.
    let got = receiver.got();
    let told: Vec<_> = got.iter().filter(|got| got.headers.contains_key("webhook-gap")).collect();
    assert_eq!(told.len(), 1, "once");
    let gap: Value = serde_json::from_str(&told[0].headers["webhook-gap"]).unwrap();
    let resumes = told[0].event().seq;
    let before = taken.iter().take_while(|seq| **seq < resumes).max().copied().unwrap_or(10);
    assert_eq!(gap, json!({ "after": before, "resumes_at": resumes }));
    let after: Vec<_> = taken.iter().copied().skip_while(|seq| *seq < resumes).collect();
    assert_eq!(after, (resumes..=510).collect::<Vec<_>>());
    let kept = device.hooks.deliveries(&id, None, 1000).await.unwrap();
    assert!(kept.len() <= 100);
    device.stop().await;
}
