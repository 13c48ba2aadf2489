//! Promise: what a camera looks for, where, and at what rate it streams is changed while it runs: the
//! same process, the same viewers, not a frame missing. And whoever asks gets the newest picture.

// Tests speak on standard output.
#![allow(clippy::print_stdout)]

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use api::event::{Event, EventType, Phase};
use harness::daemon::EdgeCam;
use harness::viewer::{Picture, Viewer, pictures};
use harness::{Need, Setup, Site, clips, until, until_some};
use serde_json::{Value, json};

const NEEDS: [Need; 2] = [Need::Shared, Need::MediaServer];
const LONG: Duration = Duration::from_secs(20);
/// No viewer waits longer between two frames; a restarted pipeline takes longer.
const LONGEST_GAP: Duration = Duration::from_millis(500);
const CAMERA: &str = "/api/v1/cameras/cam";

/// An `edgecamd` whose settings are changed under the eyes of a viewer.
struct Watched {
    edgecam: EdgeCam,
    viewer: Viewer,
    pid: u32,
}

impl Watched {
    fn new(edgecam: EdgeCam) -> Self {
        let viewer = Viewer::new(&edgecam.rtsp());
        until("the stream is watched", LONG, || viewer.frames().len() >= 10);
        let pid = edgecam.child("edgecam-camera").pid;
        Self { edgecam, viewer, pid }
    }

    #[track_caller]
    fn patch(&self, patch: &Value) -> Instant {
        let at = Instant::now();
        let answer = self.edgecam.api().patch(CAMERA, patch);
        assert_eq!(answer.status, 200, "{patch}: {}", answer.json());
        at
    }

    /// The process and the viewer's session are those of the beginning, and no frame came late.
    #[track_caller]
    fn was_not_disturbed(&mut self) {
        assert_eq!(self.edgecam.child("edgecam-camera").pid, self.pid, "another process");
        assert!(!self.viewer.has_ended(), "the viewer's session ended");
        let frames = self.viewer.frames();
        let gap = frames.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        println!("{} frames, the longest gap is {} ms", frames.len(), gap.as_millis());
        assert!(gap < LONGEST_GAP, "a gap of {gap:?}");
    }
}

#[test]
fn thresholds_and_zones_change_without_a_restart() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new();
    let clip = clips::person_is_frozen(setup.folder());
    let mut watched = Watched::new(setup.clip(&clip).stream());
    let subscriber = watched.edgecam.subscriber();
    let is_person = |event: &Event| event.object.as_ref().is_some_and(|o| o.label == "person");

    let at = watched.patch(&json!({ "detection": { "score_threshold": 0.99 } }));
    let ends = |event: &Event| event.phase == Phase::End && is_person(event);
    let (ended, _) = subscriber.wait_for("nothing is that certain", at, LONG, ends);
    let at = watched.patch(&json!({ "detection": { "score_threshold": null } }));
    let comes = |event: &Event| event.event_type == EventType::ObjectNew && is_person(event);
    let (came, _) = subscriber.wait_for("the person is seen again", at, LONG, comes);
    println!("seen again {} ms after the change", (came - at).as_millis());
    assert!(came > ended);

    let room = json!({ "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]] });
    let at = watched.patch(&json!({ "zones": { "room": room } }));
    let enters = |event: &Event| event.event_type == EventType::ZoneEntered;
    let (_, entered) = subscriber.wait_for("the zone is entered", at, LONG, enters);
    assert_eq!(entered.zones.subject.as_deref(), Some("room"));
    let occupied = || subscriber.newest("/zone/room/occupancy").as_deref() == Some("ON");
    until("the zone is told to be occupied", LONG, occupied);
    let at = watched.patch(&json!({ "zones": { "room": null } }));
    let leaves = |event: &Event| event.event_type == EventType::ZoneLeft;
    subscriber.wait_for("the zone's event ends with the zone", at, LONG, leaves);
    let settings = &watched.edgecam.api().get(CAMERA).json()["settings"];
    assert!(settings["zones"]["room"].is_null(), "{settings}");
    watched.was_not_disturbed();
}

#[test]
fn the_bit_rate_changes_without_a_restart() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let mut watched = Watched::new(Setup::new().stream());
    let rate = || {
        let stats = watched.edgecam.api().get("/api/v1/cameras/cam/stats").json();
        stats["bitrate_kbps"].as_f64().unwrap_or_else(|| panic!("{stats}"))
    };
    let (before, _) = until_some("the street takes more than 900 kbit/s", LONG, || {
        Some(rate()).filter(|r| *r > 900.0)
    });
    watched.patch(&json!({ "encoder": { "bitrate_kbps": 400 } }));
    let low = || Some(rate()).filter(|rate| *rate < 600.0);
    let (after, took) = until_some("the street takes less than 600 kbit/s", LONG, low);
    println!("{before:.0} kbit/s before, {after:.0} kbit/s {} ms after", took.as_millis());
    watched.was_not_disturbed();
}

