//! The structure of a `.param` file (ncnn's text format), checked before ncnn sees it.
//!
//! ncnn's reader trusts the file: a layer that names a blob nobody makes, more blobs than the header
//! announces or a parameter number out of range make it read or write beyond its arrays, and a blob
//! read by two layers is gone for the second. Whatever passes here has a graph that ncnn
//! can walk. Format: ncnn's wiki, "param and model file structure".

mod weights;

use std::collections::{HashMap, HashSet};

/// First line of every text `.param` file.
const MAGIC: &str = "7767517";
/// ncnn's buffers for type, layer and blob names hold one byte more.
pub(crate) const MAX_NAME: usize = 255;
/// Inputs that a network may have: as many as a run can tick off in one word.
const MAX_INPUTS: usize = 64;
/// ncnn's buffer for one number holds one byte more.
const MAX_NUMBER: usize = 15;
/// Parameters of a layer are numbered below this (`NCNN_MAX_PARAM_COUNT`).
const MAX_PARAMS: i32 = 32;
/// Parameter `n` that is an array of the old style is written `-23300 - n`.
const OLD_ARRAY: i32 = -23300;
/// The parameter that holds the shapes of a layer's outputs.
const SHAPE_HINTS: i32 = 30;

/// Why a structure is refused: where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the structure: {reason}")]
pub struct ParamError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// An input of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Name of its blob.
    pub name: String,
    /// Channels that the layer behind it takes, where that layer says so (a convolution).
    pub channels: Option<usize>,
}

/// The checked structure of a network: its blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    blobs: Vec<String>,
    inputs: Vec<Input>,
    outputs: Vec<String>,
}

impl Param {
    /// Checks the text of a `.param` file.
    pub fn parse(text: &str) -> Result<Self, ParamError> {
        read(text).map(|(_, graph)| graph.finish())
    }

    /// Whether a layer makes a blob of that name.
    pub fn has_blob(&self, name: &str) -> bool {
        self.blobs.iter().any(|blob| blob == name)
    }

    /// The inputs, in the order of the file.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The blobs that no layer reads, in the order of the file.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }
}

/// The layers of a `.param` file in its order, checked as by [`Param::parse`].
///
/// # Errors
/// As [`Param::parse`].
pub fn layers(text: &str) -> Result<Vec<Layer<'_>>, ParamError> {
    read(text).map(|(layers, _)| layers)
}

/// The layers of a `.param` file in its order, with the graph that they make.
fn read(text: &str) -> Result<(Vec<Layer<'_>>, Graph), ParamError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty());
    let (at, first) = lines.next().unwrap_or((1, ""));
    if first != MAGIC {
        return Err(fail(at, format!("{MAGIC} must stand here, not {:?}", shorten(first))));
    }
    let (at, header) = lines.next().unwrap_or((at + 1, ""));
    let counts: Vec<usize> = header.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let &[layer_count, blob_count] = counts.as_slice() else {
        return Err(fail(at, "the number of layers and of blobs must stand here"));
    };
    let mut graph = Graph::default();
    let mut layers = Vec::new();
    for (line, text) in lines {
        let layer = Layer::parse(line, text).map_err(|reason| fail(line, reason))?;
        graph.add(&layer)?;
        layers.push(layer);
    }
    if layers.len() != layer_count || layers.is_empty() {
        let found = layers.len();
        return Err(fail(at, format!("{layer_count} layers are announced, {found} are there")));
    }
    if graph.blobs.len() != blob_count {
        let found = graph.blobs.len();
        return Err(fail(at, format!("{blob_count} blobs are announced, {found} are there")));
    }
    Ok((layers, graph))
}

#[derive(Default)]
struct Graph {
    blobs: Vec<String>,
    made: HashSet<String>,
    read: HashSet<String>,
    inputs: Vec<String>,
    channels: HashMap<String, usize>,
}

impl Graph {
    fn add(&mut self, layer: &Layer<'_>) -> Result<(), ParamError> {
        let line = layer.line;
        layer.check_arity().map_err(|reason| fail(line, reason))?;
        weights::check(layer.kind, |id| layer.number(id))
            .map_err(|reason| fail(line, format!("layer {:?}: {reason}", layer.name)))?;
        for &bottom in &layer.bottoms {
            if !self.made.contains(bottom) {
                let reason = format!(
                    "layer {:?} reads blob {bottom:?}, which no layer before it makes",
                    layer.name
                );
                return Err(fail(line, reason));
            }
            if !self.read.insert(bottom.to_owned()) {
                let reason = format!(
                    "blob {bottom:?} is read a second time; a Split layer must make a copy"
                );
                return Err(fail(line, reason));
            }
        }
        if let (Some(channels), Some(&bottom)) = (layer.input_channels(), layer.bottoms.first()) {
            self.channels.insert(bottom.to_owned(), channels);
        }
        for &top in &layer.tops {
            if !self.made.insert(top.to_owned()) {
                return Err(fail(line, format!("blob {top:?} is made a second time")));
            }
            self.blobs.push(top.to_owned());
            if layer.kind == "Input" {
                if self.inputs.len() == MAX_INPUTS {
                    return Err(fail(line, format!("there are more than {MAX_INPUTS} inputs")));
                }
                self.inputs.push(top.to_owned());
            }
        }
        Ok(())
    }

