//! Quantization from beginning to end: a job that says how far it is and can be stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use ncnn::Mat;

use super::calibrate::{Calibration, calibrate};
use super::choose::{self, Noise};
use super::measure::Difference;
use super::network::Network;
use super::report::{LayerReport, OutputReport, Report, State};
use super::run::Runner;
use super::scales::{LARGEST, LARGEST_WINOGRAD, Weights, bias_shift, to_int8};
use super::write::{Int8, Plan, hand_on, write};
use super::{Method, QuantizeError};

/// One picture in so many is held out of the calibration, to measure errors on.
const HELD_OUT_EVERY: usize = 4;
/// Most pictures to measure errors on: every layer is measured on each of them.
const HELD_OUT_MOST: usize = 8;

/// How to quantize.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How activation thresholds are chosen.
    pub method: Method,
    /// Layers that stay in floating point.
    pub keep: Vec<String>,
    /// Noise that the outputs may have, as a share of their variance, above 0: layers stay in
    /// floating point, the loudest first, until it is kept.
    pub noise_budget: f64,
    /// Threads of one run, 1..=64.
    pub threads: u32,
}

impl Default for Options {
    /// The method and the budget that measured best on two detectors of COCO's classes: `VERIFIED.md`.
    fn default() -> Self {
        Self { method: Method::Mse, keep: Vec::new(), noise_budget: 0.004, threads: 1 }
    }
}

/// What a quantizer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finds the largest values, a picture a step.
    Ranges,
    /// Counts magnitudes, a picture a step.
    Histograms,
    /// Measures what each layer costs, a layer a step.
    Layers,
    /// Measures the whole model, an attempt a step.
    Model,
}

/// How far a quantizer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// Steps of the stage that are done.
    pub done: usize,
    /// Steps of the stage.
    pub of: usize,
}

/// A quantized model.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// Text of the `.param` file.
    pub param: String,
    /// Bytes of the `.bin` file.
    pub bin: Vec<u8>,
    /// What was done.
    pub report: Report,
}

/// Quantizes a model: runs where the caller runs it, tells it how far it is, and stops when asked.
pub struct Quantizer<'a> {
    /// The model.
    pub network: &'a Network,
    /// How.
    pub options: &'a Options,
    /// Blobs that are read from the model, which stay in floating point and are measured; those that
    /// no layer reads when there are none.
    pub outputs: &'a [String],
    /// Told after every step.
    pub progress: &'a mut dyn FnMut(Progress),
    /// Stops the job at the next step.
    pub cancel: &'a AtomicBool,
}

impl Quantizer<'_> {
    /// Quantizes the model with what it makes of `pictures`, which are inputs of the network.
    ///
    /// # Errors
    /// [`QuantizeError`]; [`QuantizeError::Cancelled`] soon after `cancel` is set.
    pub fn run(mut self, pictures: &[Mat]) -> Result<Quantized, QuantizeError> {
        let network = self.network;
        check(self.options)?;
        let kept = kept(network, &self.options.keep)?;
        let input = match (network.inputs(), pictures) {
            (_, []) => return Err(QuantizeError::NoPictures),
            ([input], _) => input,
            (inputs, _) => {
                let reason = format!("it has the inputs {inputs:?}, not one");
                return Err(QuantizeError::Unusable { reason });
            }
        };
        let outputs = if self.outputs.is_empty() { network.outputs() } else { self.outputs };
        let (held_out, rest) = split(pictures);
        let exact = Runner::new(
            (&network.param, &network.bin),
            input,
            self.options.threads,
            "floating-point",
        )?;
        let calibration = calibrate(network, &exact, &rest, self.options.method, &mut |p| {
            step(&mut *self.progress, self.cancel, p)
        })?;
        let weights = weights(network, &calibration)?;
        let exact_outputs =
            held_out.iter().map(|p| exact.values(p, outputs)).collect::<Result<_, _>>()?;
        let held_out = &held_out;
        let job = Job { input, outputs, held_out, exact, exact_outputs, calibration, weights };
        job.finish(&mut self, &kept, rest.len())
    }
}

/// What is known after the calibration.
struct Job<'a> {
    input: &'a str,
    outputs: &'a [String],
    held_out: &'a [&'a Mat],
    exact: Runner<'a>,
    /// Values of each output, by picture held out.
    exact_outputs: Vec<Vec<Vec<f32>>>,
    calibration: Calibration,
    /// By place in the network's parts, of those that can be quantized.
    weights: Vec<(usize, Weights)>,
}

