//! The life of the process: connect, be configured, run, stop.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use api::status::{CameraPhase, DetectorStatus, PipelineStatus};
use base::clock::monotonic;
use base::slot::Slot;
use config::{CameraConfig, Change, camera_change, compile_camera};
use link::{CameraOrder, FromCamera, LinkError, PROTOCOL, ToCamera};
use media::{Board, MediaEvent, Pipeline, PipelineHandle, PipelineOptions};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::meter::Meter;
use crate::models::ModelSource;
use crate::vision::{Told, Vision, VisionSetup};

/// Time between two statistics: also the sign of life that the daemon waits for.
const STATS_EVERY: Duration = Duration::from_millis(500);
/// Messages to the daemon that may wait; the detector waits beyond that.
const OUTBOX: usize = 256;

/// Runs the camera `id` for the daemon that listens on `socket`, until told to stop or until the
/// daemon is gone.
pub(crate) async fn run(socket: &Path, id: &str) -> anyhow::Result<()> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("connecting to edgecamd at {}", socket.display()))?;
    let (receiver, sender) = link::split(stream);
    let mut daemon = Daemon::new(receiver, sender);
    daemon.say(hello(id)).await;
    let Some(ToCamera::Configure(order)) = daemon.heard.recv().await else {
        bail!("edgecamd did not say what to do");
    };
    let terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let session = Session::start(*order, daemon.out.clone())?;
    session.run(&mut daemon, terminate).await;
    daemon.close().await;
    Ok(())
}

fn hello(id: &str) -> FromCamera {
    FromCamera::Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        camera: id.to_owned(),
        pid: std::process::id(),
    }
}

type Out = mpsc::Sender<(FromCamera, Vec<u8>)>;

/// The daemon at the other end of the link: a task that reads, and a task that writes.
struct Daemon {
    out: Out,
    heard: mpsc::Receiver<ToCamera>,
    writer: tokio::task::JoinHandle<()>,
}

impl Daemon {
    fn new(mut receiver: link::Receiver<ToCamera>, mut sender: link::Sender<FromCamera>) -> Self {
        let (out, mut queue) = mpsc::channel::<(FromCamera, Vec<u8>)>(OUTBOX);
        let (hear, heard) = mpsc::channel(OUTBOX);
        let writer = tokio::spawn(async move {
            while let Some((message, blob)) = queue.recv().await {
                if let Err(error) = sender.send(&message, &blob).await {
                    log_broken(&error);
                    break;
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let message = receiver.receive().await.unwrap_or_else(|error| {
                    log_broken(&error);
                    None
                });
                let Some((message, _)) = message else { break };
                if hear.send(message).await.is_err() {
                    break;
                }
            }
        });
        Self { out, heard, writer }
    }

    async fn say(&self, message: FromCamera) {
        // A closed channel means that the link broke, which the reading side reports.
        let _ = self.out.send((message, Vec::new())).await;
    }

    /// Sends what is still waiting.
    async fn close(self) {
        drop(self.out);
        if tokio::time::timeout(Duration::from_secs(1), self.writer).await.is_err() {
            tracing::warn!("edgecamd did not take the last messages in time");
        }
    }
}

fn log_broken(error: &LinkError) {
    tracing::warn!(error = base::error::chain(error), "the link broke");
}

/// A running camera.
struct Session {
    order: CameraOrder,
    config: CameraConfig,
    pipeline: PipelineHandle,
    events: mpsc::UnboundedReceiver<MediaEvent>,
    vision: Vision,
    told: mpsc::Receiver<Told>,
    meter: Meter,
    phase: CameraPhase,
    error: Option<String>,
    running: Option<PipelineStatus>,
    detector: DetectorStatus,
    out: Out,
}

impl Session {
    fn start(order: CameraOrder, out: Out) -> anyhow::Result<Self> {
        let config = compile(&order)?;
        let board = Board::detect().context("looking at this machine's GStreamer")?;
        let frames = Slot::default();
        let model = ModelSource::new(&order);
        let options = PipelineOptions {
            publish_url: order.publish_url.as_deref().map(str::parse).transpose()?,
            tap: model.tap_fit(),
            state_dir: Some(PathBuf::from(&order.state_dir)),
            frames: frames.clone(),
        };
        let (pipeline, media_events) =
            Pipeline::start(&config, &board, options).context("starting the pipeline")?;
        pipeline.overlay().set_marks(&config.name, &config.zones, &config.lines);
        let (tell, told) = mpsc::channel(OUTBOX);
        let overlay = pipeline.overlay().clone();
        let setup = VisionSetup { config: config.clone(), model, frames, overlay, tell };
        let vision = Vision::start(setup).context("starting the detector's thread")?;
        Ok(Self {
            events: forward(media_events).context("starting the thread for media events")?,
            meter: Meter::new(monotonic()),
            phase: CameraPhase::Starting,
            error: None,
            running: None,
            detector: DetectorStatus::default(),
            order,
            config,
            pipeline,
            vision,
            told,
            out,
        })
    }

