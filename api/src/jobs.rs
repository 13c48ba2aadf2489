//! Long work: what it is, how far it is, what came of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Role;
use crate::backtest::RuleBacktest;
use crate::models::{DetectorBenchmark, QuantizedModel};
use crate::problem::Problem;
use crate::resources::Model;
use crate::updates::InstalledUpdate;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Fetches a model and adds it.
    AddModel,
    /// Makes a model in 8-bit integers.
    QuantizeModel,
    /// Measures how fast models are here.
    BenchmarkDetector,
    /// Tries other zones and lines on what was tracked.
    BacktestRules,
    /// Fetches an update, if it is not here, and installs it.
    InstallUpdate,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for others to end.
    Queued,
    /// It runs.
    Running,
    /// It is done; `result` says what came of it.
    Done,
    /// It failed; `problem` says why.
    Failed,
    /// Somebody cancelled it, or the daemon stopped. Nothing of it is left.
    Cancelled,
}

impl JobState {
    /// Whether nothing more comes.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// Long work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id, a ULID. Forgotten when the daemon starts again.
    #[schema(example = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E")]
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// Where it is in its life.
    pub state: JobState,
    /// How much of it is done, 0..=1.
    #[schema(minimum = 0, maximum = 1)]
    pub progress: f32,
    /// What it is at, for people.
    #[schema(example = "ranges, picture 12 of 48")]
    pub stage: String,
    /// The camera that it is about; null: the device. Who does not see that does not see the job.
    pub camera: Option<String>,
    /// The role that it takes to cancel it: the one that it took to begin it.
    pub role: Role,
    /// Who began it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Since when it runs; null while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended; null while it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What came of it; null unless it is done.
    pub result: Option<JobResult>,
    /// Why it failed; null unless it did.
    pub problem: Option<Problem>,
}

/// What came of a job; `type` is the kind of job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JobResult {
    /// The model that was added.
    AddModel(Model),
    /// The model that was made.
    QuantizeModel(QuantizedModel),
    /// What was measured.
    BenchmarkDetector(DetectorBenchmark),
    /// What would have fired.
    BacktestRules(RuleBacktest),
    /// The update that was installed.
    InstallUpdate(InstalledUpdate),
}
