//! Writes frames of the generated street, with their truth drawn as an overlay, as PNG files:
//! `cargo run -p edgecam-media --example scene_png -- FOLDER [SEED] [FRAME]...`

use std::path::Path;

use config::{Draw, OverlayConfig};
use domain::{Size, TrackId, Velocity};
use edgecam_media::overlay::canvas::Canvas;
use edgecam_media::overlay::paint::{FrameTime, Painter};
use edgecam_media::overlay::palette::Colorimetry;
use edgecam_media::{OverlayBox, OverlayScene};
use scene::{I420Mut, SceneRenderer, Truth};
use std::time::Duration;

const SIZE: Size = Size::new(1280, 720);
const PIXELS: usize = (SIZE.width * SIZE.height) as usize;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let folder = args.first().ok_or("give a folder")?;
    let seed = args.get(1).map_or(Ok(7), |seed| seed.parse())?;
    let mut renderer = SceneRenderer::new(seed, SIZE, 25);
    for frame in args.iter().skip(2) {
        let n: u64 = frame.parse()?;
        let (mut y, mut u, mut v) = (vec![0; PIXELS], vec![0; PIXELS / 4], vec![0; PIXELS / 4]);
        let (w, half) = (SIZE.width as usize, SIZE.width as usize / 2);
        let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, half), v: (&mut v, half) };
        let truth = renderer.frame(n, &mut picture);
        let canvas =
            Canvas::i420(w, SIZE.height as usize, (&mut y, w), (&mut u, half), (&mut v, half));
        draw(&mut canvas.ok_or("planes too short")?, &truth);
        save(&Path::new(folder).join(format!("scene-{seed}-{n}.png")), [&y, &u, &v])?;
    }
    Ok(())
}

fn draw(canvas: &mut Canvas<'_>, truth: &[Truth]) {
    let boxes = truth.iter().map(|truth| OverlayBox {
        bbox: truth.bbox,
        label: truth.label.into(),
        score: truth.visible,
        track: Some(TrackId(truth.id)),
        class: truth.label.bytes().map(u16::from).sum(),
        velocity: Velocity::default(),
        at: Duration::ZERO,
    });
    let scene = OverlayScene {
        name: "Front door".into(),
        boxes: boxes.collect(),
        ..OverlayScene::default()
    };
    let config = OverlayConfig {
        boxes: Draw::On,
        labels: Draw::On,
        zones: Draw::On,
        timestamp: Draw::On,
        max_age: Duration::from_secs(1),
    };
    let time = FrameTime { pts: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
    Painter::new(canvas.height(), Colorimetry::BT709, jiff::tz::TimeZone::UTC)
        .paint(canvas, &scene, &config, time);
}

/// BT.709, limited range.
fn save(path: &Path, [y, u, v]: [&[u8]; 3]) -> Result<(), image::ImageError> {
    let (w, h) = (SIZE.width, SIZE.height);
    image::RgbImage::from_fn(w, h, |x, row| {
        let at = (row / 2 * (w / 2) + x / 2) as usize;
        let luma = (f32::from(y[(row * w + x) as usize]) - 16.0) * 255.0 / 219.0;
        let (cb, cr) = (f32::from(u[at]) - 128.0, f32::from(v[at]) - 128.0);
        let byte = |value: f32| value.clamp(0.0, 255.0) as u8;
        image::Rgb([
            byte(luma + 1.793 * cr),
            byte(luma - 0.213 * cb - 0.533 * cr),
            byte(luma + 2.112 * cb),
        ])
    })
    .save(path)
}
