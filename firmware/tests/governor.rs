//! Promise: a camera that gets too hot gives way by steps, says so everywhere, and comes back.

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use api::event::{Event, EventType, Kind, Severity};
use api::governor::{Dial, GovernorStep, StepReason};
use harness::daemon::EdgeCam;
use harness::{Need, Setup, Site, until};
use serde_json::Value;

const NEEDS: [Need; 2] = [Need::Shared, Need::MediaServer];
const LONG: Duration = Duration::from_secs(60);

fn governor(edgecam: &EdgeCam) -> Value {
    edgecam.api().camera()["detector"]["governor"].clone()
}

/// The steps among announcements, in order.
fn steps(events: impl IntoIterator<Item = Event>) -> Vec<GovernorStep> {
    events.into_iter().filter_map(|event| event.governor).collect()
}

/// Holds announcements of steps to the order that is promised.
fn go_down_in_order_and_up_again(steps: &[GovernorStep]) {
    let down = steps.iter().take_while(|step| step.reason == StepReason::Temperature).count();
    let (down, up) = steps.split_at(down);
    assert!(down.len() >= 3 && down.len() == up.len(), "{steps:#?}");
    assert!(down.is_sorted_by_key(|step| step.dial), "{down:#?}");
    assert!(up.iter().rev().is_sorted_by_key(|step| step.dial), "{up:#?}");
    for (step, level) in down.iter().zip(1..) {
        assert_eq!((step.level, step.limit), (level, Some(60.0)), "{step:?}");
        assert!(step.sentence.contains("the limit is 60 °C"), "{}", step.sentence);
        assert!(step.sentence.contains(&step.to), "{}", step.sentence);
    }
    assert!(up.iter().all(|step| step.reason == StepReason::Calm), "{up:#?}");
    assert_eq!(up.last().map(|step| step.level), Some(0));
}

#[test]
fn a_hot_board_costs_detection_and_bits_step_by_step_and_a_cool_one_gives_them_back() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    let sensor = setup.folder().join("temperature");
    let at = |celsius: u32| {
        fs::write(&sensor, format!("{celsius}000\n")).expect("a temporary file can be written");
    };
    at(40);
    let settings = [
        "thermal.max_temp_c=60",
        "thermal.critical_c=90",
        "governor.min_detect_fps=2",
        "governor.settle_s=0.5",
        "governor.calm_s=1",
        // This machine is slower than a camera while others work on it: only heat counts here.
        "governor.event_latency_ms=60000",
        "cameras.cam.detection.max_fps=4",
        "detector.model=nanodet-plus-m_416",
        "detector.download=false",
    ];
    let setup = settings.iter().fold(setup, |setup, setting| setup.set(setting));
    let setup = setup.set(&format!("thermal.sensor={}", sensor.display()));
    let edgecam = setup.source("scene").stream();
    let subscriber = edgecam.subscriber();
    until("the detector is at work", LONG, || {
        governor(&edgecam)["readings"]["detector_ms"].is_f64()
    });
    assert_eq!(governor(&edgecam)["limits"]["max_temp_c"], 60.0);

    let hot = Instant::now();
    at(70);
    let bits = || governor(&edgecam)["reduced"]["bitrate"] == "1250 kbit/s";
    until("all is reduced that heat may reduce", LONG, bits);
    let status = edgecam.api().camera()["detector"].clone();
    println!("hot: {}", status["governor"]);
    assert_eq!(status["model"], "nanodet-m_320", "{status}");
    assert_eq!(status["running"], true, "70 °C is hot, but not critical");
    assert!(status["throttled"].as_str().is_some_and(|text| text.contains("70.0 °C")), "{status}");
    let metrics = edgecam.api().get("/metrics").body;
    let metrics = String::from_utf8_lossy(&metrics);
    let level = &status["governor"]["level"];
    let line = format!("edgecam_camera_governor_level{{camera=\"cam\"}} {level}.0");
    assert!(metrics.contains(&line), "{line} is missing in\n{metrics}");

    at(40);
    until("nothing is reduced any more", LONG, || governor(&edgecam)["level"] == 0);
    let status = edgecam.api().camera()["detector"].clone();
    assert_eq!(status["model"], "nanodet-plus-m_416");
    assert!(status["throttled"].is_null(), "{status}");

    let is_last = |event: &Event| event.governor.as_ref().is_some_and(|step| step.level == 0);
    let (_, last) = subscriber.wait_for("the last step over MQTT", hot, LONG, is_last);
    assert_eq!((last.event_type, last.kind), (EventType::Governor, Kind::Governor));
    assert_eq!((last.severity, last.end_ts), (Severity::Notice, Some(last.ts)));
    let over_mqtt = steps(subscriber.events().into_iter().map(|(_, event)| event));
    go_down_in_order_and_up_again(&over_mqtt);
    assert!(over_mqtt.iter().any(|step| step.dial == Dial::InputSize), "{over_mqtt:#?}");
    let page = edgecam.api().get("/api/v1/events?kind=governor&limit=100").json();
    let mut stored: Vec<Event> =
        serde_json::from_value(page["items"].clone()).expect("the API answers with events");
    stored.sort_by_key(|event| event.seq);
    assert_eq!(steps(stored), over_mqtt, "what is announced is what is stored");
}
