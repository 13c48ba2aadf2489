//! `edgecam-model benchmark`: measures models × threads × number formats on this device, and says
//! which settings meet a target.

use std::io::Write as _;
use std::num::NonZero;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use edgecam_detect::benchmark::{Measured, Target, closest, measure, pick};
use edgecam_detect::{DetectorOptions, Precision};
use serde::Serialize;

use crate::choice::Choice;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Inferences per second that are wanted
    #[arg(long, default_value_t = 10.0)]
    fps: f32,
    /// Processors that they may keep busy: 0.5 is half of one
    #[arg(long, default_value_t = 1.0)]
    cpu_share: f32,
    /// Most threads of one inference [default: the processors of this machine, at most 4]
    #[arg(long)]
    threads: Option<u32>,
    /// Number formats of the networks' insides: auto, full, half or bfloat
    #[arg(long, value_delimiter = ',', default_value = "auto")]
    precision: Vec<Precision>,
    /// Seconds for each choice. A minute or more shows what is left once the device is hot
    #[arg(long, default_value_t = 2.0)]
    seconds: f32,
    /// Writes all that was measured here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the JSON holds.
#[derive(Serialize)]
struct Document<'a> {
    target: Target,
    measured: &'a [Measured],
    picked: Option<&'a Measured>,
}

/// How threads of the network wait for each other; the daemon starts cameras with it. OpenMP reads
/// it once, at the start of a process.
const WAIT_POLICY: (&str, &str) = ("OMP_WAIT_POLICY", "passive");

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if std::env::var_os(WAIT_POLICY.0).is_none() {
        let mut again = Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1)).env(WAIT_POLICY.0, WAIT_POLICY.1);
        return Err(again.exec()).context("starting again with the threads of a camera");
    }
    ensure!(args.fps > 0.0 && args.cpu_share > 0.0, "--fps and --cpu-share must be above 0");
    let budget = Duration::try_from_secs_f32(args.seconds)?;
    let target = Target { fps: args.fps, cpu_share: args.cpu_share };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let most = args.threads.unwrap_or(u32::try_from(processors).unwrap_or(4).min(4));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<30} {:>9} {:>9} {:>7} {:>6} {:>8} {:>8} {:>8} {:>9}",
        "model", "input", "precision", "threads", "mAP", "p50 ms", "p95 ms", "cpu ms", "fps"
    )?;
    let mut measured = Vec::new();
    for (manifest, files) in args.choice.at_hand()? {
        for &precision in &args.precision {
            for threads in 1..=most {
                let options = DetectorOptions { threads, precision };
                let one = measure(&manifest, &files, options, budget)?;
                writeln!(out, "{}", row(&one, target))?;
                measured.push(one);
            }
        }
    }
    ensure!(!measured.is_empty(), "no model is at hand: name their folder with --models");
    let picked = pick(&measured, target);
    if let Some(path) = &args.json {
        let document = Document { target, measured: &measured, picked };
        std::fs::write(path, serde_json::to_vec_pretty(&document)?)?;
    }
    writeln!(out, "\n{}", advice(&measured, picked, target))?;
    Ok(if picked.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line of the table; the last column is what can be kept up within the target's processors.
fn row(one: &Measured, target: Target) -> String {
    format!(
        "{:<30} {:>9} {:>9} {:>7} {:>6} {:>8.2} {:>8.2} {:>8.2} {:>7.1} {}",
        one.model,
        format!("{}x{}", one.width, one.height),
        one.precision,
        one.threads,
        one.coco_map.map_or_else(|| "-".to_owned(), |map| format!("{map:.1}")),
        one.p50_ms,
        one.p95_ms,
        one.cpu_ms,
        one.most_fps(target),
        if one.meets(target) { "*" } else { " " }
    )
}

fn advice(measured: &[Measured], picked: Option<&Measured>, target: Target) -> String {
    let settings = |one: &Measured, fps: f32| {
        format!(
            "detector.model={}\ndetector.threads={}\ncameras.cam.detection.max_fps={fps:.1}",
            one.model, one.threads
        )
    };
    let Target { fps, cpu_share } = target;
    match picked {
        Some(one) => format!(
            "{fps} inferences a second within {cpu_share} processors (*): the best is\n{}",
            settings(one, fps)
        ),
        None => match closest(measured, target) {
            Some(one) => format!(
                "nothing reaches {fps} inferences a second within {cpu_share} processors; closest is\n{}",
                settings(one, one.most_fps(target))
            ),
            None => "nothing was measured".to_owned(),
        },
    }
}
