//! What the overlay draws, pixel by pixel, and that it never draws anywhere else.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::time::Duration;

use config::{Draw, OverlayConfig};
use domain::{BBox, Line, LineId, Point, TrackId, Velocity, Zone, ZoneId};
use edgecam_media::overlay::canvas::{Canvas, Mask, Rect, Yuv};
use edgecam_media::overlay::paint::{FrameTime, Painter};
use edgecam_media::overlay::palette::Colorimetry;
use edgecam_media::{OverlayBox, OverlayScene};
use proptest::prelude::*;

const RED: Yuv = Yuv { y: 80, u: 90, v: 240 };
/// What no drawing may touch: padding of the rows, and bytes behind the planes.
const FENCE: u8 = 0xa5;
const PADDING: usize = 5;

/// A picture whose planes lie between fences.
struct Picture {
    width: usize,
    height: usize,
    nv12: bool,
    planes: Vec<Vec<u8>>,
}

impl Picture {
    fn new(width: usize, height: usize, nv12: bool) -> Self {
        let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
        let chroma = if nv12 { vec![(half_w * 2, half_h)] } else { vec![(half_w, half_h); 2] };
        let planes = std::iter::once((width, height, 16))
            .chain(chroma.into_iter().map(|(w, h)| (w, h, 128)));
        let planes = planes.map(|(w, h, value)| {
            let row = [vec![value; w], vec![FENCE; PADDING]].concat();
            row.repeat(h)
        });
        Self { width, height, nv12, planes: planes.collect() }
    }

    fn strides(&self) -> Vec<usize> {
        let half = self.width.div_ceil(2);
        let chroma = if self.nv12 { vec![half * 2] } else { vec![half, half] };
        std::iter::once(self.width).chain(chroma).map(|w| w + PADDING).collect()
    }

    fn canvas(&mut self) -> Canvas<'_> {
        let strides = self.strides();
        let mut planes = self.planes.iter_mut().zip(strides).map(|(p, s)| (p.as_mut_slice(), s));
        let (y, u) = (planes.next().unwrap(), planes.next().unwrap());
        let canvas = match planes.next() {
            None => Canvas::nv12(self.width, self.height, y, u),
            Some(v) => Canvas::i420(self.width, self.height, y, u, v),
        };
        canvas.unwrap()
    }

    fn at(&self, x: usize, y: usize) -> Yuv {
        let strides = self.strides();
        let chroma =
            |plane: usize, column: usize| self.planes[plane][y / 2 * strides[plane] + column];
        let (u, v) = if self.nv12 {
            (chroma(1, x / 2 * 2), chroma(1, x / 2 * 2 + 1))
        } else {
            (chroma(1, x / 2), chroma(2, x / 2))
        };
        Yuv { y: self.planes[0][y * strides[0] + x], u, v }
    }

    fn fences_stand(&self) -> bool {
        self.planes.iter().zip(self.strides()).all(|(plane, stride)| {
            plane.chunks(stride).all(|row| row[stride - PADDING..].iter().all(|b| *b == FENCE))
        })
    }
}

fn everything_on() -> OverlayConfig {
    OverlayConfig {
        boxes: Draw::On,
        labels: Draw::On,
        zones: Draw::On,
        timestamp: Draw::On,
        max_age: Duration::from_secs(1),
    }
}

fn only_boxes() -> OverlayConfig {
    let (labels, zones, timestamp) = (Draw::Off, Draw::Off, Draw::Off);
    OverlayConfig { labels, zones, timestamp, ..everything_on() }
}

fn object(bbox: BBox) -> OverlayBox {
    OverlayBox {
        bbox,
        label: "car".into(),
        score: 0.87,
        track: Some(TrackId(12)),
        class: 2,
        velocity: Velocity::default(),
        at: Duration::ZERO,
    }
}

fn paint(picture: &mut Picture, scene: &OverlayScene, config: &OverlayConfig, pts: Duration) {
    let mut canvas = picture.canvas();
    let time = FrameTime { pts, wall: jiff::Timestamp::UNIX_EPOCH };
    Painter::new(canvas.height(), Colorimetry::BT709, jiff::tz::TimeZone::UTC).paint(
        &mut canvas,
        scene,
        config,
        time,
    );
}

