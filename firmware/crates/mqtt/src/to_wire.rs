//! Payloads: announcements, birth, system, camera state, counts. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::event::{Direction, Event};
use api::status::{CameraPhase, CameraStats, CameraStatus};
use serde::Serialize;
use serde_json::json;

use crate::site::{Camera, Node, Site};
use crate::topics::{OFFLINE, ONLINE, Topics, level, snake};

/// Labels that were found retained at the broker: seen in an earlier life of the daemon, shown
/// with 0 until they are seen again, so that an entity does not vanish with a restart.
/// By camera (as topic level), then by zone (as topic level; `None`: the whole picture).
pub(crate) type SeenLabels = BTreeMap<String, BTreeMap<Option<String>, BTreeSet<String>>>;

/// A retained payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) payload: Vec<u8>,
    /// The part whose change is news; a change of the rest waits for the next interval.
    pub(crate) news: Vec<u8>,
}

impl Item {
    fn plain(payload: &impl ToString) -> Self {
        let payload = payload.to_string().into_bytes();
        Self { news: payload.clone(), payload }
    }
}

/// How an announcement leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// For the first time, soon after it was stored.
    Fresh {
        /// The monotonic clock now.
        now: Duration,
    },
    /// It may have been sent before, or waited for long.
    Replayed,
}

/// Payload of an announcement.
///
/// # Errors
/// Never with events as the store keeps them.
pub fn announcement(event: &Event, delivery: Delivery) -> serde_json::Result<Vec<u8>> {
    let mut event = event.clone();
    match delivery {
        Delivery::Fresh { now } => {
            event.replayed = false;
            event.timing.sensor_to_publish_ms = since_sensor(&event, now);
        }
        Delivery::Replayed => {
            event.replayed = true;
            event.timing.sensor_to_publish_ms = None;
        }
    }
    serde_json::to_vec(&event)
}

/// Time since the sensor took the picture, in milliseconds with one decimal; `None` where no
/// picture caused the event.
fn since_sensor(event: &Event, now: Duration) -> Option<f32> {
    let sensor = event.timing.sensor_ts_ns;
    let since = now.checked_sub(Duration::from_nanos(sensor)).filter(|_| sensor != 0)?;
    Some((since.as_secs_f32() * 10_000.0).round() / 10.0)
}

/// Everything that the broker is to keep for us, discovery aside, by topic.
pub(crate) fn retained(
    topics: &Topics,
    node: &Node,
    site: &Site,
    seen: &SeenLabels,
) -> BTreeMap<String, Item> {
    let mut items = BTreeMap::new();
    items.insert(topics.availability(), Item::plain(&ONLINE));
    items.insert(topics.info(), Item::plain(&info(node, site)));
    if let Some(system) = &site.system {
        let payload = serde_json::to_vec(system).unwrap_or_default();
        items.insert(topics.system(), Item { payload, news: Vec::new() });
    }
    if let Some(firmware) = &site.firmware {
        let payload = serde_json::to_vec(firmware).unwrap_or_default();
        items.insert(topics.update(), Item { news: payload.clone(), payload });
    }
    for camera in site.cameras.values() {
        camera_items(topics, camera, seen, &mut items);
    }
    items
}

fn info(node: &Node, site: &Site) -> serde_json::Value {
    json!({
        "schema": "edgecam.info/1",
        "node": node.id,
        "name": node.name,
        "boot_id": node.boot_id,
        "version": node.version,
        "board": node.board,
        "serial": node.serial,
        "api_url": node.api_url,
        "cameras": site.cameras.values().map(|camera| json!({
            "id": camera.site.id,
            "name": camera.site.name,
            "zones": camera.site.zones,
            "lines": camera.site.lines,
        })).collect::<Vec<_>>(),
    })
}

/// Whether a camera's pictures flow.
pub(crate) fn availability(status: Option<&CameraStatus>) -> &'static str {
    match status.map(|status| status.phase) {
        Some(CameraPhase::Running) => ONLINE,
        _ => OFFLINE,
    }
}

