//! The detector beside the cameras' own work: measured, and tried on a picture.

use std::time::Duration;

use api::jobs::{Job, JobKind, JobResult};
use api::manifest::ModelManifest;
use api::models::{BenchmarkDetector, DetectorBenchmark, Inference};
use api::problem::FieldProblem;
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Beginner, Bytes, DetectorBench};
use futures::FutureExt;
use link::work::{FromWorker, Task, Work};

use super::ModelPort;
use super::models::{blocking, work};
use crate::jobs::{Context, Lane, Order};
use crate::models::Refused;
use crate::workshop::{MAX_PIXELS, Way};

/// A look at a picture is done within this time: with the wait for it, less than the API waits.
const LOOK_WITHIN: Duration = Duration::from_secs(6);
/// Most models of a measurement.
const MOST_MODELS: usize = 16;
/// Most numbers of threads.
const MOST_THREADS: usize = 4;

impl DetectorBench for ModelPort {
    fn benchmark(&self, what: BenchmarkDetector, by: Beginner) -> Answer<'_, Job> {
        let port = self.clone();
        async move {
            let looking = port.clone();
            let work = blocking(move || looking.measurement(&what)).await?;
            let order =
                Order { kind: JobKind::BenchmarkDetector, camera: None, lane: Lane::Busy, by };
            let jobs = port.jobs.clone();
            jobs.begin(order, move |context| measure(port, work, context))
        }
        .boxed()
    }

    fn infer(
        &self,
        picture: Bytes,
        model: Option<String>,
        min_score: f32,
    ) -> Answer<'_, Inference> {
        let port = self.clone();
        async move {
            let looking = port.clone();
            let work = blocking(move || looking.look_with(model.as_deref(), min_score)).await?;
            match port.workshop.look(work, vec![picture.to_vec()], LOOK_WITHIN).await? {
                FromWorker::Seen(seen) => Ok(seen),
                _ => Err(PortError::new(ErrorKind::Internal, "the worker did something else")),
            }
        }
        .boxed()
    }
}

async fn measure(port: ModelPort, work: Work, context: Context) -> Result<JobResult, PortError> {
    let told = |share, stage| context.progress(share, stage);
    match port.workshop.run(work, Vec::new(), Way::Alongside, told).await? {
        FromWorker::Measured { rows } => {
            Ok(JobResult::BenchmarkDetector(DetectorBenchmark { rows }))
        }
        _ => Err(PortError::new(ErrorKind::Internal, "the worker did something else")),
    }
}

impl ModelPort {
    /// The look at a picture with the model `name`, or the one that the settings choose. Blocks.
    fn look_with(&self, name: Option<&str>, min_score: f32) -> Result<Work, PortError> {
        let detector = self.settings.current().detector.clone();
        let model = match name {
            Some(name) => self.library.find(name),
            None => self.library.chosen(&detector).ok(),
        };
        let unknown = || PortError::from(&Refused::Unknown(name.unwrap_or_default().to_owned()));
        let model = model.ok_or_else(unknown)?;
        self.is_here(&model)?;
        let task = Task::Infer { model: Box::new(model), min_score, max_pixels: MAX_PIXELS };
        Ok(Work { dirs: self.dirs(), ..work(&detector, task) })
    }

    fn is_here(&self, model: &ModelManifest) -> Result<(), PortError> {
        if self.library.is_installed(model) {
            return Ok(());
        }
        let detail = format!("the files of the model \"{}\" are not on this device", model.name);
        Err(PortError::new(ErrorKind::Unavailable, detail))
    }

    /// The measurement that `what` asks for. Blocks.
    fn measurement(&self, what: &BenchmarkDetector) -> Result<Work, PortError> {
        let mut detector = self.settings.current().detector.clone();
        let mut errors = Vec::new();
        let mut wrong =
            |pointer: String, detail: String| errors.push(FieldProblem { pointer, detail });
        let models = match &what.models {
            None => {
                let all = self.library.all().into_iter();
                all.filter(|model| self.library.is_installed(model)).take(MOST_MODELS).collect()
            }
            Some(names) => self.named(names, &mut wrong),
        };
        let threads = what.threads.clone().unwrap_or_else(|| vec![detector.threads.unwrap_or(1)]);
        if !(1..=MOST_THREADS).contains(&threads.len()) {
            wrong("/threads".into(), format!("must be 1 to {MOST_THREADS} numbers"));
        }
        for (at, _) in threads.iter().enumerate().filter(|(_, threads)| !(1..=8).contains(*threads))
        {
            wrong(format!("/threads/{at}"), "must be within 1..=8".into());
        }
        let duration_ms = what.duration_ms.unwrap_or(2000);
        if !(100..=60_000).contains(&duration_ms) {
            wrong("/duration_ms".into(), "must be within 100..=60000".into());
        }
        if !errors.is_empty() {
            return Err(PortError::input("a field is wrong; nothing was begun", errors));
        }
        detector.precision = what.precision.or(detector.precision);
        let threads = threads.into_iter().map(u32::from).collect();
        let task = Task::Benchmark { models, threads, duration_ms };
        Ok(Work { dirs: self.dirs(), ..work(&detector, task) })
    }

    /// The models `names`; what is wrong with them is told to `wrong`.
    fn named(&self, names: &[String], wrong: &mut dyn FnMut(String, String)) -> Vec<ModelManifest> {
        if !(1..=MOST_MODELS).contains(&names.len()) {
            wrong("/models".into(), format!("must be 1 to {MOST_MODELS} names"));
            return Vec::new();
        }
        let mut models = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match self.library.find(name) {
                None => wrong(format!("/models/{at}"), Refused::Unknown(name.clone()).to_string()),
                Some(model) if !self.library.is_installed(&model) => {
                    let detail = "its files are not on this device".to_owned();
                    wrong(format!("/models/{at}"), detail);
                }
                Some(model) => models.push(model),
            }
        }
        models
    }
}
