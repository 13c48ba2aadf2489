//! One camera: its process, its link, its status, and requests to it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::governor::GovernorStep;
use api::status::{CameraPhase, CameraStats, CameraStatus, Counts, DetectorStatus};
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use link::{CameraOrder, FromCamera, Happening, Sender, ToCamera, TrackBatch};
use supervise::{ChildHandle, ChildSpec, Health, Limits, LogFormat, Restart, StopPolicy};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::health::{SILENCE, START, complaint};
use super::open::Open;
use super::server::Connection;
use super::{CameraError, CameraView, Request, Surroundings};
use crate::announce::{self, Now};
use crate::recorder::{Latencies, Record, Recorder};

/// Messages of a camera process that may wait for the task.
const HEARD: usize = 64;
/// How long a camera process may take to end its events and its pipeline.
const GRACE: Duration = Duration::from_secs(4);
/// What a process that is gone still had on its way is read within this time.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A request that is not answered within this time fails.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often requests are looked through for late ones.
const TICK: Duration = Duration::from_secs(1);

/// Where a camera's task gets its orders from.
pub(super) struct Inputs {
    /// Processes that said hello.
    pub(super) connections: mpsc::Receiver<Connection>,
    /// Requests of the API.
    pub(super) requests: mpsc::Receiver<Request>,
    /// The stop.
    pub(super) shutdown: Shutdown,
}

/// The loop behind a [`super::CameraHandle`].
pub(super) struct CameraTask {
    order: CameraOrder,
    inputs: Inputs,
    child: Option<ChildHandle>,
    recorder: Recorder,
    latencies: Latencies,
    view: watch::Sender<Arc<CameraView>>,
    process: Option<Process>,
    heard: (mpsc::Sender<Heard>, mpsc::Receiver<Heard>),
    open: HashMap<u64, Open>,
    next_request: u64,
    since: Instant,
    connections_seen: u64,
}

/// The process at the other end of the link.
struct Process {
    number: u64,
    pid: u32,
    sender: Sender<ToCamera>,
}

/// Something that the reader of connection `number` heard; `None`: it ended.
type Heard = (u64, Option<(FromCamera, Vec<u8>)>);

impl CameraTask {
    /// The task, and where it shows what it knows. An enabled camera's process is started here.
    pub(super) fn new(
        order: CameraOrder,
        socket: &Path,
        surroundings: &Surroundings,
        inputs: Inputs,
    ) -> (Self, watch::Receiver<Arc<CameraView>>) {
        let enabled = order.settings.enabled.unwrap_or(true);
        let child = enabled
            .then(|| surroundings.supervisor.spawn(spec(&order, socket, &surroundings.program)));
        let status = CameraStatus {
            id: order.camera.clone(),
            name: name_of(&order),
            phase: if enabled { CameraPhase::Starting } else { CameraPhase::Disabled },
            detector: DetectorStatus {
                model: order.model.name.clone(),
                note: order.model_note.clone(),
                ..DetectorStatus::default()
            },
            ..CameraStatus::default()
        };
        let view = CameraView { status, stats: CameraStats::default() };
        let (view, shown) = watch::channel(Arc::new(view));
        let task = Self {
            order,
            inputs,
            child,
            recorder: surroundings.recorder.clone(),
            latencies: surroundings.latencies.clone(),
            view,
            process: None,
            heard: mpsc::channel(HEARD),
            open: HashMap::new(),
            next_request: 0,
            since: Instant::now(),
            connections_seen: 0,
        };
        (task, shown)
    }

    /// Runs until the stop; then lets the process end its events.
    pub(super) async fn run(mut self) {
        let mut child = self.child.as_ref().map(ChildHandle::watch);
        let mut tick = tokio::time::interval(TICK);
        // Cancel-safe: every arm receives from a channel or a watch, or waits for a timer.
        loop {
            tokio::select! {
                () = self.inputs.shutdown.wait() => break,
                Some(connection) = self.inputs.connections.recv() => self.connect(connection).await,
                Some((number, heard)) = self.heard.1.recv() => self.hear(number, heard).await,
                Some(request) = self.inputs.requests.recv() => self.ask(request).await,
                Some(()) = changed(&mut child) => self.on_child(),
                _ = tick.tick() => {
                    self.drop_late();
                    self.tell_latencies().await;
                }
            }
        }
        self.stop().await;
    }

