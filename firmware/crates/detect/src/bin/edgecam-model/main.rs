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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_of_the_demo_models_script_is_one_that_this_program_takes() {
        let script = include_str!("../../../../../setup/demo-model.sh").replace("\\\n", " ");
        let lines =
            script.lines().filter_map(|line| line.trim().strip_prefix("\"$BIN/edgecam-model\""));
        let mut seen = 0;
        for line in lines {
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            let parsed = Args::try_parse_from(std::iter::once("edgecam-model").chain(words));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
            seen += 1;
        }
        assert!(seen > 0, "the script does not call edgecam-model any more");
    }

    #[test]
    fn the_camera_in_the_help_is_the_one_that_there_is_by_default() {
        use clap::CommandFactory as _;
        let loaded = config::load(&config::Layers::default()).unwrap();
        let address = format!("/api/v1/cameras/{}", loaded.config.cameras[0].id);
        let mut args = Args::command();
        let help = args.find_subcommand_mut("quantize").unwrap().render_long_help().to_string();
        assert!(help.contains(&address), "{help}");
    }
}
