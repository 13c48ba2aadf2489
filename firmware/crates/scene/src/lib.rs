//! The generated street: a deterministic renderer and its ground truth.
//!
//! A frame depends on the seed, the size, the rate and its number only, so that frames can be drawn
//! in any order: at run time for the source `scene`, and elsewhere for a training set. The truth is
//! read back from what was drawn: an object that another hides in part has the box of what is left.

mod brush;
mod colour;
pub mod dataset;
mod dice;
pub mod judge;
mod look;
mod sensor;
mod sprites;
mod street;

use domain::{BBox, Size};

use crate::brush::{Brush, Drawn, NOBODY, View};
pub use crate::look::Look;
use crate::sprites::Kind;
use crate::street::Passage;

/// The street has been open for this long when frame 0 is drawn: it is not empty.
const OPEN_FOR: f32 = 60.0;
/// Steps of the light between its darkest and its brightest.
const LIGHT_STEPS: f32 = 12.0;
/// Seconds from a cloud to the next.
const CLOUDS: f32 = 47.0;
/// Objects that show less are not in the truth: no one could name them.
const LEAST_PIXELS: u32 = 24;

/// One object that the street shows in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Number of the object: the same in every frame of its passage.
    pub id: u64,
    /// COCO label.
    pub label: &'static str,
    /// The smallest box around its visible pixels, as shares of the picture.
    pub bbox: BBox,
    /// Share of it that is seen, 0..=1: neither hidden (by its pixels) nor beyond the picture's edge
    /// (by the area of its box).
    pub visible: f32,
}

