//! Brokers that do not let us in, and last words.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use edgecam_mqtt::Tuning;

use crate::broker::Broker;
use crate::outbox::MemoryOutbox;
use crate::proxy::{Plan, Proxy};
use crate::subscriber::{Subscriber, kept};
use crate::support::{Running, config, front, tuning};

const AVAILABILITY: &str = "edgecam/ec-test/availability";

#[tokio::test]
async fn a_refused_password_is_an_alarm_with_growing_waits_and_no_busy_loop() {
    let broker = Broker::with("allow_anonymous false\n", |_| {});
    let proxy = Proxy::start(broker.address(), Plan::default()).await;
    let mut config = config(proxy.address());
    config.credentials = Some(("camera".to_owned(), "pa55word-canary".to_owned()));
    let (min, max) = (Duration::from_millis(50), Duration::from_millis(400));
    let tuning = Tuning { backoff_min: min, backoff_max: max, ..tuning() };
    let outbox = Arc::new(MemoryOutbox::new());
    outbox.append(5);
    let started = Instant::now();
    let session = Running::with(config, tuning, vec![front()], outbox);
    let enough = Duration::from_secs(2);
    let status = session.until(|s| s.alarm().is_some() && started.elapsed() > enough).await;
    assert!(status.alarm().unwrap().contains("refused the user name or password"), "{status:?}");
    assert!(!format!("{status:?}").contains("canary"));
    assert_eq!((status.pending, status.connections), (5, 0));
    let tries = proxy.harm().connections.load(Ordering::Relaxed);
    // Full jitter over 50, 100, 200, 400, 400 ... ms: about 12 tries in 2 s.
    assert!((3..=40).contains(&tries), "{tries} tries in {:?}", started.elapsed());
    println!("{tries} tries in {:?}", started.elapsed());
    session.stop().await;
}

#[tokio::test]
async fn the_right_password_lets_us_in() {
    let lines = "allow_anonymous false\npassword_file DIR/passwords\n";
    let broker = Broker::with(lines, |dir| {
        let file = dir.join("passwords");
        let status = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c", file.to_str().unwrap(), "camera", "right"])
            .status();
        assert!(status.unwrap().success());
    });
    let mut config = config(broker.address());
    config.credentials = Some(("camera".to_owned(), "right".to_owned()));
    let outbox = Arc::new(MemoryOutbox::new());
    outbox.append(5);
    let session = Running::with(config, tuning(), vec![front()], outbox);
    session.until(|status| status.is_connected() && status.pending == 0).await;
    session.stop().await;
}

#[tokio::test]
async fn something_that_is_no_broker_is_an_alarm() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let garbage = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let text = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, text).await;
        }
    });
    let session = Running::start(address);
    let status = session.until(|status| status.alarm().is_some()).await;
    assert!(status.alarm().unwrap().contains(&address.to_string()), "{status:?}");
    session.stop().await;
    garbage.abort();
}

#[tokio::test]
async fn whoever_dies_is_said_to_be_offline_by_the_broker() {
    let broker = Broker::start();
    let session = Running::start(broker.address());
    let mut subscriber = Subscriber::start(broker.address(), AVAILABILITY).await;
    subscriber.until_last(AVAILABILITY, "online").await;
    session.kill().await;
    subscriber.until_last(AVAILABILITY, "offline").await;
    assert_eq!(kept(broker.address(), AVAILABILITY).await[AVAILABILITY], "offline");
}

#[tokio::test]
async fn whoever_takes_leave_says_so_for_itself_and_its_cameras() {
    let broker = Broker::start();
    let session = Running::start(broker.address());
    let running = api::status::CameraStatus {
        id: "front".to_owned(),
        phase: api::status::CameraPhase::Running,
        ..Default::default()
    };
    session.handle.set_camera_status(running);
    let camera = "edgecam/ec-test/front/availability";
    let mut subscriber = Subscriber::start(broker.address(), "edgecam/#").await;
    subscriber.until_last(camera, "online").await;
    subscriber.until_last(AVAILABILITY, "online").await;
    session.stop().await;
    let kept = kept(broker.address(), "edgecam/#").await;
    assert_eq!((kept[AVAILABILITY].as_str(), kept[camera].as_str()), ("offline", "offline"));
}