fn with_box(object: OverlayBox) -> OverlayScene {
    OverlayScene { boxes: [object].into(), ..OverlayScene::default() }
}

#[test]
fn a_filled_rectangle_has_its_colour_and_nothing_beside_it_in_both_formats() {
    for nv12 in [false, true] {
        let mut picture = Picture::new(33, 17, nv12);
        picture.canvas().fill(Rect::new(4, 6, 8, 4), RED);
        for (x, y) in [(4, 6), (11, 6), (4, 9), (11, 9)] {
            assert_eq!(picture.at(x, y), RED, "{x},{y}");
        }
        for (x, y) in [(3, 6), (12, 6), (4, 5), (4, 10)] {
            assert_eq!(picture.at(x, y), Yuv { y: 16, u: 128, v: 128 }, "{x},{y}");
        }
    }
}

#[test]
fn planes_that_are_too_short_are_refused() {
    let (mut y, mut u, mut v) = (vec![0; 64], vec![0; 15], vec![0; 16]);
    assert!(Canvas::i420(8, 8, (&mut y, 8), (&mut u, 4), (&mut v, 4)).is_none());
    assert!(Canvas::nv12(8, 8, (&mut y, 7), (&mut v, 8)).is_none());
}

#[test]
fn a_glyph_is_blended_by_its_coverage() {
    let mut picture = Picture::new(8, 8, false);
    let mask = Mask { width: 3, height: 1, data: vec![0, 128, 255] };
    picture.canvas().blend(6, 2, &mask, 216);
    assert_eq!((picture.at(6, 2).y, picture.at(7, 2).y), (16, 116));
}

#[test]
fn a_box_is_outlined_where_the_object_is() {
    let mut picture = Picture::new(320, 240, false);
    let scene = with_box(object(BBox::new(0.25, 0.25, 0.5, 0.5)));
    paint(&mut picture, &scene, &only_boxes(), Duration::ZERO);
    let edge = picture.at(80, 60);
    assert_ne!(edge.y, 16);
    for (x, y) in [(239, 60), (80, 179), (239, 179), (160, 60), (80, 120)] {
        assert_eq!(picture.at(x, y), edge, "{x},{y}");
    }
    for (x, y) in [(160, 120), (78, 60), (242, 60), (80, 182), (84, 64)] {
        assert_eq!(picture.at(x, y).y, 16, "{x},{y}");
    }
}

#[test]
fn a_box_is_drawn_where_the_object_is_expected_by_now() {
    let mut picture = Picture::new(320, 240, true);
    let velocity = Velocity { x: 0.5, y: 0.0 };
    let moving = OverlayBox { velocity, ..object(BBox::new(0.25, 0.25, 0.25, 0.5)) };
    paint(&mut picture, &with_box(moving), &only_boxes(), Duration::from_millis(500));
    assert_eq!(picture.at(80, 120).y, 16);
    assert_ne!(picture.at(160, 120).y, 16);
}

#[test]
fn a_box_that_is_too_old_is_not_drawn() {
    let mut picture = Picture::new(320, 240, false);
    let scene = with_box(object(BBox::new(0.25, 0.25, 0.5, 0.5)));
    paint(&mut picture, &scene, &only_boxes(), Duration::from_millis(1001));
    assert!((0..240).all(|y| (0..320).all(|x| picture.at(x, y).y == 16)));
}

#[test]
fn a_label_is_text_on_the_colour_of_its_class() {
    let mut picture = Picture::new(640, 480, false);
    let config = OverlayConfig { labels: Draw::On, ..only_boxes() };
    paint(
        &mut picture,
        &with_box(object(BBox::new(0.25, 0.5, 0.5, 0.25))),
        &config,
        Duration::ZERO,
    );
    let background = picture.at(160, 240);
    let above: Vec<u8> = (224..240)
        .flat_map(|y| (162..280).map(move |x| (x, y)))
        .map(|(x, y)| picture.at(x, y).y)
        .collect();
    assert!(above.iter().filter(|y| **y == background.y).count() > above.len() / 3);
    let ink = above.iter().filter(|y| y.abs_diff(background.y) > 60).count();
    assert!(ink > 100, "{ink} dark pixels are no text");
}

