//! A quantized model computes in ncnn what was worked out by hand; the job says how far it is, stops
//! when asked, and refuses what cannot be quantized with one sentence.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail a test too")]

use std::sync::atomic::{AtomicBool, Ordering};

use edgecam_detect::quantize::{
    Method, Network, Options, Progress, QuantizeError, Quantized, Quantizer, Stage, State,
};
use ncnn::{Mat, Net, Opt};

/// Two outputs of two inputs, then one of these two.
const PARAM: &str = "7767517
3 3
Input       in    0 1 in
Convolution first 1 1 in a 0=2 1=1 5=1 6=4
Convolution last  1 1 a out 0=1 1=1 5=1 6=2
";

fn bin() -> Vec<u8> {
    let first = [0.0, 1.0, -0.3, 0.25, 0.0, 0.5, -1.0];
    let last = [0.0, 2.0, 1.0, 0.25];
    first.iter().chain(&last).flat_map(|value: &f32| value.to_le_bytes()).collect()
}

/// 16×16 cells, all with these two values.
fn picture(values: [f32; 2]) -> Mat {
    let mut mat = Mat::filled(16, 16, 2, 0.0).unwrap();
    // (0 + mean) × norm, whatever is subtracted.
    mat.substract_mean_normalize(&values.map(|value| -value), &[1.0, 1.0]).unwrap();
    mat
}

fn options() -> Options {
    Options { method: Method::MinMax, noise_budget: f64::INFINITY, ..Options::default() }
}

fn quantize(options: &Options, pictures: &[Mat]) -> Result<Quantized, QuantizeError> {
    let network = Network::read(PARAM, &bin()).unwrap();
    let job = Quantizer {
        network: &network,
        options,
        outputs: &[],
        progress: &mut |_| {},
        cancel: &AtomicBool::new(false),
    };
    job.run(pictures)
}

/// What ncnn makes of `picture`, by blob.
fn run(param: &str, bin: &[u8], picture: &Mat, blobs: &[&str]) -> Vec<f32> {
    let full =
        Opt { fp16_packed: false, fp16_storage: false, fp16_arithmetic: false, ..Opt::default() };
    let net = Net::from_memory(param, bin, &full).unwrap();
    let mut run = net.extractor().unwrap();
    run.input("in", picture).unwrap();
    let values = |blob: &&str| {
        let out = run.extract(blob).unwrap();
        (0..out.channels()).map(|channel| out.channel(channel)[100]).collect::<Vec<_>>()
    };
    blobs.iter().flat_map(values).collect()
}

#[test]
fn a_net_small_enough_to_compute_by_hand_gives_what_the_hand_gives() {
    let pictures = [picture([1.0, -2.54])];
    let kept = Options { keep: vec!["last".to_owned()], ..options() };
    let made = quantize(&kept, &pictures).unwrap();
    // The input's largest value is 2.54, so it becomes 50 and -127. The weights become 127 and -38,
    // 127 and 0, with scales 127 and 508. -0.3 has become -38/127 and lost 0.1/127 of it, which the
    // bias takes up with -2.54 times that.
    let bias = 0.5 - (-0.3 + 38.0 / 127.0) * 2.54;
    let first = (127.0 * 50.0 + 38.0 * 127.0) / (50.0 * 127.0) + bias;
    let second = 127.0 * 50.0 / (50.0 * 508.0) - 1.0;
    let out = 2.0 * first + second + 0.25;
    let found = run(&made.param, &made.bin, &pictures[0], &["a", "out"]);
    for (found, expected) in found.iter().zip([first, second, out]) {
        assert!((found - expected).abs() < 1e-4, "{found}, by hand {expected}");
    }
    let states: Vec<_> = made.report.layers.iter().map(|layer| layer.state).collect();
    assert_eq!(states, [State::Int8, State::Float]);
}

