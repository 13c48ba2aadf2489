//! Promise: what is announced of the drawn street is what happened there. A minute of announcements
//! of the running product is held against the truth that its renderer tells for the same frames.

#![allow(clippy::print_stdout, reason = "a test that measures says what it measured")]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use api::event::{Direction, Event, Kind, Phase};
use domain::{BBox, Size};
use harness::daemon::EdgeCam;
use harness::{Setup, Site, until};
use scene::judge::{Crossings, LEAST_STAY, Life, Record, Terms};
use scene::{I420Mut, SceneRenderer};
use ulid::Ulid;

/// The street of a product without settings.
const SEED: u64 = 1;
/// Frames a second of the source.
const FPS: u32 = 25;
/// A small picture, so that a busy machine has time left to look at it.
const SIZE: Size = Size::new(640, 360);
/// How long the street is judged.
const MINUTE: Duration = Duration::from_secs(60);
/// Who was there before is known from some moment on only; what is told last is still under way.
const MARGIN: Duration = Duration::from_secs(1);
/// The detector is at work, or the street was watched long enough, within this time.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest time from the first frame of the source to the first announcement.
const STARTS: Duration = Duration::from_secs(60);
/// What is watched in the end is no longer than asked for by more than this.
const OVERRUN: Duration = Duration::from_secs(15);
/// Who was looked at less often than this, since the machine is busy, may be missed. At the default rate
/// that is nobody who is in view for [`LEAST_STAY`], and nobody who gets as far as the line.
const LOOKS: f64 = 8.0;

/// How long a track is remembered by default, as the daemon that runs here has it.
fn memory() -> Duration {
    let loaded = config::load(&config::Layers::default()).expect("the defaults hold together");
    loaded.config.cameras.first().expect("there is a camera by default").tracker.max_missed
}

/// How long the street is watched for a [`MINUTE`] of which everything is told, ends as well.
fn watched() -> Duration {
    MARGIN + MINUTE + memory() + MARGIN
}

/// The truth of every frame from the start of the source on.
fn truth() -> Record {
    let mut renderer = SceneRenderer::new(SEED, SIZE, FPS);
    let (w, h) = (SIZE.width as usize, SIZE.height as usize);
    let (mut y, mut u, mut v) = (vec![0; w * h], vec![0; w * h / 4], vec![0; w * h / 4]);
    let mut record = Record::default();
    for n in 0..FPS * (STARTS + watched() + OVERRUN).as_secs() as u32 {
        let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, w / 2), v: (&mut v, w / 2) };
        record.push(Duration::from_secs(1) / FPS * n, renderer.frame(n.into(), &mut picture));
    }
    record
}

fn sensor_time(event: &Event) -> Duration {
    Duration::from_nanos(event.timing.sensor_ts_ns)
}

fn inferred(edgecam: &EdgeCam) -> f64 {
    let stats = edgecam.api().get("/api/v1/cameras/cam/stats").json();
    stats["inferred_frames"].as_f64().unwrap_or_else(|| panic!("{stats}"))
}

/// Lives as they were announced, in the sensor's time since `since`.
fn lives(events: &[Event], since: Duration) -> Vec<Life> {
    let mut lives: BTreeMap<Ulid, Life> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::Object) {
        let Some(object) = &event.object else { panic!("{event:?}") };
        let life = lives.entry(event.id).or_insert_with(|| Life {
            name: event.id.to_string(),
            label: String::new(),
            seen: Vec::new(),
            ended: false,
        });
        life.label.clone_from(&object.label);
        life.ended = event.phase == Phase::End;
        if !life.ended {
            let [x, y, w, h] = object.r#box;
            life.seen.push((sensor_time(event).saturating_sub(since), BBox::new(x, y, w, h)));
        }
    }
    lives.into_values().collect()
}

fn moved(lives: &[Life], by: Duration) -> Vec<Life> {
    let later = |life: &Life| {
        let seen = life.seen.iter().map(|(at, bbox)| (*at + by, *bbox)).collect();
        Life { seen, ..life.clone() }
    };
    lives.iter().map(later).collect()
}

/// How long the source ran before the first announcement: where what was announced fits best.
fn offset(record: &Record, lives: &[Life]) -> Duration {
    let steps = (0..FPS * STARTS.as_secs() as u32).map(|n| Duration::from_secs(1) / FPS * n);
    let fit = |by: &Duration| (record.overlap(&moved(lives, *by)) * 1e3) as u64;
    steps.max_by_key(fit).expect("there are steps")
}