    fn finish(self) -> Param {
        let outputs = self.blobs.iter().filter(|&b| !self.read.contains(b)).cloned().collect();
        let inputs = self.inputs.into_iter().map(|name| {
            let channels = self.channels.get(&name).copied();
            Input { name, channels }
        });
        Param { inputs: inputs.collect(), outputs, blobs: self.blobs }
    }
}

/// A layer, as its line says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<'t> {
    /// Its line, from 1.
    pub line: usize,
    /// What it does, such as `Convolution`.
    pub kind: &'t str,
    /// Its name; nothing keeps two layers from having the same.
    pub name: &'t str,
    /// Blobs that it reads.
    pub bottoms: Vec<&'t str>,
    /// Blobs that it makes.
    pub tops: Vec<&'t str>,
    /// First number of each parameter.
    params: HashMap<i32, f64>,
}

impl<'t> Layer<'t> {
    fn parse(line: usize, text: &'t str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let mut next = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let kind = next("the layer's type")?;
        let name = next("the layer's name")?;
        let mut count = |what: &str| -> Result<usize, String> {
            let word = next(what)?;
            word.parse().map_err(|_| format!("{what} is {:?}, not a number", shorten(word)))
        };
        let bottom_count = count("the number of blobs read")?;
        let top_count = count("the number of blobs made")?;
        if !kind.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(format!("{:?} is no layer type", shorten(kind)));
        }
        // The counts are not trusted with an allocation.
        let bottoms: Vec<&str> = words.by_ref().take(bottom_count).collect();
        let tops: Vec<&str> = words.by_ref().take(top_count).collect();
        if bottoms.len() != bottom_count || tops.len() != top_count {
            return Err(format!(
                "{bottom_count} + {top_count} blob names are announced, fewer are there"
            ));
        }
        for word in [kind, name].iter().chain(&bottoms).chain(&tops) {
            if word.len() > MAX_NAME {
                return Err(format!(
                    "the name {:?} is longer than {MAX_NAME} bytes",
                    shorten(word)
                ));
            }
            if word.contains('\0') {
                return Err("a name contains a NUL".to_owned());
            }
        }
        let mut params = HashMap::new();
        for word in words {
            let (id, first) = parameter(word, tops.len())?;
            params.insert(id, first);
        }
        Ok(Self { line, kind, name, bottoms, tops, params })
    }

    /// ncnn's layers index their blobs without asking how many there are.
    fn check_arity(&self) -> Result<(), String> {
        let (bottoms, tops) = (self.bottoms.len(), self.tops.len());
        let fits = match self.kind {
            "Input" | "MemoryData" => bottoms == 0 && tops >= 1,
            "Split" | "Slice" => bottoms == 1 && tops >= 1,
            "BinaryOp" => tops == 1 && (bottoms == 2 || bottoms == 1 && self.param(1) == Some(1)),
            _ => bottoms >= 1 && tops == 1,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("a {} layer does not read {bottoms} and make {tops} blobs", self.kind))
        }
    }

    /// Channels that a convolution takes: its weights divided by outputs and kernel size.
    fn input_channels(&self) -> Option<usize> {
        if self.kind != "Convolution" {
            return None;
        }
        let (outputs, kernel_w) = (self.param(0)?, self.param(1)?);
        let kernel_h = self.param(11).unwrap_or(kernel_w);
        let per_channel = outputs.checked_mul(kernel_w)?.checked_mul(kernel_h)?;
        self.param(6)?.checked_div(per_channel)
    }

    /// Parameter `id`; of an array the first value. `None` where the line does not give it.
    pub fn number(&self, id: i32) -> Option<f64> {
        self.params.get(&id).copied()
    }

    fn param(&self, id: i32) -> Option<usize> {
        weights::count(self.number(id)?)
    }
}

