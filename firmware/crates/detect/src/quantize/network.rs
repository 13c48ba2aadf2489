//! A floating-point model, taken apart: its layers, where their weights lie in the file, and which of
//! them can be quantized. Runs nothing.

use std::collections::HashMap;

use ncnn::param::{self, Layer};

use super::QuantizeError;
use super::weights::{Block, block, inconsistent, needs, size};

/// A floating-point model as its two files, checked against each other to the last byte.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) param: String,
    pub(super) bin: Vec<u8>,
    pub(super) parts: Vec<Part>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// A layer and its weights.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) blocks: Vec<Block>,
    /// What it computes, where that can be done in 8 bits.
    pub(super) conv: Option<Conv>,
}

/// A layer that multiplies its input with weights.
#[derive(Clone, Debug)]
pub(super) struct Conv {
    /// Output channels, input channels of a group, rows and columns of the kernel.
    pub(super) shape: [usize; 4],
    /// Scales that its weights have: an output channel's each, or a group's.
    pub(super) scales: usize,
    /// Blob that it reads, traced back through the copies that Split layers make.
    pub(super) reads: String,
    /// Place of the layer that makes it.
    pub(super) made_by: usize,
    /// Blob that it makes.
    pub(super) makes: String,
    /// Places in [`Network::parts`] of the layers that read what it makes, behind Split layers too.
    pub(super) readers: Vec<usize>,
    /// Whether its 8-bit output can be handed on.
    pub(super) requantizes: bool,
    /// Whether ncnn may take Winograd's algorithm for it.
    pub(super) winograd: bool,
}

impl Network {
    /// Takes the model apart that the text of a `.param` file and the bytes of a `.bin` file are.
    ///
    /// # Errors
    /// [`QuantizeError`] with the layer and what is wrong, whatever the bytes are.
    pub fn read(param: &str, bin: &[u8]) -> Result<Self, QuantizeError> {
        let layers = param::layers(param)?;
        let checked = ncnn::Param::parse(param)?;
        let graph = Graph::new(&layers);
        let mut parts = Vec::with_capacity(layers.len());
        let mut at = 0;
        for layer in &layers {
            let part = part(layer, bin, at, &graph)?;
            at = part.blocks.last().map_or(at, |block| block.whole.end);
            parts.push(part);
        }
        if at != bin.len() {
            return Err(QuantizeError::TooLong { taken: at, len: bin.len() });
        }
        Ok(Self {
            param: param.to_owned(),
            bin: bin.to_vec(),
            parts,
            inputs: checked.inputs().iter().map(|input| input.name.clone()).collect(),
            outputs: checked.outputs().to_vec(),
        })
    }

    /// Names of the layers that can be quantized, in the order of the file.
    pub fn quantizable(&self) -> impl Iterator<Item = &str> {
        self.convs().map(|(at, _)| self.parts[at].name.as_str())
    }

    /// Names of the input blobs.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Names of the blobs that no layer reads.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    pub(super) fn convs(&self) -> impl Iterator<Item = (usize, &Conv)> {
        let parts = self.parts.iter().enumerate();
        parts.filter_map(|(at, part)| Some((at, part.conv.as_ref()?)))
    }

    /// The bias of the layer at `at`, where it has one.
    pub(super) fn bias(&self, at: usize) -> Option<Vec<f32>> {
        self.parts[at].blocks.get(1).map(|block| block.read(&self.bin))
    }

    /// The weights of the layer at `at`.
    pub(super) fn weights(&self, at: usize) -> Result<Vec<f32>, QuantizeError> {
        let part = &self.parts[at];
        let weights = part.blocks.first().map_or_else(Vec::new, |block| block.read(&self.bin));
        match weights.iter().find(|weight| !weight.is_finite()) {
            None => Ok(weights),
            Some(&value) => Err(QuantizeError::Weight { layer: part.name.clone(), value }),
        }
    }
}

fn part(
    layer: &Layer<'_>,
    bin: &[u8],
    start: usize,
    graph: &Graph<'_>,
) -> Result<Part, QuantizeError> {
    let mut blocks = Vec::new();
    let mut at = start;
    let conv = conv(layer, graph)?;
    for need in needs(layer)? {
        let block = block(layer, need, bin, at)?;
        at = block.whole.end;
        blocks.push(block);
    }
    let (name, kind) = (layer.name.to_owned(), layer.kind.to_owned());
    Ok(Part { line: layer.line, name, kind, blocks, conv })
}

