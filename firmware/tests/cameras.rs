//! Promise: cameras come and go while everything else runs on, and what a privacy mask covers leaves the
//! device by no way: not in the stream, not in a snapshot, and not as something that was detected.

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use api::event::{Event, EventType, Phase};
use harness::daemon::EdgeCam;
use harness::viewer::{Picture, Viewer, pictures};
use harness::{Need, Setup, Site, clips, until, until_some};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);
const CAMERAS: &str = "/api/v1/cameras";
const SMALL: &str = "\
[cameras.default.video]
width = 320
height = 180
fps = 10
[cameras.default.detection]
enabled = false
[cameras.cam]
";
/// Looks of the detector after which it would have found who is there.
const LOOKS: u64 = 20;
/// Black as it comes out of an encoder.
const BLACK: u8 = 24;

/// The process of the camera `id`.
fn process(edgecam: &EdgeCam, id: &str) -> u32 {
    edgecam.child(&format!("--camera {id}")).pid
}

fn phase(edgecam: &EdgeCam, id: &str) -> Value {
    edgecam.api().get(&format!("{CAMERAS}/{id}")).json()["phase"].clone()
}

#[test]
fn a_camera_comes_and_goes_and_nothing_else_notices() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    let edgecam = Setup::new().settings(SMALL).stream();
    let mut viewer = Viewer::new(&edgecam.rtsp());
    until("the stream is watched", LONG, || viewer.frames().len() >= 5);
    let subscriber = edgecam.subscriber();
    let before = (edgecam.pid(), process(&edgecam, "cam"), edgecam.child("mediamtx").pid);

    let yard = json!({ "id": "yard", "settings": { "name": "Yard", "scene_seed": 2 } });
    let made = edgecam.api().post(CAMERAS, &yard);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("Yard")), "{}", made.json());
    until("it is streamed", LONG, || edgecam.is_streaming_of("yard"));
    assert_eq!(pictures(&edgecam.rtsp_of("yard"), (320, 180), 3).len(), 3);
    let online = || subscriber.newest("/yard/availability").as_deref() == Some("online");
    until("it is announced", LONG, online);
    let can = edgecam.api().get(&format!("{CAMERAS}/yard/capabilities")).json();
    assert!(can["encoders"].to_string().contains("\"in_use\":true"), "{can}");
    let again = edgecam.api().post(CAMERAS, &yard);
    assert_eq!(again.status, 409, "{}", again.json());

    let first = process(&edgecam, "yard");
    let restart = edgecam.api().post(&format!("{CAMERAS}/yard/restart"), &json!({}));
    assert_eq!(restart.status, 202);
    until("it has another process", LONG, || {
        let now = edgecam.api().get(&format!("{CAMERAS}/yard")).json();
        now["phase"] == "running" && now["pid"].as_u64().is_some_and(|pid| pid != u64::from(first))
    });

    let gone = edgecam.api().deleted(&format!("{CAMERAS}/yard"));
    assert_eq!(gone.status, 204);
    assert!(edgecam.children("--camera yard").is_empty(), "its process is still there");
    assert_eq!(edgecam.api().get(&format!("{CAMERAS}/yard")).status, 404);
    until("its stream is gone", LONG, || !edgecam.is_streaming_of("yard"));
    let forgotten = || subscriber.newest("/yard/availability").as_deref() == Some("");
    until("the broker forgets it", LONG, forgotten);
    let file = edgecam.api().deleted(&format!("{CAMERAS}/cam"));
    assert_eq!(file.status, 409, "a settings file names it");

    let after = (edgecam.pid(), process(&edgecam, "cam"), edgecam.child("mediamtx").pid);
    assert_eq!(after, before, "the daemon, the other camera and the media server are the same");
    assert!(!viewer.has_ended(), "the other camera's viewer was cut off");
}

#[test]
fn a_camera_that_was_added_is_there_after_kill_9_and_one_that_was_removed_is_not() {
    let Some(_site) = Site::with(&[]) else { return };
    let mut edgecam =
        Setup::new().settings(&format!("[media_server]\nenabled = false\n{SMALL}")).start();
    for id in ["gate", "yard"] {
        assert_eq!(edgecam.api().post(CAMERAS, &json!({ "id": id })).status, 201);
    }
    assert_eq!(edgecam.api().deleted(&format!("{CAMERAS}/yard")).status, 204);
    edgecam.kill();
    let edgecam = edgecam.restart();
    until("the added one runs", LONG, || phase(&edgecam, "gate") == "running");
    assert_eq!(edgecam.api().get(&format!("{CAMERAS}/yard")).status, 404);
    assert_eq!(edgecam.api().get(CAMERAS).json().as_array().map(Vec::len), Some(2));
}

fn is_person(event: &Event) -> bool {
    event.object.as_ref().is_some_and(|object| object.label == "person")
}

/// A part of the picture of the shared clips: left, top, right, bottom, in pixels.
type Part = [usize; 4];

/// The brightest pixel of `part`.
fn brightest(picture: &Picture, [left, top, right, bottom]: Part) -> u8 {
    let rows = (top..bottom).flat_map(|y| (left..right).map(move |x| picture.at(x, y)[0]));
    rows.max().expect("a part has pixels")
}

fn snapshot(edgecam: &EdgeCam) -> Picture {
    let answer = edgecam.api().get(&format!("{CAMERAS}/cam/snapshot.jpg"));
    assert_eq!(answer.status, 200);
    let file = edgecam.folder().join("snapshot.jpg");
    fs::write(&file, &answer.body).expect("a temporary file can be written");
    pictures(file.to_str().expect("a plain name"), clips::SIZE, 1).remove(0)
}

