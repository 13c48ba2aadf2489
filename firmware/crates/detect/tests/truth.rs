//! Promise: what is told of the drawn street is what happened there. A minute of it goes through the
//! demo model, the tracker and the rules as the product sets them by default, and is held against
//! the truth of the renderer.

#![allow(clippy::print_stdout, reason = "a test that measures says what it measured")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use config::{CameraConfig, Layers};
use domain::frame::Matrix;
use domain::{
    ClassId, Colours, Detection, Frame, Happening, HappeningKind, Labels, Line, LineId, LineTotals,
    LocalClock, PixelFormat, Point, Rules, Size, TrackId, TrackState, TrackUpdate, Tracker,
};
use edgecam_detect::{Detector, DetectorOptions, locate, manifest};
use scene::dataset::{LEAST_VISIBLE, Split};
use scene::judge::{LEAST_STAY, Life, Record, Terms, Verdict};
use scene::{I420Mut, SceneRenderer, Truth};

const SIZE: Size = Size::new(1280, 720);
/// Looks a second: the default of `detection.max_fps`.
const FPS: u32 = 10;
const MINUTE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(60)];
/// Where the line across the picture is.
const MIDDLE: f32 = 0.5;

/// Least share of stays that are told of rightly, in percent.
const RIGHT: usize = 95;
/// Most false lives, in percent.
const WRONG: usize = 2;
/// By how much a count of crossings may be off, by direction, of a label and of all.
const OFF: u32 = 1;

/// Streets that nothing was trained on: that of a product without settings, and held-out ones.
fn seeds() -> [u64; 4] {
    let held_out = Split::HeldOut.seeds().start + 900_000;
    [1, held_out, held_out + 1, held_out + 2]
}

fn camera() -> CameraConfig {
    let loaded = config::load(&Layers::default()).expect("the defaults hold together");
    loaded.config.cameras.into_iter().next().expect("there is a camera by default")
}

/// The tracker and the rules of the product.
struct Follow {
    tracker: Tracker,
    rules: Rules,
    lives: BTreeMap<TrackId, Life>,
}

impl Follow {
    fn new(camera: &CameraConfig, labels: &Labels) -> Self {
        let ends = (Point::new(MIDDLE, 0.0), Point::new(MIDDLE, 1.0));
        let line = Line::new(LineId::new("middle"), ends.0, ends.1).expect("it is a line");
        Self {
            tracker: Tracker::new(camera.tracker.clone().with_alike_of(labels)),
            rules: Rules::new(Vec::new(), vec![line], labels),
            lives: BTreeMap::new(),
        }
    }

    fn see(&mut self, at: Duration, detections: &[Detection]) {
        let update = self.tracker.step(at, detections);
        let happenings = self.rules.step(&update, LocalClock::utc().at(at));
        self.keep(&update, &happenings);
    }

    fn finish(&mut self) {
        let update = self.tracker.end_all(MINUTE[1]);
        let mut happenings = self.rules.step(&update, LocalClock::utc().at(MINUTE[1]));
        happenings.extend(self.rules.finish(MINUTE[1]));
        self.keep(&update, &happenings);
    }

    fn keep(&mut self, update: &TrackUpdate, happenings: &[Happening]) {
        for happening in happenings {
            let Some(object) = &happening.object else { continue };
            let life = self.lives.entry(object.id).or_insert_with(|| Life {
                name: object.id.to_string(),
                label: String::new(),
                seen: Vec::new(),
                ended: false,
            });
            assert!(!life.ended, "{life}: nothing comes after its end");
            life.label.clone_from(&object.label);
            life.ended = happening.kind == HappeningKind::ObjectEnd;
        }
        for track in update.tracks.iter().filter(|track| track.state == TrackState::Confirmed) {
            let life = self.lives.get_mut(&track.id).expect("a track begins with its start");
            life.seen.push((update.at, track.bbox));
        }
    }
}

/// What came of a minute.
struct Minute {
    verdict: Verdict,
    /// Crossings of the line by label as they were and as they were counted, to the left and right.
    crossings: Vec<(String, [u32; 2], [u32; 2])>,
}

