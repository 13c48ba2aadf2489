//! Promise: the motion gate saves inferences and loses nothing. Real clips, also as by night, and the
//! drawn street go through a detector, the tracker and the rules as the product sets them by default,
//! once with every frame looked at and once behind the gate.

#![allow(clippy::print_stdout, reason = "a test that measures says what it measured")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use config::{CameraConfig, Layers};
use domain::frame::Matrix;
use domain::{
    BBox, Colours, Detection, Direction, Frame, Happening, HappeningKind, Labels, Line, LineId,
    LocalClock, MotionGate, MotionParams, PixelFormat, Point, Rules, Size, TrackId, Tracker,
};
use edgecam_detect::{Detector, DetectorOptions, locate, manifest};
use scene::dataset::Split;
use scene::{I420Mut, Look, SceneRenderer};

/// Looks a second: the default of `detection.max_fps`.
const FPS: u32 = 10;
/// Size of the clips.
const CLIP: Size = Size::new(768, 432);
const STREET: Size = Size::new(1280, 720);
const STREET_SECONDS: u32 = 30;

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(path)
}

fn camera(set: &[&str]) -> CameraConfig {
    let set = set.iter().map(|&text| text.to_owned()).collect();
    let loaded = config::load(&Layers { set, ..Layers::default() }).expect("it holds together");
    loaded.config.cameras.into_iter().next().expect("there is a camera by default")
}

/// The gate with its default settings, switched on.
fn gate() -> MotionParams {
    camera(&["cameras.cam.detection.motion_gate=true"]).motion.expect("it is on")
}

/// The detector called `name`, if its files are in `folder`.
fn detector(name: &str, folder: &Path) -> Option<Detector> {
    let manifest = manifest::built_in().into_iter().find(|m| m.name.starts_with(name))?;
    let files = locate::locate(&manifest, &[folder.to_owned()]).ok()?;
    let loaded = Detector::load(&manifest, &files, DetectorOptions::default());
    let mut detector = loaded.expect("the files are those of the manifest");
    detector.set_params(&camera(&[]).detection).expect("the defaults fit the model");
    Some(detector)
}

fn at(look: u32) -> Duration {
    Duration::from_secs(1) / FPS * look
}

fn frame(look: u32, size: Size, data: Vec<u8>) -> Frame {
    let at = at(look);
    Frame {
        seq: look.into(),
        pts: at,
        captured: at,
        tapped: at,
        size,
        source_size: size,
        format: PixelFormat::I420,
        colours: Colours { matrix: Matrix::Bt709, ..Colours::default() },
        data,
    }
}

/// What was told of one object.
#[derive(Debug)]
struct Life {
    label: String,
    from: Duration,
    to: Duration,
}

/// Times of crossings by line, whether inward, and label.
type Crossings = BTreeMap<(String, bool, String), Vec<Duration>>;

/// The tracker and the rules of the product, with or without a gate before them.
struct Follow {
    gate: Option<MotionGate>,
    tracker: Tracker,
    rules: Rules,
    looks: u32,
    lives: BTreeMap<TrackId, Life>,
    crossings: Crossings,
}

impl Follow {
    fn new(labels: &Labels, gate: Option<MotionParams>) -> Self {
        let line = |name, from: (f32, f32), to: (f32, f32)| {
            let (from, to) = (Point::new(from.0, from.1), Point::new(to.0, to.1));
            Line::new(LineId::new(name), from, to).expect("it is a line")
        };
        let down = line("down", (0.5, 0.0), (0.5, 1.0));
        let across = line("across", (0.0, 0.6), (1.0, 0.6));
        Self {
            gate: gate.map(|params| MotionGate::new(params, BBox::WHOLE)),
            tracker: Tracker::new(camera(&[]).tracker.with_alike_of(labels)),
            rules: Rules::new(Vec::new(), vec![down, across], labels),
            looks: 0,
            lives: BTreeMap::new(),
            crossings: BTreeMap::new(),
        }
    }

    /// Carries on with `frame`, in which a look finds `found`.
    fn see(&mut self, frame: &Frame, found: &[Detection]) {
        let still = self.gate.as_mut().is_some_and(|gate| gate.is_still(frame));
        let update = if still && self.tracker.is_settled() {
            self.tracker.hold(frame.captured)
        } else {
            self.looks += 1;
            if let Some(gate) = &mut self.gate {
                gate.looked();
            }
            self.tracker.step(frame.captured, found)
        };
        let happenings = self.rules.step(&update, LocalClock::utc().at(frame.captured));
        happenings.iter().for_each(|happening| self.keep(happening));
    }

    fn finish(&mut self, at: Duration) {
        let update = self.tracker.end_all(at);
        let happenings = self.rules.step(&update, LocalClock::utc().at(at));
        happenings.iter().for_each(|happening| self.keep(happening));
    }

    fn keep(&mut self, happening: &Happening) {
        let Some(object) = &happening.object else { return };
        let life = Life { label: String::new(), from: object.first_seen, to: object.last_seen };
        let life = self.lives.entry(object.id).or_insert(life);
        life.label.clone_from(&object.label);
        life.to = object.last_seen;
        if let HappeningKind::LineCrossed { line, direction, .. } = &happening.kind {
            let inward = *direction == Direction::In;
            let key = (line.as_str().to_owned(), inward, object.label.clone());
            self.crossings.entry(key).or_default().push(happening.at);
        }
    }

    /// Lives by label, in the order in which they begin.
    fn lives(&self) -> BTreeMap<&str, Vec<&Life>> {
        let mut lives: BTreeMap<&str, Vec<&Life>> = BTreeMap::new();
        self.lives.values().for_each(|life| lives.entry(&life.label).or_default().push(life));
        lives.values_mut().for_each(|all| all.sort_by_key(|life| (life.from, life.to)));
        lives
    }