/// The facts of a layer that can be quantized.
fn conv(layer: &Layer<'_>, graph: &Graph<'_>) -> Result<Option<Conv>, QuantizeError> {
    let (weights, groups, kernel) = match layer.kind {
        "Convolution" | "ConvolutionDepthWise" => {
            let columns = size(layer, 1)?;
            let rows = if layer.number(11).is_some() { size(layer, 11)? } else { columns };
            let groups = if layer.number(7).is_some() { size(layer, 7)? } else { 1 };
            let groups = if layer.kind == "Convolution" { 1 } else { groups };
            (size(layer, 6)?, groups, [rows, columns])
        }
        "InnerProduct" => (size(layer, 2)?, 1, [1, 1]),
        _ => return Ok(None),
    };
    if size(layer, 8)? != 0 {
        return Err(QuantizeError::AlreadyQuantized { layer: layer.name.to_owned() });
    }
    let outputs = size(layer, 0)?;
    if layer.kind != "InnerProduct" && size(layer, 19)? != 0 {
        // Its weights come from another layer.
        return Ok(None);
    }
    let of_each = outputs.checked_mul(kernel[0]).and_then(|n| n.checked_mul(kernel[1]));
    let inputs =
        of_each.filter(|&n| n != 0 && weights % n == 0 && weights != 0).map(|n| weights / n);
    let Some(inputs) = inputs.filter(|_| groups != 0 && outputs % groups == 0) else {
        let reason =
            format!("{weights} weights, {outputs} outputs, {groups} groups, kernel {kernel:?}");
        return Err(inconsistent(layer, reason));
    };
    let plain = |id, value: f64| layer.number(id).unwrap_or(value) == value;
    let steps = plain(2, 1.0) && plain(12, 1.0) && plain(3, 1.0) && plain(13, 1.0);
    let depth_wise = layer.kind == "ConvolutionDepthWise";
    let reads = graph.source(layer.bottoms.first().copied().unwrap_or(""));
    let makes = layer.tops.first().copied().unwrap_or("");
    Ok(Some(Conv {
        shape: [outputs, inputs, kernel[0], kernel[1]],
        scales: if depth_wise { groups } else { outputs },
        reads: reads.to_owned(),
        made_by: graph.maker.get(reads).copied().unwrap_or(0),
        makes: makes.to_owned(),
        readers: graph.readers(makes),
        requantizes: layer.kind == "Convolution" || depth_wise && groups == outputs,
        winograd: !depth_wise && kernel == [3, 3] && steps,
    }))
}

/// Who reads and who makes each blob.
struct Graph<'t> {
    layers: &'t [Layer<'t>],
    /// Blob that a Split layer makes → blob that it reads.
    copied: HashMap<&'t str, &'t str>,
    /// Blob → place of the layer that makes it.
    maker: HashMap<&'t str, usize>,
    /// Blob → place of the layer that reads it; each blob has one at most.
    reader: HashMap<&'t str, usize>,
}

impl<'t> Graph<'t> {
    fn new(layers: &'t [Layer<'t>]) -> Self {
        let mut graph =
            Self { layers, copied: HashMap::new(), maker: HashMap::new(), reader: HashMap::new() };
        for (at, layer) in layers.iter().enumerate() {
            graph.maker.extend(layer.tops.iter().map(|&top| (top, at)));
            graph.reader.extend(layer.bottoms.iter().map(|&bottom| (bottom, at)));
            if layer.kind == "Split" {
                graph.copied.extend(layer.tops.iter().map(|&top| (top, layer.bottoms[0])));
            }
        }
        graph
    }

    /// The blob that `blob` is a copy of, or itself.
    fn source(&self, blob: &'t str) -> &'t str {
        let mut blob = blob;
        while let Some(source) = self.copied.get(blob) {
            blob = source;
        }
        blob
    }

    /// Places of the layers that read `blob` or a copy of it.
    fn readers(&self, blob: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut blobs = vec![blob];
        while let Some(blob) = blobs.pop() {
            match self.reader.get(blob) {
                Some(&at) if self.layers[at].kind == "Split" => blobs.extend(&self.layers[at].tops),
                Some(&at) => found.push(at),
                None => {}
            }
        }
        found
    }
}
