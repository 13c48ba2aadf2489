//! A process that is given one thing to do, is talked to over its standard input and output, and ends.
//! It is never started again.

use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use crate::capture::Capture;
use crate::error::SuperviseError;
use crate::handle::Restart;
use crate::process::Process;
use crate::spec::ChildSpec;
use crate::status::Exit;
use crate::streams::Pipes;
use crate::supervisor::Supervisor;

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// What it complained of last on standard error.
    pub last_words: Option<String>,
}

/// A worker. Dropping it kills it, with all that it started.
#[derive(Debug)]
#[must_use = "a worker is killed when it is dropped"]
pub struct Worker {
    pipes: Option<(pipe::Sender, pipe::Receiver)>,
    ended: oneshot::Receiver<Ended>,
    /// Dropped with this, which is the sign to kill it.
    _alive: oneshot::Sender<()>,
}

impl Worker {
    /// Where it listens and where it speaks; `None` when taken before.
    pub fn take_pipes(&mut self) -> Option<(pipe::Sender, pipe::Receiver)> {
        self.pipes.take()
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        // A task that is gone was cut off with the runtime.
        let unknown = Ended { exit: Exit::Unknown, last_words: None };
        (&mut self.ended).await.unwrap_or(unknown)
    }
}

impl Supervisor {
    /// Starts a process for one thing to do: `spec` without its health and restart policies, standard
    /// error into the log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn work(&self, spec: &ChildSpec) -> Result<Worker, SuperviseError> {
        let spawned = self.spawner.spawn(spec, Pipes::Talk).await?;
        let mut process = Process::new(spawned, self.spawner.clone())?;
        let watch = |source| SuperviseError::Watch { pid: 0, source };
        let (input, output) = (process.take_input(), process.take_output());
        let capture = Capture::start(&spec.name, None, process.take_errors(), spec.log);
        let pipes = match input.zip(output) {
            Some((input, output)) => Some((
                pipe::Sender::from_owned_fd(input).map_err(watch)?,
                pipe::Receiver::from_owned_fd(output).map_err(watch)?,
            )),
            None => None,
        };
        tracing::info!(child = spec.name, pid = process.id(), "worker started");
        let (tell, ended) = oneshot::channel();
        let (alive, gone) = oneshot::channel::<()>();
        let (mut end, stop, name) = (self.end.subscribe(), spec.stop, spec.name.clone());
        self.tasks.spawn(async move {
            // Cancel-safe: all arms only wait.
            let exit = tokio::select! {
                exit = process.exited() => Some(exit),
                _ = gone => None,
                _ = end.wait_for(|end| *end) => None,
            };
            let exit = match exit {
                Some(exit) => exit,
                None => process.terminate(Restart::AtOnce, stop).await.1.unwrap_or(Exit::Unknown),
            };
            let last_words = capture.finish().await;
            tracing::info!(child = name, %exit, "worker ended");
            // Who dropped the worker does not want to know.
            let _ = tell.send(Ended { exit, last_words });
        });
        Ok(Worker { pipes, ended, _alive: alive })
    }
}
