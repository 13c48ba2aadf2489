//! Privacy masks on pictures: which pixels they cover, and painting those black in place.
//!
//! A pixel that an outline touches is covered as well, and so is the rest of its 2×2 block, whose
//! colour it shares: what is masked does not shine through at the edge.

use std::sync::Arc;

use domain::frame::Range;
use domain::{Frame, PixelFormat, Point, PrivacyMask, Size};

use crate::overlay::canvas::{Canvas, Rect, Yuv};

/// The masks of a camera; cheap to clone, and the same as another while they were not changed.
pub(crate) type Masks = Arc<[PrivacyMask]>;

/// What masks cover of pictures of one size.
#[derive(Clone, Debug)]
pub struct Stencil {
    masks: Masks,
    size: Size,
    covered: Vec<Rect>,
}

impl Stencil {
    /// What `masks` cover of pictures of `size`.
    pub fn new(masks: &Arc<[PrivacyMask]>, size: Size) -> Self {
        let mut covered = Vec::new();
        for mask in masks.iter() {
            cover(mask.polygon(), size, &mut covered);
        }
        Self { masks: Arc::clone(masks), size, covered }
    }

    /// The one in `kept`, made anew where that is of other masks or another size.
    pub(crate) fn of<'a>(kept: &'a mut Option<Self>, masks: &Masks, size: Size) -> &'a Self {
        if kept.as_ref().is_none_or(|one| !Arc::ptr_eq(&one.masks, masks) || one.size != size) {
            *kept = None;
        }
        kept.get_or_insert_with(|| Self::new(masks, size))
    }

    /// Paints what is covered; `full_range`: whether luma takes 0..=255 instead of 16..=235.
    pub fn paint(&self, canvas: &mut Canvas<'_>, full_range: bool) {
        let black = Yuv { y: if full_range { 0 } else { 16 }, u: 128, v: 128 };
        self.covered.iter().for_each(|rect| canvas.fill(*rect, black));
    }

    /// Paints what is covered of `frame`, whose rows are packed. `None`: its planes are too short.
    pub(crate) fn paint_frame(&self, frame: &mut Frame) -> Option<()> {
        let (w, h) = (frame.size.width as usize, frame.size.height as usize);
        let (half, half_rows) = (w.div_ceil(2), h.div_ceil(2));
        let full_range = frame.colours.range == Range::Full;
        let (luma, rest) = match frame.format {
            PixelFormat::Rgb | PixelFormat::Bgr => return self.paint_packed(&mut frame.data, w),
            PixelFormat::I420 | PixelFormat::Nv12 => frame.data.split_at_mut_checked(w * h)?,
        };
        let mut canvas = match frame.format {
            PixelFormat::Nv12 => Canvas::nv12(w, h, (luma, w), (rest, 2 * half))?,
            _ => {
                let (u, v) = rest.split_at_mut_checked(half * half_rows)?;
                Canvas::i420(w, h, (luma, w), (u, half), (v, half))?
            }
        };
        self.paint(&mut canvas, full_range);
        Some(())
    }

    /// The same in three bytes a pixel.
    fn paint_packed(&self, data: &mut [u8], width: usize) -> Option<()> {
        for rect in &self.covered {
            let inside = |start: i32, length: i32, end: u32| {
                let end = (start + length).min(i32::try_from(end).unwrap_or(i32::MAX));
                usize::try_from(start).ok().zip(usize::try_from(end).ok())
            };
            let (left, right) = inside(rect.x, rect.w, self.size.width)?;
            let (top, bottom) = inside(rect.y, rect.h, self.size.height)?;
            for row in top..bottom {
                data.get_mut(3 * (row * width + left)..3 * (row * width + right))?.fill(0);
            }
        }
        Some(())
    }
}

/// Adds the blocks that `polygon` touches of a picture of `size`, as rectangles of whole blocks.
fn cover(polygon: &[Point], size: Size, covered: &mut Vec<Rect>) {
    // In blocks: an outline counts in all of the blocks that it passes.
    let (columns, rows) = (size.width.div_ceil(2), size.height.div_ceil(2));
    let (w, h) = (f64::from(size.width) / 2.0, f64::from(size.height) / 2.0);
    let corners: Vec<_> =
        polygon.iter().map(|p| (f64::from(p.x) * w, f64::from(p.y) * h)).collect();
    let first = covered.len();
    for row in 0..rows {
        for (from, to) in spans(&corners, f64::from(row)) {
            let (from, to) = (from.max(0.0) as u32, (to.max(0.0) as u32).min(columns));
            if from < to {
                add(covered, first, row, from, to);
            }
        }
    }
}

/// Puts a span of blocks into the rectangle above it that it continues, or into one of its own.
fn add(covered: &mut Vec<Rect>, first: usize, row: u32, from: u32, to: u32) {
    // Pictures are far smaller than what `i32` holds.
    let (x, y, w) = (2 * from as i32, 2 * row as i32, 2 * (to - from) as i32);
    let above = |rect: &&mut Rect| rect.x == x && rect.w == w && rect.y + rect.h == y;
    match covered[first..].iter_mut().find(above) {
        Some(rect) => rect.h += 2,
        None => covered.push(Rect::new(x, y, w, 2)),
    }
}