#[test]
fn numbers_handed_on_in_8_bits_are_those_that_would_have_gone_over_floats() {
    let pictures = [picture([1.0, -2.54]), picture([0.3, 0.7])];
    let made = quantize(&options(), &pictures).unwrap();
    assert!(made.param.contains("6=4 8=101"), "{}", made.param);
    assert!(made.param.contains("6=2 8=1\n"), "{}", made.param);
    assert_eq!(made.report.layers[0].state, State::Int8Through);
    for picture in &pictures {
        let exact = run(PARAM, &bin(), picture, &["out"])[0];
        let found = run(&made.param, &made.bin, picture, &["out"])[0];
        assert!((found - exact).abs() < 0.05, "{found} and {exact}");
    }
    assert!(made.report.outputs[0].cosine > 0.999);
}

#[test]
fn the_job_says_how_far_it_is_and_stops_when_asked() {
    let network = Network::read(PARAM, &bin()).unwrap();
    let pictures: Vec<_> = (1..=8).map(|n| picture([n as f32, -1.0])).collect();
    let mut told: Vec<Progress> = Vec::new();
    let cancel = AtomicBool::new(false);
    let mut progress = |now: Progress| {
        told.push(now);
        cancel.store(now.stage == Stage::Layers, Ordering::Relaxed);
    };
    let options = options();
    let job = Quantizer {
        network: &network,
        options: &options,
        outputs: &[],
        progress: &mut progress,
        cancel: &cancel,
    };
    assert!(matches!(job.run(&pictures), Err(QuantizeError::Cancelled)));
    // Two of eight pictures are held out; the first layer is the last that was looked at.
    let step = |stage, done, of| Progress { stage, done, of };
    assert_eq!(told[0], step(Stage::Ranges, 1, 6));
    assert_eq!(told[11], step(Stage::Histograms, 6, 6));
    assert_eq!(told[12..], [step(Stage::Layers, 1, 2)]);
}

#[test]
fn a_smaller_budget_keeps_more_layers_in_floating_point_and_is_kept() {
    let pictures: Vec<_> = (1..=8).map(|n| picture([n as f32, -0.37 * n as f32])).collect();
    let all = quantize(&options(), &pictures).unwrap().report;
    assert_eq!(all.quantized(), 2);
    let tight = Options { noise_budget: all.noise * 0.9, ..options() };
    let some = quantize(&tight, &pictures).unwrap().report;
    assert_eq!(some.quantized(), 1);
    assert!(some.noise <= tight.noise_budget, "{} of {}", some.noise, tight.noise_budget);
    let reason = some.layers.iter().find_map(|layer| layer.reason.clone()).unwrap();
    assert_eq!(reason, "too much noise for the budget");
}

#[test]
fn what_cannot_be_quantized_is_refused_with_one_sentence() {
    let pictures = [picture([1.0, 2.0])];
    let refusal = |options: &Options, pictures: &[Mat]| {
        base::error::chain(&quantize(options, pictures).unwrap_err())
    };
    let keep = |name: &str| Options { keep: vec![name.to_owned()], ..options() };
    assert_eq!(refusal(&options(), &[]), "no pictures to calibrate with");
    assert_eq!(
        refusal(&keep("frist"), &pictures),
        "there is no layer \"frist\" to keep in floating point; much like it are first"
    );
    assert_eq!(
        refusal(&keep("in"), &pictures),
        "layer \"in\" is a Input, which stays in floating point anyway"
    );
    let both = Options { keep: vec!["first".to_owned(), "last".to_owned()], ..options() };
    assert!(refusal(&both, &pictures).contains("all are to be kept"));
    let nothing = Options { noise_budget: 0.0, ..options() };
    assert_eq!(refusal(&nothing, &pictures), "noise budget 0 is outside above 0");
    for keep in [Vec::new(), vec!["last".to_owned()]] {
        let tight = Options { noise_budget: 1e-30, keep, ..options() };
        let said = refusal(&tight, &pictures);
        assert!(
            said.contains("within the noise budget 0.000") && said.contains("quietest"),
            "{said}"
        );
    }
    let unseen = Options { keep: vec!["last".to_owned()], ..options() };
    assert!(refusal(&unseen, &[picture([0.0, 0.0])]).contains("zero on all pictures"));
    let percentile = Options { method: Method::Percentile(10.0), ..options() };
    assert!(refusal(&percentile, &pictures).contains("percentile 10 is outside"));
    let black = [picture([0.0, 0.0])];
    assert!(quantize(&options(), &black).unwrap().report.layers[0].reason.is_some());
}
