//! Promise: what was stored is posted to who wants it, in order and without a gap, whatever happens to the
//! receiver and to the daemon meanwhile; a broker can be tried before it is used.

mod harness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use api::event::Event;
use harness::daemon::EdgeCam;
use harness::{Setup, Site, home, ports, until};
use serde_json::{Value, json};

/// Long enough for a street in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(180);
const STREET: &str = "\
[media_server]
enabled = false
[detector]
model = \"edgecam-demo_416x256\"
prefer_int8 = false
[cameras.cam]
source = \"scene\"
[cameras.cam.video]
width = 640
height = 360
fps = 10
";

/// A receiver that takes everything, with its headers in lower case.
struct Receiver {
    at: SocketAddr,
    got: Arc<Mutex<Vec<(String, Event)>>>,
    stops: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Receiver {
    fn start(port: u16) -> Self {
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listener = TcpListener::bind(at).expect("the port is free");
        let (got, stops) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let (shelf, over) = (got.clone(), stops.clone());
        let task = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(post) = stream.ok().and_then(take) {
                    shelf.lock().expect("nobody panicked").push(post);
                }
            }
        });
        Self { at, got, stops, task: Some(task) }
    }

    /// Goes away; answers what it got.
    fn stop(mut self) -> Vec<(String, Event)> {
        self.stops.store(true, Ordering::Relaxed);
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.at.port())).expect("it listens");
        self.task.take().expect("it runs").join().expect("it did not panic");
        self.got()
    }

    fn got(&self) -> Vec<(String, Event)> {
        self.got.lock().expect("nobody panicked").clone()
    }
}

/// Reads a post and answers that it is taken.
fn take(stream: TcpStream) -> Option<(String, Event)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head = head + &line + "\n";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader.into_inner().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    let event = serde_json::from_slice(&body).expect("an announcement");
    Some((head, event))
}

/// `seq` of all in the order in which each first came.
fn first(got: &[(String, Event)]) -> Vec<u64> {
    let mut seqs = Vec::new();
    for (_, event) in got {
        if !seqs.contains(&event.seq) {
            seqs.push(event.seq);
        }
    }
    seqs
}

/// `seq` of the newest announcement; 0: there is none.
fn newest(edgecam: &EdgeCam) -> u64 {
    let page = edgecam.api().get("/api/v1/events?limit=1").json();
    page["items"][0]["seq"].as_u64().unwrap_or_default()
}

#[test]
fn nothing_that_was_stored_is_missing_at_a_receiver_that_was_away_while_the_daemon_was_killed() {
    if !home::is_here() {
        return;
    }
    let Some(_site) = Site::with(&[]) else { return };
    let mut edgecam = Setup::new().settings(STREET).start();
    let port = ports::free().port();
    let url = format!("http://{}:{port}/hook", home::NEIGHBOUR);
    let refused = edgecam.api().post("/api/v1/webhooks", &json!({ "url": url }));
    assert_eq!(refused.status, 422, "a private network is not allowed unasked");
    let own = json!({ "url": format!("http://127.0.0.1:{port}/"), "allow_private": true });
    assert_eq!(edgecam.api().post("/api/v1/webhooks", &own).status, 422, "never the device itself");
    let new = json!({ "url": url, "allow_private": true });
    let made = edgecam.api().post("/api/v1/webhooks", &new);
    assert_eq!(made.status, 201, "{}", made.json());
    let secret = made.json()["secret"].as_str().expect("it has one").to_owned();
    let path = format!("/api/v1/webhooks/{}", made.json()["id"].as_str().expect("it has an id"));

    let receiver = Receiver::start(port);
    until("announcements come", LONG, || receiver.got().len() >= 3);
    let trial = edgecam.api().post(&format!("{path}/test"), &json!({})).json();
    assert_eq!((&trial["delivered"], &trial["status"]), (&json!(true), &json!(204)), "{trial}");
    let before = receiver.stop();
    let heard = newest(&edgecam);
    until("something happens while it is away", LONG, || newest(&edgecam) >= heard + 3);
    edgecam.kill();
    let mut edgecam = edgecam.restart();
    let killed = newest(&edgecam);
    until("something happens after the kill", LONG, || newest(&edgecam) >= killed + 3);
    let receiver = Receiver::start(port);
    let wanted = newest(&edgecam);
    until("all of it came", LONG, || receiver.got().iter().any(|(_, event)| event.seq >= wanted));
    let status = edgecam.api().get(&path).json();
    assert!(status["status"]["failing_since"].is_null(), "{status}");
    let deliveries = edgecam.api().get(&format!("{path}/deliveries?limit=100")).json();
    let seqs: Vec<_> = items(&deliveries).map(|one| one["seq"].as_u64()).collect();
    assert!(seqs.is_sorted_by(|a, b| a > b) && !seqs.is_empty(), "{deliveries}");

    let log = edgecam.log();
    assert!(!log.contains(&secret));
    edgecam.stop();
    let mut all = before;
    all.extend(receiver.stop());
    let tests = all.iter().filter(|(_, event)| event.seq == 0).count();
    assert_eq!(tests, 1);
    all.retain(|(_, event)| event.seq > 0);
    let seqs = first(&all);
    let expected: Vec<_> = (seqs[0]..=*seqs.last().expect("some came")).collect();
    assert_eq!(seqs, expected, "in order and without a gap");
    assert!(seqs.last() >= Some(&wanted));
    for (head, event) in &all {
        for name in ["webhook-id: ", "webhook-timestamp: ", "webhook-signature: v1,"] {
            assert!(head.contains(name), "{head}");
        }
        assert!(!head.contains("webhook-gap"), "{head} {event:?}");
    }
    println!("{} announcements, {} came twice", seqs.len(), all.len() - seqs.len());
}

fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page["items"].as_array().into_iter().flatten()
}

#[test]
fn a_broker_is_tried_before_it_is_used_and_the_step_that_fails_is_named() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().settings(STREET).start();
    let api = edgecam.api();
    until("the broker is connected", LONG, || api.get("/api/v1/mqtt").json()["connected"] == true);
    let good = api.post("/api/v1/mqtt/test", &json!({})).json();
    assert_eq!(good["ok"], true, "{good}");
    let dead = ports::free();
    let bad = json!({ "url": format!("mqtt://{dead}"), "password": "c4nary", "username": "me" });
    let answer = api.post("/api/v1/mqtt/test", &bad);
    let bad = answer.json();
    assert_eq!((answer.status, &bad["ok"]), (200, &json!(false)), "{bad}");
    let steps = bad["steps"].as_array().expect("steps");
    let last = steps.last().expect("one failed");
    assert_eq!((&last["step"], &last["ok"]), (&json!("connect"), &json!(false)), "{bad}");
    assert!(!bad.to_string().contains("c4nary") && !edgecam.log().contains("c4nary"));
    let wrong = api.post("/api/v1/mqtt/test", &json!({ "url": "http://x" }));
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (422, &json!("/url")));
    assert_eq!(api.get("/api/v1/mqtt").json()["connected"], true, "the session went on");
    let outbox = api.get("/api/v1/mqtt/outbox").json();
    assert_eq!((&outbox["dropped"], outbox["max_events"].is_u64()), (&json!(0), true), "{outbox}");
}
