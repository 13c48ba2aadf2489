//! What the media path costs: drawing, the generated street, scaling for the detector, and the whole
//! pipeline against the same one from stock elements. Prints medians, one line each.

// A benchmark talks to the terminal, and has nobody to hand an error to.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

mod drawing;
mod pipeline;
mod scaling;

fn main() {
    if let Some(kind) = std::env::var_os(pipeline::CHILD) {
        pipeline::child(&kind.to_string_lossy());
        return;
    }
    // `cargo test --benches` runs this too, and wants no measurement.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    drawing::run();
    scaling::run();
    pipeline::run();
}

/// The middle one of `values`.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
