//! edgecam-model: the tool for models. The command line only; each subcommand has a file.
//!
//! | module | owns |
//! |---|---|
//! | [`accuracy`] | mAP of models on pictures with COCO annotations |
//! | [`choice`] | which models a command is about |
//! | [`pictures`] | picture files → frames |

mod accuracy;
mod choice;
mod pictures;

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
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        Command::Accuracy(args) => accuracy::run(&args),
    }
}
