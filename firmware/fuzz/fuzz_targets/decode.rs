//! Any outputs of a head, numbers or not, in both layouts: what is decoded passes its class's
//! threshold, and both layouts say the same.
#![no_main]

use api::manifest::ClassActivation;
use detect::decode::{Decoder, Grid, HeadValues, Reading, Seen, Values};
use libfuzzer_sys::fuzz_target;

const CLASSES: usize = 3;
const BINS: usize = 4;
const CHANNELS: usize = CLASSES + 4 * BINS;

fuzz_target!(|input: (u8, bool, [f32; CLASSES], Vec<f32>)| {
    let (columns, logits, thresholds, values) = input;
    let columns = usize::from(columns) % 80 + 1;
    let rows = values.len() / CHANNELS / columns;
    let grid = Grid { stride: 8, columns, rows };
    let by_cell = &values[..grid.cells() * CHANNELS];
    let planes: Vec<Vec<f32>> = (0..CHANNELS)
        .map(|channel| by_cell.iter().skip(channel).step_by(CHANNELS).copied().collect())
        .collect();
    let plane = |channel: usize| planes[channel].as_slice();
    let activation = if logits { ClassActivation::Logits } else { ClassActivation::SigmoidApplied };
    let reading = Reading { activation, cell_offset: 0.5, bins: BINS };
    let seen = |values: Values<'_>| {
        let head = HeadValues { scores: values, distances: values, first_bin: CLASSES };
        let mut seen = Vec::new();
        Decoder::default().decode(&head, grid, &reading, &thresholds, |found| seen.push(found));
        seen.sort_by_key(key);
        seen
    };
    let cells = seen(Values::ByCell { data: by_cell, channels: CHANNELS });
    let channels = seen(Values::ByChannel(&plane));
    assert!(cells.iter().map(key).eq(channels.iter().map(key)));
    assert!(cells.len() <= grid.cells() * CLASSES);
    assert!(cells.iter().all(|found| found.score >= thresholds[found.class]));
});

/// Bits: what is no number equals nothing, not even itself.
fn key(found: &Seen) -> (usize, u32, [u32; 4]) {
    (found.class, found.score.to_bits(), found.corners.map(f32::to_bits))
}
