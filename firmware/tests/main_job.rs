//! Promise: a real clip is detected, drawn, streamed and announced, and can be tuned while it runs.

mod harness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::event::{Event, Kind, Phase, SCHEMA};
use harness::browser::Browser;
use harness::clips;
use harness::viewer::{Picture, Viewer, pictures};
use harness::{Need, Setup, Site, site, until, until_some};

/// A car enters the clip after 5 s and has left after 9 s.
const CAR_COMES_AND_GOES: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(15);

#[test]
fn objects_of_a_real_clip_become_tracked_events_over_a_real_broker() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let edgecam = Setup::new().clip(&site::clip("car-detection.mp4")).start();
    let subscriber = edgecam.subscriber();
    let whole_life = || {
        let events = subscriber.events();
        // An object that is seen for less than a second has no update: another one will come.
        let updated = |id| events.iter().any(|(_, e)| e.id == id && e.phase == Phase::Update);
        let ended = |e: &Event| e.phase == Phase::End && e.kind == Kind::Object;
        events.iter().find(|(_, e)| ended(e) && updated(e.id)).map(|(_, e)| e.id)
    };
    let (id, _) = until_some("an object comes, moves on and goes", CAR_COMES_AND_GOES, whole_life);

    let events: Vec<_> = subscriber.events().into_iter().map(|(_, event)| event).collect();
    let seqs: Vec<_> = events.iter().map(|event| event.seq).collect();
    let expected: Vec<_> = (1..=seqs.len() as u64).collect();
    assert_eq!(seqs, expected, "gap-free and in order from the first announcement on");
    let mut lives: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in &events {
        is_well_formed(event);
        lives.entry(event.id).or_default().push(event);
    }
    let phases = |life: &[&Event]| life.iter().map(|event| event.phase).collect::<Vec<_>>();
    let whole = &lives[&id];
    let phases = phases(whole);
    let (first, between) = (phases[0], &phases[1..phases.len() - 1]);
    assert_eq!(first, Phase::New, "{phases:?}");
    assert!(!between.is_empty() && between.iter().all(|p| *p == Phase::Update), "{phases:?}");
    let tracks: Vec<_> = whole.iter().filter_map(|e| Some(e.object.as_ref()?.track_id)).collect();
    assert_eq!(tracks, vec![tracks[0]; whole.len()], "one life, one track");
    let labels: Vec<_> =
        events.iter().filter_map(|e| Some(e.object.as_ref()?.label.as_str())).collect();
    assert!(labels.contains(&"car"), "{labels:?}");
}

fn is_well_formed(event: &Event) {
    assert_eq!(event.schema, SCHEMA);
    assert!(!event.replayed, "{event:?}");
    let object = event.object.as_ref().expect("events of objects have one");
    let [x, y, w, h] = object.r#box;
    let inside = x >= 0.0 && y >= 0.0 && w > 0.0 && h > 0.0 && x + w <= 1.001 && y + h <= 1.001;
    assert!(inside, "{event:?}");
    assert!(object.top_score >= object.score && object.top_score <= 1.0, "{event:?}");
    assert_eq!(event.end_ts.is_some(), event.phase == Phase::End, "{event:?}");
    assert!(event.start_ts <= event.ts, "{event:?}");
    let timing = &event.timing;
    let order = [timing.sensor_ts_ns, timing.tapped_ts_ns, timing.inferred_ts_ns];
    assert!(order.is_sorted() && order[0] > 0, "{event:?}");
    assert_eq!(event.model.as_ref().map(|m| m.name.as_str()), Some("nanodet-plus-m_320"));
}

/// How far chroma is above the reference where the overlay's red of persons stands: a step of
/// 110 before encoding.
const RED: i32 = 35;
/// Pixels by which a box may be off: smoothing, rounding to the chroma's grid, encoding.
const OFF: usize = 3;