    /// Serves the daemon until it says stop, is gone, or this process is told to end.
    async fn run(mut self, daemon: &mut Daemon, mut terminate: Signal) {
        let mut tick = interval(STATS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Cancel-safe: every arm only receives from a channel, a signal or a timer.
        loop {
            tokio::select! {
                message = daemon.heard.recv() => match message {
                    None | Some(ToCamera::Stop) => break,
                    Some(message) => self.obey(message).await,
                },
                Some(event) = self.events.recv() => self.on_media(event).await,
                Some(told) = self.told.recv() => self.on_vision(told).await,
                _ = tick.tick() => self.tell_stats().await,
                _ = terminate.recv() => break,
            }
        }
        self.stop().await;
    }

    async fn obey(&mut self, message: ToCamera) {
        match message {
            ToCamera::Apply { request, order } => {
                let answer = self.apply(request, *order);
                self.say(answer).await;
            }
            ToCamera::Snapshot { request, quality } => self.snapshot(request, quality),
            ToCamera::KeyFrame => self.pipeline.key_frame(),
            ToCamera::Configure(_) | ToCamera::Stop => {
                tracing::warn!("edgecamd configured a camera that runs already: ignored");
            }
        }
    }

    /// Takes over `order` if all of it is live; else says which fields are not and changes nothing.
    fn apply(&mut self, request: u64, order: CameraOrder) -> FromCamera {
        let refused = |needs_restart: Vec<String>, error: Option<String>| FromCamera::Applied {
            request,
            needs_restart,
            error,
        };
        let config = match compile(&order) {
            Ok(config) => config,
            Err(error) => return refused(Vec::new(), Some(error.to_string())),
        };
        if order.model != self.order.model {
            return refused(vec!["/detector/model".to_owned()], None);
        }
        if let Change::Rebuild(fields) = camera_change(&self.config, &config) {
            return refused(fields.into_iter().map(str::to_owned).collect(), None);
        }
        if config.encoder.bitrate_kbps != self.config.encoder.bitrate_kbps {
            self.pipeline.set_bitrate(config.encoder.bitrate_kbps);
        }
        if config.overlay != self.config.overlay {
            self.pipeline.set_overlay_config(config.overlay);
        }
        self.pipeline.overlay().set_marks(&config.name, &config.zones, &config.lines);
        self.vision.apply(config.clone());
        (self.config, self.order) = (config, order);
        refused(Vec::new(), None)
    }

    /// Answers from a thread of its own: encoding a JPEG takes tens of milliseconds.
    fn snapshot(&self, request: u64, quality: u8) {
        let (pipeline, out) = (self.pipeline.clone(), self.out.clone());
        tokio::task::spawn_blocking(move || {
            let (error, jpeg) = match pipeline.snapshot(quality) {
                Ok(jpeg) => (None, jpeg),
                Err(error) => (Some(base::error::chain(&error)), Vec::new()),
            };
            let _ = out.blocking_send((FromCamera::Snapshot { request, error }, jpeg));
        });
    }

    async fn on_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Running(running) => {
                self.running = Some(PipelineStatus {
                    source: self.config.source.to_string(),
                    width: running.size.width,
                    height: running.size.height,
                    fps: running.fps as f32,
                    encoder: running.rung.to_string(),
                    encoder_reason: running.rung_reason,
                });
                self.enter(CameraPhase::Running, None).await;
            }
            MediaEvent::Waiting { reason, .. } => {
                self.enter(CameraPhase::Waiting, Some(reason)).await;
            }
            MediaEvent::Ended => self.enter(CameraPhase::Ended, None).await,
            MediaEvent::Failed { reason } => self.enter(CameraPhase::Failed, Some(reason)).await,
            MediaEvent::RungFailed { rung, reason } => {
                tracing::warn!(%rung, reason, "an encoder failed: the next one is tried");
            }
            MediaEvent::Publishing => tracing::info!("the media server takes the stream"),
            MediaEvent::PublishWaiting { reason } => {
                tracing::warn!(reason, "the media server does not take the stream");
            }
        }
    }