/// Where in the row of blocks `row..row + 1` the area of `corners` lies, in whole blocks; may overlap.
fn spans(corners: &[(f64, f64)], row: f64) -> Vec<(f64, f64)> {
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    let middle = row + 0.5;
    let mut crossed = Vec::new();
    let mut found = Vec::new();
    for (&(ax, ay), &(bx, by)) in edges() {
        let at = |y: f64| ax + (bx - ax) * (y - ay) / (by - ay);
        if (ay <= middle) != (by <= middle) {
            crossed.push(at(middle));
        }
        let (top, bottom) = (ay.min(by), ay.max(by));
        if bottom <= row || top >= row + 1.0 {
            continue;
        }
        let (one, other) =
            if ay == by { (ax, bx) } else { (at(top.max(row)), at(bottom.min(row + 1.0))) };
        found.push((one.min(other).floor(), one.max(other).ceil()));
    }
    // What no outline passes is inside or outside as a whole: its middle tells.
    crossed.sort_by(f64::total_cmp);
    found.extend(crossed.chunks_exact(2).map(|pair| (pair[0].floor(), pair[1].ceil())));
    merged(found)
}

/// The same spans without overlaps, from left to right.
fn merged(mut spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut all: Vec<(f64, f64)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::Colours;
    use proptest::prelude::*;

    use super::*;

    fn masks(all: &[&[(f32, f32)]]) -> Masks {
        let mask = |corners: &&[(f32, f32)]| {
            PrivacyMask::new(corners.iter().map(|&(x, y)| Point::new(x, y)).collect()).unwrap()
        };
        all.iter().map(mask).collect()
    }

    fn frame(format: PixelFormat, size: Size) -> Frame {
        Frame {
            seq: 0,
            pts: Duration::ZERO,
            captured: Duration::ZERO,
            tapped: Duration::ZERO,
            size,
            source_size: size,
            format,
            colours: Colours::default(),
            data: vec![200; format.bytes(size)],
        }
    }

    /// Whether each pixel is covered, row by row.
    fn painted(stencil: &Stencil, size: Size) -> Vec<bool> {
        let mut frame = frame(PixelFormat::I420, size);
        stencil.paint_frame(&mut frame).unwrap();
        frame.data[..size.area() as usize].iter().map(|luma| *luma == 16).collect()
    }

    #[test]
    fn a_mask_covers_its_pixels_in_every_format_and_no_others() {
        let size = Size::new(16, 8);
        let right = masks(&[&[(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]]);
        let stencil = Stencil::new(&right, size);
        for format in [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Rgb, PixelFormat::Bgr] {
            let mut frame = frame(format, size);
            stencil.paint_frame(&mut frame).unwrap();
            let bytes = if matches!(format, PixelFormat::Rgb | PixelFormat::Bgr) { 3 } else { 1 };
            let black = if bytes == 3 { 0 } else { 16 };
            for row in frame.data[..128 * bytes].chunks(16 * bytes) {
                assert_eq!(row[..8 * bytes], vec![200; 8 * bytes], "{format:?}");
                assert_eq!(row[8 * bytes..], vec![black; 8 * bytes], "{format:?}");
            }
            let chroma = &frame.data[128 * bytes..];
            let grey = chroma.iter().filter(|c| **c == 128).count();
            assert_eq!(grey * 2, chroma.len(), "{format:?}");
        }
    }

    #[test]
    fn the_smallest_mask_and_the_odd_edge_are_covered() {
        let size = Size::new(33, 7);
        let all = masks(&[&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]]);
        assert!(painted(&Stencil::new(&all, size), size).iter().all(|covered| *covered));
        let speck = masks(&[&[(0.501, 0.501), (0.502, 0.501), (0.502, 0.502)]]);
        assert!(painted(&Stencil::new(&speck, size), size).iter().any(|covered| *covered));
    }

    #[test]
    fn a_stencil_is_kept_until_masks_or_size_change() {
        let (one, other) = (masks(&[]), masks(&[&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]]));
        let mut kept = None;
        assert!(Stencil::of(&mut kept, &one, Size::new(8, 8)).covered.is_empty());
        let small = Stencil::of(&mut kept, &other, Size::new(8, 8)).covered.clone();
        assert!(!small.is_empty());
        assert_ne!(Stencil::of(&mut kept, &other, Size::new(16, 8)).covered, small);
    }

    proptest! {
        /// A triangle of any shape, and the middle of every pixel in it.
        #[test]
        fn no_pixel_of_an_area_is_left_out(
            corners in proptest::array::uniform3((0.0_f32..=1.0, 0.0_f32..=1.0)),
            size in (2_u32..70, 2_u32..50),
        ) {
            let size = Size::new(size.0, size.1);
            let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
            let Ok(mask) = PrivacyMask::new(polygon) else { return Ok(()) };
            let stencil = Stencil::new(&[mask].into(), size);
            let painted = painted(&stencil, size);
            let [a, b, c] = corners.map(|(x, y)| (f64::from(x), f64::from(y)));
            let side = |p: (f64, f64), q: (f64, f64), r: (f64, f64)| {
                (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)
            };
            for y in 0..size.height {
                for x in 0..size.width {
                    // Its middle and its corners.
                    for (dx, dy) in [(0.5, 0.5), (0.01, 0.01), (0.99, 0.01), (0.01, 0.99), (0.99, 0.99)] {
                        let at = (
                            (f64::from(x) + dx) / f64::from(size.width),
                            (f64::from(y) + dy) / f64::from(size.height),
                        );
                        let sides = [side(a, b, at), side(b, c, at), side(c, a, at)];
                        let inside = sides.iter().all(|s| *s > 0.0) || sides.iter().all(|s| *s < 0.0);
                        prop_assert!(!inside || painted[(y * size.width + x) as usize], "{x},{y}");
                    }
                }
            }
        }
    }
}
