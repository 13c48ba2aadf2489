//! Blocks of a `.bin` file: which a layer has, where they lie, and what is in them. Nothing here
//! trusts a number of the structure with an allocation.
//!
//! Format: a layer's blocks follow each other in the order in which ncnn's layers load them. A block
//! is plain 32-bit floats, or begins with a flag of 4 bytes that says how the rest is stored and is
//! padded to a multiple of 4. ncnn's wiki, "param and model file structure"; ncnn 20260526.

use std::ops::Range;

use half::f16;
use ncnn::param::Layer;

use super::QuantizeError;

/// Flag of 16-bit floats.
const FLOAT16: u32 = 0x0130_6B47;
/// Flag of 8-bit integers.
pub(super) const INT8: u32 = 0x000D_4B38;
/// Flag of 32-bit floats that a later layer scales.
const SCALED: u32 = 0x0002_C056;

/// What a layer's next block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// So many plain floats.
    Plain(usize),
    /// A flag, then so many values.
    Flagged(usize),
}

/// A block of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// All of it, the flag and the padding included.
    pub(super) whole: Range<usize>,
    values: Range<usize>,
    half: bool,
}

impl Block {
    /// The block's values.
    pub(super) fn read(&self, bin: &[u8]) -> Vec<f32> {
        let bytes = bin.get(self.values.clone()).unwrap_or(&[]);
        if self.half {
            let halves = bytes.as_chunks::<2>().0.iter();
            return halves.map(|&pair| f16::from_le_bytes(pair).to_f32()).collect();
        }
        bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
    }
}

/// The blocks of `layer`.
pub(super) fn needs(layer: &Layer<'_>) -> Result<Vec<Need>, QuantizeError> {
    use Need::{Flagged, Plain};
    let size = |id| size(layer, id);
    Ok(match layer.kind {
        "Convolution" | "ConvolutionDepthWise" if size(19)? != 0 => Vec::new(),
        "Convolution" | "ConvolutionDepthWise" => with_bias(size(6)?, size(0)?, size(5)?),
        "InnerProduct" => with_bias(size(2)?, size(0)?, size(1)?),
        "BatchNorm" => vec![Plain(size(0)?); 4],
        "Bias" | "PReLU" => vec![Plain(size(0)?)],
        "Scale" if layer.number(0) == Some(-233.0) => Vec::new(),
        "Scale" => vec![Plain(size(0)?); if size(1)? == 0 { 1 } else { 2 }],
        "Padding" if size(6)? != 0 => vec![Plain(size(6)?)],
        "MemoryData" => {
            let sides = [size(0)?, size(1)?, size(11)?, size(2)?];
            let count =
                sides.iter().filter(|&&n| n != 0).try_fold(1usize, |n, &m| n.checked_mul(m));
            let count = count.ok_or_else(|| inconsistent(layer, "its sides are too large"))?;
            match (sides == [0; 4], layer.number(21).unwrap_or(1.0) == 0.0) {
                (true, _) => Vec::new(),
                (_, true) => vec![Flagged(count)],
                (_, false) => vec![Plain(count)],
            }
        }
        "BinaryOp" | "Cast" | "Clip" | "Concat" | "Crop" | "Dropout" | "Eltwise" | "ExpandDims"
        | "Flatten" | "HardSigmoid" | "HardSwish" | "Input" | "Interp" | "Mish" | "Noop"
        | "Padding" | "Permute" | "Pooling" | "ReLU" | "Reduction" | "Reshape"
        | "ShuffleChannel" | "Sigmoid" | "Slice" | "Softmax" | "Split" | "Squeeze" | "Swish"
        | "UnaryOp" => Vec::new(),
        "Quantize" | "Dequantize" | "Requantize" => {
            return Err(QuantizeError::AlreadyQuantized { layer: layer.name.to_owned() });
        }
        kind => {
            let (layer, kind) = (layer.name.to_owned(), kind.to_owned());
            return Err(QuantizeError::UnknownKind { layer, kind });
        }
    })
}

fn with_bias(weights: usize, outputs: usize, bias: usize) -> Vec<Need> {
    let mut needs = vec![Need::Flagged(weights)];
    if bias != 0 {
        needs.push(Need::Plain(outputs));
    }
    needs
}

/// Parameter `id` as a count; 0 where it is not given.
pub(super) fn size(layer: &Layer<'_>, id: i32) -> Result<usize, QuantizeError> {
    let value = layer.number(id).unwrap_or(0.0);
    if value >= 0.0 && value.fract() == 0.0 && value < 1e9 {
        return Ok(value as usize);
    }
    Err(inconsistent(layer, format!("its parameter {id} is {value}, no count")))
}

pub(super) fn inconsistent(layer: &Layer<'_>, reason: impl Into<String>) -> QuantizeError {
    QuantizeError::Inconsistent { layer: layer.name.to_owned(), reason: reason.into() }
}

/// The block of `layer` that begins at `start` of `bin`.
pub(super) fn block(
    layer: &Layer<'_>,
    need: Need,
    bin: &[u8],
    start: usize,
) -> Result<Block, QuantizeError> {
    let left = bin.len().saturating_sub(start);
    let short = |needed| QuantizeError::Truncated { layer: layer.name.to_owned(), needed, left };
    let (count, flag) = match need {
        Need::Plain(count) => (count, None),
        Need::Flagged(count) => {
            let flag = bin.get(start..).and_then(|rest| rest.first_chunk::<4>());
            (count, Some(u32::from_le_bytes(*flag.ok_or_else(|| short(4))?)))
        }
    };
    let half = match flag {
        None | Some(0) => false,
        Some(FLOAT16) => true,
        Some(flag) => return Err(refused(layer, flag)),
    };
    let first = start + if flag.is_some() { 4 } else { 0 };
    // Counts are below 10^9 each and products of them checked: 4 bytes of each still count.
    let bytes = count.saturating_mul(if half { 2 } else { 4 });
    let whole = start..first.saturating_add(bytes).saturating_add(bytes % 4);
    if whole.end > bin.len() {
        return Err(short(whole.len()));
    }
    Ok(Block { whole, values: first..first + bytes, half })
}

fn refused(layer: &Layer<'_>, flag: u32) -> QuantizeError {
    let layer = layer.name.to_owned();
    let form = match flag {
        INT8 => "8-bit integers",
        SCALED => "32-bit floats with a scale elsewhere",
        // ncnn takes every other flag for this one.
        _ => "an index into 256 values",
    };
    QuantizeError::Form { layer, form, flag }
}
