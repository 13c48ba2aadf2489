//! A 4:2:0 picture in memory and what can be drawn on it: filled and shaded rectangles, lines,
//! glyphs. Everything is clipped; nothing is ever written outside the planes. No GStreamer in here.

/// A colour as it stands in the planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yuv {
    /// Luma.
    pub y: u8,
    /// Blue difference.
    pub u: u8,
    /// Red difference.
    pub v: u8,
}

/// A rectangle in pixels; may reach out of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x: i32,
    /// First row.
    pub y: i32,
    /// Columns.
    pub w: i32,
    /// Rows.
    pub h: i32,
}

impl Rect {
    /// A rectangle of `w` × `h` at `x`, `y`.
    pub const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w, h }
    }
}

/// How much of each pixel a glyph covers, 0..=255, rows packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` shares.
    pub data: Vec<u8>,
}

#[derive(Debug)]
struct Plane<'a> {
    data: &'a mut [u8],
    stride: usize,
}

/// Half-open range of rows or columns.
type Span = std::ops::Range<usize>;

impl<'a> Plane<'a> {
    /// `None` where `data` is too short for `height` rows.
    fn new(data: &'a mut [u8], stride: usize, width: usize, height: usize) -> Option<Self> {
        let needed = stride.checked_mul(height.saturating_sub(1))?.checked_add(width)?;
        (width <= stride && data.len() >= needed).then_some(Self { data, stride })
    }

    /// The pixels of `columns` in `row`; both must lie inside.
    fn row(&mut self, row: usize, columns: &Span) -> &mut [u8] {
        let start = row * self.stride;
        &mut self.data[start + columns.start..start + columns.end]
    }

    fn fill(&mut self, columns: &Span, rows: &Span, value: u8) {
        for row in rows.clone() {
            self.row(row, columns).fill(value);
        }
    }
}

#[derive(Debug)]
enum Chroma<'a> {
    Planar {
        u: Plane<'a>,
        v: Plane<'a>,
    },
    /// Width counts bytes: two a pixel pair.
    Interleaved(Plane<'a>),
}

/// A picture to draw on.
#[derive(Debug)]
pub struct Canvas<'a> {
    width: i32,
    height: i32,
    luma: Plane<'a>,
    chroma: Chroma<'a>,
}

/// One plane's bytes and the distance of its rows.
pub type PlaneData<'a> = (&'a mut [u8], usize);

impl<'a> Canvas<'a> {
    /// A picture in I420; `None` where a plane is too short for the size.
    pub fn i420(
        width: usize,
        height: usize,
        (y, y_stride): PlaneData<'a>,
        (u, u_stride): PlaneData<'a>,
        (v, v_stride): PlaneData<'a>,
    ) -> Option<Self> {
        let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
        Some(Self {
            width: i32::try_from(width).ok()?,
            height: i32::try_from(height).ok()?,
            luma: Plane::new(y, y_stride, width, height)?,
            chroma: Chroma::Planar {
                u: Plane::new(u, u_stride, half_w, half_h)?,
                v: Plane::new(v, v_stride, half_w, half_h)?,
            },
        })
    }

    /// A picture in NV12; `None` where a plane is too short for the size.
    pub fn nv12(
        width: usize,
        height: usize,
        (y, y_stride): PlaneData<'a>,
        (uv, uv_stride): PlaneData<'a>,
    ) -> Option<Self> {
        let (half_w, half_h) = (width.div_ceil(2), height.div_ceil(2));
        Some(Self {
            width: i32::try_from(width).ok()?,
            height: i32::try_from(height).ok()?,
            luma: Plane::new(y, y_stride, width, height)?,
            chroma: Chroma::Interleaved(Plane::new(uv, uv_stride, half_w * 2, half_h)?),
        })
    }

    /// Columns.
    pub fn width(&self) -> i32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> i32 {
        self.height
    }

    /// The part of `rect` inside the picture, as columns and rows.
    fn clip(&self, rect: Rect) -> Option<(Span, Span)> {
        let columns = clip(rect.x, rect.w, self.width)?;
        let rows = clip(rect.y, rect.h, self.height)?;
        Some((columns, rows))
    }

    /// Fills `rect` with `colour`.
    pub fn fill(&mut self, rect: Rect, colour: Yuv) {
        let Some((columns, rows)) = self.clip(rect) else { return };
        self.luma.fill(&columns, &rows, colour.y);
        let (columns, rows) = (halved(&columns), halved(&rows));
        match &mut self.chroma {
            Chroma::Planar { u, v } => {
                u.fill(&columns, &rows, colour.u);
                v.fill(&columns, &rows, colour.v);
            }
            Chroma::Interleaved(uv) => {
                let bytes = columns.start * 2..columns.end * 2;
                for row in rows {
                    for pair in uv.row(row, &bytes).chunks_exact_mut(2) {
                        pair.copy_from_slice(&[colour.u, colour.v]);
                    }
                }
            }
        }
    }

