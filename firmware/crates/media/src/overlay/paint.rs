//! Draws an [`OverlayScene`] on a [`Canvas`]: what, where and in which order.

use std::time::Duration;

use config::{Draw, OverlayConfig};
use domain::{BBox, Point};
use jiff::tz::TimeZone;

use super::canvas::{Canvas, Rect};
use super::glyphs::Glyphs;
use super::palette::{Colorimetry, Palette};
use super::{OverlayBox, OverlayScene};

/// Text lines that would fill the picture's height.
const LINES_PER_HEIGHT: i32 = 36;
/// Smallest text that can still be read after encoding, in pixels.
const LEAST_TEXT: i32 = 12;

/// When a frame was made: what boxes are compared with, and what the clock in the picture shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameTime {
    /// Its `Frame::pts`.
    pub pts: Duration,
    /// The wall clock.
    pub wall: jiff::Timestamp,
}

/// Draws on pictures of one height and colorimetry.
#[derive(Debug)]
pub struct Painter {
    glyphs: Glyphs,
    palette: Palette,
    thickness: i32,
    zone: TimeZone,
    /// The newest second and its text: formatting a time of day costs more than drawing it.
    clock: (i64, String),
    label: String,
}

impl Painter {
    /// A painter for pictures of `height` rows.
    pub fn new(height: i32, colorimetry: Colorimetry, zone: TimeZone) -> Self {
        Self {
            glyphs: Glyphs::new((height / LINES_PER_HEIGHT).max(LEAST_TEXT)),
            palette: Palette::new(colorimetry),
            thickness: (height / 240).max(1) * 2,
            zone,
            clock: (i64::MIN, String::new()),
            label: String::new(),
        }
    }

    /// Whether anything of `scene` would be drawn: else the picture need not be touched.
    pub fn draws(scene: &OverlayScene, config: &OverlayConfig) -> bool {
        (config.boxes == Draw::On && !scene.boxes.is_empty())
            || (config.zones == Draw::On && !(scene.zones.is_empty() && scene.lines.is_empty()))
            || config.timestamp == Draw::On
    }

    /// Draws everything that `config` switches on.
    pub fn paint(
        &mut self,
        canvas: &mut Canvas<'_>,
        scene: &OverlayScene,
        config: &OverlayConfig,
        time: FrameTime,
    ) {
        if config.zones == Draw::On {
            self.marks(canvas, scene);
        }
        if config.boxes == Draw::On {
            for object in scene.boxes.iter() {
                self.object(canvas, object, config, time.pts);
            }
        }
        if config.timestamp == Draw::On {
            self.caption(canvas, &scene.name, time.wall);
        }
    }

    fn marks(&mut self, canvas: &mut Canvas<'_>, scene: &OverlayScene) {
        for zone in scene.zones.iter() {
            let corners = zone.polygon();
            for (n, &corner) in corners.iter().enumerate() {
                let next = corners[(n + 1) % corners.len()];
                let (a, b) = (pixel(canvas, corner), pixel(canvas, next));
                canvas.line(a, b, self.thickness / 2, self.palette.zone);
            }
            if let Some(&first) = corners.first() {
                self.tag(canvas, first, zone.id().as_str());
            }
        }
        for line in scene.lines.iter() {
            let (a, b) = (pixel(canvas, line.from()), pixel(canvas, line.to()));
            canvas.line(a, b, self.thickness, self.palette.line);
            self.tag(canvas, line.from(), line.id().as_str());
        }
    }

    /// A name beside a point.
    fn tag(&mut self, canvas: &mut Canvas<'_>, at: Point, name: &str) {
        let (x, y) = pixel(canvas, at);
        let place = (x as i32 + self.thickness, y as i32 + self.thickness);
        self.shaded(canvas, place, name);
    }

    fn object(
        &mut self,
        canvas: &mut Canvas<'_>,
        object: &OverlayBox,
        config: &OverlayConfig,
        pts: Duration,
    ) {
        let age = pts.saturating_sub(object.at);
        if age > config.max_age {
            return;
        }
        let rect = to_pixels(canvas, expected(object, age));
        let colour = self.palette.class(object.class);
        canvas.outline(rect, self.thickness, colour);
        if config.labels != Draw::On {
            return;
        }
        let mut label = std::mem::take(&mut self.label);
        write_label(&mut label, object);
        let (pad, line) = (self.thickness, self.glyphs.line_height());
        let (w, h) = (self.glyphs.width(&label) + 2 * pad, line + pad);
        // Above the box, or inside it where there is no room.
        let y = if rect.y >= h { rect.y - h } else { rect.y.max(0) };
        let x = rect.x.min(canvas.width() - w).max(0);
        canvas.fill(Rect::new(x, y, w, h), colour);
        self.glyphs.draw(canvas, x + pad, y + pad / 2, &label, self.palette.text_on(colour));
        self.label = label;
    }

    fn caption(&mut self, canvas: &mut Canvas<'_>, name: &str, wall: jiff::Timestamp) {
        if self.clock.0 != wall.as_second() {
            let time = wall.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
            let text = if name.is_empty() { time } else { format!("{name}  {time}") };
            self.clock = (wall.as_second(), text);
        }
        let text = std::mem::take(&mut self.clock.1);
        self.shaded(canvas, (self.thickness * 2, self.thickness * 2), &text);
        self.clock.1 = text;
    }

    /// Light text on darkened ground.
    fn shaded(&mut self, canvas: &mut Canvas<'_>, (x, y): (i32, i32), text: &str) {
        let pad = self.thickness;
        let (w, h) = (self.glyphs.width(text) + 2 * pad, self.glyphs.line_height() + pad);
        canvas.shade(Rect::new(x, y, w, h));
        self.glyphs.draw(canvas, x + pad, y + pad / 2, text, self.palette.white);
    }
}

/// Where the object is expected `age` after its detection.
fn expected(object: &OverlayBox, age: Duration) -> BBox {
    let (seconds, bbox) = (age.as_secs_f32(), object.bbox);
    let (dx, dy) = (object.velocity.x * seconds, object.velocity.y * seconds);
    BBox::new(bbox.x + dx, bbox.y + dy, bbox.w, bbox.h)
}

/// `car 87 % #12`.
fn write_label(label: &mut String, object: &OverlayBox) {
    use std::fmt::Write as _;
    label.clear();
    let percent = (object.score.clamp(0.0, 1.0) * 100.0).round() as u32;
    // Writing into a String does not fail.
    let _ = write!(label, "{} {percent} %", object.label);
    if let Some(track) = object.track {
        let _ = write!(label, " #{track}");
    }
}

fn pixel(canvas: &Canvas<'_>, point: Point) -> (f32, f32) {
    (point.x * canvas.width() as f32, point.y * canvas.height() as f32)
}

fn to_pixels(canvas: &Canvas<'_>, bbox: BBox) -> Rect {
    let (w, h) = (canvas.width() as f32, canvas.height() as f32);
    // A box far outside would overflow the arithmetic on pixels, and cannot be seen.
    let column = |x: f32| (x.clamp(-1.0, 2.0) * w).round() as i32;
    let row = |y: f32| (y.clamp(-1.0, 2.0) * h).round() as i32;
    let (left, top) = (column(bbox.x), row(bbox.y));
    Rect::new(left, top, column(bbox.right()) - left, row(bbox.bottom()) - top)
}
