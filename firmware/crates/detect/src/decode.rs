//! A head's outputs → boxes with class and score. Pure.
//!
//! NanoDet (github RangiLyu/nanodet) has a grid of cells per stride. A cell has a score per class
//! and, for each side of its box, a distribution over the distance in strides (generalised focal
//! loss, Li et al. 2020, arXiv:2006.04388): the distance is the distribution's mean.

use api::manifest::ClassActivation;

/// Cells of a plane that are looked at together.
const BLOCK: usize = 64;

/// A head's grid of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Pixels of the input that a cell stands for, in both directions.
    pub stride: u32,
    /// Cells in a row.
    pub columns: usize,
    /// Rows of cells.
    pub rows: usize,
}

impl Grid {
    /// The grid of a head of `stride` on an input of `width` × `height` pixels.
    pub fn new(stride: u32, width: u32, height: u32) -> Self {
        let cells = |pixels: u32| pixels.div_ceil(stride) as usize;
        Self { stride, columns: cells(width), rows: cells(height) }
    }

    /// Cells of the grid.
    pub fn cells(self) -> usize {
        self.columns * self.rows
    }
}

/// Values of a head, cells × channels, in one of the two layouts that networks have.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// The channels of a cell side by side, a row a cell.
    ByCell {
        /// Cells × channels.
        data: &'a [f32],
        /// Channels of a cell.
        channels: usize,
    },
    /// The cells of a channel side by side, a plane a channel: `planes(channel)`.
    ByChannel(&'a dyn Fn(usize) -> &'a [f32]),
}

impl Values<'_> {
    fn at(&self, cell: usize, channel: usize) -> f32 {
        match self {
            Self::ByCell { data, channels } => data[cell * channels + channel],
            Self::ByChannel(plane) => plane(channel)[cell],
        }
    }
}

/// Where a head's scores and distances are.
#[derive(Clone, Copy)]
pub struct HeadValues<'a> {
    /// Class outputs, from channel 0 on.
    pub scores: Values<'a>,
    /// Distances: 4 sides (left, top, right, bottom) × bins.
    pub distances: Values<'a>,
    /// Channel of the first bin in `distances`.
    pub first_bin: usize,
}

/// How a model's outputs are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Whether class outputs are scores already.
    pub activation: ClassActivation,
    /// Where in its cell a box's centre lies, in strides.
    pub cell_offset: f32,
    /// Bins of each side's distribution, `reg_max + 1`.
    pub bins: usize,
}

/// A box that a cell sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Index of its class.
    pub class: usize,
    /// 0..=1.
    pub score: f32,
    /// Left, top, right, bottom in pixels of the input; may lie outside.
    pub corners: [f32; 4],
}

/// Decodes heads; keeps its working memory from frame to frame.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Corners by cell: a cell that passes for several classes has one box.
    boxes: Vec<Option<[f32; 4]>>,
    /// Class outputs below these need no sigmoid.
    floors: Vec<f32>,
}

