//! Fills shapes on an I420 picture and keeps, for every pixel, which object owns it: from that the
//! ground truth is read, so that it is what was drawn and not what was meant.

use domain::Size;

use crate::I420Mut;
use crate::colour::Yuv;

/// Owner of pixels that belong to no object.
pub(crate) const NOBODY: u8 = 0;

/// A point: in units of the street where a shape is asked for, in pixels where it is filled.
pub(crate) type Point = (f32, f32);

/// What an object covers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Drawn {
    /// Pixels that the object took, each counted once.
    pub(crate) pixels: u32,
    /// First and last column and row that it took; meaningless without pixels.
    pub(crate) columns: (i32, i32),
    pub(crate) rows: (i32, i32),
    /// Left, top, right and bottom of its shapes in pixels, also beyond the picture.
    pub(crate) whole: [f32; 4],
}

/// From units of the street to pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    /// Pixels per unit.
    pub(crate) scale: f32,
    /// Unit at the top of the picture.
    pub(crate) top: f32,
    /// Units that the picture is wide.
    pub(crate) width: f32,
    /// Whether unit 0 lies at the right edge instead of the left one.
    pub(crate) mirrored: bool,
}

impl View {
    fn pixel(&self, (x, y): Point) -> Point {
        let x = if self.mirrored { self.width - x } else { x };
        (x * self.scale, (y - self.top) * self.scale)
    }
}

/// Draws on one picture.
pub(crate) struct Brush<'a, 'b> {
    pub(crate) picture: &'a mut I420Mut<'b>,
    pub(crate) owners: &'a mut [u8],
    pub(crate) size: Size,
    /// Who owns what is drawn now.
    pub(crate) owner: u8,
    pub(crate) drawn: Drawn,
    /// Brightness of everything, 1.0: as the colours say.
    pub(crate) light: f32,
    pub(crate) view: View,
    /// Corners of the polygon at hand in pixels, kept for its storage.
    corners: Vec<Point>,
    /// Edges of the polygon at hand, kept for its storage.
    crossings: Vec<f32>,
}

impl<'a, 'b> Brush<'a, 'b> {
    pub(crate) fn new(
        picture: &'a mut I420Mut<'b>,
        owners: &'a mut [u8],
        size: Size,
        light: f32,
        view: View,
    ) -> Self {
        let (corners, crossings) = (Vec::new(), Vec::new());
        let (owner, drawn) = (NOBODY, Drawn::default());
        Self { picture, owners, size, owner, drawn, light, view, corners, crossings }
    }

    /// What is drawn from here on belongs to `owner`.
    pub(crate) fn begin(&mut self, owner: u8) {
        self.owner = owner;
        let (w, h) = (self.size.width as i32, self.size.height as i32);
        let (far, near) = (f32::INFINITY, f32::NEG_INFINITY);
        let whole = [far, far, near, near];
        self.drawn = Drawn { pixels: 0, columns: (w, -1), rows: (h, -1), whole };
    }

    /// A polygon, even-odd rule.
    pub(crate) fn polygon(&mut self, shape: &[Point], colour: Yuv) {
        let mut corners = std::mem::take(&mut self.corners);
        corners.clear();
        corners.extend(shape.iter().map(|corner| self.view.pixel(*corner)));
        self.fill(&corners, colour);
        self.corners = corners;
    }

    fn fill(&mut self, corners: &[Point], colour: Yuv) {
        for &(x, y) in corners {
            self.reach(x, y, x, y);
        }
        let top = corners.iter().map(|c| c.1).fold(f32::INFINITY, f32::min);
        let bottom = corners.iter().map(|c| c.1).fold(f32::NEG_INFINITY, f32::max);
        let Some(rows) = self.rows(top, bottom) else { return };
        for row in rows {
            let y = row as f32 + 0.5;
            let mut crossings = std::mem::take(&mut self.crossings);
            crossings.clear();
            let mut from = corners[corners.len() - 1];
            for &to in corners {
                if (from.1 <= y) != (to.1 <= y) {
                    crossings.push(from.0 + (to.0 - from.0) * (y - from.1) / (to.1 - from.1));
                }
                from = to;
            }
            crossings.sort_by(f32::total_cmp);
            for pair in crossings.chunks_exact(2) {
                self.span(row, pair[0], pair[1], colour);
            }
            self.crossings = crossings;
        }
    }

