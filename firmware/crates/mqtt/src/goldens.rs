//! Goldens of every payload, and what Home Assistant demands of a discovery payload.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::event::{
    Direction, Event, EventType, Kind, LineCrossing, ModelRef, Object, Phase, SCHEMA, Severity,
    Timing, Zones,
};
use api::status::{
    CameraPhase, CameraStats, CameraStatus, Counts, DetectorStatus, LineCounts, LineTotals,
    PipelineStatus, Quantiles, ZoneCounts,
};
use serde_json::Value;

use crate::discovery::{self, Components};
use crate::site::{CameraSite, Firmware, Node, Site, SystemHealth};
use crate::to_wire::{self, Delivery, SeenLabels};
use crate::topics::Topics;

fn topics() -> Topics {
    Topics::new("edgecam", Some("homeassistant"), "ec-9f3a12")
}

fn node() -> Node {
    Node {
        id: "ec-9f3a12".to_owned(),
        name: "Garage".to_owned(),
        boot_id: "b7c1e0".to_owned(),
        version: "0.1.0".to_owned(),
        board: Some("Raspberry Pi 5 Model B".to_owned()),
        serial: None,
        api_url: Some("http://garage.local:8080".to_owned()),
    }
}

fn labels(labels: &[(&str, u32)]) -> BTreeMap<String, u32> {
    labels.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect()
}

fn site() -> Site {
    let mut site = Site::default();
    let front = CameraSite {
        id: "front".to_owned(),
        name: "Front door".to_owned(),
        labels: None,
        zones: vec!["drive way".to_owned()],
        lines: vec!["gate".to_owned()],
    };
    let back = CameraSite {
        id: "back".to_owned(),
        name: "Back".to_owned(),
        labels: Some(vec!["person".to_owned()]),
        ..CameraSite::default()
    };
    site.set_cameras(vec![front, back]);
    let camera = site.cameras.get_mut("front").unwrap();
    camera.status = Some(status());
    camera.stats = Some(CameraStats {
        fps: 15.0,
        infer_fps: 7.5,
        infer: Quantiles { p50_ms: 81.5, ..Quantiles::default() },
        bitrate_kbps: 1_500.0,
        skipped_frames: 12,
        gated_frames: 40,
        tracks: 3,
        ..CameraStats::default()
    });
    site.system = Some(SystemHealth {
        uptime_s: 3_600,
        temperature_c: Some(54.5),
        disk_free_bytes: Some(9_000_000_000),
        ..SystemHealth::default()
    });
    site.firmware = Some(Firmware {
        title: "EdgeCam".to_owned(),
        installed_version: "0.4.0".to_owned(),
        latest_version: "0.5.0".to_owned(),
        in_progress: true,
        update_percentage: Some(40),
        release_summary: String::new(),
        release_url: Some("https://example.org/edgecam/releases/0.5.0".to_owned()),
    });
    site
}

