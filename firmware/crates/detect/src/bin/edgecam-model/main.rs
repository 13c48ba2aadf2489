//! edgecam-model: the tool for models. The command line only; each subcommand has a file.
//!
//! | module | owns |
//! |---|---|
//! | [`accuracy`] | mAP of models on pictures with COCO annotations |
//! | [`benchmark`] | which settings meet a target on this device |
//! | [`choice`] | which models a command is about |
//! | [`pictures`] | pictures from files and cameras → frames |
//! | [`quantize`] | a floating-point model → one in 8-bit integers |

mod accuracy;
mod benchmark;
mod choice;
mod pictures;
mod quantize;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "edgecam-model", version, about = "Judges and prepares the detector's models")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the mAP of models on pictures with COCO annotations
    Accuracy(accuracy::Args),
    /// Measures models and threads on this device, and says which settings meet a target
    Benchmark(benchmark::Args),
    /// Makes models in 8-bit integers of floating-point ones, and says what that costs
    Quantize(quantize::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        Command::Accuracy(args) => accuracy::run(&args),
        Command::Benchmark(args) => benchmark::run(&args),
        Command::Quantize(args) => quantize::run(&args),
    }
}