fn camera_items(
    topics: &Topics,
    camera: &Camera,
    seen: &SeenLabels,
    items: &mut BTreeMap<String, Item>,
) {
    let id = &camera.site.id;
    let mut put = |topic, item| items.insert(topic, item);
    put(topics.camera_availability(id), Item::plain(&availability(camera.status.as_ref())));
    put(topics.camera_state(id), state_item(camera));

    let counts = label_counts(camera, seen);
    put(topics.count(id, "all"), Item::plain(&counts.values().sum::<u32>()));
    for (label, count) in counts {
        put(topics.count(id, &label), Item::plain(&count));
    }
    for zone in &camera.site.zones {
        let counts = zone_counts(camera, zone, seen);
        let occupied = counts.values().any(|count| *count > 0);
        put(topics.zone_occupancy(id, zone), Item::plain(&if occupied { "ON" } else { "OFF" }));
        for (label, count) in counts {
            put(topics.zone_count(id, zone, &label), Item::plain(&count));
        }
    }
    let lines = camera.status.as_ref().map(|status| &status.counts.lines);
    for line in &camera.site.lines {
        let totals = lines.and_then(|lines| lines.get(line)).cloned().unwrap_or_default();
        put(topics.line(id, line, Direction::In), Item::plain(&totals.r#in));
        put(topics.line(id, line, Direction::Out), Item::plain(&totals.out));
        for (label, totals) in totals.labels {
            let topic = |direction| topics.line_label(id, line, direction, &label);
            put(topic(Direction::In), Item::plain(&totals.r#in));
            put(topic(Direction::Out), Item::plain(&totals.out));
        }
    }
}

/// Objects by label (as topic level): configured, seen in an earlier life, seen in this one.
pub(crate) fn label_counts(camera: &Camera, seen: &SeenLabels) -> BTreeMap<String, u32> {
    let now = camera.status.as_ref().map(|status| &status.counts.labels);
    counts_of(camera, seen, None, now)
}

fn zone_counts(camera: &Camera, zone: &str, seen: &SeenLabels) -> BTreeMap<String, u32> {
    let zones = camera.status.as_ref().map(|status| &status.counts.zones);
    let now = zones.and_then(|zones| zones.get(zone)).map(|zone| &zone.labels);
    counts_of(camera, seen, Some(&level(zone)), now)
}

fn counts_of(
    camera: &Camera,
    seen: &SeenLabels,
    zone: Option<&str>,
    now: Option<&BTreeMap<String, u32>>,
) -> BTreeMap<String, u32> {
    let configured = camera.site.labels.iter().flatten().map(|label| snake(label));
    let before =
        seen.get(&level(&camera.site.id)).and_then(|zones| zones.get(&zone.map(str::to_owned)));
    let before = before.into_iter().flatten().cloned();
    let mut counts: BTreeMap<_, _> = configured.chain(before).map(|label| (label, 0)).collect();
    for (label, count) in now.into_iter().flatten() {
        *counts.entry(snake(label)).or_default() += count;
    }
    counts
}

/// Payload of a camera's `state` topic.
#[derive(Serialize)]
struct State<'a> {
    phase: CameraPhase,
    error: Option<&'a str>,
    restarts: u32,
    source: Option<&'a str>,
    width: Option<u32>,
    height: Option<u32>,
    encoder: Option<&'a str>,
    model: Option<&'a str>,
    detecting: bool,
    detector_error: Option<&'a str>,
    throttled: Option<&'a str>,
}

/// The rates beside it.
#[derive(Serialize)]
struct Rates {
    fps: f32,
    infer_fps: f32,
    infer_ms: f32,
    bitrate_kbps: f32,
    skipped_frames: u64,
    gated_frames: u64,
    tracks: u32,
}

fn state_item(camera: &Camera) -> Item {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        state: State<'a>,
        #[serde(flatten)]
        rates: Option<Rates>,
    }
    let state = || state_of(camera.status.as_ref());
    let whole = Whole { state: state(), rates: camera.stats.as_ref().map(rates_of) };
    Item {
        payload: serde_json::to_vec(&whole).unwrap_or_default(),
        news: serde_json::to_vec(&state()).unwrap_or_default(),
    }
}

fn state_of(status: Option<&CameraStatus>) -> State<'_> {
    let pipeline = status.and_then(|status| status.pipeline.as_ref());
    let detector = status.map(|status| &status.detector);
    State {
        phase: status.map(|status| status.phase).unwrap_or_default(),
        error: status.and_then(|status| status.error.as_deref()),
        restarts: status.map(|status| status.restarts).unwrap_or_default(),
        source: pipeline.map(|pipeline| pipeline.source.as_str()),
        width: pipeline.map(|pipeline| pipeline.width),
        height: pipeline.map(|pipeline| pipeline.height),
        encoder: pipeline.map(|pipeline| pipeline.encoder.as_str()),
        model: detector.map(|detector| detector.model.as_str()).filter(|model| !model.is_empty()),
        detecting: detector.is_some_and(|detector| detector.running),
        detector_error: detector.and_then(|detector| detector.error.as_deref()),
        throttled: detector.and_then(|detector| detector.throttled.as_deref()),
    }
}

fn rates_of(stats: &CameraStats) -> Rates {
    Rates {
        fps: stats.fps,
        infer_fps: stats.infer_fps,
        infer_ms: stats.infer.p50_ms,
        bitrate_kbps: stats.bitrate_kbps,
        skipped_frames: stats.skipped_frames,
        gated_frames: stats.gated_frames,
        tracks: stats.tracks,
    }
}