#[test]
fn names_in_other_scripts_leave_ink() {
    for name in ["Einfahrt Süd", "Гараж", "Είσοδος"] {
        let mut picture = Picture::new(640, 360, false);
        let scene = OverlayScene { name: name.into(), ..OverlayScene::default() };
        let config = OverlayConfig { boxes: Draw::Off, zones: Draw::Off, ..everything_on() };
        paint(&mut picture, &scene, &config, Duration::ZERO);
        let lit = (0..30).flat_map(|y| (0..80).map(move |x| (x, y)));
        assert!(lit.filter(|&(x, y)| picture.at(x, y).y > 120).count() > 50, "{name}");
    }
}

#[test]
fn zones_and_lines_are_drawn_along_their_edges() {
    let mut picture = Picture::new(320, 240, true);
    let corners = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)];
    let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
    let line = Line::new(LineId::new("gate"), Point::new(0.1, 0.9), Point::new(0.9, 0.9)).unwrap();
    let scene = OverlayScene {
        zones: [Zone::new(ZoneId::new("yard"), polygon).unwrap()].into(),
        lines: [line].into(),
        ..OverlayScene::default()
    };
    paint(
        &mut picture,
        &scene,
        &OverlayConfig { timestamp: Draw::Off, ..everything_on() },
        Duration::ZERO,
    );
    for (x, y) in [(200, 60), (240, 120), (160, 180), (80, 150), (160, 216)] {
        assert_ne!(picture.at(x, y), Yuv { y: 16, u: 128, v: 128 }, "{x},{y}");
    }
    assert_eq!(picture.at(160, 130), Yuv { y: 16, u: 128, v: 128 });
}

#[test]
fn with_everything_off_there_is_nothing_to_draw() {
    let scene = with_box(object(BBox::new(0.25, 0.25, 0.5, 0.5)));
    assert!(Painter::draws(&scene, &only_boxes()));
    assert!(!Painter::draws(&scene, &OverlayConfig { boxes: Draw::Off, ..only_boxes() }));
    assert!(!Painter::draws(&OverlayScene::default(), &only_boxes()));
}

fn any_share() -> impl Strategy<Value = f32> {
    prop_oneof![-3.0_f32..3.0, Just(f32::MAX), Just(f32::MIN), Just(f32::NAN), Just(f32::INFINITY)]
}

proptest! {
    #[test]
    fn nothing_is_ever_written_outside_the_planes(
        (width, height, nv12) in (1_usize..90, 1_usize..70, any::<bool>()),
        (x, y, w, h) in (any_share(), any_share(), any_share(), any_share()),
        (vx, vy) in (any_share(), any_share()),
        pts in 0_u64..900,
        label in "\\PC{0,12}",
    ) {
        let mut picture = Picture::new(width, height, nv12);
        let velocity = Velocity { x: vx, y: vy };
        let object = OverlayBox { velocity, label: label.as_str().into(), ..object(BBox::new(x, y, w, h)) };
        let scene = OverlayScene { name: label.as_str().into(), ..with_box(object) };
        paint(&mut picture, &scene, &everything_on(), Duration::from_millis(pts));
        prop_assert!(picture.fences_stand());
    }

    #[test]
    fn no_shape_leaves_the_planes(
        (width, height, nv12) in (1_usize..40, 1_usize..40, any::<bool>()),
        (x, y, w, h) in (any::<i32>(), any::<i32>(), any::<i32>(), any::<i32>()),
        (a, b) in ((any_share(), any_share()), (any_share(), any_share())),
        thickness in -3_i32..20,
    ) {
        let mut picture = Picture::new(width, height, nv12);
        let mut canvas = picture.canvas();
        canvas.fill(Rect::new(x, y, w, h), RED);
        canvas.shade(Rect::new(x % 50, y % 50, w % 50, h % 50));
        canvas.outline(Rect::new(x, y, w, h), thickness, RED);
        canvas.line((a.0 * 20.0, a.1 * 20.0), (b.0 * 20.0, b.1 * 20.0), thickness, RED);
        let mask = Mask { width: 7, height: 5, data: vec![200; 35] };
        canvas.blend(x % 60, y % 60, &mask, 235);
        prop_assert!(picture.fences_stand());
    }
}