/// Checks `id=value`, `id=value,value…` or `-233xx=count,value…`; returns the id and the first value.
fn parameter(word: &str, tops: usize) -> Result<(i32, f64), String> {
    let complain = |why: &str| Err(format!("parameter {:?} {why}", shorten(word)));
    let Some((key, values)) = word.split_once('=') else {
        return complain("is not of the form number=value");
    };
    let Ok(key) = key.parse::<i32>() else {
        return complain("is not of the form number=value");
    };
    let old_array = key <= OLD_ARRAY;
    let id = if old_array { OLD_ARRAY - key } else { key };
    if !(0..MAX_PARAMS).contains(&id) {
        return complain("has a number that ncnn does not have");
    }
    let mut values: Vec<&str> = values.split(',').collect();
    if old_array {
        let count = values.remove(0);
        if count.parse() != Ok(values.len()) {
            return complain("announces another number of values than it has");
        }
    }
    let mut numbers = Vec::with_capacity(values.len());
    for value in &values {
        match value.parse::<f64>() {
            Ok(number) if number.is_finite() && value.len() <= MAX_NUMBER => numbers.push(number),
            _ => return complain("has a value that is no number"),
        }
    }
    if id == SHAPE_HINTS {
        let step = numbers.len() / tops.max(1);
        let deep = numbers.chunks(step.max(1)).any(|shape| shape[0] > 3.0);
        if numbers.len() != step * tops || step < 4 || deep && step < 5 {
            return complain("does not give the shape of each blob made");
        }
    }
    Ok((id, numbers.first().copied().unwrap_or(0.0)))
}

fn fail(line: usize, reason: impl Into<String>) -> ParamError {
    ParamError { line, reason: reason.into() }
}

/// The start of `text`, for a message: a binary file read as text can be one line.
fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NET: &str = "7767517
4 5
Input        in    0 1 data
Convolution  conv  1 1 data c 0=4 1=3 5=1 6=108 -23310=1,1.0e-01
Split        split 1 2 c c0 c1
BinaryOp     add   2 1 c0 c1 sum 0=0
";

    fn reason(text: &str) -> String {
        Param::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn blobs_inputs_and_outputs_are_read_from_the_structure() {
        let param = Param::parse(NET).unwrap();
        assert_eq!(param.inputs(), [Input { name: "data".into(), channels: Some(3) }]);
        assert_eq!(param.outputs(), ["sum"]);
        assert!(param.has_blob("c1") && !param.has_blob("conv"));
    }

    #[test]
    fn layers_come_in_the_order_of_the_file_with_their_lines_and_first_numbers() {
        let layers = layers(NET).unwrap();
        assert_eq!(layers.iter().map(|l| l.line).collect::<Vec<_>>(), [3, 4, 5, 6]);
        let conv = &layers[1];
        assert_eq!((conv.kind, conv.name, &conv.tops[..]), ("Convolution", "conv", &["c"][..]));
        assert_eq!([6, 10, 9].map(|id| conv.number(id)), [Some(108.0), Some(0.1), None]);
    }

    #[test]
    fn each_fault_is_refused_with_its_line_and_reason() {
        for (from, to, expected) in [
            ("7767517", "7767518", "line 1 of the structure: 7767517 must stand here"),
            ("4 5", "4", "line 2 of the structure: the number of layers and of blobs"),
            ("4 5", "5 5", "5 layers are announced, 4 are there"),
            ("4 5", "4 4", "4 blobs are announced, 5 are there"),
            (
                "1 1 data c",
                "1 1 dota c",
                "line 4 of the structure: layer \"conv\" reads blob \"dota\"",
            ),
            ("c0 c1 sum", "c0 c0 sum", "blob \"c0\" is read a second time"),
            ("c c0 c1", "c c0 c0", "blob \"c0\" is made a second time"),
            ("2 1 c0 c1 sum", "1 1 c0 sum", "a BinaryOp layer does not read 1 and make 1"),
            ("2 1 c0 c1 sum", "1 1 c0", "line 6"),
            ("2 1 c0 c1 sum", "-1 1 c0", "the number of blobs read is \"-1\""),
            ("0=4", "32=4", "parameter \"32=4\" has a number that ncnn does not have"),
            ("0=4", "-5=4", "parameter \"-5=4\" has a number that ncnn does not have"),
            ("0=4", "0=four", "parameter \"0=four\" has a value that is no number"),
            ("0=4", "4", "is not of the form number=value"),
            ("-23310=1,", "-23310=2,", "announces another number of values than it has"),
            ("0=4", "30=3,8", "does not give the shape of each blob made"),
            ("6=108", "6=109", "layer \"conv\": 4 outputs of 3x3 cannot share 109 weights"),
            ("Split", "3plit", "\"3plit\" is no layer type"),
        ] {
            let text = NET.replacen(from, to, 1);
            assert!(reason(&text).contains(expected), "{from} → {to}: {}", reason(&text));
        }
    }

    #[test]
    fn a_file_that_is_no_text_structure_is_refused() {
        assert!(reason("").contains("7767517 must stand here"));
        assert!(reason("\u{7f}ELF").contains("7767517 must stand here"));
        assert!(reason("7767517\n").contains("line 2"));
        assert!(reason("7767517\n0 0\n").contains("0 layers are announced"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC*") {
            let _ = Param::parse(&format!("{MAGIC}\n1 1\n{text}"));
        }

        #[test]
        fn a_damaged_structure_is_read_or_refused_without_a_panic(
            at in 0..NET.len(), byte in b' '..=b'~',
        ) {
            let mut text = NET.as_bytes().to_vec();
            text[at] = byte;
            let _ = Param::parse(std::str::from_utf8(&text).unwrap());
        }
    }
}
