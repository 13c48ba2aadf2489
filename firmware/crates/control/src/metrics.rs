//! The metrics page: OpenMetrics text, which Prometheus and its kin read. Everything is read at
//! the time of the scrape; nothing is kept here.

mod governor;
mod stages;
mod webhooks;

use std::fmt;

use api::gpio::GpioPin;
use api::resources::System;
use api::status::{CameraPhase, CameraStats, CameraStatus, Quantiles, StageTimes};
use api::webhooks::Webhook;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use stages::{AnswerTimes, Answered};

/// Media type of the page.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the page shows.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// The machine and what runs on it.
    pub(crate) system: System,
    /// Whether the product can do its work.
    pub(crate) ready: bool,
    /// The cameras.
    pub(crate) cameras: Vec<CameraScrape>,
    /// Inputs and outputs of the device.
    pub(crate) pins: Vec<GpioPin>,
    /// How long answers took.
    pub(crate) answered: Vec<AnswerTimes>,
    /// What is open to be followed, by kind.
    pub(crate) following: [(&'static str, usize); 2],
    /// Number of the newest announcement; `None`: the store does not say.
    pub(crate) newest_seq: Option<u64>,
    /// Where announcements are posted to.
    pub(crate) webhooks: Vec<Webhook>,
}

/// A camera with its counters.
#[derive(Debug, Default)]
pub(crate) struct CameraScrape {
    /// Its status.
    pub(crate) status: CameraStatus,
    /// Its counters and rates.
    pub(crate) stats: CameraStats,
    /// How often each stage took how long.
    pub(crate) times: Vec<StageTimes>,
}

impl Scrape {
    /// The page.
    pub(crate) fn page(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("edgecam");
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(page)
    }
}

type Labels = Vec<(&'static str, String)>;

/// Writes one family at a time.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in rows {
            let metric = ConstGauge::new(value);
            if labels.is_empty() {
                return metric.encode(family);
            }
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counter(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            let metric = ConstCounter::new(value);
            if labels.is_empty() {
                return metric.encode(family);
            }
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.product(&mut page)?;
        self.machine(&mut page)?;
        self.children(&mut page)?;
        self.camera_states(&mut page)?;
        self.camera_rates(&mut page)?;
        self.camera_counters(&mut page)?;
        self.governors(&mut page)?;
        self.webhooks(&mut page)?;
        self.stage_times(&mut page)?;
        self.answers(&mut page)?;
        self.pins(&mut page)?;
        self.scene(&mut page)
    }
}

fn one<T>(value: T) -> [(Labels, T); 1] {
    [(Vec::new(), value)]
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Exact below 2^53, which bytes and events of this machine are.
fn float(value: u64) -> f64 {
    value as f64
}

impl Scrape {
    fn product(&self, page: &mut Page<'_>) -> fmt::Result {
        let system = &self.system;
        let build = vec![
            ("version", system.version.clone()),
            ("node", system.node.clone()),
            ("board", system.board.clone()),
        ];
        page.gauge("build_info", "What runs here; always 1.", None, [(build, 1.0)])?;
        page.gauge("ready", "Whether all checks of readiness pass.", None, one(flag(self.ready)))?;
        if let Some(started) = system.started_at {
            let seconds = started.as_duration().as_secs_f64();
            let help = "When the daemon started, in Unix time.";
            page.gauge("start_time", help, Some(&Unit::Seconds), one(seconds))?;
        }
        let mqtt = &system.mqtt;
        page.gauge(
            "mqtt_connected",
            "Whether the broker is connected.",
            None,
            one(flag(mqtt.connected)),
        )?;
        let help = "Events that wait for the broker.";
        page.gauge("outbox_events", help, None, one(float(mqtt.outbox_events)))?;
        let help = "Events dropped because too many waited for the broker.";
        page.counter("outbox_dropped_events", help, one(mqtt.dropped_events))?;
        if let Some(newest) = self.newest_seq {
            page.counter("events", "Announcements that were ever stored.", one(newest))?;
        }
        Ok(())
    }

    fn machine(&self, page: &mut Page<'_>) -> fmt::Result {
        let system = &self.system;
        if let Some(celsius) = system.temperature_c {
            let help = "Temperature of the processor.";
            page.gauge("temperature", help, Some(&Unit::Celsius), one(celsius.into()))?;
        }
        let help = "Mean number of processes that want to run, over one minute.";
        page.gauge("load_1m", help, None, one(system.load_1m.into()))?;
        let bytes = [
            ("memory_total", "Memory of the machine.", system.memory_total_bytes),
            ("memory_available", "Memory that programs can have.", system.memory_available_bytes),
            ("disk_total", "Disk of the data folder.", system.disk_total_bytes),
            ("disk_free", "Free space on the disk of the data folder.", system.disk_free_bytes),
        ];
        bytes.into_iter().try_for_each(|(name, help, value)| {
            page.gauge(name, help, Some(&Unit::Bytes), one(float(value)))
        })
    }

    fn children(&self, page: &mut Page<'_>) -> fmt::Result {
        let children = || self.system.children.iter();
        let of = |name: &String| vec![("child", name.clone())];
        let up = children().map(|(name, child)| (of(name), flag(child.pid.is_some())));
        page.gauge("child_up", "Whether a program that the daemon runs is running.", None, up)?;
        let memory =
            children().filter_map(|(name, child)| Some((of(name), float(child.memory_bytes?))));
        page.gauge("child_memory", "Resident memory of a child.", Some(&Unit::Bytes), memory)?;
        let restarts = children().map(|(name, child)| (of(name), u64::from(child.restarts)));
        page.counter("child_restarts", "How often a child was started again.", restarts)
    }

    fn camera_states(&self, page: &mut Page<'_>) -> fmt::Result {
        let all = [
            CameraPhase::Disabled,
            CameraPhase::Starting,
            CameraPhase::Running,
            CameraPhase::Waiting,
            CameraPhase::Stalled,
            CameraPhase::Ended,
            CameraPhase::Failed,
        ];
        let phases = self.cameras.iter().flat_map(|CameraScrape { status, .. }| {
            all.iter().map(|phase| {
                let labels =
                    vec![("camera", status.id.clone()), ("phase", phase_word(*phase).into())];
                (labels, flag(*phase == status.phase))
            })
        });
        page.gauge("camera_phase", "1 for the phase that a camera is in, else 0.", None, phases)?;
        let running = self.per_camera(|status, _| flag(status.detector.running));
        page.gauge("camera_detector_running", "Whether its detector is at work.", None, running)?;
        let restarts = self.per_camera(|status, _| u64::from(status.restarts));
        page.counter("camera_restarts", "How often its process was started again.", restarts)?;
        let crashes = self.per_camera(|status, _| u64::from(status.detector.crashes));
        let help = "How often its detector crashed since its process started.";
        page.counter("camera_detector_crashes", help, crashes)?;
        let encoders = self.cameras.iter().filter_map(|CameraScrape { status, .. }| {
            let encoder = status.pipeline.as_ref()?.encoder.clone();
            Some((vec![("camera", status.id.clone()), ("encoder", encoder)], 1.0))
        });
        page.gauge(
            "camera_encoder_info",
            "The rung of its encoder ladder; always 1.",
            None,
            encoders,
        )
    }

    fn camera_rates(&self, page: &mut Page<'_>) -> fmt::Result {
        type Rate = (&'static str, &'static str, Option<Unit>, fn(&CameraStats) -> f64);
        let rates: [Rate; 5] = [
            ("camera_fps", "Frames per second from the source.", None, |s| s.fps.into()),
            ("camera_infer_fps", "Inferences per second.", None, |s| s.infer_fps.into()),
            (
                "camera_bitrate",
                "Bit rate of the encoded stream.",
                Some(Unit::Other("bits_per_second".into())),
                |s| f64::from(s.bitrate_kbps) * 1000.0,
            ),
            ("camera_tracks", "Objects tracked now.", None, |s| s.tracks.into()),
            ("camera_last_frame_age", "Time since the newest frame.", Some(Unit::Seconds), |s| {
                float(s.last_frame_age_ms) / 1000.0
            }),
        ];
        for (name, help, unit, value) in rates {
            page.gauge(name, help, unit.as_ref(), self.per_camera(|_, stats| value(stats)))?;
        }
        let help =
            "Time that a stage takes for a frame, as quantiles of the newest; 1 is the largest.";
        let stages =
            self.cameras.iter().flat_map(|camera| stages(&camera.status.id, &camera.stats));
        page.gauge("camera_stage", help, Some(&Unit::Seconds), stages)
    }

    fn camera_counters(&self, page: &mut Page<'_>) -> fmt::Result {
        type Count = (&'static str, &'static str, fn(&CameraStats) -> u64);
        let counts: [Count; 5] = [
            ("camera_frames", "Frames that left the source.", |s| s.frames),
            ("camera_encoded_frames", "Frames that were encoded.", |s| s.encoded_frames),
            ("camera_inferred_frames", "Frames that went through the detector.", |s| {
                s.inferred_frames
            }),
            (
                "camera_skipped_frames",
                "Frames that a newer one replaced before the detector was free.",
                |s| s.skipped_frames,
            ),
            (
                "camera_gated_frames",
                "Frames that the motion gate passed over: they showed nothing new.",
                |s| s.gated_frames,
            ),
        ];
        counts.into_iter().try_for_each(|(name, help, value)| {
            page.counter(name, help, self.per_camera(|_, stats| value(stats)))
        })?;
        let dropped = self.cameras.iter().flat_map(|CameraScrape { status, stats, .. }| {
            let reasons = [
                ("detector_busy", stats.skipped_frames),
                ("publisher_slow", stats.unpublished_frames),
            ];
            reasons.map(|(reason, count)| {
                (vec![("camera", status.id.clone()), ("reason", reason.to_owned())], count)
            })
        });
        let help = "Frames that one stage could not take, by reason; the others had them.";
        page.counter("camera_dropped_frames", help, dropped)
    }

    fn scene(&self, page: &mut Page<'_>) -> fmt::Result {
        let objects = self.cameras.iter().flat_map(|CameraScrape { status, .. }| {
            status.counts.labels.iter().map(|(label, count)| {
                let labels = vec![("camera", status.id.clone()), ("label", label.clone())];
                (labels, f64::from(*count))
            })
        });
        page.gauge("camera_objects", "Objects in the picture now.", None, objects)?;
        let crossings = self.cameras.iter().flat_map(|CameraScrape { status, .. }| {
            status.counts.lines.iter().flat_map(|(line, totals)| {
                [("in", totals.r#in), ("out", totals.out)].map(|(direction, total)| {
                    let labels = vec![
                        ("camera", status.id.clone()),
                        ("line", line.clone()),
                        ("direction", direction.to_owned()),
                    ];
                    (labels, total)
                })
            })
        });
        let help = "Crossings of a line since its camera process started.";
        page.counter("camera_line_crossings", help, crossings)
    }

    fn per_camera<T>(
        &self,
        value: impl Fn(&CameraStatus, &CameraStats) -> T,
    ) -> impl Iterator<Item = (Labels, T)> {
        self.cameras.iter().map(move |CameraScrape { status, stats, .. }| {
            (vec![("camera", status.id.clone())], value(status, stats))
        })
    }
}

fn stages(camera: &str, stats: &CameraStats) -> Vec<(Labels, f64)> {
    let stages: [(&str, Quantiles); 6] = [
        ("preprocess", stats.preprocess),
        ("infer", stats.infer),
        ("postprocess", stats.postprocess),
        ("overlay", stats.overlay),
        ("sensor_to_tap", stats.sensor_to_tap),
        ("tap_to_inferred", stats.tap_to_inferred),
    ];
    let rows = |(stage, quantiles): (&str, Quantiles)| {
        let values =
            [("0.5", quantiles.p50_ms), ("0.95", quantiles.p95_ms), ("1", quantiles.max_ms)];
        values.map(|(quantile, ms)| {
            let labels = vec![
                ("camera", camera.to_owned()),
                ("stage", stage.to_owned()),
                ("quantile", quantile.to_owned()),
            ];
            (labels, f64::from(ms) / 1000.0)
        })
    };
    stages.into_iter().flat_map(rows).collect()
}

fn phase_word(phase: CameraPhase) -> &'static str {
    match phase {
        CameraPhase::Disabled => "disabled",
        CameraPhase::Starting => "starting",
        CameraPhase::Running => "running",
        CameraPhase::Waiting => "waiting",
        CameraPhase::Stalled => "stalled",
        CameraPhase::Ended => "ended",
        CameraPhase::Failed => "failed",
    }
}