/// Plays a minute of the street `seed` to the product with `look` for its detector.
fn minute(
    seed: u64,
    labels: &Labels,
    mut look: impl FnMut(&Frame, &[Truth]) -> Vec<Detection>,
) -> Minute {
    let camera = camera();
    let mut renderer = SceneRenderer::new(seed, SIZE, FPS);
    let mut follow = Follow::new(&camera, labels);
    let mut record = Record::default();
    let (w, h) = (SIZE.width as usize, SIZE.height as usize);
    let mut data = vec![0; PixelFormat::I420.bytes(SIZE)];
    for n in 0..60 * FPS {
        let at = Duration::from_secs(1) / FPS * n;
        let (y, chroma) = data.split_at_mut(w * h);
        let (u, v) = chroma.split_at_mut(w * h / 4);
        let mut picture = I420Mut { y: (y, w), u: (u, w / 2), v: (v, w / 2) };
        let truth = renderer.frame(n.into(), &mut picture);
        let frame = Frame {
            seq: n.into(),
            pts: at,
            captured: at,
            tapped: at,
            size: SIZE,
            source_size: SIZE,
            format: PixelFormat::I420,
            colours: Colours { matrix: Matrix::Bt709, ..Colours::default() },
            data: std::mem::take(&mut data),
        };
        follow.see(at, &look(&frame, &truth));
        data = frame.data;
        record.push(at, truth);
    }
    let counts = follow.rules.counts().lines;
    follow.finish();
    let lives: Vec<_> = follow.lives.into_values().collect();
    let memory = camera.tracker.max_missed;
    let terms = Terms { memory, least_stay: LEAST_STAY, window: MINUTE };
    Minute {
        verdict: record.judge(&lives, terms),
        crossings: compared(&record.crossings(MIDDLE, MINUTE, Duration::ZERO), &counts[0].totals),
    }
}

fn compared(
    truth: &scene::judge::Crossings,
    counted: &LineTotals,
) -> Vec<(String, [u32; 2], [u32; 2])> {
    let labels: std::collections::BTreeSet<_> = truth.keys().chain(counted.labels.keys()).collect();
    let of = |label: &String| {
        // From top to bottom, *in* is to the left.
        let told = counted.labels.get(label).copied().unwrap_or_default();
        let told = [told.inward, told.outward].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        (label.clone(), truth.get(label).copied().unwrap_or_default(), told)
    };
    labels.into_iter().map(of).collect()
}

/// Says how it went, and holds all minutes together against what is promised.
fn hold(minutes: &[(u64, Minute)]) {
    let (mut right, mut stays, mut wrong, mut lives) = (0, 0, 0, 0);
    for (seed, Minute { verdict, crossings }) in minutes {
        print!("street {seed}: {verdict}");
        right += verdict.right();
        stays += verdict.stays.len();
        wrong += verdict.false_lives.len();
        lives += verdict.lives;
        let mut sums = [[0; 2]; 2];
        for (label, truth, told) in crossings {
            println!("  crossed by {label}: {truth:?}, counted {told:?}");
            for side in 0..2 {
                sums[0][side] += truth[side];
                sums[1][side] += told[side];
            }
        }
        println!("  crossed by all: {:?}, counted {:?}", sums[0], sums[1]);
    }
    println!("{right} of {stays} stays right, {wrong} of {lives} lives false");
    for (seed, Minute { crossings, .. }) in minutes {
        let mut sums = [[0_u32; 2]; 2];
        for (label, truth, told) in crossings {
            for side in 0..2 {
                sums[0][side] += truth[side];
                sums[1][side] += told[side];
                let off = truth[side].abs_diff(told[side]);
                assert!(off <= OFF, "street {seed}: {label} crossed {truth:?}, counted {told:?}");
            }
        }
        let off = (0..2).map(|side| sums[0][side].abs_diff(sums[1][side])).max();
        assert!(off <= Some(OFF), "street {seed}: crossed {:?}, counted {:?}", sums[0], sums[1]);
    }
    assert!(right * 100 >= stays * RIGHT, "{right} of {stays} stays are right");
    assert!(wrong * 100 <= lives * WRONG, "{wrong} of {lives} lives are false");
}

#[test]
fn a_minute_of_the_street_becomes_one_life_each_with_the_demo_model() {
    let demo = manifest::built_in().into_iter().find(|m| m.name == manifest::demo::NAME);
    let demo = demo.expect("the demo model is built in");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo");
    let files = locate::locate(&demo, &[folder]).expect("the demo model is in the checkout");
    let minutes = seeds().map(|seed| {
        let mut detector =
            Detector::load(&demo, &files, DetectorOptions::default()).expect("it loads");
        detector.set_params(&camera().detection).expect("the defaults fit the demo model");
        let labels = detector.labels().clone();
        let look = |frame: &Frame, _: &[Truth]| {
            detector.detect(frame).expect("a frame is looked at").detections.clone()
        };
        (seed, minute(seed, &labels, look))
    });
    hold(&minutes);
}

#[test]
fn a_minute_of_the_street_becomes_one_life_each_for_who_sees_all_that_can_be_seen() {
    let labels = manifest::built_in().into_iter().find(|m| m.name == manifest::demo::NAME);
    let labels = Labels::new(labels.expect("the demo model is built in").labels.names());
    let minutes = seeds().map(|seed| {
        let look = |_: &Frame, truth: &[Truth]| {
            let seen = truth.iter().filter(|truth| truth.visible >= LEAST_VISIBLE);
            seen.map(|truth| Detection {
                class: labels.find(truth.label).unwrap_or(ClassId(0)),
                score: 0.5 + 0.4 * truth.visible,
                bbox: truth.bbox,
            })
            .collect()
        };
        (seed, minute(seed, &labels, look))
    });
    hold(&minutes);
}
