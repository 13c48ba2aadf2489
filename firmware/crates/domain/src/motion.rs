//! Whether a frame shows anything that the one last looked at does not. Pure.
//!
//! What is looked at is cut into a coarse grid of means of luma. Two frames differ where a cell has
//! changed against the others: the median of all differences is taken for a change of light (clouds, the
//! camera's exposure) and leaves, and how far cells stray from it tells the noise, by the median of the
//! absolute deviations (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA
//! 1993). Medians do not mind objects that cover less than half of the picture; those that cover more
//! pass for noise, whose allowance is therefore bounded. The frame last *looked at* is what counts, not
//! the one before: slow motion adds up until it shows.

use std::time::Duration;

use crate::frame::{Frame, PixelFormat};
use crate::geometry::{BBox, Size};

/// Cells of the grid, at most; a small picture has one for each pixel.
const CELLS: (usize, usize) = (64, 36);
/// Median of the absolute deviations of a normal distribution whose standard deviation is 1, inverted.
const SIGMA_BY_MEDIAN: f32 = 1.4826;
/// A cell that strays further than this many standard deviations is no noise: one of 2304 does so once
/// in 750 frames, if noise is normal.
const SIGMAS: f32 = 5.0;
/// A cell has to stray by this much, in levels of luma, however little noise there is: what encoders do
/// to edges and flicker at them is in few cells, where the median does not see it. On the real clips
/// that is up to 4 levels while nobody is there, and from the first look that finds someone on 20 and more.
const LEAST: f32 = 4.0;
/// Further than this is never noise, in levels of luma.
const MOST: f32 = 8.0;
/// Rows that are summed up in 16 bits: 257 would do.
const ROWS_AT_ONCE: usize = 256;

/// When a frame without a change is looked at all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MotionParams {
    /// Once the last look is this long ago.
    pub refresh: Duration,
}

/// Tells frames that need not be looked at from those that have to.
#[derive(Clone, Debug)]
pub struct MotionGate {
    params: MotionParams,
    region: BBox,
    /// Of the frame last looked at, and when that was.
    seen: Grid,
    seen_at: Option<Duration>,
    /// Of the newest frame.
    fresh: Grid,
    fresh_at: Duration,
    /// Working memory, so that a frame allocates nothing.
    differences: Vec<f32>,
    deviations: Vec<f32>,
}

/// Means of luma of a part of a picture.
#[derive(Clone, Debug, Default)]
struct Grid {
    /// Size of the picture.
    size: Option<Size>,
    /// Row by row; empty where there was nothing to read.
    cells: Vec<f32>,
    /// Working memory: sums of columns.
    columns: Vec<u16>,
    sums: Vec<u32>,
}

impl MotionGate {
    /// A gate for the `region` of the picture, which lets pass nothing before the first look.
    pub fn new(params: MotionParams, region: BBox) -> Self {
        Self {
            params,
            region: region.clamped(),
            seen: Grid::default(),
            seen_at: None,
            fresh: Grid::default(),
            fresh_at: Duration::ZERO,
            differences: Vec::new(),
            deviations: Vec::new(),
        }
    }

    /// Whether `frame` shows what the one last looked at did, and that is not too long ago.
    pub fn is_still(&mut self, frame: &Frame) -> bool {
        self.fresh.read(frame, self.region);
        self.fresh_at = frame.captured;
        let Some(seen_at) = self.seen_at else { return false };
        frame.captured.abs_diff(seen_at) < self.params.refresh && !self.differs()
    }

    /// Notes that the frame which was asked about last has been looked at.
    pub fn looked(&mut self) {
        std::mem::swap(&mut self.seen, &mut self.fresh);
        self.seen_at = Some(self.fresh_at);
    }

    /// Takes it that nothing was looked at yet.
    pub fn forget(&mut self) {
        self.seen_at = None;
    }