impl<'a> Job<'a> {
    fn finish(
        self,
        quantizer: &mut Quantizer<'_>,
        kept: &[usize],
        calibrated_on: usize,
    ) -> Result<Quantized, QuantizeError> {
        let network = quantizer.network;
        let noises = self.noises(quantizer, kept)?;
        let budget = quantizer.options.noise_budget;
        let (mut chosen, mut dropped) = choose::within(noises.clone(), budget);
        let attempts = chosen.len();
        let (plan, differences) = loop {
            if chosen.is_empty() {
                return Err(none_chosen(&noises, budget));
            }
            let mut plan = self.plan(network, chosen.iter().map(|noise| noise.layer));
            hand_on(network, &mut plan, self.outputs);
            let (param, bin) = write(network, &plan);
            let differences = self.at_outputs(quantizer, (&param, &bin))?;
            step(
                &mut *quantizer.progress,
                quantizer.cancel,
                Progress { stage: Stage::Model, done: dropped.len() + 1, of: attempts.max(1) },
            )?;
            if mean_noise(&differences) <= budget {
                break (plan, differences);
            }
            // The sum was a forecast; it was too low.
            dropped.extend(chosen.pop());
        };
        let (param, bin) = write(network, &plan);
        let layers = self.layers(quantizer, &plan, kept, &noises)?;
        let report = Report {
            method: quantizer.options.method.to_string(),
            calibration_pictures: calibrated_on,
            held_out_pictures: self.held_out.len(),
            held_out_apart: self.held_out.len() < calibrated_on,
            noise_budget: budget,
            noise: mean_noise(&differences),
            outputs: outputs(self.outputs, &differences),
            float_bytes: network.bin.len(),
            int8_bytes: bin.len(),
            layers,
        };
        Ok(Quantized { param, bin, report })
    }

    /// What each layer that may be quantized does to the outputs when it alone is.
    fn noises(
        &self,
        quantizer: &mut Quantizer<'_>,
        kept: &[usize],
    ) -> Result<Vec<Noise>, QuantizeError> {
        let network = quantizer.network;
        let scaled = |at: &usize| self.calibration.scale(network, *at).is_some();
        let free = self.weights.iter().map(|(at, _)| *at);
        let free: Vec<usize> = free.filter(|at| !kept.contains(at)).filter(scaled).collect();
        let mut noises = Vec::with_capacity(free.len());
        for (done, &layer) in free.iter().enumerate() {
            let (param, bin) = write(network, &self.plan(network, [layer]));
            let differences = self.at_outputs(quantizer, (&param, &bin))?;
            noises.push(Noise { layer, at_outputs: mean_noise(&differences) });
            let progress = Progress { stage: Stage::Layers, done: done + 1, of: free.len() };
            step(&mut *quantizer.progress, quantizer.cancel, progress)?;
        }
        Ok(noises)
    }

    fn plan(&self, network: &Network, layers: impl IntoIterator<Item = usize>) -> Plan<'_> {
        let int8 = |at: usize| {
            let (_, weights) = self.weights.iter().find(|(part, _)| *part == at)?;
            let reads = self.calibration.scale(network, at)?;
            Some((at, Int8 { weights, reads, makes: None }))
        };
        layers.into_iter().filter_map(int8).collect()
    }

    /// How far the outputs of `model` are from the floating-point model's on the pictures held out.
    fn at_outputs(
        &self,
        quantizer: &Quantizer<'_>,
        model: (&str, &[u8]),
    ) -> Result<Vec<Difference>, QuantizeError> {
        let found = Runner::new(model, self.input, quantizer.options.threads, "quantized")?;
        let mut differences = vec![Difference::default(); self.outputs.len()];
        for (picture, exact) in self.held_out.iter().zip(&self.exact_outputs) {
            found.differ_from(exact, picture, self.outputs, &mut differences)?;
        }
        Ok(differences)
    }

    fn layers(
        &self,
        quantizer: &Quantizer<'_>,
        plan: &Plan<'_>,
        kept: &[usize],
        noises: &[Noise],
    ) -> Result<Vec<LayerReport>, QuantizeError> {
        let network = quantizer.network;
        // Measured with every output in floating point, which changes no number but can be read.
        let (param, bin) = write(network, &self.plan(network, plan.keys().copied()));
        let made: Vec<String> = network.convs().map(|(_, conv)| conv.makes.clone()).collect();
        let found =
            Runner::new((&param, &bin), self.input, quantizer.options.threads, "quantized")?;
        let mut differences = vec![Difference::default(); made.len()];
        for picture in self.held_out {
            found.differ(&self.exact, picture, &made, &mut differences)?;
        }
        let report = |((at, conv), difference): ((usize, &super::network::Conv), &Difference)| {
            let part = &network.parts[at];
            let largest = self.calibration.largest(&conv.reads);
            let noise = noises.iter().find(|noise| noise.layer == at).map(|noise| noise.at_outputs);
            let (state, reason) = match plan.get(&at) {
                Some(Int8 { makes: Some(_), .. }) => (State::Int8Through, None),
                Some(_) => (State::Int8, None),
                None if kept.contains(&at) => (State::Float, Some("named to be kept".to_owned())),
                None if noise.is_none() => {
                    let reason = format!("its input's largest value is {largest} on all pictures");
                    (State::Float, Some(reason))
                }
                None => (State::Float, Some("too much noise for the budget".to_owned())),
            };
            let weights = network.weights(at)?;
            Ok(LayerReport {
                name: part.name.clone(),
                kind: part.kind.clone(),
                weights: conv.shape,
                weight_largest: super::histogram::largest(&weights),
                activation_largest: largest,
                activation_threshold: self.calibration.threshold(&conv.reads),
                noise_alone: noise,
                sqnr_db: finite(difference.sqnr_db()),
                cosine: difference.cosine(),
                state,
                reason,
            })
        };
        network.convs().zip(&differences).map(report).collect()
    }
}