impl Decoder {
    /// Hands every (cell, class) of the head whose score is at least `thresholds[class]` to `sink`,
    /// in no particular order. A class with a threshold above 1 is not even looked at. Only cells
    /// that pass have their distances read.
    pub fn decode(
        &mut self,
        head: &HeadValues<'_>,
        grid: Grid,
        reading: &Reading,
        thresholds: &[f32],
        mut sink: impl FnMut(Seen),
    ) {
        self.floors.clear();
        self.floors.extend(thresholds.iter().map(|&t| floor(t, reading.activation)));
        self.boxes.clear();
        self.boxes.resize(grid.cells(), None);
        let (boxes, floors) = (&mut self.boxes, &self.floors);
        let mut pass = |cell: usize, class: usize, output: f32| {
            let score = activate(output, reading.activation);
            if score >= thresholds[class] {
                let corners =
                    *boxes[cell].get_or_insert_with(|| corners(head, grid, reading, cell));
                sink(Seen { class, score, corners });
            }
        };
        match head.scores {
            Values::ByCell { data, channels } => {
                for (cell, row) in data.chunks_exact(channels).take(grid.cells()).enumerate() {
                    let outputs = &row[..floors.len()];
                    // Nearly all cells end here.
                    if !any_reaches(outputs, floors) {
                        continue;
                    }
                    for (class, (&output, &floor)) in outputs.iter().zip(floors).enumerate() {
                        if output >= floor {
                            pass(cell, class, output);
                        }
                    }
                }
            }
            Values::ByChannel(plane) => {
                for (class, &floor) in floors.iter().enumerate() {
                    if floor == f32::INFINITY {
                        continue;
                    }
                    for (block, outputs) in plane(class)[..grid.cells()].chunks(BLOCK).enumerate() {
                        // Nearly all blocks end here.
                        if !any_reaches(outputs, &[floor; BLOCK]) {
                            continue;
                        }
                        for (n, &output) in outputs.iter().enumerate() {
                            if output >= floor {
                                pass(block * BLOCK + n, class, output);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether any output is at least its floor. Looks at all of them, side by side: what stops at the
/// first that is, the compiler does not turn into SIMD.
fn any_reaches(outputs: &[f32], floors: &[f32]) -> bool {
    ncnn::cpu::widest(|| {
        let reaches = outputs.iter().zip(floors).map(|(output, floor)| output >= floor);
        reaches.fold(false, |any, one| any | one)
    })
}

/// A class output that every score of at least `threshold` comes from; a little low, because the
/// sigmoid is not exact.
fn floor(threshold: f32, activation: ClassActivation) -> f32 {
    match activation {
        _ if threshold > 1.0 => f32::INFINITY,
        ClassActivation::SigmoidApplied => threshold,
        ClassActivation::Logits if threshold <= 0.0 => f32::NEG_INFINITY,
        ClassActivation::Logits => {
            let low = threshold * (1.0 - 1e-4);
            (low / (1.0 - low)).ln()
        }
    }
}

fn activate(output: f32, activation: ClassActivation) -> f32 {
    match activation {
        ClassActivation::SigmoidApplied => output,
        ClassActivation::Logits => 1.0 / (1.0 + (-output).exp()),
    }
}

fn corners(head: &HeadValues<'_>, grid: Grid, reading: &Reading, cell: usize) -> [f32; 4] {
    let stride = grid.stride as f32;
    let centre = |index: usize| (index as f32 + reading.cell_offset) * stride;
    let (x, y) = (centre(cell % grid.columns), centre(cell / grid.columns));
    let distance = |side: usize| {
        let first = head.first_bin + side * reading.bins;
        stride * mean_bin(reading.bins, |bin| head.distances.at(cell, first + bin))
    };
    [x - distance(0), y - distance(1), x + distance(2), y + distance(3)]
}

/// The mean of a distribution over bins 0, 1, 2 … given by logits: their softmax, summed up with the
/// bins' numbers.
fn mean_bin(bins: usize, logit: impl Fn(usize) -> f32) -> f32 {
    // Shifted by the largest, so that no exponential overflows.
    let largest = (0..bins).map(&logit).fold(f32::NEG_INFINITY, f32::max);
    let (mut weights, mut sum) = (0.0, 0.0);
    for bin in 0..bins {
        let weight = (logit(bin) - largest).exp();
        weights += weight;
        sum += weight * bin as f32;
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINS: usize = 8;
    const CLASSES: usize = 3;

    /// A head of 3×2 cells of stride 8 whose cell 4 (column 1, row 1) has the class outputs of
    /// `outputs`, and sides that lie exactly in bins 1, 2, 3 and 0; all other outputs are very low.
    struct Head {
        scores: Vec<f32>,
        distances: Vec<f32>,
    }

    const GRID: Grid = Grid { stride: 8, columns: 3, rows: 2 };
    const SIDES: [usize; 4] = [1, 2, 3, 0];

    fn head(outputs: [f32; CLASSES]) -> Head {
        let mut scores = vec![-50.0; GRID.cells() * CLASSES];
        scores[4 * CLASSES..5 * CLASSES].copy_from_slice(&outputs);
        let mut distances = vec![0.0; GRID.cells() * 4 * BINS];
        for (side, bin) in SIDES.into_iter().enumerate() {
            distances[4 * 4 * BINS + side * BINS + bin] = 100.0;
        }
        Head { scores, distances }
    }

    fn reading(activation: ClassActivation, cell_offset: f32) -> Reading {
        Reading { activation, cell_offset, bins: BINS }
    }

    fn seen(head: &Head, reading: &Reading, thresholds: &[f32]) -> Vec<Seen> {
        let values = HeadValues {
            scores: Values::ByCell { data: &head.scores, channels: CLASSES },
            distances: Values::ByCell { data: &head.distances, channels: 4 * BINS },
            first_bin: 0,
        };
        let mut found = Vec::new();
        Decoder::default().decode(&values, GRID, reading, thresholds, |seen| found.push(seen));
        found
    }

    #[test]
    fn a_cell_becomes_a_box_around_its_middle_by_the_means_of_its_distributions() {
        let found = seen(
            &head([0.1, 0.9, 0.2]),
            &reading(ClassActivation::SigmoidApplied, 0.5),
            &[0.5; CLASSES],
        );
        // Centre (1.5, 1.5) cells of 8 pixels, minus 1 and 2, plus 3 and 0 strides.
        let expected = Seen { class: 1, score: 0.9, corners: [4.0, -4.0, 36.0, 12.0] };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_cell_offset_moves_every_box_by_half_a_stride() {
        let outputs = head([0.0, 0.9, 0.0]);
        let applied = ClassActivation::SigmoidApplied;
        let corner = seen(&outputs, &reading(applied, 0.0), &[0.5; 3])[0].corners;
        assert_eq!(corner, [0.0, -8.0, 32.0, 8.0]);
        let middle = seen(&outputs, &reading(applied, 0.5), &[0.5; 3])[0].corners;
        assert_eq!(middle.map(|c| c - 4.0), corner);
    }

    #[test]
    fn a_spread_distribution_gives_its_mean() {
        // Half the weight in bin 2, half in bin 5.
        let logits = [-90.0, -90.0, 1.0, -90.0, -90.0, 1.0, -90.0, -90.0];
        assert!((mean_bin(BINS, |bin| logits[bin]) - 3.5).abs() < 1e-5);
        assert!((mean_bin(BINS, |_| 3.0) - 3.5).abs() < 1e-5);
        // Large logits do not overflow.
        assert!((mean_bin(BINS, |bin| if bin == 6 { 1e6 } else { 0.0 }) - 6.0).abs() < 1e-5);
    }

    #[test]
    fn logits_become_scores_and_thresholds_mean_scores() {
        let logits = reading(ClassActivation::Logits, 0.0);
        let outputs = head([0.0, 2.0, -1.0]);
        let found = seen(&outputs, &logits, &[0.5; 3]);
        assert_eq!(found.iter().map(|s| s.class).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(found[0].score, 0.5);
        assert!((found[1].score - 0.880_797).abs() < 1e-6);
        assert_eq!(seen(&outputs, &logits, &[0.51, 0.5, 0.2]).len(), 2);
    }

    #[test]
    fn each_class_has_a_threshold_of_its_own_and_one_above_1_shuts_it_out() {
        let applied = reading(ClassActivation::SigmoidApplied, 0.5);
        let outputs = head([0.6, 0.9, 1.0]);
        let found = seen(&outputs, &applied, &[0.7, 0.9, f32::INFINITY]);
        assert_eq!(found.iter().map(|s| s.class).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn both_layouts_decode_alike() {
        let head = head([0.3, 2.0, 1.0]);
        let logits = reading(ClassActivation::Logits, 0.0);
        let planes: Vec<Vec<f32>> = (0..CLASSES + 4 * BINS)
            .map(|channel| {
                let (data, width, channel) = match channel.checked_sub(CLASSES) {
                    None => (&head.scores, CLASSES, channel),
                    Some(bin) => (&head.distances, 4 * BINS, bin),
                };
                (0..GRID.cells()).map(|cell| data[cell * width + channel]).collect()
            })
            .collect();
        let plane = |channel: usize| planes[channel].as_slice();
        let values = HeadValues {
            scores: Values::ByChannel(&plane),
            distances: Values::ByChannel(&plane),
            first_bin: CLASSES,
        };
        let mut found = Vec::new();
        Decoder::default().decode(&values, GRID, &logits, &[0.1; CLASSES], |seen| found.push(seen));
        assert_eq!(found.len(), 3);
        assert_eq!(found, seen(&head, &logits, &[0.1; CLASSES]));
    }

    #[test]
    fn outputs_that_are_no_numbers_give_no_box_that_could_be_taken_for_one() {
        let applied = reading(ClassActivation::SigmoidApplied, 0.5);
        assert_eq!(seen(&head([f32::NAN; CLASSES]), &applied, &[0.0; CLASSES]).len(), 0);
    }

    #[test]
    fn a_grid_covers_inputs_that_its_stride_does_not_divide() {
        assert_eq!(Grid::new(64, 416, 288), Grid { stride: 64, columns: 7, rows: 5 });
        assert_eq!(Grid::new(8, 320, 320).cells(), 1600);
    }
}
