//! `edgecam-model quantize`: a floating-point model and pictures → a model in 8-bit integers.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, ensure};
use api::manifest::ModelManifest;
use clap::ValueEnum;
use domain::{BBox, Frame};
use edgecam_detect::ModelFiles;
use edgecam_detect::preprocess::Preprocessor;
use edgecam_detect::quantize::{Method, Options, Progress, Quantized, Quantizer, Stage, package};

use crate::choice::Choice;
use crate::pictures::{Camera, Folder};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    tuning: Tuning,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    camera: Camera,
    /// Most pictures to take; of a folder with more, evenly spread
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Folder for the quantized models; one that the daemon looks through, when it starts, is `models`
    /// in its data directory
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Prints the report as JSON instead of a table, one document a model, and no progress
    #[arg(long)]
    json: bool,
}

/// How to quantize.
#[derive(clap::Args)]
pub(crate) struct Tuning {
    /// How the range of activations is chosen
    #[arg(long, value_enum, default_value_t)]
    method: MethodName,
    /// Share of the values that is not cut off, in percent, of the method percentile
    #[arg(long, default_value_t = 99.99)]
    percentile: f64,
    /// Layers that stay in floating point
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    keep: Vec<String>,
    /// Noise that the outputs may have, as a share of their variance: layers stay in floating point
    /// until it is kept
    #[arg(long, default_value_t = Options::default().noise_budget)]
    noise_budget: f64,
    /// Threads of one inference
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum MethodName {
    /// Least loss of information (Kullback–Leibler divergence)
    Kl,
    /// A share of the values
    Percentile,
    /// The largest value
    MinMax,
    /// Least squared error
    #[default]
    Mse,
}

impl Tuning {
    pub(crate) fn options(&self) -> Options {
        let method = match self.method {
            MethodName::Kl => Method::Kl,
            MethodName::Percentile => Method::Percentile(self.percentile),
            MethodName::MinMax => Method::MinMax,
            MethodName::Mse => Method::Mse,
        };
        Options {
            method,
            keep: self.keep.clone(),
            noise_budget: self.noise_budget,
            threads: self.threads,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let frames = args.frames()?;
    let frames: Vec<_> = frames.iter().collect();
    let mut out = std::io::stdout();
    for (manifest, files) in args.choice.models()? {
        let name = &manifest.name;
        let mut tell = |progress: Progress| {
            if let Some(line) = line(progress).filter(|_| !args.json) {
                writeln!(std::io::stdout(), "{name}: {line}").ok();
            }
        };
        let made = quantize(&manifest, &files, &args.tuning.options(), &frames, &mut tell)?;
        let package = package::write(&args.out, &manifest, &made)
            .with_context(|| format!("the quantized model of {name}"))?;
        if args.json {
            let file = &package.manifest_file;
            let document = serde_json::json!({ "manifest": file, "report": made.report });
            writeln!(out, "{document}")?;
        } else {
            writeln!(out, "{}", made.report)?;
            let file = package.manifest_file.display();
            writeln!(out, "{}: written, loaded and run from {file}", package.manifest.name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn frames(&self) -> anyhow::Result<Vec<Frame>> {
        let count = self.count as usize;
        let frames = match (&self.folder.images, &self.camera.camera) {
            (Some(_), None) => self.folder.read(count)?,
            (None, Some(_)) => self.camera.take(count)?,
            _ => anyhow::bail!("pictures come from --images FOLDER or from --camera URL"),
        };
        ensure!(!frames.is_empty(), "there are no pictures (.jpg, .jpeg or .png)");
        Ok(frames)
    }
}

/// The model that `manifest` describes, quantized with what it sees in `frames`.
pub(crate) fn quantize(
    manifest: &ModelManifest,
    files: &ModelFiles,
    options: &Options,
    frames: &[&Frame],
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<Quantized> {
    let network = package::read(manifest, files)?;
    let mut preprocessor = Preprocessor::new(manifest.input.clone());
    let inputs =
        frames.iter().map(|frame| Ok(preprocessor.run(frame, BBox::WHOLE)?.0.try_clone()?));
    let inputs: Vec<_> = inputs.collect::<anyhow::Result<_>>()?;
    let outputs = package::outputs(manifest);
    let job = Quantizer {
        network: &network,
        options,
        outputs: &outputs,
        progress: tell,
        cancel: &AtomicBool::new(false),
    };
    job.run(&inputs).with_context(|| format!("quantizing {}", manifest.name))
}

/// What to say of a step, about ten times a stage.
fn line(Progress { stage, done, of }: Progress) -> Option<String> {
    let tenth = |done: usize| done * 10 / of.max(1);
    if stage != Stage::Model && tenth(done) == tenth(done - 1) {
        return None;
    }
    Some(match stage {
        Stage::Ranges => format!("ranges, picture {done} of {of}"),
        Stage::Histograms => format!("histograms, picture {done} of {of}"),
        Stage::Layers => format!("what each layer costs, {done} of {of}"),
        Stage::Model => format!("the whole model, attempt {done}"),
    })
}
