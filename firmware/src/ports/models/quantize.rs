//! A model in 8-bit integers: a job that takes pictures of a camera and has a worker do the rest.

use std::time::Duration;

use api::jobs::{Job, JobKind, JobResult};
use api::manifest::ModelManifest;
use api::models::{QuantizeModel, QuantizedModel};
use api::problem::FieldProblem;
use api::status::CameraPhase;
use base::error::ErrorKind;
use control::PortError;
use control::ports::Beginner;
use link::work::{FromWorker, Task};

use super::{ModelPort, blocking, work};
use crate::cameras::CameraHandle;
use crate::jobs::{Context, Lane, Order};
use crate::models::{Refused, int8_name};
use crate::settings::refused;
use crate::workshop::{MAX_PIXELS, Way};

/// JPEG quality of the pictures.
const QUALITY: u8 = 92;
/// Share of the job that taking pictures is.
const TAKING: f32 = 0.2;
/// Pictures that may be missed in a row before the camera is given up.
const MOST_MISSED: u32 = 10;

/// What is to be done, checked.
struct Plan {
    model: ModelManifest,
    camera: CameraHandle,
    pictures: u32,
    interval: Duration,
    noise_budget: f64,
}

/// Begins to make a model in 8-bit integers of the model `name`.
pub(super) fn begin(
    port: ModelPort,
    name: &str,
    how: &QuantizeModel,
    by: Beginner,
) -> Result<Job, PortError> {
    let plan = plan(&port, name, how)?;
    let order = Order { kind: JobKind::QuantizeModel, camera: None, lane: Lane::Busy, by };
    let jobs = port.jobs.clone();
    jobs.begin(order, move |context| run(port, plan, context))
}

fn plan(port: &ModelPort, name: &str, how: &QuantizeModel) -> Result<Plan, PortError> {
    let unknown = || PortError::from(&Refused::Unknown(name.to_owned()));
    let model = port.library.find(name).ok_or_else(unknown)?;
    let not_so = |detail: String| Err(PortError::new(ErrorKind::FailedPrecondition, detail));
    if !port.library.is_installed(&model) {
        return not_so(format!("the files of the model \"{name}\" are not on this device"));
    }
    let int8 = int8_name(&model);
    if port.library.find(&int8).is_some() {
        return not_so(format!("there is a model \"{int8}\" already; delete it first"));
    }
    let pictures = how.pictures.unwrap_or(48);
    let interval_ms = how.interval_ms.unwrap_or(1000);
    let noise_budget = how.noise_budget.unwrap_or(0.004);
    let mut errors = Vec::new();
    let mut check = |pointer: &str, ok: bool, range: &str| {
        if !ok {
            let detail = format!("must be within {range}");
            errors.push(FieldProblem { pointer: pointer.to_owned(), detail });
        }
    };
    check("/pictures", (4..=200).contains(&pictures), "4..=200");
    check("/interval_ms", (50..=60_000).contains(&interval_ms), "50..=60000");
    check("/noise_budget", (0.0001..=0.1).contains(&noise_budget), "0.0001..=0.1");
    if let Some(id) = how.camera.as_deref().filter(|id| port.cameras.get(id).is_none()) {
        let detail = format!("there is no camera \"{id}\"; /api/v1/cameras lists them");
        errors.push(FieldProblem { pointer: "/camera".to_owned(), detail });
    }
    if !errors.is_empty() {
        return Err(PortError::input("a field is wrong; nothing was begun", errors));
    }
    let camera = camera(port, how.camera.as_deref())?;
    let interval = Duration::from_millis(interval_ms.into());
    Ok(Plan { model, camera, pictures, interval, noise_budget })
}

/// The camera `id`, or the first that runs.
fn camera(port: &ModelPort, id: Option<&str>) -> Result<CameraHandle, PortError> {
    let found = match id {
        Some(id) => port.cameras.get(id),
        None => {
            let runs = |camera: &CameraHandle| camera.view().status.phase == CameraPhase::Running;
            port.cameras.all().values().find(|camera| runs(camera)).cloned()
        }
    };
    found.ok_or_else(|| {
        PortError::new(ErrorKind::Unavailable, "no camera runs whose pictures could be taken")
    })
}

async fn run(port: ModelPort, plan: Plan, context: Context) -> Result<JobResult, PortError> {
    let pictures = take(&plan, &context).await?;
    let library = port.library.clone();
    let staging = blocking(move || library.staging().map_err(refused)).await?;
    let detector = port.settings.current().detector.clone();
    let task = Task::Quantize {
        model: Box::new(plan.model),
        noise_budget: plan.noise_budget,
        into: staging.path().display().to_string(),
        max_pixels: MAX_PIXELS,
    };
    let mut order = work(&detector, task);
    order.dirs = port.dirs();
    let told = |share: f32, stage| context.progress(TAKING + (0.95 - TAKING) * share, stage);
    let made = port.workshop.run(order, pictures, Way::GivesWay, told).await?;
    let FromWorker::Made {
        manifest,
        noise,
        int8_layers,
        layers,
        float_bytes,
        int8_bytes,
        pictures,
    } = made
    else {
        return Err(PortError::new(ErrorKind::Internal, "the worker made something else"));
    };
    context.progress(0.95, "trying it");
    // A worker is not to be trusted more than anybody else who brings a model.
    let newcomer = port.library.newcomer(*manifest).map_err(|error| PortError::from(&error))?;
    let model = port.add(newcomer, staging).await?;
    Ok(JobResult::QuantizeModel(QuantizedModel {
        model,
        pictures,
        noise,
        int8_layers,
        layers,
        float_bytes,
        int8_bytes,
    }))
}

/// Pictures of the camera, as they are streamed.
async fn take(plan: &Plan, context: &Context) -> Result<Vec<Vec<u8>>, PortError> {
    let mut pictures = Vec::new();
    let mut missed = 0;
    let mut ticks = tokio::time::interval(plan.interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while pictures.len() < plan.pictures as usize {
        ticks.tick().await;
        match plan.camera.snapshot(QUALITY).await {
            Ok(picture) => {
                pictures.push(picture);
                missed = 0;
            }
            Err(_) if missed < MOST_MISSED => missed += 1,
            Err(error) => return Err(PortError::new(error.kind, error.detail)),
        }
        let share = TAKING * pictures.len() as f32 / plan.pictures as f32;
        context.progress(share, format!("picture {} of {}", pictures.len(), plan.pictures));
    }
    Ok(pictures)
}