fn crossed(events: &[Event], within: [Duration; 2]) -> Crossings {
    let mut crossings = Crossings::new();
    for event in events.iter().filter(|event| event.kind == Kind::LineCrossing) {
        let (Some(line), Some(object)) = (&event.line, &event.object) else { panic!("{event:?}") };
        if (within[0]..=within[1]).contains(&sensor_time(event)) {
            // From top to bottom, *in* is to the left.
            let side = usize::from(line.direction == Direction::Out);
            crossings.entry(object.label.clone()).or_default()[side] += 1;
        }
    }
    crossings
}

/// The product watches the drawn street by its demo model, with a line down the middle.
fn start() -> EdgeCam {
    let setup = Setup::new().away_from_the_checkout().set("media_server.enabled=false");
    let setup = setup.set(&format!("detector.model={}", manifest::demo::NAME));
    let setup = setup.set(&format!("cameras.cam.scene_seed={SEED}"));
    let setup = setup.set(&format!("cameras.cam.video.width={}", SIZE.width));
    let setup = setup.set(&format!("cameras.cam.video.height={}", SIZE.height));
    let setup = setup.set(&format!("cameras.cam.video.fps={FPS}"));
    // It would give way to whatever else this machine does.
    let setup = setup.set("governor.enabled=false");
    let setup = setup.set("cameras.cam.lines.middle.from=[0.5,0.0]");
    setup.set("cameras.cam.lines.middle.to=[0.5,1.0]").start()
}

/// What was announced until the street was watched for long enough, and the looks a second.
fn announced(edgecam: &EdgeCam) -> (Vec<Event>, f64) {
    let subscriber = edgecam.subscriber();
    let of_picture = |event: &Event| event.object.is_some();
    let events = || -> Vec<_> {
        subscriber.events().into_iter().map(|(_, event)| event).filter(of_picture).collect()
    };
    until("something is announced", PATIENCE, || !events().is_empty());
    let (begun, looked) = (Instant::now(), inferred(edgecam));
    until("the street was watched", PATIENCE, || {
        let times: Vec<_> = events().iter().map(sensor_time).collect();
        let span = times.iter().max().zip(times.iter().min());
        span.is_some_and(|(last, first)| *last - *first >= watched())
    });
    let rate = (inferred(edgecam) - looked) / begun.elapsed().as_secs_f64();
    (events(), rate)
}

/// Holds what was counted against the crossings that had to be and those that could be counted, by
/// label and in sum.
fn hold(sure: &Crossings, all: &Crossings, counted: &Crossings) {
    println!("crossed: {all:?}\ncounted: {counted:?}");
    let of = |crossings: &Crossings, label: &String, side: usize| {
        crossings.get(label).map_or(0, |both| both[side])
    };
    let labels: BTreeSet<_> = all.keys().chain(counted.keys()).collect();
    for side in 0..2 {
        let (mut least, mut most, mut told) = (0, 0, 0);
        for label in &labels {
            let (from, to) = (of(sure, label, side), of(all, label, side));
            let told_of = of(counted, label, side);
            assert!(
                told_of + 1 >= from && told_of <= to + 1,
                "{label}: {told_of} are not {from} to {to}"
            );
            (least, most, told) = (least + from, most + to, told + told_of);
        }
        assert!(told + 1 >= least && told <= most + 1, "{told} are not {least} to {most}");
    }
}

#[test]
fn a_minute_of_announcements_is_what_happened_on_the_street() {
    let Some(_site) = Site::with(&[]) else { return };
    let (events, rate) = announced(&start());
    let first = events.iter().map(sensor_time).min().expect("something was announced");
    let (record, lives) = (truth(), lives(&events, first));
    let offset = offset(&record, &lives);
    let window = [offset + MARGIN, offset + MARGIN + MINUTE];
    let known = Duration::from_secs_f64(LOOKS / rate);
    let terms = Terms { memory: memory(), least_stay: LEAST_STAY.max(known), window };
    let verdict = record.judge(&moved(&lives, offset), terms);
    println!("{rate:.1} looks a second; the source ran {offset:?} before");
    print!("{verdict}");
    assert!(!verdict.stays.is_empty(), "nothing was there to be told of");
    assert!(verdict.right() * 100 >= verdict.stays.len() * 95, "{verdict}");
    assert!(verdict.false_lives.len() * 100 <= verdict.lives * 2, "{verdict}");
    let counted = crossed(&events, window.map(|at| first + at - offset));
    let crossings = |known| record.crossings(0.5, window, known);
    hold(&crossings(known), &crossings(Duration::ZERO), &counted);
}
