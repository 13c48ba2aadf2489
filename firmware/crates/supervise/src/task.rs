//! The loop behind a [`crate::ChildHandle`]: starts the child's process, watches it, ends it,
//! starts it again. What to do next is decided in [`crate::plan`].

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use base::clock;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use crate::capture::Capture;
use crate::error::SuperviseError;
use crate::handle::{Command, Pulse, Restart};
use crate::plan::{End, Next, Restarts, Verdict, Watch};
use crate::process::Process;
use crate::spawner::Spawner;
use crate::spec::{ChildSpec, Health};
use crate::status::{ChildStatus, Exit, LastExit, Phase, Stopped};
use crate::streams::Pipes;

/// A child without heartbeats that lives for so long has come up: an earlier error is over.
const SETTLED: Duration = Duration::from_secs(5);

pub(crate) struct ChildTask {
    spec: ChildSpec,
    spawner: Spawner,
    requests: mpsc::Receiver<Command>,
    status: watch::Sender<ChildStatus>,
    pulse: Arc<Pulse>,
    end: watch::Receiver<bool>,
    restarts: Restarts,
    /// Whether the next start is the first.
    fresh: bool,
    /// Since when the current process is known to be well.
    well_since: Option<Duration>,
    /// Processes that did not die when killed.
    stuck: Vec<Process>,
}

/// Something that asks for the child's process to end.
enum Event {
    /// It has ended.
    Exited(Exit),
    /// It gives no sign of life.
    Hung { reason: String },
    /// A restart was asked for.
    Restart { how: Restart, reason: String, spec: Option<Box<ChildSpec>> },
    /// A stop was asked for.
    Stop { done: oneshot::Sender<Stopped> },
    /// All handles or the supervisor are gone, or it was shut down.
    Leave,
}

/// Whether the task goes on.
enum Life {
    Goes(Next),
    Over,
}

