//! Promise: what happens drives outputs and leaves them at rest; an input is an event like every other,
//! stored, announced, and delivered after an outage. On the simulated chip.

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use api::event::{EndReason, Event, EventType, Kind, Phase};
use harness::daemon::EdgeCam;
use harness::mqtt::{Broker, Subscriber};
use harness::{Setup, Site, ports, until, until_some};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);
const DEMO: &str = "detector.model=edgecam-demo_416x256";

/// The pin `name` as the API shows it.
fn pin(edgecam: &EdgeCam, name: &str) -> Value {
    let gpio = edgecam.api().get("/api/v1/gpio").json();
    let pins = gpio["pins"].as_array().cloned().unwrap_or_default();
    pins.into_iter().find(|pin| pin["name"] == name).unwrap_or_default()
}

#[test]
fn an_event_of_the_street_raises_a_pin_and_its_end_lowers_it() {
    let Some(_site) = Site::with(&[]) else { return };
    let setup = Setup::new().set("media_server.enabled=false").set(DEMO).settings(
        "[gpio]\nchip = \"simulated\"\n\
         [gpio.pins.lamp]\nnumber = 22\ndirection = \"out\"\n\
         [gpio.pins.buzzer]\nnumber = 23\ndirection = \"out\"\ninitial = true\nactive_low = true\n\
         [gpio.actions.light]\npin = \"lamp\"\nkinds = [\"object\"]\nfollow = true\n\
         [gpio.actions.sound]\npin = \"buzzer\"\ntypes = [\"new\"]\npulse_ms = 3000\n",
    );
    let edgecam = setup.source("scene").start();
    let is = |name: &str, active: bool| pin(&edgecam, name)["active"] == active;
    until("something on the street drives the lamp", LONG, || is("lamp", true));
    assert_eq!(pin(&edgecam, "lamp")["driven_by"], json!(["light"]));
    until("each new object sounds the buzzer", LONG, || is("buzzer", false));

    let off = json!({ "detection": { "enabled": false } });
    assert_eq!(edgecam.api().patch("/api/v1/cameras/cam", &off).status, 200);
    until("with the last event the lamp goes out", LONG, || is("lamp", false));
    until("the buzzer had its time", LONG, || is("buzzer", true));
    assert_eq!(pin(&edgecam, "buzzer")["driven_by"], json!([]));

    // By its owner, and by settings, as it runs.
    let on = edgecam.api().put("/api/v1/gpio/pins/lamp", &json!({ "active": true }));
    assert_eq!((on.status, &on.json()["active"]), (200, &json!(true)));
    let twice = json!({ "gpio": { "pins": { "twin": { "number": 22, "direction": "out" } } } });
    let refused = edgecam.api().patch("/api/v1/settings", &twice);
    assert_eq!(refused.status, 422, "{}", refused.json());
    let horn = json!({ "gpio": { "pins": { "horn": { "number": 24, "direction": "out" } } } });
    let made = edgecam.api().patch("/api/v1/settings", &horn);
    assert_eq!((made.status, &made.json()["status"]), (200, &json!("applied")));
    until("the new pin is there", LONG, || is("horn", false));
    assert!(is("lamp", true), "the others are as they were");
}

/// Announcements as a reader of the event stream gets them.
fn follow(edgecam: &EdgeCam) -> Receiver<Event> {
    let mut stream = TcpStream::connect(edgecam.at().api).expect("the API listens");
    let token = edgecam.token();
    let ask = format!(
        "GET /api/v1/stream/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).expect("it takes a request");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head = lines.next().expect("it answers");
    assert!(head.contains("200"), "{head}");
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for line in lines {
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let Ok(event) = serde_json::from_str(data) else { continue };
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    events
}

fn press(edgecam: &EdgeCam, pressed: bool) {
    let order = json!({ "active": pressed });
    let answer = edgecam.api().put("/api/v1/gpio/pins/bell", &order);
    assert_eq!(answer.status, 200, "{}", answer.json());
    until("it has held still", LONG, || pin(edgecam, "bell")["active"] == pressed);
}

#[test]
fn an_edge_of_an_input_is_an_event_that_survives_an_outage_of_the_broker() {
    let Some(_site) = Site::with(&[]) else { return };
    let setup = Setup::new();
    let mut broker = Broker::start(setup.folder(), ports::free());
    let setup = setup.set(&format!("mqtt.url=mqtt://{}", broker.at)).settings(
        "[gpio]\nchip = \"simulated\"\n\
         [gpio.pins.bell]\nnumber = 17\ndirection = \"in\"\nactive_low = true\nlabel = \"doorbell\"\n",
    );
    let setup = setup.set("media_server.enabled=false").set("cameras.cam.detection.enabled=false");
    let mut edgecam = setup.set(DEMO).start();
    let subscriber = Subscriber::persistent(broker.at, "edgecam/+/events", "the-owner");
    let stream = follow(&edgecam);
    let told = |event_type: EventType| {
        let event = stream.recv_timeout(LONG).expect("the stream tells");
        assert_eq!((event.event_type, event.kind), (event_type, Kind::Input));
        let input = event.input.clone().expect("it says which");
        assert_eq!((input.label.as_str(), event.camera.as_ref()), ("doorbell", None));
        event
    };
    let since = Instant::now();
    press(&edgecam, true);
    let pressed = told(EventType::InputOn);
    let (_, heard) = subscriber.wait_for("it is published", since, LONG, |_| true);
    assert_eq!((heard.seq, heard.id, heard.phase), (pressed.seq, pressed.id, Phase::New));

    broker.stop();
    press(&edgecam, false);
    let released = told(EventType::InputOff);
    assert_eq!((released.id, released.end_reason), (pressed.id, Some(EndReason::Over)));
    press(&edgecam, true);
    let again = told(EventType::InputOn);
    let found = edgecam.api().get("/api/v1/events?kind=input&label=doorbell").json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(3), "{found}");
    edgecam.kill();
    let edgecam = edgecam.restart();
    broker.resume();
    let all = || {
        let mut events: Vec<_> = subscriber.events().into_iter().map(|(_, e)| e).collect();
        events.dedup_by_key(|event| event.seq);
        (events.len() >= 4).then_some(events)
    };
    let (events, _) = until_some("what waited is delivered", LONG, all);
    let seqs: Vec<_> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (pressed.seq..pressed.seq + 4).collect::<Vec<_>>(), "in order, without a gap");
    assert_eq!(events[2].id, again.id);
    let end = (events[3].id, events[3].end_reason);
    assert_eq!(end, (again.id, Some(EndReason::DaemonRestarted)), "nothing lasts for ever");
    drop(edgecam);
}