    /// Darkens `rect` to a third, so that light text on it can be read over anything.
    pub fn shade(&mut self, rect: Rect) {
        let Some((columns, rows)) = self.clip(rect) else { return };
        let third = |value: u8, zero: u8| {
            let difference = i16::from(value) - i16::from(zero);
            (i16::from(zero) + difference / 3).clamp(0, 255) as u8
        };
        for row in rows.clone() {
            self.luma.row(row, &columns).iter_mut().for_each(|y| *y = third(*y, 16));
        }
        let (columns, rows) = (halved(&columns), halved(&rows));
        let grey = |pixels: &mut [u8]| pixels.iter_mut().for_each(|c| *c = third(*c, 128));
        for row in rows {
            match &mut self.chroma {
                Chroma::Planar { u, v } => {
                    grey(u.row(row, &columns));
                    grey(v.row(row, &columns));
                }
                Chroma::Interleaved(uv) => grey(uv.row(row, &(columns.start * 2..columns.end * 2))),
            }
        }
    }

    /// The outline of `rect`, `thickness` wide, inside it.
    pub fn outline(&mut self, rect: Rect, thickness: i32, colour: Yuv) {
        let Rect { x, y, w, h } = rect;
        let t = thickness.min(w).min(h).max(0);
        self.fill(Rect::new(x, y, w, t), colour);
        self.fill(Rect::new(x, y.saturating_add(h - t), w, t), colour);
        self.fill(Rect::new(x, y, t, h), colour);
        self.fill(Rect::new(x.saturating_add(w - t), y, t, h), colour);
    }

    /// A line from `a` to `b`, columns first, `thickness` wide.
    pub fn line(&mut self, a: (f32, f32), b: (f32, f32), thickness: i32, colour: Yuv) {
        let limit = (self.width.max(self.height) * 4) as f32;
        let tame = |v: f32| if v.is_finite() { v.clamp(-limit, limit) } else { 0.0 };
        let (a, b) = ((tame(a.0), tame(a.1)), (tame(b.0), tame(b.1)));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let flat = dx.abs() >= dy.abs();
        let steps = (dx.abs().max(dy.abs()).ceil() as i32).max(1);
        // Along the longer side; pixels at the same height, so to speak, are filled at once.
        let at = |step: i32| {
            let share = step as f32 / steps as f32;
            let (x, y) = (whole(a.0 + dx * share), whole(a.1 + dy * share));
            if flat { (x, y) } else { (y, x) }
        };
        let (mut from, mut to) = (at(0), at(0));
        for step in 1..=steps {
            let next = at(step);
            if next.1 != to.1 {
                self.stroke(from, to, thickness, flat, colour);
                from = next;
            }
            to = next;
        }
        self.stroke(from, to, thickness, flat, colour);
    }

    /// A straight piece of a line: `from` and `to` are along and across its direction.
    fn stroke(
        &mut self,
        from: (i32, i32),
        to: (i32, i32),
        thickness: i32,
        flat: bool,
        colour: Yuv,
    ) {
        let (start, length) = (from.0.min(to.0), from.0.abs_diff(to.0) as i32 + 1);
        let across = from.1 - thickness / 2;
        self.fill(
            if flat {
                Rect::new(start, across, length, thickness)
            } else {
                Rect::new(across, start, thickness, length)
            },
            colour,
        );
    }

    /// Blends `luma` over the picture's luma where `mask` covers it, its top left corner at `x`,
    /// `y`. Chroma stays that of the background.
    pub fn blend(&mut self, x: i32, y: i32, mask: &Mask, luma: u8) {
        let (w, h) = (mask.width as i32, mask.height as i32);
        let Some((columns, rows)) = self.clip(Rect::new(x, y, w, h)) else { return };
        for row in rows {
            // Both are not negative: the clipped part lies inside the mask.
            let mask_row = (row as i32 - y) as usize * mask.width;
            let mask_start = mask_row + (columns.start as i32 - x) as usize;
            let shares = &mask.data[mask_start..mask_start + columns.len()];
            for (pixel, &share) in self.luma.row(row, &columns).iter_mut().zip(shares) {
                let (old, new, share) = (i32::from(*pixel), i32::from(luma), i32::from(share));
                *pixel = (old + (new - old) * share / 255).clamp(0, 255) as u8;
            }
        }
    }
}

/// The nearest whole number; off by one below zero, where nothing can be seen.
fn whole(value: f32) -> i32 {
    (value + 0.5) as i32
}

fn clip(start: i32, length: i32, limit: i32) -> Option<Span> {
    let end = start.saturating_add(length).min(limit);
    let start = start.max(0);
    (start < end).then_some(start as usize..end as usize)
}

/// The chroma samples that belong to these luma rows or columns.
fn halved(span: &Span) -> Span {
    span.start / 2..span.end.div_ceil(2)
}