fn status() -> CameraStatus {
    let zone = ZoneCounts { labels: labels(&[("car", 1)]) };
    let cars = [("traffic light".to_owned(), LineTotals { r#in: 2, out: 1 })].into();
    let gate = LineCounts { r#in: 3, out: 1, labels: cars };
    CameraStatus {
        id: "front".to_owned(),
        name: "Front door".to_owned(),
        phase: CameraPhase::Running,
        restarts: 1,
        pipeline: Some(PipelineStatus {
            source: "scene".to_owned(),
            width: 768,
            height: 432,
            fps: 15.0,
            encoder: "software-x264".to_owned(),
            encoder_reason: "no hardware encoder".to_owned(),
        }),
        detector: DetectorStatus {
            running: true,
            model: "nanodet-plus-m_320".to_owned(),
            ..DetectorStatus::default()
        },
        counts: Counts {
            labels: labels(&[("car", 2), ("traffic light", 1)]),
            zones: [("drive way".to_owned(), zone)].into(),
            lines: [("gate".to_owned(), gate)].into(),
        },
        ..CameraStatus::default()
    }
}

fn event() -> Event {
    Event {
        schema: SCHEMA.to_owned(),
        id: "01JZ8Q0V7X3C9K2M4N5P6R7S8T".parse().unwrap(),
        seq: 18_234,
        boot_id: "b7c1e0".to_owned(),
        replayed: false,
        phase: Phase::Update,
        event_type: EventType::LineCrossed,
        kind: Kind::LineCrossing,
        severity: Severity::Alert,
        node: "ec-9f3a12".to_owned(),
        camera: Some("front".to_owned()),
        ts: "2026-01-05T12:00:01.233Z".parse().unwrap(),
        start_ts: "2026-01-05T11:59:58.010Z".parse().unwrap(),
        end_ts: None,
        object: Some(Object {
            track_id: "01JZ8Q0V6X3C9K2M4N5P6R7S8T".parse().unwrap(),
            label: "person".to_owned(),
            score: 0.75,
            top_score: 0.875,
            r#box: [0.5, 0.25, 0.125, 0.5],
            stationary: false,
            velocity: [0.5, -0.25],
            age_ms: 3_223,
        }),
        zones: Zones {
            current: vec!["drive".to_owned()],
            entered: vec!["walk".to_owned(), "drive".to_owned()],
            dwell_ms: [("drive".to_owned(), 1_200)].into(),
            subject: None,
        },
        line: Some(LineCrossing {
            id: "gate".to_owned(),
            direction: Direction::In,
            total_in: 4,
            total_out: 1,
            labels: [("person".to_owned(), LineTotals { r#in: 3, out: 0 })].into(),
        }),
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: Some(ModelRef {
            name: "nanodet-plus-m_320".to_owned(),
            sha256: "00".repeat(32),
            infer_ms: 81.5,
        }),
        timing: Timing {
            sensor_ts_ns: 123_456_789_012,
            tapped_ts_ns: 123_460_000_000,
            inferred_ts_ns: 123_550_000_000,
            sensor_to_publish_ms: None,
        },
    }
}

fn pretty(payload: &[u8]) -> String {
    let value: Value = serde_json::from_slice(payload).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn an_announcement_looks_like_this() {
    let now = Duration::from_nanos(123_456_789_012) + Duration::from_micros(142_340);
    let fresh = to_wire::announcement(&event(), Delivery::Fresh { now }).unwrap();
    insta::assert_snapshot!("event", pretty(&fresh));
}

#[test]
fn a_replayed_announcement_says_so_and_has_no_latency() {
    let replayed = to_wire::announcement(&event(), Delivery::Replayed).unwrap();
    let replayed: Event = serde_json::from_slice(&replayed).unwrap();
    assert_eq!(replayed, Event { replayed: true, ..event() });
}

#[test]
fn an_announcement_without_a_picture_has_no_latency() {
    let mut event = event();
    event.timing = Timing::default();
    let fresh = Delivery::Fresh { now: Duration::from_secs(1) };
    let fresh = to_wire::announcement(&event, fresh).unwrap();
    let fresh: Event = serde_json::from_slice(&fresh).unwrap();
    assert_eq!(fresh.timing.sensor_to_publish_ms, None);
}

#[test]
fn the_retained_topics_look_like_this() {
    let items = to_wire::retained(&topics(), &node(), &site(), &SeenLabels::new());
    let lines: Vec<_> = items
        .iter()
        .map(|(topic, item)| format!("{topic} {}", String::from_utf8_lossy(&item.payload)))
        .collect();
    insta::assert_snapshot!("retained", lines.join("\n"));
}

#[test]
fn the_discovery_payload_looks_like_this() {
    let known = Components::from([("gone_event".to_owned(), "event".to_owned())]);
    let (payload, _) =
        discovery::device(&topics(), &node(), &site(), &SeenLabels::new(), &known, true);
    insta::assert_snapshot!("discovery", serde_json::to_string_pretty(&payload).unwrap());
}

/// What Home Assistant's schema demands of a device payload and its components.
#[test]
fn the_discovery_payload_has_all_that_home_assistant_demands() {
    let (seen, known) = (SeenLabels::new(), Components::new());
    let (payload, current) = discovery::device(&topics(), &node(), &site(), &seen, &known, true);
    assert!(!payload["dev"]["ids"].as_array().unwrap().is_empty());
    assert!(payload["dev"].as_object().unwrap().values().all(|value| !value.is_null()));
    assert!(payload["o"]["name"].is_string());
    let retained = to_wire::retained(&topics(), &node(), &site(), &SeenLabels::new());
    let events = topics().events(Some("front"));
    let mut ids = BTreeSet::new();
    let components = payload["cmps"].as_object().unwrap();
    assert_eq!(components.len(), current.len());
    for (key, component) in components {
        let text = |field: &str| component[field].as_str().unwrap_or_default().to_owned();
        assert!(
            ["sensor", "binary_sensor", "event", "update"].contains(&text("p").as_str()),
            "{key}"
        );
        assert!(ids.insert(text("uniq_id")), "{key} has an id that another has");
        assert!(!text("name").is_empty(), "{key} has no name");
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{key}");
        let topic = text("stat_t");
        let fed = retained.contains_key(&topic) || topic == events || topic.ends_with("/events");
        assert!(fed, "{key} listens to {topic}, which nobody publishes");
        if text("p") == "event" {
            assert_eq!(component["event_types"].as_array().unwrap().len(), EventType::ALL.len());
        }
    }
    assert_eq!(discovery::components_in(payload.to_string().as_bytes()), current);
}

/// It throws a payload with any other key, or with null in a text, away as a whole.
#[test]
fn home_assistant_takes_the_payload_of_the_firmware_whatever_is_known() {
    let known = ["installed_version", "latest_version", "title", "release_summary", "release_url"];
    for firmware in [site().firmware.unwrap(), Firmware::default()] {
        let payload = serde_json::to_value(firmware).unwrap();
        for (key, value) in payload.as_object().unwrap() {
            let number = key == "update_percentage" && (value.is_null() || value.is_number());
            let flag = key == "in_progress" && value.is_boolean();
            let text = known.contains(&key.as_str()) && value.is_string();
            assert!(number || flag || text, "{key}: {value}");
        }
    }
}

#[test]
fn an_update_can_be_installed_only_where_commands_are_taken_and_is_shown_only_where_it_can_be_made()
{
    let (seen, known) = (SeenLabels::new(), Components::new());
    let made = |site: &Site, commands| {
        let (payload, _) = discovery::device(&topics(), &node(), site, &seen, &known, commands);
        payload["cmps"]["firmware"].clone()
    };
    assert_eq!(made(&site(), true)["payload_install"], "install");
    assert!(made(&site(), false)["cmd_t"].is_null());
    assert!(made(&Site { firmware: None, ..site() }, true).is_null());
}

#[test]
fn garbage_under_the_discovery_topic_lists_no_components() {
    for garbage in [b"".as_slice(), b"{", b"[1]", b"{\"cmps\": 3}", b"{\"cmps\": {\"a\": {}}}"] {
        assert!(discovery::components_in(garbage).is_empty());
    }
}
