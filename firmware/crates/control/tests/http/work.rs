//! Jobs, models and the detector in memory.

use std::sync::{Arc, Mutex};

use api::access::Role;
use api::backtest::RuleTrial;
use api::jobs::{Job, JobKind, JobState};
use api::models::{BenchmarkDetector, Inference, ModelDetail, NewModel, QuantizeModel};
use api::resources::Model;
use base::error::ErrorKind;
use edgecam_control::PortError;
use edgecam_control::ports::{
    Answer, Beginner, Bytes, DetectorBench, Jobs, ModelPart, ModelReceiver, Models, RuleTrials,
};
use futures::FutureExt;
use tokio::sync::{Semaphore, broadcast};

use crate::fake::Fake;

/// The model that there is.
pub(crate) const MODEL: &str = "nanodet-plus-m_320";
/// The job that there is from the start on, an admin's.
pub(crate) const JOB: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E";

/// Parts of uploads.
type Uploaded = Arc<Mutex<Vec<(ModelPart, Vec<u8>)>>>;

/// What is kept of it.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) jobs: Mutex<Vec<Job>>,
    /// Parts of uploads, in the order in which they came.
    pub(crate) uploaded: Uploaded,
    /// What was looked at, with which model and least score.
    pub(crate) looked: Mutex<Vec<(Bytes, Option<String>, f32)>>,
    /// A job begins only with a permit.
    pub(crate) may_begin: Semaphore,
}

impl Default for Work {
    fn default() -> Self {
        let device = job(JOB, None, &Beginner { by: "owner".into(), role: Role::Admin });
        Self {
            jobs: Mutex::new(vec![device]),
            uploaded: Arc::default(),
            looked: Mutex::default(),
            may_begin: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

pub(crate) fn job(id: &str, camera: Option<&str>, by: &Beginner) -> Job {
    Job {
        id: id.into(),
        kind: JobKind::BenchmarkDetector,
        state: JobState::Running,
        progress: 0.5,
        stage: "half".into(),
        camera: camera.map(str::to_owned),
        role: by.role,
        created_by: by.by.clone(),
        created_at: "2026-07-01T12:00:00Z".parse().unwrap(),
        started_at: None,
        ended_at: None,
        result: None,
        problem: None,
    }
}

fn model() -> Model {
    Model { name: MODEL.into(), ..Model::default() }
}

impl Fake {
    async fn begin(&self, camera: Option<&str>, by: Beginner) -> Result<Job, PortError> {
        self.work.may_begin.acquire().await.unwrap().forget();
        let mut jobs = self.work.jobs.lock().unwrap();
        let job = job(&format!("job-{}", jobs.len()), camera, &by);
        jobs.push(job.clone());
        Ok(job)
    }
}

impl Jobs for Fake {
    fn list(&self) -> Vec<Job> {
        self.work.jobs.lock().unwrap().iter().rev().cloned().collect()
    }

    fn get(&self, id: &str) -> Option<Job> {
        self.work.jobs.lock().unwrap().iter().find(|job| job.id == id).cloned()
    }

    fn cancel<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Job>> {
        async move {
            let mut jobs = self.work.jobs.lock().unwrap();
            let at = jobs.iter().position(|job| job.id == id).unwrap();
            Ok(Some(Job { state: JobState::Cancelled, ..jobs.remove(at) }))
        }
        .boxed()
    }

    fn subscribe(&self) -> broadcast::Receiver<Job> {
        broadcast::channel(1).1
    }
}

impl Models for Fake {
    fn list(&self) -> Answer<'_, Vec<Model>> {
        async { Ok(vec![model()]) }.boxed()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ModelDetail>> {
        let text = include_str!("../../../../models/nanodet_plus_m_320.toml");
        let detail = || ModelDetail { model: model(), manifest: toml::from_str(text).unwrap() };
        async move { Ok((name == MODEL).then(detail)) }.boxed()
    }

    fn upload(&self) -> Answer<'_, Box<dyn ModelReceiver>> {
        let receiver = Receiver(self.work.uploaded.clone());
        async { Ok(Box::new(receiver) as Box<dyn ModelReceiver>) }.boxed()
    }

    fn fetch(&self, _: NewModel, by: Beginner) -> Answer<'_, Job> {
        self.begin(None, by).boxed()
    }

    fn delete<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        let error = PortError::new(ErrorKind::FailedPrecondition, "it came with the firmware");
        async { Err(error) }.boxed()
    }

    fn quantize<'a>(&'a self, _: &'a str, _: QuantizeModel, by: Beginner) -> Answer<'a, Job> {
        self.begin(None, by).boxed()
    }
}

struct Receiver(Uploaded);

impl ModelReceiver for Receiver {
    fn take(&mut self, part: ModelPart, bytes: Bytes) -> Answer<'_, ()> {
        let mut parts = self.0.lock().unwrap();
        match parts.last_mut() {
            Some((last, all)) if *last == part => all.extend_from_slice(&bytes),
            _ => parts.push((part, bytes.to_vec())),
        }
        async { Ok(()) }.boxed()
    }

    fn finish(self: Box<Self>) -> Answer<'static, Model> {
        async { Ok(model()) }.boxed()
    }
}

impl DetectorBench for Fake {
    fn benchmark(&self, _: BenchmarkDetector, by: Beginner) -> Answer<'_, Job> {
        self.begin(None, by).boxed()
    }

    fn infer(&self, picture: Bytes, model: Option<String>, least: f32) -> Answer<'_, Inference> {
        self.work.looked.lock().unwrap().push((picture, model, least));
        async { Ok(Inference { model: MODEL.into(), ..Inference::default() }) }.boxed()
    }
}

impl RuleTrials for Fake {
    fn backtest<'a>(&'a self, camera: &'a str, _: RuleTrial, by: Beginner) -> Answer<'a, Job> {
        self.begin(Some(camera), by).boxed()
    }
}
