//! What was done to each layer, and what it costs in accuracy: as a table for people, and by serde for
//! programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// What was done to a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How activation thresholds were chosen.
    pub method: String,
    /// Pictures that the thresholds come from.
    pub calibration_pictures: usize,
    /// Pictures that errors were measured on.
    pub held_out_pictures: usize,
    /// Whether these are other pictures than those of the calibration.
    pub held_out_apart: bool,
    /// Noise that the outputs may have, as a share of their variance.
    pub noise_budget: f64,
    /// Noise that they have.
    pub noise: f64,
    /// Each output, the last first that the structure names.
    pub outputs: Vec<OutputReport>,
    /// Bytes of the weights before.
    pub float_bytes: usize,
    /// Bytes of the weights now.
    pub int8_bytes: usize,
    /// The layers that can be quantized, in the order of the file.
    pub layers: Vec<LayerReport>,
}

/// An output of the quantized model against the floating-point one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// Name of its blob.
    pub blob: String,
    /// Signal to quantization noise, dB; `None` without any noise.
    pub sqnr_db: Option<f64>,
    /// Cosine similarity.
    pub cosine: f64,
}

/// A layer of the quantized model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Its name.
    pub name: String,
    /// Its kind, such as `Convolution`.
    pub kind: String,
    /// Output channels, input channels of a group, rows and columns of the kernel.
    pub weights: [usize; 4],
    /// Largest magnitude of a weight.
    pub weight_largest: f32,
    /// Largest magnitude of a value that it read on the calibration's pictures.
    pub activation_largest: f32,
    /// Magnitude where what it reads is cut off, where it has one.
    pub activation_threshold: Option<f32>,
    /// Noise of the model's outputs when this layer alone is quantized, where that was measured.
    pub noise_alone: Option<f64>,
    /// Signal to quantization noise of what it makes in the finished model, dB; `None` without noise.
    pub sqnr_db: Option<f64>,
    /// Cosine similarity of what it makes in the finished model and in floating point.
    pub cosine: f64,
    /// What became of it.
    pub state: State,
    /// Why, where it stays in floating point.
    pub reason: Option<String>,
}

/// What became of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In 8 bits, its output in floating point.
    Int8,
    /// In 8 bits, its output too.
    Int8Through,
    /// As it was.
    Float,
}

impl Report {
    /// Layers in 8 bits.
    pub fn quantized(&self) -> usize {
        self.layers.iter().filter(|layer| layer.state != State::Float).count()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:<20} {:>15} {:>9} {:>10} {:>10} {:>9} {:>8} {:>8}  state",
            "layer", "kind", "weights", "|weight|", "|input|", "threshold", "alone", "dB", "cosine"
        )?;
        for layer in &self.layers {
            writeln!(f, "{layer}")?;
        }
        for output in &self.outputs {
            let (blob, db, cosine) = (&output.blob, decibels(output.sqnr_db), output.cosine);
            writeln!(f, "output {blob}: {db} dB, cosine {cosine:.5}")?;
        }
        let apart = if self.held_out_apart { "other pictures" } else { "the same pictures" };
        writeln!(
            f,
            "{} of {} layers in 8 bits by {} on {} pictures; noise {:.4} of {:.4} allowed, on {} {apart}",
            self.quantized(),
            self.layers.len(),
            self.method,
            self.calibration_pictures,
            self.noise,
            self.noise_budget,
            self.held_out_pictures
        )?;
        write!(f, "weights: {} bytes, were {}", self.int8_bytes, self.float_bytes)
    }
}

impl Display for LayerReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [outputs, inputs, rows, columns] = self.weights;
        let weights = format!("{outputs}x{inputs}x{rows}x{columns}");
        let optional = |n: Option<String>| n.unwrap_or_else(|| "-".to_owned());
        write!(
            f,
            "{:<24} {:<20} {weights:>15} {:>9.3} {:>10.3} {:>10} {:>9} {:>8} {:>8.5}  {}",
            self.name,
            self.kind,
            self.weight_largest,
            self.activation_largest,
            optional(self.activation_threshold.map(|n| format!("{n:.3}"))),
            optional(self.noise_alone.map(|n| format!("{n:.1e}"))),
            decibels(self.sqnr_db),
            self.cosine,
            match self.state {
                State::Int8 => "int8",
                State::Int8Through => "int8 through",
                State::Float => "float",
            }
        )?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

fn decibels(value: Option<f64>) -> String {
    value.map_or_else(|| "exact".to_owned(), |db| format!("{db:.1}"))
}
