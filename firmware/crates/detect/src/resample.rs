//! Rows of interpolated samples from planes of bytes. Pure.
//!
//! Bilinear between the four nearest samples, without averaging over more of them, and with a
//! sample's place in its middle, in fixed point: to the bit what ncnn's `resize_bilinear` gives (and
//! to a unit what OpenCV's `INTER_LINEAR` gives, with which detectors are trained and measured).
//!
//! A row is made in steps. The first fetches the neighbours of every place, which no SIMD unit does
//! well; the others compute on them side by side, in loops that the compiler turns into SIMD.

/// One, in weights of neighbours.
const ONE: f32 = 2048.0;
/// Most kinds of samples that lie in turn: red, green and blue.
const MOST_KINDS: usize = 3;

/// Samples in the bytes of a frame, of one kind or of several in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    /// From the first sample on.
    pub(crate) data: &'a [u8],
    /// Samples of each kind in a row, at least 1; rows are packed.
    pub(crate) columns: usize,
    /// Rows, at least 1.
    pub(crate) rows: usize,
    /// How many kinds lie in turn, 1..=3.
    pub(crate) kinds: usize,
}

impl<'a> Plane<'a> {
    /// Row `y`.
    fn row(&self, y: usize) -> &'a [u8] {
        let bytes = self.columns * self.kinds;
        &self.data[y * bytes..][..bytes]
    }
}

/// A line of places at equal distances, over a line of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// Where the first place begins, in samples.
    pub(crate) start: f64,
    /// Samples that a place is wide.
    pub(crate) step: f64,
}

impl Span {
    /// The same line over samples that are twice as wide: chroma.
    pub(crate) fn halved(self) -> Self {
        Self { start: self.start / 2.0, step: self.step / 2.0 }
    }

    /// The sample before the middle of place `n`, of `samples`, and the weights of it and of the one
    /// after it.
    fn place(self, n: usize, samples: usize) -> (usize, [i16; 2]) {
        let at = (self.start + (n as f64 + 0.5) * self.step - 0.5) as f32;
        let before = at.floor();
        let (first, share) = if before < 0.0 {
            (0, 0.0)
        } else if before as usize + 1 >= samples {
            (samples.saturating_sub(2), 1.0)
        } else {
            (before as usize, at - before)
        };
        let weight = |share: f32| (share * ONE + 0.5) as i16;
        (first, [weight(1.0 - share), weight(share)])
    }
}

/// Makes the rows of one plane; keeps its working memory.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// Byte of the sample before each place, the same for all rows.
    first: Vec<u32>,
    /// Weights of it and of the one after it.
    weights: [Vec<i16>; 2],
    /// The neighbours of each place, by kind: the one before in the low byte.
    pairs: [Vec<u16>; MOST_KINDS],
    /// The two rows of samples that were used last.
    lines: [Line; 2],
}

/// A row of samples, interpolated along itself.
#[derive(Debug, Default)]
struct Line {
    /// Which row it is.
    row: Option<usize>,
    /// By kind; 128 times the sample.
    values: [Vec<i16>; MOST_KINDS],
}

impl Sampler {
    /// Lays `places` places over the rows of `plane`, which `row` is asked for from now on.
    pub(crate) fn lay(&mut self, span: Span, places: usize, plane: &Plane<'_>) {
        self.first.clear();
        self.weights.iter_mut().for_each(Vec::clear);
        for n in 0..places {
            let (first, weights) = span.place(n, plane.columns);
            self.first.push(u32::try_from(first * plane.kinds).unwrap_or(u32::MAX));
            self.weights.iter_mut().zip(weights).for_each(|(all, weight)| all.push(weight));
        }
        self.pairs.iter_mut().for_each(|pairs| pairs.resize(places, 0));
        for line in &mut self.lines {
            line.row = None;
            line.values.iter_mut().for_each(|values| values.resize(places, 0));
        }
    }

    /// Fills the rows of `out`, one a kind, with the samples in the middle of place `y` of `span`.
    pub(crate) fn row(&mut self, plane: &Plane<'_>, span: Span, y: usize, out: &mut [Vec<u8>]) {
        let (first, weights) = span.place(y, plane.rows);
        let second = (first + 1).min(plane.rows - 1);
        // Going down a picture that grows, a row is needed again, mostly as the upper one.
        if self.lines[1].row == Some(first) {
            self.lines.swap(0, 1);
        }
        self.fill(0, plane, first);
        self.fill(1, plane, second);
        let [above, below] = &self.lines;
        for ((out, above), below) in out.iter_mut().zip(&above.values).zip(&below.values) {
            across(above, below, weights, out);
        }
    }

    /// Sees to it that line `n` is `row`.
    fn fill(&mut self, n: usize, plane: &Plane<'_>, row: usize) {
        if self.lines[n].row == Some(row) {
            return;
        }
        self.lines[n].row = Some(row);
        fetch(plane.row(row), plane.kinds, &self.first, &mut self.pairs);
        let [before, after] = &self.weights;
        for (pairs, values) in self.pairs.iter().zip(&mut self.lines[n].values).take(plane.kinds) {
            along(pairs, before, after, values);
        }
    }
}

/// Fetches the neighbours of all places in `row`, where `kinds` samples lie in turn.
fn fetch(row: &[u8], kinds: usize, first: &[u32], pairs: &mut [Vec<u16>; MOST_KINDS]) {
    let [a, b, c] = pairs;
    match kinds {
        // Without a second column, the first is its own neighbour.
        _ if row.len() == kinds => {
            for (pairs, &only) in pairs.iter_mut().zip(row) {
                pairs.fill(u16::from_le_bytes([only; 2]));
            }
        }
        // Each spelt out: one test of bounds a place.
        1 => {
            for (&first, a) in first.iter().zip(a) {
                let near = &row[first as usize..][..2];
                *a = u16::from_le_bytes([near[0], near[1]]);
            }
        }
        2 => {
            for ((&first, a), b) in first.iter().zip(a).zip(b) {
                let near = &row[first as usize..][..4];
                *a = u16::from_le_bytes([near[0], near[2]]);
                *b = u16::from_le_bytes([near[1], near[3]]);
            }
        }
        _ => {
            for (((&first, a), b), c) in first.iter().zip(a).zip(b).zip(c) {
                let near = &row[first as usize..][..6];
                *a = u16::from_le_bytes([near[0], near[3]]);
                *b = u16::from_le_bytes([near[1], near[4]]);
                *c = u16::from_le_bytes([near[2], near[5]]);
            }
        }
    }
}

/// Between the two of each pair: 128 times the sample.
fn along(pairs: &[u16], before: &[i16], after: &[i16], values: &mut [i16]) {
    let places = pairs.iter().zip(before).zip(after);
    ncnn::cpu::widest(|| {
        for (value, ((&pair, &before), &after)) in values.iter_mut().zip(places) {
            let (low, high) = ((pair & 255) as i16, (pair >> 8) as i16);
            let sum = i32::from(low) * i32::from(before) + i32::from(high) * i32::from(after);
            *value = (sum >> 4) as i16;
        }
    });
}

/// Between two rows.
fn across(above: &[i16], below: &[i16], [before, after]: [i16; 2], out: &mut [u8]) {
    let part = |value: i16, weight: i16| ((i32::from(value) * i32::from(weight)) >> 16) as i16;
    ncnn::cpu::widest(|| {
        for ((out, &above), &below) in out.iter_mut().zip(above).zip(below) {
            *out = ((part(above, before) + part(below, after) + 2) >> 2) as u8;
        }
    });
}
