//! Any weights (`.bin`) for a good structure, and one run of what was loaded. Most of what is tried
//! here is ncnn's own code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ncnn::{Mat, Net, Opt};

const STRUCTURE: &str = include_str!("../seeds/structure/detector.param");

fuzz_target!(|weights: &[u8]| {
    let Ok(net) = Net::from_memory(STRUCTURE, weights, &Opt::default()) else { return };
    let input = Mat::filled(32, 32, 3, 0.5).expect("a small input");
    let mut run = net.extractor().expect("a run");
    run.input("data", &input).expect("the net's input");
    let _ = run.extract("out");
});
