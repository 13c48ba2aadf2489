//! Work with a model in a process of its own, `edgecam-camera work`: what decodes a stranger's picture or
//! loads a stranger's model may crash there, and `edgecamd` links none of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::error::ErrorKind;
use control::PortError;
use link::work::{FromWorker, ToWorker, Work};
use link::{LinkError, Receiver, Sender};
use supervise::{ChildSpec, Exit, Limits, LogFormat, Supervisor, Worker};
use tokio::net::unix::pipe;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::units::Units;

/// Its unit.
const UNIT: &str = "worker";
/// Most pixels of a picture.
pub(crate) const MAX_PIXELS: u64 = 25_000_000;
/// Looks at pictures that run or wait; more are refused.
const MOST_LOOKS: usize = 4;
/// A look waits for others so long.
const LOOK_WAITS: Duration = Duration::from_secs(3);

/// Signals by which native code goes down over what it was given: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV.
const FAULTS: [i32; 5] = [4, 6, 7, 8, 11];

/// Runs workers; clones share their limits.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    supervisor: Supervisor,
    program: PathBuf,
    unit: Option<PathBuf>,
    looks: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// How much a worker gives way to all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a camera does.
    Alongside,
    /// It takes what nobody else wants.
    GivesWay,
}

impl Workshop {
    /// Runs `program`, the `edgecam-camera` binary, in its unit where `units` have one.
    pub(crate) fn new(supervisor: Supervisor, program: PathBuf, units: &Units) -> Self {
        let (looks, queue) = (Semaphore::new(1), Semaphore::new(MOST_LOOKS));
        let unit = units.get(UNIT).map(|unit| unit.socket());
        Self { supervisor, program, unit, looks: Arc::new(looks), queue: Arc::new(queue) }
    }

    /// Has `work` done with `pictures`; `told` hears how far it is. Dropped, nothing of it is left.
    ///
    /// # Errors
    /// `InvalidArgument` when the picture or the model is to blame, also for a crash; else `Internal`.
    pub(crate) async fn run(
        &self,
        work: Work,
        pictures: Vec<Vec<u8>>,
        way: Way,
        told: impl Fn(f32, String),
    ) -> Result<FromWorker, PortError> {
        let started = self.supervisor.work(&self.spec(way)).await;
        let mut worker = started
            .map_err(|error| PortError::new(ErrorKind::Internal, base::error::chain(&error)))?;
        let Some((input, output)) = worker.take_pipes() else {
            return Err(PortError::new(ErrorKind::Internal, "a worker has no pipes"));
        };
        let (sent, came) =
            tokio::join!(say(Sender::new(input), work, pictures), hear(output, told));
        match came {
            Ok(Some(FromWorker::Failed { input, detail })) => {
                let kind = if input { ErrorKind::InvalidArgument } else { ErrorKind::Internal };
                Err(PortError::new(kind, detail))
            }
            Ok(Some(came)) => Ok(came),
            Ok(None) => Err(crashed(worker, sent.err()).await),
            Err(error) => Err(crashed(worker, Some(error)).await),
        }
    }

    /// The same for a single look at a picture or a model, which somebody waits for: done `within`, or
    /// given up. One at a time.
    ///
    /// # Errors
    /// As [`Self::run`]; `ResourceExhausted` when too many want one, `Unavailable` when it takes too long.
    pub(crate) async fn look(
        &self,
        work: Work,
        pictures: Vec<Vec<u8>>,
        within: Duration,
    ) -> Result<FromWorker, PortError> {
        let _turn = self.turn().await?;
        let run = self.run(work, pictures, Way::Alongside, |_, _| {});
        tokio::time::timeout(within, run).await.unwrap_or_else(|_| {
            let detail = format!(
                "it was not done within {} s: the device is busy, or the model too slow for it",
                within.as_secs()
            );
            Err(PortError::new(ErrorKind::Unavailable, detail))
        })
    }

    async fn turn(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), PortError> {
        let busy = || {
            let detail = "other pictures are being looked at; try again";
            PortError::new(ErrorKind::ResourceExhausted, detail)
        };
        let place = self.queue.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(LOOK_WAITS, self.looks.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        Ok((place, turn))
    }

    fn spec(&self, way: Way) -> ChildSpec {
        let mut spec = ChildSpec::new("worker", &self.program).args(["work"]);
        spec.unit.clone_from(&self.unit);
        spec.inherit_env = vec!["LD_LIBRARY_PATH".into()];
        // As for cameras: threads that spin take the processor from the streams.
        spec.env.push(("OMP_WAIT_POLICY".into(), "passive".into()));
        // When memory runs out, it goes before any camera.
        spec.limits = Limits { oom_score_adj: Some(800), ..Limits::default() };
        if way == Way::GivesWay {
            spec.limits.nice = Some(15);
        }
        spec.log.format = LogFormat::Tracing;
        spec
    }
}

async fn say(
    mut sender: Sender<ToWorker, pipe::Sender>,
    work: Work,
    pictures: Vec<Vec<u8>>,
) -> Result<(), LinkError> {
    sender.send(&ToWorker::Do(Box::new(work)), &[]).await?;
    for picture in pictures {
        sender.send(&ToWorker::Picture, &picture).await?;
    }
    sender.send(&ToWorker::Enough, &[]).await
}

/// What came of it; `None`: it ended without a word.
async fn hear(
    output: pipe::Receiver,
    told: impl Fn(f32, String),
) -> Result<Option<FromWorker>, LinkError> {
    let mut receiver = Receiver::<FromWorker, _>::new(output);
    while let Some((word, _)) = receiver.receive().await? {
        match word {
            FromWorker::Progress { share, stage } => told(share, stage),
            came => return Ok(Some(came)),
        }
    }
    Ok(None)
}

async fn crashed(worker: Worker, error: Option<LinkError>) -> PortError {
    let broke = error.as_ref().map(|error| base::error::chain(error));
    let ended = tokio::time::timeout(Duration::from_secs(2), worker.ended()).await.ok();
    let words = ended.as_ref().and_then(|ended| ended.last_words.clone()).or(broke);
    let kind = match ended.as_ref().map(|ended| ended.exit) {
        Some(Exit::Signal(signal)) if FAULTS.contains(&signal) => ErrorKind::InvalidArgument,
        _ => ErrorKind::Internal,
    };
    let how = ended.map_or_else(|| "hangs".to_owned(), |ended| ended.exit.to_string());
    let detail = match words {
        Some(words) => format!("the process that did it {how}: {words}"),
        None => format!("the process that did it {how}"),
    };
    PortError::new(kind, detail)
}
