//! One camera: its process, its link, its status, and requests to it.

mod requests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::governor::GovernorStep;
use api::live::LiveTracks;
use api::status::{CameraPhase, CameraStats, CameraStatus, Counts, DetectorStatus, StageTimes};
use base::error::ErrorKind;
use base::shutdown::Shutdown;
use link::{CameraOrder, FromCamera, Happening, Sender, ToCamera, TrackBatch};
use supervise::{ChildHandle, Restart};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::health::complaint;
use super::news::CameraNews;
use super::open::Open;
use super::server::Connection;
use super::spec::{GRACE, Starter};
use super::{CameraError, CameraView, Request, Surroundings};
use crate::announce::{self, Now};
use crate::latencies::Latencies;
use crate::recorder::{Record, Recorder};

/// Messages of a camera process that may wait for the task.
const HEARD: usize = 64;
/// What a process that is gone still had on its way is read within this time.
const LAST_WORDS: Duration = Duration::from_secs(1);
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
    starter: Starter,
    child: Option<ChildHandle>,
    recorder: Recorder,
    latencies: Latencies,
    view: watch::Sender<Arc<CameraView>>,
    news: Arc<CameraNews>,
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
    /// Whether it was told that somebody looks at its tracks.
    watched: bool,
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
        news: Arc<CameraNews>,
    ) -> (Self, watch::Receiver<Arc<CameraView>>) {
        let enabled = is_enabled(&order);
        let starter = Starter {
            supervisor: surroundings.supervisor.clone(),
            program: surroundings.program.clone(),
            socket: socket.to_owned(),
            units: surroundings.units.clone(),
        };
        let child = enabled.then(|| starter.start(&order));
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
        let view = CameraView { status, ..CameraView::default() };
        let (view, shown) = watch::channel(Arc::new(view));
        let task = Self {
            order,
            inputs,
            starter,
            child,
            recorder: surroundings.recorder.clone(),
            latencies: surroundings.latencies.clone(),
            view,
            news,
            process: None,
            heard: mpsc::channel(HEARD),
            open: HashMap::new(),
            next_request: 0,
            since: Instant::now(),
            connections_seen: 0,
        };
        (task, shown)
    }

    /// Runs until the stop, or until the camera is no more; then lets the process end its events.
    pub(super) async fn run(mut self) {
        let mut child = self.child.as_ref().map(ChildHandle::watch);
        let mut tick = tokio::time::interval(TICK);
        // Cancel-safe: every arm receives from a channel or a watch, or waits for a timer.
        loop {
            tokio::select! {
                () = self.inputs.shutdown.wait() => break,
                Some(connection) = self.inputs.connections.recv() => self.connect(connection).await,
                Some((number, heard)) = self.heard.1.recv() => self.hear(number, heard).await,
                Some(request) = self.inputs.requests.recv() => {
                    if let Request::End { answer } = request {
                        self.end("it is removed").await;
                        let _ = answer.send(Ok(()));
                        return;
                    }
                    self.ask(request).await;
                    // A camera that is switched on has a process for the first time.
                    child = child.or_else(|| self.child.as_ref().map(ChildHandle::watch));
                }
                Some(()) = changed(&mut child) => self.on_child(),
                _ = tick.tick() => {
                    self.drop_late();
                    self.watch_tracks().await;
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
        self.process = Some(Process { number, pid, sender, watched: false });
        self.watch_tracks().await;
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
            view.times = Vec::new();
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
            FromCamera::Live { objects, at_ns } => {
                let at = Now::read().wall_of(at_ns);
                self.news.tracks(&self.order.camera, at, LiveTracks { objects });
            }
            FromCamera::Counts(counts) => {
                self.view.send_modify(|view| Arc::make_mut(view).status.counts = counts);
            }
            FromCamera::Stats { stats, times } => self.on_stats(*stats, times).await,
            FromCamera::State { phase, error, pipeline, detector, capabilities } => {
                self.view.send_modify(|view| {
                    let CameraView { status, capabilities: known, .. } = Arc::make_mut(view);
                    // What it could do the last time is worth more than nothing.
                    *known = capabilities.or_else(|| known.take());
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
    async fn on_stats(&mut self, stats: CameraStats, times: Vec<StageTimes>) {
        let (Some(child), Some(process)) = (&self.child, &self.process) else { return };
        child.heartbeat_of(process.pid);
        let frame_age = Duration::from_millis(stats.last_frame_age_ms);
        let phase = self.view.borrow().status.phase;
        self.news.stats(&self.order.camera, &stats);
        self.view.send_modify(|view| {
            let view = Arc::make_mut(view);
            (view.stats, view.times) = (stats, times);
        });
        if let Some(reason) = complaint(phase, frame_age, self.since.elapsed()) {
            let child = child.clone();
            self.enter(CameraPhase::Stalled, Some(reason.clone()));
            child.restart(Restart::AtOnce, reason).await;
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

    /// Takes over what the supervisor knows about the process.
    fn on_child(&mut self) {
        let Some(child) = self.child.as_ref().map(ChildHandle::status) else { return };
        self.view.send_modify(|view| {
            let status = &mut Arc::make_mut(view).status;
            status.pid = child.pid;
            status.restarts = u32::try_from(child.restarts).unwrap_or(u32::MAX);
            status.started_at = child.started_at;
            if child.pid.is_none() && status.phase != CameraPhase::Disabled {
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

    /// Whether it is to run.
    fn is_enabled(&self) -> bool {
        is_enabled(&self.order)
    }

    /// Asks the process to end its events and waits for what it still has to tell.
    async fn stop(mut self) {
        self.end("the daemon stops").await;
    }

    /// The same, for the reason `why`; after this there is no process.
    async fn end(&mut self, why: &str) {
        if let Some(process) = &mut self.process {
            let _ = process.sender.send(&ToCamera::Stop, &[]).await;
            if !self.hear_out(GRACE).await {
                tracing::warn!(camera = self.order.camera, "did not end its events in time");
            }
        }
        self.disconnect(why).await;
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

fn is_enabled(order: &CameraOrder) -> bool {
    order.settings.enabled.unwrap_or(true)
}
