//! Milliseconds per frame of the overlay and of the generated street.

use std::hint::black_box;
use std::time::{Duration, Instant};

use config::{Draw, OverlayConfig};
use domain::{BBox, Line, LineId, Point, PrivacyMask, Size, TrackId, Velocity, Zone, ZoneId};
use edgecam_media::masks::Stencil;
use edgecam_media::overlay::canvas::Canvas;
use edgecam_media::overlay::paint::{FrameTime, Painter};
use edgecam_media::overlay::palette::Colorimetry;
use edgecam_media::{OverlayBox, OverlayScene};
use scene::{I420Mut, SceneRenderer};

use crate::median;

const FRAMES: u32 = 500;

pub(crate) fn run() {
    for size in [Size::new(1280, 720), Size::new(1920, 1080)] {
        println!(
            "overlay {size} I420, 8 boxes, zone, line, clock: {:.3} ms per frame",
            overlay(size, false)
        );
        println!(
            "overlay {size} NV12, 8 boxes, zone, line, clock: {:.3} ms per frame",
            overlay(size, true)
        );
    }
    masks(Size::new(1280, 720));
    for size in [Size::new(768, 432), Size::new(1280, 720)] {
        println!("scene {size} with truth: {:.3} ms per frame", scene(size));
    }
}

/// Eight objects, a zone and a line.
pub(crate) fn busy_scene() -> OverlayScene {
    let object = |n: u16| OverlayBox {
        bbox: BBox::new(f32::from(n) * 0.11, 0.3, 0.1, 0.35),
        label: "person".into(),
        score: 0.87,
        track: Some(TrackId(u64::from(n) + 100)),
        class: n,
        velocity: Velocity { x: 0.01, y: 0.0 },
        at: Duration::MAX,
    };
    let corners = [(0.1, 0.2), (0.9, 0.25), (0.8, 0.9), (0.2, 0.8)];
    let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
    let (from, to) = (Point::new(0.05, 0.6), Point::new(0.95, 0.7));
    OverlayScene {
        name: "Front door".into(),
        boxes: (0..8).map(object).collect(),
        zones: [Zone::new(ZoneId::new("yard"), polygon).unwrap()].into(),
        lines: [Line::new(LineId::new("gate"), from, to).unwrap()].into(),
    }
}

/// Everything that can be drawn.
pub(crate) fn everything() -> OverlayConfig {
    OverlayConfig {
        boxes: Draw::On,
        labels: Draw::On,
        zones: Draw::On,
        timestamp: Draw::On,
        max_age: Duration::from_secs(1),
    }
}

fn overlay(size: Size, nv12: bool) -> f64 {
    let (w, h) = (size.width as usize, size.height as usize);
    let (mut y, mut u, mut v) = (vec![90; w * h], vec![120; w * h / 2], vec![120; w * h / 4]);
    let (scene, config) = (busy_scene(), everything());
    let mut painter = Painter::new(h as i32, Colorimetry::BT709, jiff::tz::TimeZone::UTC);
    let times = (0..FRAMES).map(|n| {
        let began = Instant::now();
        let canvas = if nv12 {
            Canvas::nv12(w, h, (&mut y, w), (&mut u, w))
        } else {
            Canvas::i420(w, h, (&mut y, w), (&mut u, w / 2), (&mut v, w / 2))
        };
        let wall = jiff::Timestamp::from_millisecond(i64::from(n) * 33).unwrap();
        let pts = Duration::from_millis(u64::from(n) * 33);
        painter.paint(&mut canvas.unwrap(), &scene, &config, FrameTime { pts, wall });
        black_box(&y);
        began.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

/// A privacy mask over a quarter of the picture, in turns with a copy of the planes: what the tap costs
/// in any case.
fn masks(size: Size) {
    let (w, h) = (size.width as usize, size.height as usize);
    let (mut y, mut u, mut v) = (vec![90; w * h], vec![120; w * h / 4], vec![120; w * h / 4]);
    let corners = [(0.3, 0.2), (0.8, 0.25), (0.75, 0.75), (0.25, 0.7)];
    let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
    let stencil = Stencil::new(&[PrivacyMask::new(polygon).unwrap()].into(), size);
    let (planes, mut copy) = (vec![90_u8; w * h * 3 / 2], Vec::new());
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..FRAMES {
        let began = Instant::now();
        planes.clone_into(&mut copy);
        black_box(&copy);
        times[0].push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        let canvas = Canvas::i420(w, h, (&mut y, w), (&mut u, w / 2), (&mut v, w / 2));
        stencil.paint(&mut canvas.unwrap(), false);
        black_box(&y);
        times[1].push(began.elapsed().as_secs_f64() * 1e3);
    }
    let [copy, mask] = times.map(median);
    println!("bench mask {size} I420, a quarter of the picture: median {mask:.3} ms");
    println!("bench ratio mask / copy of the planes: {:.2}", mask / copy);
}

fn scene(size: Size) -> f64 {
    let (w, h) = (size.width as usize, size.height as usize);
    let (mut y, mut u, mut v) = (vec![0; w * h], vec![0; w * h / 4], vec![0; w * h / 4]);
    let mut renderer = SceneRenderer::new(7, size, 30);
    let times = (0..u64::from(FRAMES)).map(|n| {
        let began = Instant::now();
        let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, w / 2), v: (&mut v, w / 2) };
        black_box(renderer.frame(n, &mut picture));
        began.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}