fn none_chosen(noises: &[Noise], budget: f64) -> QuantizeError {
    let least = noises.iter().map(|noise| noise.at_outputs).min_by(f64::total_cmp);
    least.map_or(QuantizeError::OnlyZeros, |least| QuantizeError::Budget { budget, least })
}

fn check(options: &Options) -> Result<(), QuantizeError> {
    options.method.check()?;
    let value = options.noise_budget;
    if value > 0.0 {
        return Ok(());
    }
    Err(QuantizeError::Option { what: "noise budget", value, range: "above 0" })
}

/// Places of the layers that `names` are to keep.
fn kept(network: &Network, names: &[String]) -> Result<Vec<usize>, QuantizeError> {
    let mut kept = Vec::new();
    for name in names {
        let named = |at: &usize| network.parts[*at].name == *name;
        let places: Vec<usize> = network.convs().map(|(at, _)| at).filter(named).collect();
        if places.is_empty() {
            return Err(unknown(network, name));
        }
        kept.extend(places);
    }
    let all = network.convs().count();
    if network.convs().all(|(at, _)| kept.contains(&at)) {
        return Err(QuantizeError::NothingToQuantize { all_kept: all > 0 });
    }
    Ok(kept)
}

fn unknown(network: &Network, name: &str) -> QuantizeError {
    if let Some(part) = network.parts.iter().find(|part| part.name == name) {
        return QuantizeError::NeverQuantized { name: name.to_owned(), kind: part.kind.clone() };
    }
    let mut near: Vec<(f64, &str)> = network
        .quantizable()
        .map(|layer| (strsim::jaro_winkler(layer, name), layer))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let suggestions = near.into_iter().take(3).map(|(_, layer)| layer.to_owned()).collect();
    QuantizeError::UnknownLayer { name: name.to_owned(), suggestions }
}

/// The pictures to measure errors on, and those to calibrate with; all are both when there are few.
fn split(pictures: &[Mat]) -> (Vec<&Mat>, Vec<&Mat>) {
    if pictures.len() < HELD_OUT_EVERY {
        return (pictures.iter().collect(), pictures.iter().collect());
    }
    let held = |at: usize| at % HELD_OUT_EVERY == 3 && at / HELD_OUT_EVERY < HELD_OUT_MOST;
    let (held, rest): (Vec<_>, Vec<_>) = pictures.iter().enumerate().partition(|(at, _)| held(*at));
    let plain = |list: Vec<(usize, _)>| list.into_iter().map(|(_, picture)| picture).collect();
    (plain(held), plain(rest))
}

fn weights(
    network: &Network,
    calibration: &Calibration,
) -> Result<Vec<(usize, Weights)>, QuantizeError> {
    let quantize = |(at, conv): (usize, &super::network::Conv)| {
        let largest = if conv.winograd { LARGEST_WINOGRAD } else { LARGEST };
        let exact = network.weights(at)?;
        let mut weights = to_int8(&exact, conv.scales, largest);
        let shift = bias_shift(&exact, &weights, conv.shape, calibration.means(&conv.reads));
        weights.bias = network.bias(at).zip(shift).map(|(mut bias, shift)| {
            bias.iter_mut().zip(shift).for_each(|(bias, shift)| *bias += shift);
            bias
        });
        Ok((at, weights))
    };
    network.convs().map(quantize).collect()
}

fn step(
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
    now: Progress,
) -> Result<(), QuantizeError> {
    progress(now);
    if cancel.load(Ordering::Relaxed) { Err(QuantizeError::Cancelled) } else { Ok(()) }
}

fn mean_noise(differences: &[Difference]) -> f64 {
    differences.iter().map(Difference::noise).sum::<f64>() / differences.len().max(1) as f64
}

fn outputs(blobs: &[String], differences: &[Difference]) -> Vec<OutputReport> {
    let report = |(blob, difference): (&String, &Difference)| OutputReport {
        blob: blob.clone(),
        sqnr_db: finite(difference.sqnr_db()),
        cosine: difference.cosine(),
    };
    blobs.iter().zip(differences).map(report).collect()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