#[test]
fn a_decoded_rtsp_frame_shows_the_box_that_the_event_tells_and_nothing_else() {
    let Some(_site) = Site::with(&[Need::Shared, Need::MediaServer]) else { return };
    let setup = Setup::new().set("cameras.cam.overlay.timestamp=false");
    let setup = setup.set("cameras.cam.overlay.labels=false");
    let clip = clips::person_is_frozen(setup.folder());
    let edgecam = setup.clip(&clip).stream();
    let subscriber = edgecam.subscriber();
    // Announcements that came before the subscription are in the store alone.
    let label = |event: &Event| event.object.as_ref().is_some_and(|o| o.label == "person");
    let (_, event) = subscriber.wait_for("a person is announced", long_ago(), SOON, label);
    let [x, y, w, h] = event.object.expect("it has an object").r#box;

    let before = &pictures(clip.to_str().expect("a plain name"), clips::SIZE, 1)[0];
    let after = pictures(&edgecam.rtsp(), clips::SIZE, 30).pop().expect("there are 30");
    let pixel = |share: f32, whole: usize| (share * whole as f32).round() as usize;
    let (width, height) = clips::SIZE;
    let frame = Frame {
        left: pixel(x, width),
        top: pixel(y, height),
        right: pixel(x + w, width).min(width) - 1,
        bottom: pixel(y + h, height).min(height) - 1,
    };
    let red =
        |x: usize, y: usize| i32::from(after.at(x, y)[2]) - i32::from(before.at(x, y)[2]) >= RED;
    let (drawn, length) = frame.walk(red);
    println!("box {frame:?}: {drawn} of {length} pixels along its edges are red");
    assert!(drawn * 100 >= length * 95, "the box is not drawn: {drawn} of {length}");
    let elsewhere = all_pixels().filter(|&(x, y)| !frame.is_near(x, y) && red(x, y)).count();
    assert_eq!(elsewhere, 0, "red besides the box");
    let differs = mean_difference(before, &after, |x, y| !frame.is_near(x, y));
    println!("elsewhere luma differs from the clip's by {differs:.2} on average");
    assert!(differs < 4.0, "the rest of the picture is not the clip's: {differs}");
}

fn long_ago() -> Instant {
    Instant::now().checked_sub(Duration::from_secs(60)).expect("the machine runs for a minute")
}

/// A box in pixels, both ends included.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Frame {
    /// Walks along the four edges: at how many places is there `red` across the edge, of how many?
    fn walk(self, red: impl Fn(usize, usize) -> bool) -> (usize, usize) {
        let (width, height) = clips::SIZE;
        let across = |at: usize, end: usize| at.saturating_sub(OFF)..=(at + OFF).min(end - 1);
        let column = |y: usize, at: usize| across(at, width).any(|x| red(x, y));
        let row = |x: usize, at: usize| across(at, height).any(|y| red(x, y));
        let rows =
            (self.top..=self.bottom).flat_map(|y| [column(y, self.left), column(y, self.right)]);
        let columns =
            (self.left..=self.right).flat_map(|x| [row(x, self.top), row(x, self.bottom)]);
        let all: Vec<_> = rows.chain(columns).collect();
        (all.iter().filter(|hit| **hit).count(), all.len())
    }

    /// Whether a pixel is at an edge, or so near that encoding may smear it.
    fn is_near(self, x: usize, y: usize) -> bool {
        const SMEAR: usize = 8;
        let near = |a: usize, b: usize| a.abs_diff(b) <= SMEAR;
        let within = |a: usize, from: usize, to: usize| a + SMEAR >= from && a <= to + SMEAR;
        let (in_rows, in_columns) =
            (within(y, self.top, self.bottom), within(x, self.left, self.right));
        (in_rows && (near(x, self.left) || near(x, self.right)))
            || (in_columns && (near(y, self.top) || near(y, self.bottom)))
    }
}

fn all_pixels() -> impl Iterator<Item = (usize, usize)> {
    (0..clips::SIZE.1).flat_map(|y| (0..clips::SIZE.0).map(move |x| (x, y)))
}

fn mean_difference(a: &Picture, b: &Picture, wanted: impl Fn(usize, usize) -> bool) -> f64 {
    let pixels: Vec<_> = all_pixels().filter(|&(x, y)| wanted(x, y)).collect();
    let luma = |(x, y): &(usize, usize)| f64::from(a.at(*x, *y)[0].abs_diff(b.at(*x, *y)[0]));
    pixels.iter().map(luma).sum::<f64>() / pixels.len() as f64
}