fn looks(edgecam: &EdgeCam) -> u64 {
    edgecam.api().get(&format!("{CAMERAS}/cam/stats")).json()["inferred_frames"]
        .as_u64()
        .unwrap_or_default()
}

/// The detector has looked often enough to find who is there.
#[track_caller]
fn has_looked(edgecam: &EdgeCam) {
    let before = looks(edgecam);
    until("the detector looks", LONG, || looks(edgecam) >= before + LOOKS);
}

/// A mask over `bbox` with a margin, and the pixels that are wholly in it.
fn mask_over([x, y, w, h]: [f32; 4]) -> (Value, Part) {
    let (left, top) = ((x - 0.1).max(0.0), (y - 0.1).max(0.0));
    let (right, bottom) = ((x + w + 0.1).min(1.0), (y + h + 0.1).min(1.0));
    let polygon = [[left, top], [right, top], [right, bottom], [left, bottom]];
    // Codecs blend what lies at an edge.
    let inside = |share: f32, side: usize, shift: isize| {
        let pixel = (share * side as f32) as isize + shift;
        pixel.clamp(0, side as isize) as usize
    };
    let (width, height) = clips::SIZE;
    let part = [
        inside(left, width, 16),
        inside(top, height, 16),
        inside(right, width, -16),
        inside(bottom, height, -16),
    ];
    (json!({ "id": "bench", "polygon": polygon }), part)
}

#[test]
fn what_is_masked_is_neither_streamed_nor_photographed_nor_detected() {
    let Some(_site) = Site::with(&[Need::Shared, Need::MediaServer]) else { return };
    let setup = Setup::new().set("cameras.cam.overlay.timestamp=false");
    let setup = setup.set("cameras.cam.overlay.boxes=false");
    let setup = setup.set("cameras.cam.detection.motion_gate=false");
    let clip = clips::person_is_frozen(setup.folder());
    let mut edgecam = setup.clip(&clip).stream();
    let subscriber = edgecam.subscriber();
    let seen = |event: &Event| is_person(event) && event.phase != Phase::End;
    let look = || subscriber.events().into_iter().map(|(_, event)| event).find(seen);
    let (person, _) = until_some("the person is detected", LONG, look);
    let bbox = person.object.expect("it is a person").r#box;
    let (mask, part) = mask_over(bbox);
    let pid = process(&edgecam, "cam");
    assert!(brightest(&snapshot(&edgecam), part) > 60, "there is something to see");

    let at = Instant::now();
    let masks = format!("{CAMERAS}/cam/privacy-masks");
    let made = edgecam.api().post(&masks, &mask);
    assert_eq!(made.status, 201, "{}", made.json());
    let first = brightest(&snapshot(&edgecam), part);
    assert!(first <= BLACK, "the first snapshot after the answer shows {first}");
    let ends = |event: &Event| is_person(event) && event.phase == Phase::End;
    subscriber.wait_for("nobody is there any more", at, LONG, ends);
    for picture in pictures(&edgecam.rtsp(), clips::SIZE, 20) {
        let seen = brightest(&picture, part);
        assert!(seen <= BLACK, "the stream shows {seen}");
    }
    let at = Instant::now();
    has_looked(&edgecam);
    let detected = |since: Instant, edgecam: &EdgeCam| {
        let counted = edgecam.api().get(&format!("{CAMERAS}/cam")).json();
        let told =
            subscriber.events().into_iter().any(|(when, event)| when >= since && seen(&event));
        told || counted["counts"]["labels"]["person"].as_u64().unwrap_or_default() > 0
    };
    assert!(!detected(at, &edgecam), "who is masked is detected");
    assert_eq!(process(&edgecam, "cam"), pid, "masks need no other process");

    // The next start has it from the first frame on.
    edgecam.kill();
    let edgecam = edgecam.restart();
    let at = Instant::now();
    until("it streams again", LONG, || edgecam.is_streaming());
    let seen_again = brightest(&snapshot(&edgecam), part);
    assert!(seen_again <= BLACK, "after a start a snapshot shows {seen_again}");
    has_looked(&edgecam);
    let subscriber = edgecam.subscriber();
    assert!(!subscriber.events().iter().any(|(when, event)| *when >= at && seen(event)));

    let at = Instant::now();
    assert_eq!(edgecam.api().deleted(&format!("{masks}/bench")).status, 204);
    let comes = |event: &Event| is_person(event) && event.event_type == EventType::ObjectNew;
    subscriber.wait_for("the person is seen without the mask", at, LONG, comes);
    until("and in the stream", LONG, || {
        pictures(&edgecam.rtsp(), clips::SIZE, 5).iter().all(|one| brightest(one, part) > 60)
    });
    let times = edgecam.api().get(&format!("{CAMERAS}/cam/latency")).json();
    let hop = |name: &str| times[name]["max_ms"].as_f64().unwrap_or_default();
    for name in ["sensor_to_tap", "tap_to_inferred", "inferred_to_stored", "sensor_to_stored"] {
        assert!(hop(name) > 0.0, "{name} was not measured: {times}");
    }
    let published = || {
        let times = edgecam.api().get(&format!("{CAMERAS}/cam/latency")).json();
        times["stored_to_published"]["max_ms"].as_f64().is_some_and(|most| most > 0.0)
    };
    until("the way to the broker is measured", LONG, published);
}