    async fn enter(&mut self, phase: CameraPhase, error: Option<String>) {
        (self.phase, self.error) = (phase, error);
        tracing::info!(?phase, error = self.error, "camera");
        self.tell_state().await;
    }

    async fn on_vision(&mut self, told: Told) {
        match told {
            Told::Happened(happenings) => {
                for happening in happenings {
                    self.say(FromCamera::Happened(Box::new(happening))).await;
                }
            }
            Told::Tracks(batch, blob) => {
                let _ = self.out.send((FromCamera::Tracks(batch), blob)).await;
            }
            Told::Counts(counts) => self.say(FromCamera::Counts(counts)).await,
            Told::Detector(detector) => {
                self.detector = detector;
                self.tell_state().await;
            }
        }
    }

    async fn tell_state(&self) {
        self.say(FromCamera::State {
            phase: self.phase,
            error: self.error.clone(),
            pipeline: self.running.clone(),
            detector: self.detector.clone(),
        })
        .await;
    }

    async fn tell_stats(&mut self) {
        let crashed = "the detector's thread crashed: start EdgeCam again";
        if self.vision.is_dead() && self.detector.error.as_deref() != Some(crashed) {
            self.detector.running = false;
            self.detector.error = Some(crashed.to_owned());
            self.tell_state().await;
        }
        let media = self.pipeline.stats();
        let stats = self.meter.stats(monotonic(), &media, &self.vision.meter());
        self.say(FromCamera::Stats(Box::new(stats))).await;
    }

    async fn say(&self, message: FromCamera) {
        let _ = self.out.send((message, Vec::new())).await;
    }

    /// Ends what is tracked, so that open events get their end, then the pipeline.
    async fn stop(mut self) {
        let vision = self.vision;
        let ended = tokio::task::spawn_blocking(move || vision.stop());
        while let Some(told) = self.told.recv().await {
            match told {
                Told::Happened(happenings) => {
                    for happening in happenings {
                        let message = FromCamera::Happened(Box::new(happening));
                        let _ = self.out.send((message, Vec::new())).await;
                    }
                }
                Told::Tracks(batch, blob) => {
                    let _ = self.out.send((FromCamera::Tracks(batch), blob)).await;
                }
                Told::Counts(_) | Told::Detector(_) => {}
            }
        }
        let pipeline = self.pipeline;
        let stopped = tokio::task::spawn_blocking(move || pipeline.stop());
        if ended.await.is_err() || stopped.await.is_err() {
            tracing::error!("a thread panicked while the camera stopped");
        }
    }
}

fn compile(order: &CameraOrder) -> anyhow::Result<CameraConfig> {
    compile_camera(&order.camera, &order.settings, &order.detector, &order.thermal)
        .context("checking the camera's settings")
}

/// Media events as an async channel. The thread ends when the pipeline does.
fn forward(
    events: std::sync::mpsc::Receiver<MediaEvent>,
) -> std::io::Result<mpsc::UnboundedReceiver<MediaEvent>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    base::thread::spawn("ec-media-ev", move || {
        while let Ok(event) = events.recv() {
            if sender.send(event).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}