    fn differs(&mut self) -> bool {
        let (seen, fresh) = (&self.seen, &self.fresh);
        let comparable = seen.size == fresh.size && seen.cells.len() == fresh.cells.len();
        if !comparable || fresh.cells.is_empty() {
            return true;
        }
        self.differences.clear();
        self.differences.extend(fresh.cells.iter().zip(&seen.cells).map(|(new, old)| new - old));
        self.deviations.clone_from(&self.differences);
        let light = median(&mut self.deviations);
        let stray = |difference: &f32| (difference - light).abs();
        self.deviations.clear();
        self.deviations.extend(self.differences.iter().map(stray));
        let noise = SIGMA_BY_MEDIAN * median(&mut self.deviations);
        let allowed = (SIGMAS * noise).clamp(LEAST, MOST);
        self.deviations.iter().any(|stray| *stray > allowed)
    }
}

impl Grid {
    /// Takes the means of what `region` shows of `frame`; none where that has no pixels.
    fn read(&mut self, frame: &Frame, region: BBox) {
        self.cells.clear();
        self.size = Some(frame.size);
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        // Green makes up most of luma.
        let (step, offset) = match frame.format {
            PixelFormat::I420 | PixelFormat::Nv12 => (1, 0),
            PixelFormat::Rgb | PixelFormat::Bgr => (3, 1),
        };
        let (left, right) = pixels(region.x, region.right(), width);
        let (top, bottom) = pixels(region.y, region.bottom(), height);
        let rows = frame.data.chunks_exact((step * width).max(1)).take(height);
        if left == right || top == bottom || rows.len() < height {
            return;
        }
        let across = Edges { from: left, to: right, parts: CELLS.0.min(right - left) };
        let down = Edges { from: top, to: bottom, parts: CELLS.1.min(bottom - top) };
        self.columns.resize(step * (right - left), 0);
        self.sums.resize(across.parts, 0);
        for band in 0..down.parts {
            let (first, end) = down.part(band);
            self.sums.fill(0);
            for first in (first..end).step_by(ROWS_AT_ONCE) {
                let some = rows.clone().skip(first).take(ROWS_AT_ONCE.min(end - first));
                self.add(some.map(|row| &row[step * left..step * right]));
                for (cell, sum) in self.sums.iter_mut().enumerate() {
                    let (from, to) = across.part(cell);
                    let columns = &self.columns[step * (from - left)..step * (to - left)];
                    *sum += columns
                        .iter()
                        .skip(offset)
                        .step_by(step)
                        .map(|c| u32::from(*c))
                        .sum::<u32>();
                }
            }
            let pixels = |cell| {
                let (from, to) = across.part(cell);
                (to - from) * (end - first)
            };
            let mean = |(cell, sum): (usize, &u32)| *sum as f32 / pixels(cell) as f32;
            self.cells.extend(self.sums.iter().enumerate().map(mean));
        }
    }

    /// Sums up at most [`ROWS_AT_ONCE`] rows, column by column.
    fn add<'a>(&mut self, rows: impl Iterator<Item = &'a [u8]>) {
        self.columns.fill(0);
        for row in rows {
            for (sum, byte) in self.columns.iter_mut().zip(row) {
                *sum += u16::from(*byte);
            }
        }
    }
}

/// A stretch of pixels, cut into parts of nearly the same length.
#[derive(Clone, Copy)]
struct Edges {
    from: usize,
    to: usize,
    parts: usize,
}

impl Edges {
    fn part(self, index: usize) -> (usize, usize) {
        let edge = |index| self.from + index * (self.to - self.from) / self.parts;
        (edge(index), edge(index + 1))
    }
}

/// The pixels of a side of `length` that lie between two shares of it.
fn pixels(from: f32, to: f32, length: usize) -> (usize, usize) {
    let pixel = |share: f32| ((share * length as f32).round() as usize).min(length);
    (pixel(from), pixel(to).max(pixel(from)))
}

/// The value in the middle of `values`, of which there is at least one; changes their order.
fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