    fn crossed(&self) -> usize {
        self.crossings.values().map(Vec::len).sum()
    }
}

/// What differs between what was told without and with the gate, by more than `slack`.
fn differences(without: &Follow, with: &Follow, slack: Duration) -> Vec<String> {
    let (a, b) = (without.lives(), with.lives());
    let mut wrong = Vec::new();
    let labels: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).copied().collect();
    for label in labels {
        let none = Vec::new();
        let (a, b) = (a.get(label).unwrap_or(&none), b.get(label).unwrap_or(&none));
        let close = |(a, b): (&&Life, &&Life)| {
            a.from.abs_diff(b.from) <= slack && a.to.abs_diff(b.to) <= slack
        };
        if a.len() != b.len() || !a.iter().zip(b).all(close) {
            wrong.push(format!("{label}: {a:?} without, {b:?} with"));
        }
    }
    let keys = without.crossings.keys().chain(with.crossings.keys());
    for key in keys.collect::<std::collections::BTreeSet<_>>() {
        let times = |of: &Follow| of.crossings.get(key).cloned().unwrap_or_default();
        let (a, b) = (times(without), times(with));
        if a.len() != b.len() || a.iter().zip(&b).any(|(a, b)| a.abs_diff(*b) > slack) {
            wrong.push(format!("{key:?}: {a:?} without, {b:?} with"));
        }
    }
    wrong
}

/// Plays `frames` to the product with and without the gate, says what came of it, and holds the one
/// against the other. The share of inferences saved, in percent.
fn play(name: &str, detector: &mut Detector, frames: impl Iterator<Item = Frame>) -> f32 {
    let params = gate();
    let labels = detector.labels().clone();
    let mut without = Follow::new(&labels, None);
    let mut with = Follow::new(&labels, Some(params));
    let mut last = Duration::ZERO;
    for frame in frames {
        // A look finds the same in the same frame.
        let found = detector.detect(&frame).expect("a frame is looked at").detections.clone();
        without.see(&frame, &found);
        with.see(&frame, &found);
        last = frame.captured;
    }
    without.finish(last);
    with.finish(last);
    let saved = 100.0 - 100.0 * with.looks as f32 / without.looks.max(1) as f32;
    println!(
        "{name}: {} of {} frames looked at, {saved:.1} % saved; {} and {} lives, {} and {} crossings",
        with.looks,
        without.looks,
        without.lives.len(),
        with.lives.len(),
        without.crossed(),
        with.crossed(),
    );
    let wrong = differences(&without, &with, params.refresh);
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    saved
}

/// The frames of a real clip, ten a second, through `as_seen`.
fn clip(path: &Path, mut as_seen: impl FnMut(&mut [u8])) -> Option<impl Iterator<Item = Frame>> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-r", "10", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut pictures = ffmpeg.stdout.take()?;
    let mut look = 0;
    Some(std::iter::from_fn(move || {
        let mut data = vec![0; PixelFormat::I420.bytes(CLIP)];
        if pictures.read_exact(&mut data).is_err() {
            let _ = ffmpeg.wait();
            return None;
        }
        as_seen(&mut data[..CLIP.area() as usize]);
        look += 1;
        Some(frame(look - 1, CLIP, data))
    }))
}

/// A quarter of the contrast, and the noise of an amplifier.
fn by_night() -> impl FnMut(&mut [u8]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |luma| {
        for byte in luma {
            // Xorshift (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (state & 7) as u8 + (state >> 8 & 7) as u8;
            *byte = (16 + (byte.saturating_sub(16) >> 2) + noise).saturating_sub(7);
        }
    }
}

#[test]
fn what_is_told_of_the_real_clips_is_the_same_behind_the_gate() {
    let name = "what_is_told_of_the_real_clips_is_the_same_behind_the_gate";
    let Some(mut detector) = detector("nanodet-plus-m_320", &checkout("../shared/models")) else {
        drop(writeln!(std::io::stderr(), "skipped: {name}: no model in ../shared/models"));
        return;
    };
    for file in ["car-detection.mp4", "one-by-one-person-detection.mp4"] {
        let path = checkout("../shared/media").join(file);
        let clips = path.exists().then(|| Some((clip(&path, |_| ())?, clip(&path, by_night())?)));
        let Some((day, night)) = clips.flatten() else {
            drop(writeln!(
                std::io::stderr(),
                "skipped: {name}: no {file} in ../shared/media, or no ffmpeg"
            ));
            return;
        };
        let saved = play(file, &mut detector, day);
        assert!(saved > 10.0, "{file}: there are times without anybody");
        play(&format!("{file} by night"), &mut detector, night);
    }
}

#[test]
fn what_is_told_of_the_drawn_street_is_the_same_behind_the_gate() {
    let mut detector =
        detector("edgecam-demo", &checkout("firmware/models/demo")).expect("it is in the checkout");
    let other = Split::HeldOut.seeds().start + 900_000;
    for (seed, look) in [(1, Look::plain()), (other, Look::varied(other))] {
        let mut renderer = SceneRenderer::with_look(seed, STREET, FPS, look);
        let (w, h) = (STREET.width as usize, STREET.height as usize);
        let frames = (0..STREET_SECONDS * FPS).map(|n| {
            let mut data = vec![0; PixelFormat::I420.bytes(STREET)];
            let (y, chroma) = data.split_at_mut(w * h);
            let (u, v) = chroma.split_at_mut(w * h / 4);
            let mut picture = I420Mut { y: (y, w), u: (u, w / 2), v: (v, w / 2) };
            renderer.frame(n.into(), &mut picture);
            frame(n, STREET, data)
        });
        play(&format!("street {seed}"), &mut detector, frames);
    }
}
