//! The life of the process: connect, be configured, run, stop.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use api::capabilities::CameraCapabilities;
use api::status::{CameraPhase, DetectorStatus, PipelineStatus};
use base::clock::monotonic;
use base::slot::Slot;
use config::{CameraConfig, Change, camera_change, compile_camera};
use link::{CameraOrder, FromCamera, PROTOCOL, ToCamera};
use media::{Board, MediaEvent, Pipeline, PipelineHandle, PipelineOptions};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::daemon::{Daemon, OUTBOX, Out};
use crate::governor::{Candidate, Governed, Governing, GovernorSetup, interval};
use crate::meter::{Meter, SharedMeter, times};
use crate::models::ModelSource;
use crate::to_link;
use crate::vision::{Pace, Told, Vision, VisionSetup, Watched, from_files};

/// Time between two statistics: also the sign of life that the daemon waits for.
const STATS_EVERY: Duration = Duration::from_millis(500);

/// Runs the camera `id` for the daemon at the other end of the standard input, until told to stop or
/// until the daemon is gone.
pub(crate) async fn run(id: &str) -> anyhow::Result<()> {
    let stream = link_of_this_process().context("the standard input is no link to edgecamd")?;
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

fn link_of_this_process() -> io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Says whether it is a socket at all.
    stream.peer_addr()?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

fn hello(id: &str) -> FromCamera {
    FromCamera::Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        camera: id.to_owned(),
        pid: std::process::id(),
    }
}

/// A running camera.
struct Session {
    order: CameraOrder,
    config: CameraConfig,
    pipeline: PipelineHandle,
    events: mpsc::UnboundedReceiver<MediaEvent>,
    vision: Vision,
    told: mpsc::Receiver<Told>,
    watched: Watched,
    governing: Governing,
    governed: mpsc::UnboundedReceiver<Governed>,
    /// What the encoder was told last, kbit/s.
    bitrate_kbps: u32,
    seen: SharedMeter,
    meter: Meter,
    phase: CameraPhase,
    error: Option<String>,
    running: Option<PipelineStatus>,
    detector: DetectorStatus,
    capabilities: Option<Box<CameraCapabilities>>,
    out: Out,
}

impl Session {
    fn start(order: CameraOrder, out: Out) -> anyhow::Result<Self> {
        let config = compile(&order)?;
        let board = Board::detect().context("looking at this machine's GStreamer")?;
        let frames = Slot::default();
        let model = ModelSource::asked(&order);
        let lighter = ModelSource::lighter(&order);
        let options = PipelineOptions {
            publish_url: order.publish_url.as_deref().map(str::parse).transpose()?,
            tap: model.tap_fit(config.view),
            state_dir: Some(PathBuf::from(&order.state_dir)),
            frames: frames.clone(),
        };
        let (pipeline, media_events) =
            Pipeline::start(&config, &board, options).context("starting the pipeline")?;
        pipeline.overlay().set_marks(&config.name, &config.zones, &config.lines);
        let (tell, told) = mpsc::channel(OUTBOX);
        let overlay = pipeline.overlay().clone();
        let seen = SharedMeter::default();
        let (govern, governed) = mpsc::unbounded_channel();
        let governing = GovernorSetup {
            config: config.clone(),
            models: candidates(&model, &lighter),
            meter: seen.clone(),
            frames: frames.clone(),
            tell: govern,
        };
        let watched = Watched::default();
        let setup = VisionSetup {
            config: config.clone(),
            model,
            lighter,
            load: from_files(),
            meter: seen.clone(),
            frames,
            overlay,
            watched: watched.clone(),
            tell,
        };
        let vision = Vision::start(setup).context("starting the detector's thread")?;
        let governing = Governing::start(governing).context("starting the governor's thread")?;
        Ok(Self {
            events: forward(media_events).context("starting the thread for media events")?,
            meter: Meter::new(monotonic()),
            phase: CameraPhase::Starting,
            error: None,
            running: None,
            detector: DetectorStatus::default(),
            capabilities: None,
            bitrate_kbps: config.encoder.bitrate_kbps,
            governing,
            governed,
            seen,
            order,
            config,
            pipeline,
            vision,
            told,
            watched,
            out,
        })
    }