    /// A process said hello: it is told what to do, and whatever the one before left is ended.
    async fn connect(&mut self, connection: Connection) {
        self.hear_out(LAST_WORDS).await;
        self.disconnect("another process took its place").await;
        self.since = Instant::now();
        self.connections_seen += 1;
        let number = self.connections_seen;
        let Connection { pid, mut receiver, mut sender } = connection;
        if let Err(error) =
            sender.send(&ToCamera::Configure(Box::new(self.order.clone())), &[]).await
        {
            tracing::warn!(
                camera = self.order.camera,
                error = base::error::chain(&error),
                "configuring"
            );
            return;
        }
        self.process = Some(Process { number, pid, sender });
        let heard = self.heard.0.clone();
        tokio::spawn(async move {
            loop {
                let message = match receiver.receive().await {
                    Ok(message) => message,
                    Err(error) => {
                        tracing::warn!(error = base::error::chain(&error), "a camera's link broke");
                        None
                    }
                };
                let ended = message.is_none();
                if heard.send((number, message)).await.is_err() || ended {
                    break;
                }
            }
        });
        self.enter(CameraPhase::Starting, None);
    }

    /// Forgets the process: its open events end, nothing is in the picture, requests fail.
    async fn disconnect(&mut self, why: &str) {
        if self.process.take().is_none() {
            return;
        }
        for (_, open) in self.open.drain() {
            open.fail(CameraError::new(
                ErrorKind::Unavailable,
                format!("the camera stopped: {why}"),
            ));
        }
        self.record(Record::CameraGone { camera: self.order.camera.clone() }).await;
        self.view.send_modify(|view| {
            let view = Arc::make_mut(view);
            view.status.counts = Counts::default();
            view.status.detector.running = false;
            view.status.detector.governor = None;
            view.stats = CameraStats::default();
        });
    }

    async fn hear(&mut self, number: u64, heard: Option<(FromCamera, Vec<u8>)>) {
        if self.process.as_ref().is_none_or(|process| process.number != number) {
            return;
        }
        match heard {
            Some((message, blob)) => self.on_message(message, blob).await,
            None => {
                self.disconnect("its process ended").await;
                self.enter(CameraPhase::Starting, None);
            }
        }
    }

    async fn on_message(&mut self, message: FromCamera, blob: Vec<u8>) {
        match message {
            FromCamera::Happened(happening) => self.record_happening(*happening).await,
            FromCamera::Tracks(batch) => self.record_tracks(*batch, blob).await,
            FromCamera::Governed { step, at_ns } => self.record_step(*step, at_ns).await,
            FromCamera::Counts(counts) => {
                self.view.send_modify(|view| Arc::make_mut(view).status.counts = counts);
            }
            FromCamera::Stats(stats) => self.on_stats(*stats).await,
            FromCamera::State { phase, error, pipeline, detector } => {
                self.view.send_modify(|view| {
                    let status = &mut Arc::make_mut(view).status;
                    (status.pipeline, status.detector) = (pipeline, *detector);
                    status.detector.note.clone_from(&self.order.model_note);
                });
                self.enter(phase, error);
            }
            FromCamera::Snapshot { request, error } => self.on_snapshot(request, error, blob),
            FromCamera::Applied { request, needs_restart, error } => {
                self.on_applied(request, &needs_restart, error);
            }
            FromCamera::Hello { .. } => {
                tracing::warn!(camera = self.order.camera, "said hello twice: ignored");
            }
        }
    }

    async fn record_happening(&mut self, happening: Happening) {
        match announce::event(&self.order.camera, happening, Now::read()) {
            Ok(event) => self.record(Record::Event(Box::new(event))).await,
            Err(error) => {
                tracing::error!(camera = self.order.camera, %error, "an event has no valid id");
            }
        }
    }

    async fn record_tracks(&mut self, batch: TrackBatch, body: Vec<u8>) {
        let tracks = announce::tracks(&self.order.camera, batch, body, Now::read());
        self.record(Record::Tracks(tracks)).await;
    }

    async fn record_step(&mut self, step: GovernorStep, at_ns: u64) {
        let event = announce::step(&self.order.camera, step, at_ns, Now::read());
        self.record(Record::Event(Box::new(event))).await;
    }

    /// Hands a record to the recorder and waits while its queue is full (a full disk). That is not
    /// the process's fault: it counts as well meanwhile.
    async fn record(&self, record: Record) {
        let mut sending = std::pin::pin!(self.recorder.send(record));
        loop {
            // Cancel-safe: the send is pinned outside and goes on with the next turn.
            tokio::select! {
                // The recorder ends after the cameras; were it gone, nobody could be told.
                _ = &mut sending => return,
                () = tokio::time::sleep(TICK) => {
                    if let Some(child) = &self.child {
                        child.heartbeat();
                    }
                }
            }
        }
    }