impl ChildTask {
    pub(crate) fn new(
        spec: ChildSpec,
        spawner: Spawner,
        requests: mpsc::Receiver<Command>,
        status: watch::Sender<ChildStatus>,
        pulse: Arc<Pulse>,
        end: watch::Receiver<bool>,
    ) -> Self {
        let restarts = Restarts::new(spec.restart);
        Self {
            spec,
            spawner,
            requests,
            status,
            pulse,
            end,
            restarts,
            fresh: true,
            well_since: None,
            stuck: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        let mut next = Next::Start;
        loop {
            let life = match next {
                Next::Start => self.live().await,
                Next::StartIn(wait) => {
                    let until = after(wait);
                    tracing::info!(child = self.spec.name, ?wait, "child starts again later");
                    self.publish(|s| s.phase = Phase::BackingOff { until });
                    self.wait(Some(wait)).await
                }
                Next::Hopeless(wait) => {
                    let retry_at = wait.map(after);
                    self.publish(|s| s.phase = Phase::Failed { retry_at });
                    self.wait(wait).await
                }
                Next::Rest => {
                    self.publish(|s| s.phase = Phase::Stopped);
                    self.wait(None).await
                }
            };
            match life {
                Life::Goes(following) => next = following,
                Life::Over => break,
            }
        }
        self.publish(|s| s.phase = Phase::Stopped);
    }

    /// One process, from its start to its end.
    async fn live(&mut self) -> Life {
        self.stuck.retain_mut(|process| process.try_reap().is_none());
        self.publish(|s| s.phase = Phase::Starting);
        let (mut process, capture) = match self.start().await {
            Ok(started) => started,
            Err(error) => return Life::Goes(self.not_started(&error)),
        };
        let started = clock::monotonic();
        let event = self.watch(&mut process, started).await;
        let well_for = self.well_for();
        self.pulse.reset(0);
        self.finish(process, capture, event, well_for).await
    }

    async fn start(&mut self) -> Result<(Process, Capture), SuperviseError> {
        self.pulse.reset(0);
        let spawned = self.spawner.spawn(&self.spec, Pipes::Log).await?;
        let mut process = Process::new(spawned, self.spawner.clone())?;
        let (output, errors) = (process.take_output(), process.take_errors());
        let capture = Capture::start(&self.spec.name, output, errors, self.spec.log);
        let pid = process.id();
        self.pulse.reset(pid);
        self.well_since = None;
        let first = std::mem::replace(&mut self.fresh, false);
        let alive = self.spec.health == Health::Alive;
        self.publish(|s| {
            s.pid = Some(pid);
            s.started_at = Some(clock::wall());
            s.restarts += u64::from(!first);
            if alive {
                s.phase = Phase::Running;
            }
        });
        tracing::info!(child = self.spec.name, pid, "child started");
        Ok((process, capture))
    }

    fn not_started(&mut self, error: &SuperviseError) -> Next {
        let text = base::error::chain(error);
        // A missing program is told once, not at every try.
        if self.status.borrow().last_error.as_ref() != Some(&text) {
            tracing::error!(child = self.spec.name, error = text, "child not started");
        }
        self.publish(|s| s.last_error = Some(text));
        let end = if error.needs_a_person() { End::Hopeless } else { End::NotStarted };
        self.restarts.after(end, Duration::ZERO)
    }

    /// Waits until the process has ended or has to.
    async fn watch(&mut self, process: &mut Process, started: Duration) -> Event {
        let mut watch = Watch::new(self.spec.health, started);
        let pulse = Arc::clone(&self.pulse);
        let mut look = Duration::ZERO;
        if self.spec.health == Health::Alive {
            self.well_since = Some(started);
        }
        let mut settling = Some(SETTLED);
        loop {
            // Cancel-safe: each arm is a wait that loses nothing when dropped.
            tokio::select! {
                exit = process.exited() => return Event::Exited(exit),
                event = next_event(&mut self.requests, &mut self.end) => return event,
                () = pulse.first.notified() => {}
                () = sleep_or_never(settling) => settling = None,
                () = sleep_or_never(Some(look)) => {}
            }
            let beat = pulse.last();
            let well = match self.spec.health {
                Health::Alive => settling.is_none(),
                Health::Heartbeat { .. } => beat.is_some(),
            };
            if well {
                self.well_since = self.well_since.or(beat);
                self.publish_well();
            }
            match watch.look(clock::monotonic(), beat) {
                Verdict::Fine(wait) => look = wait,
                verdict => return Event::Hung { reason: complaint(verdict) },
            }
        }
    }

    /// Ends the process, where it has not ended, and says what follows.
    async fn finish(
        &mut self,
        mut process: Process,
        capture: Capture,
        event: Event,
        well_for: Duration,
    ) -> Life {
        let (how, reason) = match &event {
            Event::Exited(_) => (None, None),
            Event::Hung { reason } => (Some(Restart::AtOnce), Some(reason.clone())),
            Event::Restart { how, reason, .. } => (Some(*how), Some(reason.clone())),
            Event::Stop { .. } | Event::Leave => (Some(Restart::Politely), Some("stopped".into())),
        };
        let (stopped, exit) = match (how, &event) {
            (Some(how), _) => {
                let name = &self.spec.name;
                let because = reason.as_deref().unwrap_or_default();
                if matches!(event, Event::Hung { .. }) {
                    tracing::warn!(child = name, because, "child hangs: killing it");
                } else {
                    tracing::info!(child = name, because, "ending child");
                }
                self.publish(|s| s.phase = Phase::Stopping);
                process.terminate(how, self.spec.stop).await
            }
            (None, Event::Exited(exit)) => (Stopped::WasNotRunning, Some(*exit)),
            (None, _) => (Stopped::WasNotRunning, None),
        };
        let last_words = capture.finish().await;
        match exit {
            Some(exit) => self.publish_end(exit, reason, last_words, well_for, &event),
            None => self.publish_stuck(process),
        }
        self.follow(event, stopped, well_for)
    }

    fn follow(&mut self, event: Event, stopped: Stopped, well_for: Duration) -> Life {
        let stuck = stopped == Stopped::Stuck;
        Life::Goes(match event {
            Event::Leave => return Life::Over,
            Event::Stop { done } => {
                let next = self.restarts.after(End::StopAsked, well_for);
                self.publish(|s| s.phase = Phase::Stopped);
                // Whoever asked may have gone meanwhile.
                let _ = done.send(stopped);
                next
            }
            Event::Restart { spec, .. } => {
                self.take_spec(spec);
                let end = if stuck { End::Hopeless } else { End::RestartAsked };
                self.restarts.after(end, well_for)
            }
            Event::Hung { .. } => {
                let end = if stuck { End::Hopeless } else { End::Hung };
                self.restarts.after(end, well_for)
            }
            Event::Exited(exit) => self.restarts.after(End::Exited(exit), well_for),
        })
    }

    /// Waits without a process.
    async fn wait(&mut self, wait: Option<Duration>) -> Life {
        loop {
            // Cancel-safe: as above.
            let event = tokio::select! {
                event = next_event(&mut self.requests, &mut self.end) => event,
                () = sleep_or_never(wait) => return Life::Goes(Next::Start),
            };
            match event {
                Event::Leave => return Life::Over,
                Event::Stop { done } => {
                    self.publish(|s| s.phase = Phase::Stopped);
                    let _ = done.send(Stopped::WasNotRunning);
                    return Life::Goes(Next::Rest);
                }
                Event::Restart { spec, reason, .. } => {
                    tracing::info!(child = self.spec.name, because = reason, "starting child");
                    self.take_spec(spec);
                    return Life::Goes(self.restarts.after(End::RestartAsked, Duration::ZERO));
                }
                Event::Exited(_) | Event::Hung { .. } => {}
            }
        }
    }

    fn take_spec(&mut self, spec: Option<Box<ChildSpec>>) {
        if let Some(spec) = spec {
            self.spec = ChildSpec { name: std::mem::take(&mut self.spec.name), ..*spec };
            self.restarts = Restarts::new(self.spec.restart);
        }
    }

    /// How long the process was well: up to now, or to its last heartbeat.
    fn well_for(&self) -> Duration {
        let until = match self.spec.health {
            Health::Alive => clock::monotonic(),
            Health::Heartbeat { .. } => self.pulse.last().unwrap_or_default(),
        };
        self.well_since.map(|since| until.saturating_sub(since)).unwrap_or_default()
    }

    fn publish_well(&self) {
        self.status.send_if_modified(|s| {
            let news = s.phase != Phase::Running || s.last_error.is_some();
            s.phase = Phase::Running;
            s.last_error = None;
            news
        });
    }

    fn publish_end(
        &self,
        exit: Exit,
        reason: Option<String>,
        last_words: Option<String>,
        well_for: Duration,
        event: &Event,
    ) {
        let seconds = well_for.as_secs_f32();
        let last = LastExit { exit, reason, at: clock::wall() };
        let error = match event {
            Event::Exited(_) => Some(match last_words {
                Some(words) => format!("{last} after {seconds:.1} s: {words}"),
                None => format!("{last} after {seconds:.1} s"),
            }),
            Event::Hung { reason } => Some(format!("{reason}: killed")),
            _ => None,
        };
        let name = &self.spec.name;
        match (&error, exit.is_success()) {
            (Some(error), false) => tracing::warn!(child = name, error, "child ended"),
            _ => tracing::info!(child = name, exit = %last, "child ended"),
        }
        self.publish(|s| {
            s.pid = None;
            s.started_at = None;
            s.last_exit = Some(last);
            s.last_error = error;
        });
    }

    fn publish_stuck(&mut self, process: Process) {
        let pid = process.id();
        let error = format!(
            "process {pid} does not die when killed: it hangs in the kernel, most likely in a \
             driver; if it stays so, the device must be restarted"
        );
        tracing::error!(child = self.spec.name, pid, "child does not die when killed");
        self.stuck.push(process);
        self.publish(|s| s.last_error = Some(error));
    }

    fn publish(&self, change: impl FnOnce(&mut ChildStatus)) {
        self.status.send_modify(change);
    }
}

async fn next_event(
    requests: &mut mpsc::Receiver<Command>,
    end: &mut watch::Receiver<bool>,
) -> Event {
    tokio::select! {
        biased;
        // An error means that the supervisor was dropped.
        _ = end.wait_for(|end| *end) => Event::Leave,
        request = requests.recv() => match request {
            Some(Command::Restart { how, reason, spec }) => Event::Restart { how, reason, spec },
            Some(Command::Stop { done }) => Event::Stop { done },
            None => Event::Leave,
        },
    }
}

async fn sleep_or_never(wait: Option<Duration>) {
    match wait {
        Some(Duration::MAX) | None => pending().await,
        Some(wait) => sleep(wait).await,
    }
}

fn after(wait: Duration) -> Timestamp {
    clock::wall() + jiff::SignedDuration::try_from(wait).unwrap_or_default()
}

fn complaint(verdict: Verdict) -> String {
    match verdict {
        Verdict::NeverStarted(silent) => {
            format!("not ready {:.1} s after its start", silent.as_secs_f32())
        }
        Verdict::Silent(silent) | Verdict::Fine(silent) => {
            format!("no sign of life for {:.1} s", silent.as_secs_f32())
        }
    }
}