#[test]
fn a_change_that_is_wrong_is_refused_whole_with_every_reason() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().set("media_server.enabled=false").start();
    let before = edgecam.api().get(CAMERA).json()["settings"].clone();
    let refused = |patch: &Value| {
        let answer = edgecam.api().patch(CAMERA, patch);
        assert!(answer.content_type.starts_with("application/problem+json"), "{}", answer.json());
        (answer.status, answer.json().to_string())
    };
    let good = json!({ "score_threshold": 0.5 });
    let wrong = json!({
        "detection": good, "encoder": { "bitrate_kbps": 1 }, "sauce": 1,
        "zones": { "room": { "polygon": [[0, 0], [1, 1]] } },
    });
    let (status, said) = refused(&wrong);
    assert_eq!(status, 422, "{said}");
    for pointer in ["/encoder/bitrate_kbps", "/sauce", "/zones/room/polygon"] {
        assert!(said.contains(pointer), "{pointer} is not in {said}");
    }
    assert_eq!(edgecam.api().get(CAMERA).json()["settings"], before, "something was applied");
}

fn mean_difference(a: &Picture, b: &Picture) -> f64 {
    let pixels = (0..a.height).flat_map(|y| (0..a.width).map(move |x| (x, y)));
    let difference = |(x, y)| f64::from(a.at(x, y)[0].abs_diff(b.at(x, y)[0]));
    pixels.map(difference).sum::<f64>() / (a.width * a.height) as f64
}

/// Pixels where the box of a person is drawn on what is `plain` without: red is more of it.
fn red_pixels(picture: &Picture, plain: &Picture) -> usize {
    let red = |x, y| i32::from(picture.at(x, y)[2]) - i32::from(plain.at(x, y)[2]) >= 35;
    let rows = (0..picture.height).map(|y| (0..picture.width).filter(|x| red(*x, y)).count());
    rows.sum()
}

fn snapshot(edgecam: &EdgeCam) -> Picture {
    let answer = edgecam.api().get("/api/v1/cameras/cam/snapshot.jpg");
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "image/jpeg"));
    let file = edgecam.folder().join("snapshot.jpg");
    fs::write(&file, &answer.body).expect("a temporary file can be written");
    pictures(file.to_str().expect("a plain name"), clips::SIZE, 1).remove(0)
}

#[test]
fn a_snapshot_is_the_picture_that_is_streamed() {
    let Some(_site) = Site::with(&NEEDS) else { return };
    let setup = Setup::new().set("cameras.cam.overlay.timestamp=false");
    let clip = clips::person_is_frozen(setup.folder());
    let edgecam = setup.clip(&clip).stream();
    let plain = &pictures(clip.to_str().expect("a plain name"), clips::SIZE, 1)[0];
    // The first ones are older than the first box.
    let with_box = || Some(snapshot(&edgecam)).filter(|picture| red_pixels(picture, plain) > 0);
    let (snapshot, _) = until_some("a snapshot shows the box", LONG, with_box);
    let streamed = pictures(&edgecam.rtsp(), clips::SIZE, 20).pop().expect("there are 20");
    let off = mean_difference(&snapshot, &streamed);
    let (drawn, expected) = (red_pixels(&snapshot, plain), red_pixels(&streamed, plain));
    println!("luma differs by {off:.2}; {drawn} pixels are red, {expected} in the stream");
    // The conversion to RGB is allowed to be quick: some steps of 219.
    assert!(off < 5.0, "it is not the streamed picture: {off}");
    assert!(expected > 1000 && drawn.abs_diff(expected) * 5 < expected, "the box is another one");
}