    /// A filled ellipse.
    pub(crate) fn ellipse(&mut self, centre: Point, rx: f32, ry: f32, colour: Yuv) {
        self.ring(centre, (rx, ry), 0.0, colour);
    }

    /// An ellipse with a hole of `hole` times its size.
    pub(crate) fn ring(&mut self, (cx, cy): Point, (rx, ry): (f32, f32), hole: f32, colour: Yuv) {
        let (cx, cy) = self.view.pixel((cx, cy));
        let (rx, ry) = (rx * self.view.scale, ry * self.view.scale);
        self.reach(cx - rx, cy - ry, cx + rx, cy + ry);
        let Some(rows) = self.rows(cy - ry, cy + ry) else { return };
        for row in rows {
            let dy = (row as f32 + 0.5 - cy) / ry.max(f32::EPSILON);
            let half = |share: f32| (share * share - dy * dy).max(0.0).sqrt() * rx;
            let (outer, inner) = (half(1.0), half(hole));
            if inner > 0.0 {
                self.span(row, cx - outer, cx - inner, colour);
                self.span(row, cx + inner, cx + outer, colour);
            } else {
                self.span(row, cx - outer, cx + outer, colour);
            }
        }
    }

    /// A stroke with round ends, thinner towards `b` where `to` is smaller than `from`.
    pub(crate) fn limb(&mut self, a: Point, b: Point, from: f32, to: f32, colour: Yuv) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy).max(0.01);
        let (nx, ny) = (-dy / length / 2.0, dx / length / 2.0);
        let corners = [
            (a.0 + nx * from, a.1 + ny * from),
            (b.0 + nx * to, b.1 + ny * to),
            (b.0 - nx * to, b.1 - ny * to),
            (a.0 - nx * from, a.1 - ny * from),
        ];
        self.polygon(&corners, colour);
        self.ellipse(a, from / 2.0, from / 2.0, colour);
        self.ellipse(b, to / 2.0, to / 2.0, colour);
    }

    /// The object at hand reaches from here to there.
    fn reach(&mut self, left: f32, top: f32, right: f32, bottom: f32) {
        let [l, t, r, b] = self.drawn.whole;
        self.drawn.whole = [l.min(left), t.min(top), r.max(right), b.max(bottom)];
    }

    /// Rows whose middle lies between `top` and `bottom`, inside the picture.
    fn rows(&self, top: f32, bottom: f32) -> Option<std::ops::Range<i32>> {
        let first = (top - 0.5).ceil().max(0.0) as i32;
        let end = ((bottom - 0.5).ceil() as i32).min(self.size.height as i32);
        (first < end).then_some(first..end)
    }

    fn span(&mut self, row: i32, from: f32, to: f32, colour: Yuv) {
        let first = (from - 0.5).ceil().max(0.0) as i32;
        let end = ((to - 0.5).ceil() as i32).min(self.size.width as i32);
        if first >= end {
            return;
        }
        let (row_at, start, end_at) = (row as usize, first as usize, end as usize);
        let y = (16.0 + (f32::from(colour.y) - 16.0) * self.light).clamp(16.0, 235.0) as u8;
        let (luma, stride) = &mut self.picture.y;
        luma[row_at * *stride + start..row_at * *stride + end_at].fill(y);
        if row % 2 == 0 {
            let columns = start / 2..end_at.div_ceil(2);
            for (plane, value) in [(&mut self.picture.u, colour.u), (&mut self.picture.v, colour.v)]
            {
                let base = row_at / 2 * plane.1;
                plane.0[base + columns.start..base + columns.end].fill(value);
            }
        }
        let base = row_at * self.size.width as usize;
        let owners = &mut self.owners[base + start..base + end_at];
        if self.owner != NOBODY {
            let fresh = owners.iter().filter(|&&owner| owner != self.owner).count();
            self.drawn.pixels += fresh as u32;
            self.drawn.columns =
                (self.drawn.columns.0.min(first), self.drawn.columns.1.max(end - 1));
            self.drawn.rows = (self.drawn.rows.0.min(row), self.drawn.rows.1.max(row));
        }
        owners.fill(self.owner);
    }
}
