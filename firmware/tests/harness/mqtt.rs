//! Subscribers (`mosquitto_sub`) and brokers (`mosquitto`): real processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::event::Event;
use serde_json::Value;

use super::measure::{until, until_some};
use super::site;

/// A subscription is in place within this time.
const SUBSCRIBES_WITHIN: Duration = Duration::from_secs(10);
/// A retained message that tells a subscriber that it hears.
const BEACON: &str = "harness/beacon";

/// A message as the subscriber got it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) at: Instant,
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) retained: bool,
}

impl Message {
    /// The announcement that it is; `None`: it is something else.
    #[track_caller]
    fn event(&self) -> Option<Event> {
        let topic: Vec<_> = self.topic.split('/').collect();
        let (node, camera) = match topic[..] {
            ["edgecam", node, camera, "events"] => (node, Some(camera)),
            ["edgecam", node, "events"] => (node, None),
            _ => return None,
        };
        let event: Event = serde_json::from_str(&self.payload)
            .unwrap_or_else(|error| panic!("no event ({error}): {}", self.payload));
        assert_eq!((event.node.as_str(), event.camera.as_deref()), (node, camera));
        assert!(!self.retained, "events are never retained: {}", self.payload);
        Some(event)
    }
}

/// A `mosquitto_sub`, and everything that it got.
#[derive(Debug)]
pub(crate) struct Subscriber {
    process: Child,
    got: Arc<Mutex<Vec<Message>>>,
    reader: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// Subscribes to `topics` at `broker` and waits until that is in place.
    pub(crate) fn new(broker: SocketAddr, topics: &str) -> Self {
        Self::with(broker, topics, &[])
    }

    /// The same as the client `id`, for which the broker keeps what it misses.
    pub(crate) fn persistent(broker: SocketAddr, topics: &str, id: &str) -> Self {
        Self::with(broker, topics, &["-i", id, "-c"])
    }

    fn with(broker: SocketAddr, topics: &str, more: &[&str]) -> Self {
        light_beacon(broker);
        let (ip, port) = (broker.ip().to_string(), broker.port().to_string());
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", &ip, "-p", &port, "-q", "1", "-F", "%j", "-t", topics, "-t", BEACON]);
        command.args(more).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("mosquitto_sub starts");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let got = Arc::default();
        let shelf = Arc::clone(&got);
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                keep(&shelf, &line);
            }
        });
        let subscriber = Self { process, got, reader: Some(reader) };
        let hears = || subscriber.messages().iter().any(|message| message.topic == BEACON);
        until("the subscription is in place", SUBSCRIBES_WITHIN, hears);
        subscriber
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announcements so far with the time at which each came, in the order in which they did.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<(Instant, Event)> {
        let messages = self.messages().clone();
        messages.iter().filter_map(|message| Some((message.at, message.event()?))).collect()
    }

    /// Waits for an announcement since `since` that `wanted` likes.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        what: &str,
        since: Instant,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> (Instant, Event) {
        let new = |(at, event): &(Instant, Event)| *at >= since && wanted(event);
        until_some(what, within, || self.events().into_iter().find(new)).0
    }

    /// The newest payload of the topic that ends in `tail`.
    pub(crate) fn newest(&self, tail: &str) -> Option<String> {
        let messages = self.messages();
        let newest = messages.iter().rev().find(|message| message.topic.ends_with(tail));
        newest.map(|message| message.payload.clone())
    }

    /// The whole name of the topic that ends in `tail`, once something came of it.
    pub(crate) fn topic(&self, tail: &str) -> Option<String> {
        let messages = self.messages();
        messages.iter().find(|it| it.topic.ends_with(tail)).map(|message| message.topic.clone())
    }
}

fn keep(shelf: &Mutex<Vec<Message>>, line: &str) {
    let at = Instant::now();
    let message: Value = serde_json::from_str(line).expect("mosquitto_sub prints JSON");
    let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
    let retained = message["retain"] == 1;
    let message = Message { at, topic: text("topic"), payload: text("payload"), retained };
    shelf.lock().unwrap_or_else(PoisonError::into_inner).push(message);
}

fn light_beacon(broker: SocketAddr) {
    say(broker, BEACON, "lit", &["-r"]);
}

/// Publishes at least once.
pub(crate) fn publish(broker: SocketAddr, topic: &str, payload: &str) {
    say(broker, topic, payload, &[]);
}

fn say(broker: SocketAddr, topic: &str, payload: &str, more: &[&str]) {
    let (ip, port) = (broker.ip().to_string(), broker.port().to_string());
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", &ip, "-p", &port, "-q", "1", "-t", topic, "-m", payload]).args(more);
    let status = command.status().expect("mosquitto_pub starts");
    assert!(status.success(), "mosquitto_pub: {status}");
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // Both only fail when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A mosquitto of the test's own, which keeps what it holds over a restart.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Where it listens.
    pub(crate) at: SocketAddr,
    config: std::path::PathBuf,
    process: Option<Child>,
}

impl Broker {
    /// Configures one in `folder` and starts it.
    pub(crate) fn start(folder: &Path, at: SocketAddr) -> Self {
        let config = folder.join("broker.conf");
        let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let text = format!(
            "listener {} {}\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\n{user}",
            at.port(),
            at.ip(),
            folder.display(),
        );
        fs::write(&config, text).expect("the broker's folder can be written");
        let mut broker = Self { at, config, process: None };
        broker.resume();
        broker
    }

    /// Starts it (again) and waits until it listens.
    pub(crate) fn resume(&mut self) {
        let program = site::which("mosquitto").expect("mosquitto is installed");
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("mosquitto starts"));
        until("the broker listens", SUBSCRIBES_WITHIN, || TcpStream::connect(self.at).is_ok());
    }

    /// Ends it; it writes down what it holds.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("it takes a signal");
        process.wait().expect("it can be waited for");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