    /// Serves the daemon until it says stop, is gone, or this process is told to end.
    async fn run(mut self, daemon: &mut Daemon, mut terminate: Signal) {
        let mut tick = tokio::time::interval(STATS_EVERY);
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
                Some(governed) = self.governed.recv() => self.on_governor(governed).await,
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
            ToCamera::Watch { tracks } => self.watched.set(tracks),
            ToCamera::Stored { latencies_ms } => {
                let time = |ms: f32| Duration::try_from_secs_f32(ms / 1000.0).ok();
                self.governing.stored(latencies_ms.into_iter().filter_map(time).collect());
            }
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
            self.set_bitrate(config.encoder.bitrate_kbps);
        }
        if config.overlay != self.config.overlay {
            self.pipeline.set_overlay_config(config.overlay);
        }
        self.pipeline.set_masks(&config.masks);
        self.pipeline.overlay().set_marks(&config.name, &config.zones, &config.lines);
        if config.image.controls != self.config.image.controls {
            self.pipeline.set_image(&config.image.controls);
        }
        let lighter = ModelSource::lighter(&order);
        let models = candidates(&ModelSource::asked(&order), &lighter);
        self.vision.apply(config.clone(), lighter);
        // What is reduced stays so: the governor answers with what is left of the new settings.
        self.governing.apply(config.clone(), models);
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
                self.capabilities = Some(Box::new(to_link::capabilities(&running)));
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
            Told::Live(objects, at) => {
                let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
                // Of no worth later.
                let _ = self.out.try_send((FromCamera::Live { objects, at_ns }, Vec::new()));
            }
            Told::Detector(detector) => {
                let (throttled, governor) =
                    (self.detector.throttled.take(), self.detector.governor.take());
                self.detector = DetectorStatus { throttled, governor, ..detector };
                self.tell_state().await;
            }
            Told::Refused { model } => self.governing.refuse(model),
        }
    }

    /// Puts in force what the governor says, and tells it.
    async fn on_governor(&mut self, governed: Governed) {
        let Governed { setting, model, step, status } = governed;
        let pace = Pace { min_interval: interval(setting.fps), model, paused: setting.paused };
        self.vision.set_pace(pace);
        self.set_bitrate(setting.bitrate_kbps);
        if let Some((step, at)) = step {
            let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
            self.say(FromCamera::Governed { step: Box::new(step), at_ns }).await;
        }
        self.detector.throttled = status
            .as_ref()
            .filter(|status| status.level > 0)
            .and_then(|status| status.sentence.clone());
        self.detector.governor = status.map(Box::new);
        self.tell_state().await;
    }

    fn set_bitrate(&mut self, kbps: u32) {
        if std::mem::replace(&mut self.bitrate_kbps, kbps) != kbps {
            self.pipeline.set_bitrate(kbps);
        }
    }

    async fn tell_state(&self) {
        self.say(FromCamera::State {
            phase: self.phase,
            error: self.error.clone(),
            pipeline: self.running.clone(),
            detector: Box::new(self.detector.clone()),
            capabilities: self.capabilities.clone(),
        })
        .await;
    }

    async fn tell_stats(&mut self) {
        let media = self.pipeline.stats();
        let seen = self.seen.clone();
        let (stats, times) = {
            let seen = seen.lock();
            (self.meter.stats(monotonic(), &media, &seen), times(&media, &seen))
        };
        self.say(FromCamera::Stats { stats: Box::new(stats), times }).await;
    }

    async fn say(&self, message: FromCamera) {
        let _ = self.out.send((message, Vec::new())).await;
    }

    /// Ends what is tracked, so that open events get their end, then the pipeline.
    async fn stop(mut self) {
        let (vision, governing) = (self.vision, self.governing);
        let governed = tokio::task::spawn_blocking(move || governing.stop());
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
                Told::Live(..) | Told::Counts(_) | Told::Detector(_) | Told::Refused { .. } => {}
            }
        }
        let pipeline = self.pipeline;
        let stopped = tokio::task::spawn_blocking(move || pipeline.stop());
        if ended.await.is_err() || governed.await.is_err() || stopped.await.is_err() {
            tracing::error!("a thread panicked while the camera stopped");
        }
    }
}

/// What the governor may choose from; first what the settings ask for.
fn candidates(asked: &ModelSource, lighter: &[ModelSource]) -> Vec<Candidate> {
    std::iter::once(asked).chain(lighter).map(ModelSource::candidate).collect()
}

fn compile(order: &CameraOrder) -> anyhow::Result<CameraConfig> {
    compile_camera(&order.camera, &order.settings, &order.detector, &order.thermal, &order.governor)
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