    /// Statistics are the sign of life; they also tell whether frames flow.
    async fn on_stats(&mut self, stats: CameraStats) {
        let (Some(child), Some(process)) = (&self.child, &self.process) else { return };
        child.heartbeat_of(process.pid);
        let frame_age = Duration::from_millis(stats.last_frame_age_ms);
        let phase = self.view.borrow().status.phase;
        self.view.send_modify(|view| Arc::make_mut(view).stats = stats);
        if let Some(reason) = complaint(phase, frame_age, self.since.elapsed()) {
            let child = child.clone();
            self.enter(CameraPhase::Stalled, Some(reason.clone()));
            child.restart(Restart::AtOnce, reason).await;
        }
    }

    /// Runs on `order` from now on.
    fn take(&mut self, order: CameraOrder) {
        self.order = order;
        self.view.send_modify(|view| {
            let status = &mut Arc::make_mut(view).status;
            status.name = name_of(&self.order);
            status.detector.note.clone_from(&self.order.model_note);
        });
    }

    /// Runs on `order` from now on; another model takes another process, whose tap fits it.
    async fn renew(&mut self, order: CameraOrder) {
        let reason = (order.model != self.order.model).then(|| {
            format!("the model {} takes the place of {}", order.model.name, self.order.model.name)
        });
        self.take(order);
        if reason.is_some() {
            self.view.send_modify(|view| {
                let detector = &mut Arc::make_mut(view).status.detector;
                (detector.model, detector.running) = (self.order.model.name.clone(), false);
            });
        }
        if let (Some(child), Some(reason)) = (&self.child, reason) {
            child.restart(Restart::Politely, reason).await;
        }
    }

    fn on_snapshot(&mut self, request: u64, error: Option<String>, jpeg: Vec<u8>) {
        if let Some(Open::Snapshot { answer, .. }) = self.open.remove(&request) {
            let result = match error {
                None => Ok(jpeg),
                Some(detail) => Err(CameraError::new(ErrorKind::Unavailable, detail)),
            };
            let _ = answer.send(result);
        }
    }

    fn on_applied(&mut self, request: u64, needs_restart: &[String], error: Option<String>) {
        let Some(Open::Apply { order, answer, .. }) = self.open.remove(&request) else { return };
        let result = match (error, needs_restart) {
            (Some(detail), _) => Err(CameraError::new(ErrorKind::InvalidArgument, detail)),
            (None, []) => {
                self.take(*order);
                Ok(())
            }
            (None, fields) => Err(CameraError::new(
                ErrorKind::FailedPrecondition,
                format!("needs a restart of the camera: {}", fields.join(", ")),
            )),
        };
        let _ = answer.send(result);
    }

    async fn ask(&mut self, request: Request) {
        self.next_request += 1;
        let number = self.next_request;
        if let Request::Renew { order, answer } = request {
            self.renew(*order).await;
            let _ = answer.send(Ok(()));
            return;
        }
        let Some((message, open)) = Open::new(number, request) else {
            return self.ask_for_key_frame().await;
        };
        let Some(process) = &mut self.process else {
            // Settings for a camera that is not up are simply its next order.
            return match open {
                Open::Apply { order, answer, .. } => {
                    self.take(*order);
                    let _ = answer.send(Ok(()));
                }
                open @ Open::Snapshot { .. } => {
                    let phase = self.view.borrow().status.phase;
                    let detail =
                        format!("the camera shows nothing: it is {phase:?}").to_lowercase();
                    open.fail(CameraError::new(ErrorKind::Unavailable, detail));
                }
            };
        };
        match process.sender.send(&message, &[]).await {
            Ok(()) => drop(self.open.insert(number, open)),
            Err(error) => {
                open.fail(CameraError::new(ErrorKind::Unavailable, base::error::chain(&error)));
            }
        }
    }

    async fn ask_for_key_frame(&mut self) {
        if let Some(process) = &mut self.process {
            // A link that breaks is reported by its reading side.
            let _ = process.sender.send(&ToCamera::KeyFrame, &[]).await;
        }
    }

    /// Tells the camera's governor how long its events took to the store.
    async fn tell_latencies(&mut self) {
        let latencies_ms = self.latencies.take(&self.order.camera);
        if let (Some(process), false) = (&mut self.process, latencies_ms.is_empty()) {
            // A link that breaks is reported by its reading side.
            let _ = process.sender.send(&ToCamera::Stored { latencies_ms }, &[]).await;
        }
    }