/// An I420 picture to draw into: each plane with the distance of its rows. The planes must hold the
/// whole size that the renderer was made for.
#[derive(Debug)]
pub struct I420Mut<'a> {
    /// Luma.
    pub y: (&'a mut [u8], usize),
    /// Blue difference, half size.
    pub u: (&'a mut [u8], usize),
    /// Red difference, half size.
    pub v: (&'a mut [u8], usize),
}

/// Planes of a picture without padding.
#[derive(Debug, Default)]
struct Planes {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

/// Draws the street.
#[derive(Debug)]
pub struct SceneRenderer {
    seed: u64,
    size: Size,
    fps: u32,
    look: Look,
    view: View,
    /// The background by full light.
    background: Planes,
    /// The background by the light of the last frame, and that light's step.
    lit: (Vec<u8>, i32),
    /// Which object owns each pixel.
    owners: Vec<u8>,
}

/// One object as it was drawn.
struct Object {
    id: u64,
    kind: Kind,
    drawn: Drawn,
}

impl SceneRenderer {
    /// A street with a plain look; the same seed gives the same one. Both sides of `size` should be
    /// even.
    pub fn new(seed: u64, size: Size, fps: u32) -> Self {
        Self::with_look(seed, size, fps, Look::plain())
    }

    /// A street as `look` shows it.
    pub fn with_look(seed: u64, size: Size, fps: u32, look: Look) -> Self {
        let (w, h) = (size.width as usize, size.height as usize);
        let half_w = w.div_ceil(2);
        let half = half_w * h.div_ceil(2);
        let scale = size.height as f32 / street::HEIGHT * look.view.zoom;
        let view = View {
            scale,
            top: look.view.top,
            width: size.width as f32 / scale,
            mirrored: look.view.mirrored,
        };
        let mut background = Planes { y: vec![16; w * h], u: vec![128; half], v: vec![128; half] };
        let mut owners = vec![NOBODY; w * h];
        let mut picture = I420Mut {
            y: (&mut background.y, w),
            u: (&mut background.u, half_w),
            v: (&mut background.v, half_w),
        };
        let mut brush = Brush::new(&mut picture, &mut owners, size, 1.0, view);
        street::background(&mut brush, seed, &look.scenery);
        let lit = (Vec::new(), -1);
        Self { seed, size, fps: fps.max(1), look, view, background, lit, owners }
    }

    /// Draws frame `n` and tells what it shows.
    pub fn frame(&mut self, n: u64, picture: &mut I420Mut<'_>) -> Vec<Truth> {
        let time = OPEN_FOR + (n as f64 / f64::from(self.fps)) as f32;
        let light = self.lay_background(time, picture);
        let mut owners = std::mem::take(&mut self.owners);
        owners.fill(NOBODY);
        let mut brush = Brush::new(picture, &mut owners, self.size, light, self.view);
        let mut objects = Vec::new();
        for lane in 0..street::LANES.len() {
            for passage in street::passages(self.seed, lane, self.view.width, time) {
                draw(&mut brush, &passage, &mut objects);
            }
            brush.begin(NOBODY);
            street::in_front_of(&mut brush, lane, &self.look.scenery);
        }
        let truth = (0_u8..)
            .zip(&objects)
            .filter_map(|(n, object)| truth(object, n + 1, &owners, self.size));
        let truth = truth.collect();
        self.owners = owners;
        if self.look.sensor != Look::plain().sensor {
            sensor::expose(picture, self.size, &self.look.sensor, [self.seed, n]);
        }
        truth
    }

    /// Copies the background by the light of `time`, and gives that light.
    fn lay_background(&mut self, time: f32, picture: &mut I420Mut<'_>) -> f32 {
        let wave = (time / CLOUDS * std::f32::consts::TAU).sin();
        let step = ((wave * 0.5 + 0.5) * LIGHT_STEPS).round() as i32;
        let light = 0.82 + 0.18 * step as f32 / LIGHT_STEPS;
        if self.lit.1 != step {
            let lit = |y: &u8| (16.0 + (f32::from(*y) - 16.0) * light) as u8;
            self.lit = (self.background.y.iter().map(lit).collect(), step);
        }
        let width = self.size.width as usize;
        copy(&self.lit.0, width, &mut picture.y);
        copy(&self.background.u, width.div_ceil(2), &mut picture.u);
        copy(&self.background.v, width.div_ceil(2), &mut picture.v);
        light
    }
}

fn copy(from: &[u8], width: usize, (to, stride): &mut (&mut [u8], usize)) {
    for (from, to) in from.chunks_exact(width).zip(to.chunks_mut(*stride)) {
        to[..width].copy_from_slice(from);
    }
}

/// Draws a passage: one object, or a bicycle or motorcycle with the person on it.
fn draw(brush: &mut Brush<'_, '_>, passage: &Passage, objects: &mut Vec<Object>) {
    brush.begin(NOBODY);
    street::shadow(brush, passage.kind, &passage.pose);
    let rider = matches!(passage.kind, Kind::Bicycle | Kind::Motorcycle).then_some(Kind::Rider);
    for (part, kind) in (0..).zip(std::iter::once(passage.kind).chain(rider)) {
        // A street with more than 254 objects does not fit into a picture.
        let Ok(owner) = u8::try_from(objects.len() + 1) else { return };
        brush.begin(owner);
        sprites::draw(brush, kind, &passage.pose, &mut passage.dice.clone());
        objects.push(Object { id: passage.number * 2 + part, kind, drawn: brush.drawn });
    }
}

/// What is left of an object after everything in front of it was drawn.
fn truth(object: &Object, owner: u8, owners: &[u8], size: Size) -> Option<Truth> {
    let Drawn { pixels, columns, rows, whole } = object.drawn;
    if pixels == 0 {
        return None;
    }
    let (mut left, mut right, mut top, mut bottom) = (columns.1, -1, rows.1, -1);
    let mut visible = 0;
    for row in rows.0..=rows.1 {
        let start = row as usize * size.width as usize;
        let line = &owners[start + columns.0 as usize..=start + columns.1 as usize];
        let mine = || line.iter().enumerate().filter(|(_, o)| **o == owner);
        let count = mine().count() as u32;
        if count > 0 {
            let first = line.iter().position(|o| *o == owner).unwrap_or(0) as i32;
            let last = line.iter().rposition(|o| *o == owner).unwrap_or(0) as i32;
            left = left.min(columns.0 + first);
            right = right.max(columns.0 + last);
            top = top.min(row);
            bottom = bottom.max(row);
            visible += count;
        }
    }
    if visible < LEAST_PIXELS {
        return None;
    }
    let (w, h) = (size.width as f32, size.height as f32);
    let inside = share_inside(whole, w, h);
    let (left, right) = (left as f32 / w, (right + 1) as f32 / w);
    let (top, bottom) = (top as f32 / h, (bottom + 1) as f32 / h);
    Some(Truth {
        id: object.id,
        label: object.kind.label(),
        bbox: BBox::from_corners(left, top, right, bottom),
        visible: (visible as f32 / pixels as f32).min(1.0) * inside,
    })
}

/// Share of a box in pixels that lies in a picture of `w` × `h`.
fn share_inside([left, top, right, bottom]: [f32; 4], w: f32, h: f32) -> f32 {
    let along = |from: f32, to: f32, limit: f32| {
        ((to.min(limit) - from.max(0.0)) / (to - from).max(f32::EPSILON)).clamp(0.0, 1.0)
    };
    along(left, right, w) * along(top, bottom, h)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(640, 360);

    /// Pixels as columns and rows.
    fn pixels(bbox: BBox) -> [i32; 4] {
        let (w, h) = (SIZE.width as f32, SIZE.height as f32);
        [bbox.x * w, bbox.y * h, bbox.right() * w, bbox.bottom() * h].map(|v| v.round() as i32)
    }

    #[test]
    fn truth_boxes_are_exactly_around_the_pixels_that_were_drawn() {
        let (w, h) = (SIZE.width as usize, SIZE.height as usize);
        let mut renderer = SceneRenderer::new(7, SIZE, 25);
        let (mut y, mut u, mut v) = (vec![0; w * h], vec![0; w * h / 4], vec![0; w * h / 4]);
        let mut boxes = 0;
        for n in (0..1000).step_by(20) {
            let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, w / 2), v: (&mut v, w / 2) };
            let truth = renderer.frame(n, &mut picture);
            let mut expected = Vec::new();
            for owner in 1..=40 {
                let mine: Vec<usize> =
                    (0..w * h).filter(|at| renderer.owners[*at] == owner).collect();
                if (mine.len() as u32) < LEAST_PIXELS {
                    continue;
                }
                let columns = || mine.iter().map(|at| (at % w) as i32);
                let rows = || mine.iter().map(|at| (at / w) as i32);
                let (left, right) = (columns().min().unwrap(), columns().max().unwrap());
                let (top, bottom) = (rows().min().unwrap(), rows().max().unwrap());
                expected.push([left, top, right + 1, bottom + 1]);
                // What an object owns looks different from the street behind it.
                let differs = |at: usize| {
                    let half = at / w / 2 * (w / 2) + at % w / 2;
                    let (street, light) = (&renderer.background, &renderer.lit.0);
                    y[at] != light[at] || u[half] != street.u[half] || v[half] != street.v[half]
                };
                let seen = mine.iter().filter(|at| differs(**at)).count();
                assert!(seen * 10 > mine.len() * 8, "frame {n}: {seen} of {}", mine.len());
            }
            let told: Vec<_> = truth.iter().map(|truth| pixels(truth.bbox)).collect();
            assert_eq!(told, expected, "frame {n}");
            boxes += told.len();
        }
        assert!(boxes > 200, "{boxes}");
    }
}
