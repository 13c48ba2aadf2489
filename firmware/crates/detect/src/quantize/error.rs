//! Why a model is not quantized: each error is one sentence with its object.

use ncnn::ParamError;

/// Why a model is not quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The structure is none.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// A layer's numbers contradict each other.
    #[error("layer {layer:?} does not hold together: {reason}")]
    Inconsistent {
        /// The layer.
        layer: String,
        /// What contradicts what.
        reason: String,
    },
    /// The weights end in the middle of a layer.
    #[error("the weights end in layer {layer:?}: it needs {needed} more bytes, {left} are left")]
    Truncated {
        /// The layer.
        layer: String,
        /// Bytes that its next block takes.
        needed: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// Weights are left over when the structure is filled.
    #[error("the weights are too long for the structure: it takes {taken} of {len} bytes")]
    TooLong {
        /// Bytes that the structure takes.
        taken: usize,
        /// Bytes that there are.
        len: usize,
    },
    /// Weights in a form that is not read.
    #[error(
        "layer {layer:?} stores its weights as {form} (flag {flag:#010x}); 32- and 16-bit floats are read"
    )]
    Form {
        /// The layer.
        layer: String,
        /// What the flag means.
        form: &'static str,
        /// The flag.
        flag: u32,
    },
    /// A weight is infinite or not a number.
    #[error("a weight of layer {layer:?} is {value}, no finite number")]
    Weight {
        /// The layer.
        layer: String,
        /// The weight.
        value: f32,
    },
    /// A layer has been quantized before.
    #[error(
        "the model is quantized already: layer {layer:?} has int8 scales; start from the floating-point model"
    )]
    AlreadyQuantized {
        /// The first such layer.
        layer: String,
    },
    /// A layer whose weights cannot be found in the file.
    #[error(
        "layer {layer:?} is a {kind}, whose weights the quantizer does not know how to pass on"
    )]
    UnknownKind {
        /// The layer.
        layer: String,
        /// Its kind.
        kind: String,
    },
    /// A layer to be kept does not exist.
    #[error("there is no layer {name:?} to keep in floating point{}", suggest(suggestions))]
    UnknownLayer {
        /// The name.
        name: String,
        /// Layers with a name much like it.
        suggestions: Vec<String>,
    },
    /// A layer to be kept is of a kind that is never quantized.
    #[error("layer {name:?} is a {kind}, which stays in floating point anyway")]
    NeverQuantized {
        /// The name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// There is nothing to do.
    #[error("the model has no layer that can be quantized{}", if *.all_kept { ": all are to be kept" } else { "" })]
    NothingToQuantize {
        /// Whether it has some, and all are named to be kept.
        all_kept: bool,
    },
    /// Each layer that may be quantized costs more than is allowed.
    #[error(
        "no layer can be quantized within the noise budget {budget}: the quietest alone makes {least:.2e}"
    )]
    Budget {
        /// The noise that the outputs may have.
        budget: f64,
        /// The noise that the quietest layer alone makes.
        least: f64,
    },
    /// The layers that may be quantized read nothing that a range could be chosen from.
    #[error("no layer can be quantized: what those that may be read is zero on all pictures")]
    OnlyZeros,
    /// There is nothing to calibrate with.
    #[error("no pictures to calibrate with")]
    NoPictures,
    /// An option is outside its range.
    #[error("{what} {value} is outside {range}")]
    Option {
        /// The option.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it must be inside.
        range: &'static str,
    },
    /// A network could not be loaded or run.
    #[error("running the {what} network")]
    Network {
        /// Which one.
        what: &'static str,
        /// Why.
        #[source]
        source: ncnn::Error,
    },
    /// What ncnn makes of the written model is not what was computed for it.
    #[error("the quantized model is not usable: {reason}")]
    Unusable {
        /// What is wrong.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("stopped before the model was quantized")]
    Cancelled,
}

fn suggest(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; much like it are {}", names.join(", ")),
    }
}