    /// Fails requests that the camera process did not answer in time.
    fn drop_late(&mut self) {
        let late = |open: &Open| open.asked().elapsed() >= ANSWER_WITHIN;
        let numbers: Vec<_> = self.open.iter().filter(|(_, o)| late(o)).map(|(n, _)| *n).collect();
        for open in numbers.into_iter().filter_map(|number| self.open.remove(&number)) {
            let detail = "the camera process did not answer in time";
            open.fail(CameraError::new(ErrorKind::DeadlineExceeded, detail));
        }
    }

    /// Takes over what the supervisor knows about the process.
    fn on_child(&mut self) {
        let Some(child) = self.child.as_ref().map(ChildHandle::status) else { return };
        self.view.send_modify(|view| {
            let status = &mut Arc::make_mut(view).status;
            status.pid = child.pid;
            status.restarts = u32::try_from(child.restarts).unwrap_or(u32::MAX);
            status.started_at = child.started_at;
            if child.pid.is_none() {
                status.phase = CameraPhase::Starting;
                status.error =
                    child.last_error.or_else(|| child.last_exit.map(|exit| exit.to_string()));
            }
        });
    }

    fn enter(&mut self, phase: CameraPhase, error: Option<String>) {
        let before = self.view.borrow().status.phase;
        if phase != before {
            self.since = Instant::now();
            tracing::info!(camera = self.order.camera, ?phase, error, "camera");
        }
        self.view.send_modify(|view| {
            let status = &mut Arc::make_mut(view).status;
            (status.phase, status.error) = (phase, error);
        });
    }

    /// Records what the process still tells until its link ends; `false` when it did not end
    /// `within` that time.
    async fn hear_out(&mut self, within: Duration) -> bool {
        let Some(number) = self.process.as_ref().map(|process| process.number) else { return true };
        let told = async {
            while let Some((from, heard)) = self.heard.1.recv().await {
                match heard {
                    Some((FromCamera::Happened(happening), _)) if from == number => {
                        self.record_happening(*happening).await;
                    }
                    Some((FromCamera::Tracks(batch), blob)) if from == number => {
                        self.record_tracks(*batch, blob).await;
                    }
                    Some((FromCamera::Governed { step, at_ns }, _)) if from == number => {
                        self.record_step(*step, at_ns).await;
                    }
                    None if from == number => break,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(within, told).await.is_ok()
    }

    /// Asks the process to end its events and waits for what it still has to tell.
    async fn stop(mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.sender.send(&ToCamera::Stop, &[]).await;
            if !self.hear_out(GRACE).await {
                tracing::warn!(camera = self.order.camera, "did not end its events in time");
            }
        }
        self.disconnect("the daemon stops").await;
        if let Some(child) = &self.child {
            child.stop().await;
        }
    }
}

/// Waits for a change of the child's status; for ever where there is no child.
async fn changed(child: &mut Option<watch::Receiver<supervise::ChildStatus>>) -> Option<()> {
    match child {
        Some(watch) => watch.changed().await.ok(),
        None => None,
    }
}

/// Name for people.
fn name_of(order: &CameraOrder) -> String {
    order.settings.name.clone().unwrap_or_else(|| order.camera.clone())
}

fn spec(order: &CameraOrder, socket: &Path, program: &Path) -> ChildSpec {
    let args = ["--link".as_ref(), socket.as_os_str(), "--camera".as_ref(), order.camera.as_ref()];
    let mut spec = ChildSpec::new(format!("camera-{}", order.camera), program).args(args);
    // `TZ`: schedules are in local time.
    let inherited = ["GST_*", "LIBCAMERA_*", "LD_LIBRARY_PATH", "TZ"];
    spec.inherit_env = inherited.map(Into::into).into();
    // Threads of the network that spin while they wait for each other take the core that the stream
    // needs: beside one busy core, two threads were ten times slower than one.
    spec.env.push(("OMP_WAIT_POLICY".into(), "passive".into()));
    spec.health = Health::Heartbeat { start_within: START, every: SILENCE };
    spec.stop = StopPolicy { grace: GRACE, ..StopPolicy::default() };
    // The one that eats memory goes first when there is none left.
    spec.limits = Limits { oom_score_adj: Some(300), ..Limits::default() };
    spec.log.format = LogFormat::Tracing;
    spec
}