/// `[width, time, decoded frames, now, when the WHEP request began]` of the page's video.
const LOOK: &str = "
    const video = document.querySelector('video');
    if (!video) return null;
    const quality = video.getVideoPlaybackQuality();
    const asked = performance.getEntriesByType('resource').find(r => r.name.endsWith('/whep'));
    return [video.videoWidth, video.currentTime,
            quality.totalVideoFrames - quality.droppedVideoFrames,
            performance.now(), asked ? asked.startTime : 0];";

#[derive(Clone, Copy, Debug)]
struct Playing {
    width: f64,
    time: f64,
    frames: f64,
    now_ms: f64,
    asked_ms: f64,
}

fn look(browser: &Browser) -> Option<Playing> {
    let seen = browser.run(LOOK);
    let number = |n: usize| seen.get(n)?.as_f64();
    Some(Playing {
        width: number(0)?,
        time: number(1)?,
        frames: number(2)?,
        now_ms: number(3)?,
        asked_ms: number(4)?,
    })
}

/// Waits for the first frame, then until the video has gone on; answers the first sight of it.
fn plays(browser: &Browser, page: &str) -> Playing {
    let showing = || look(browser).filter(|seen| seen.frames > 0.0 && seen.width > 0.0);
    let (first, _) = until_some(&format!("{page} shows a frame"), SOON, showing);
    until(&format!("{page} goes on"), SOON, || {
        look(browser)
            .is_some_and(|now| now.frames >= first.frames + 10.0 && now.time > first.time + 0.5)
    });
    assert_eq!(first.width, clips::SIZE.0 as f64, "{page}");
    first
}

/// `encoder.key_frame_interval_s` of the defaults.
const KEY_FRAME_INTERVAL_MS: f64 = 2000.0;

#[test]
fn webrtc_and_hls_play_in_a_real_browser() {
    let needs = [Need::Shared, Need::MediaServer, Need::Browser];
    let Some(_site) = Site::with(&needs) else { return };
    let setup = Setup::new();
    let clip = clips::car_passes(setup.folder());
    let edgecam = setup.clip(&clip).stream();
    let browser = Browser::start();
    edgecam.token();
    browser.open(&format!("http://{}/", edgecam.at().api));
    browser.sign_in();
    let page = format!("http://{}/live/cam", edgecam.at().api);
    for visit in 1..=3 {
        browser.open(&page);
        let first = plays(&browser, &page);
        let waited = first.now_ms - first.asked_ms;
        println!("WHEP, visit {visit}: first decoded frame {waited:.0} ms after the request");
        assert!(first.asked_ms > 0.0, "the page did not use WHEP: {first:?}");
        assert!(waited <= KEY_FRAME_INTERVAL_MS, "a new viewer waits {waited} ms");
    }
    let page = format!("{page}#hls");
    let begun = Instant::now();
    // What differs behind the `#` only would not be opened anew.
    browser.open("about:blank");
    browser.open(&page);
    plays(&browser, &page);
    println!("HLS plays {} ms after its page was asked for", begun.elapsed().as_millis());
}

#[test]
fn without_any_argument_a_street_runs_and_streams() {
    let Some(_site) = Site::with(&[Need::MediaServer]) else { return };
    let edgecam = Setup::new().stream();
    let viewer = Viewer::new(&edgecam.rtsp());
    until("thirty frames of the street are decoded", SOON, || viewer.frames().len() >= 30);
    let size = (1280, 720);
    let street = pictures(&edgecam.rtsp(), size, 1);
    let lumas = |picture: &Picture| {
        let mut lumas: Vec<_> =
            (0..size.1).step_by(8).map(|y| picture.at(size.0 / 2, y)[0]).collect();
        lumas.sort_unstable();
        lumas.dedup();
        lumas.len()
    };
    assert!(lumas(&street[0]) > 5, "the picture is empty");
}
