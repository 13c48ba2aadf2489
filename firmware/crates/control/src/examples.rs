//! Examples of the OpenAPI document, made of the real types, so that they cannot go out of date.

mod access;
mod live;

use std::collections::BTreeMap;

use api::event::{
    Event, EventType, Kind, ModelRef, Object, Phase, SCHEMA, Severity, Timing, Zones,
};
use api::resources::{
    Camera, Check, ChildStatus, Detector, EventPage, Model, MqttStatus, Readiness, Stream, System,
    Version,
};
use api::settings::CameraSettings;
use api::status::{CameraPhase, CameraStats, CameraStatus, DetectorStatus, PipelineStatus};
use serde_json::{Value, json as raw};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const JSON: &str = "application/json";
const MODEL: &str = "nanodet-plus-m_320";
const SHA256: &str = "1942dede585c2163c888e34295fffffdf73841ca8e79b2a548042393510fb9ae";

/// Gives the content of a media type its example.
macro_rules! put {
    ($contents:expr, $media_type:expr, $example:expr) => {
        if let Some(RefOr::T(content)) = $contents.get_mut($media_type) {
            content.example = Some($example);
        }
    };
}

pub(crate) use put;

/// The operation `id` of `document`.
fn operation<'a>(document: &'a mut OpenApi, id: &str) -> Option<&'a mut Operation> {
    let items = document.paths.paths.values_mut();
    let mut all = items.flat_map(|item| {
        let methods =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        methods.into_iter().flatten()
    });
    all.find(|operation| operation.operation_id.as_deref() == Some(id))
}
// Below the macro that they use.
mod cameras;
mod gpio;
mod hooks;
mod jobs;
mod machine;
mod settings;
mod updates;

/// Puts an example into every JSON answer and request body.
pub(crate) fn put_into(document: &mut OpenApi) {
    access::put_into(document);
    live::put_into(document);
    cameras::put_into(document);
    machine::put_into(document);
    jobs::put_into(document);
    hooks::put_into(document);
    gpio::put_into(document);
    updates::put_into(document);
    let answers = [
        ("/api/v1/cameras", "200", json(&[camera()])),
        ("/api/v1/cameras/{cam}", "200", json(&camera())),
        ("/api/v1/cameras/{cam}/stats", "200", json(&stats())),
        ("/api/v1/settings/status", "200", settings::status()),
        ("/api/v1/settings/revisions", "200", settings::page()),
        ("/api/v1/settings/revisions/{revision}", "200", settings::detail()),
        ("/api/v1/settings/confirm", "200", settings::status()),
        ("/api/v1/settings/rollback", "200", settings::applied()),
        ("/api/v1/settings/rollback", "202", settings::applying()),
        ("/api/v1/events", "200", json(&page())),
        ("/api/v1/events/{id}", "200", json(&event())),
        ("/api/v1/streams", "200", json(&[stream()])),
        ("/api/v1/detector", "200", json(&detector())),
        ("/api/v1/system", "200", json(&system())),
        ("/api/v1/version", "200", json(&version())),
        ("/readyz", "200", json(&readiness(true, "running"))),
        ("/readyz", "503", json(&readiness(false, "rtsp://10.0.0.9/stream does not answer"))),
    ];
    for (path, status, example) in answers {
        let Some(item) = document.paths.paths.get_mut(path) else { continue };
        for operation in [&mut item.get, &mut item.patch, &mut item.post].into_iter().flatten() {
            let answer = operation.responses.responses.get_mut(status);
            if let Some(RefOr::T(answer)) = answer {
                put!(answer.content, JSON, example.clone());
            }
        }
    }
    let patch = document.paths.paths.get_mut("/api/v1/cameras/{cam}");
    let patch = patch.and_then(|item| item.patch.as_mut()).and_then(|p| p.request_body.as_mut());
    if let Some(RefOr::T(body)) = patch {
        for media_type in [MERGE_PATCH_JSON, JSON] {
            put!(body.content, media_type, change());
        }
    }
    settings::put_into(document);
    let live = document.paths.paths.get_mut("/api/v1/stream/events");
    let live = live.and_then(|item| item.get.as_mut());
    let live = live.and_then(|operation| operation.responses.responses.get_mut("200"));
    if let Some(RefOr::T(live)) = live {
        let text = format!("id: 4711\nevent: object_new\ndata: {}\n\n", json(&event()));
        put!(live.content, "text/event-stream", Value::from(text));
    }
}

fn change() -> Value {
    raw!({
        "encoder": { "bitrate_kbps": 1500 },
        "detection": { "score_threshold": 0.4, "class_thresholds": null },
        "zones": { "door": { "polygon": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]] } },
    })
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

fn event() -> Event {
    let id = "01JZ8Q0V7X3C9K2M4N5P6R7S8T".parse().unwrap_or_default();
    let ts = time("2026-07-01T12:00:00.250Z").unwrap_or_default();
    Event {
        schema: SCHEMA.into(),
        id,
        seq: 4711,
        boot_id: "4ca027".into(),
        replayed: false,
        phase: Phase::New,
        event_type: EventType::ObjectNew,
        kind: Kind::Object,
        severity: Severity::Detection,
        node: "ec-0a1b2c".into(),
        camera: Some("front".into()),
        ts,
        start_ts: ts,
        end_ts: None,
        object: Some(Object {
            track_id: id,
            label: "car".into(),
            score: 0.82,
            top_score: 0.82,
            r#box: [0.12, 0.41, 0.2, 0.25],
            stationary: false,
            velocity: [0.08, 0.0],
            age_ms: 200,
        }),
        zones: Zones {
            current: vec!["door".into()],
            entered: vec!["door".into()],
            ..Zones::default()
        },
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: Some(ModelRef { name: MODEL.into(), sha256: SHA256.into(), infer_ms: 13.5 }),
        timing: Timing::default(),
    }
}

fn page() -> EventPage {
    EventPage { items: vec![event()], next_cursor: Some("desc-4711".into()) }
}

fn detector_status() -> DetectorStatus {
    DetectorStatus {
        running: true,
        model: MODEL.into(),
        sha256: SHA256.into(),
        labels: vec!["person".into(), "car".into()],
        ..DetectorStatus::default()
    }
}

fn camera() -> Camera {
    let mut settings = CameraSettings {
        enabled: Some(true),
        source: Some("scene".into()),
        ..CameraSettings::default()
    };
    settings.encoder.bitrate_kbps = Some(2500);
    settings.detection.score_threshold = Some(0.25);
    let status = CameraStatus {
        id: "front".into(),
        name: "Front door".into(),
        phase: CameraPhase::Running,
        pid: Some(812),
        started_at: time("2026-07-01T11:58:02Z"),
        pipeline: Some(PipelineStatus {
            source: "scene (seed 1)".into(),
            width: 1280,
            height: 720,
            fps: 25.0,
            encoder: "x264".into(),
            encoder_reason: "this machine has no hardware H.264 encoder that EdgeCam uses".into(),
        }),
        detector: detector_status(),
        ..CameraStatus::default()
    };
    Camera { status, settings }
}

fn stats() -> CameraStats {
    CameraStats {
        frames: 3000,
        fps: 25.0,
        encoded_frames: 3000,
        bitrate_kbps: 2480.0,
        inferred_frames: 1200,
        infer_fps: 10.0,
        skipped_frames: 1798,
        gated_frames: 0,
        tracks: 3,
        last_frame_age_ms: 12,
        ..CameraStats::default()
    }
}

fn stream() -> Stream {
    let at = |path: &str| Some(format!("https://192.168.1.20:8443/live/front{path}"));
    Stream {
        camera: "front".into(),
        ready: true,
        readers: Some(1),
        rtsp: Some("rtsp://192.168.1.20:8554/front".into()),
        hls: at("/index.m3u8"),
        webrtc: at(""),
        whep: at("/whep"),
    }
}

fn detector() -> Detector {
    let mut detector = Detector::default();
    detector.settings.model = Some(MODEL.into());
    detector.settings.threads = Some(1);
    detector.cameras.insert("front".into(), detector_status());
    detector
}

fn model() -> Model {
    Model {
        name: MODEL.into(),
        title: "NanoDet-Plus-m 320".into(),
        width: 320,
        height: 320,
        licence: "Apache-2.0".into(),
        sha256: SHA256.into(),
        installed: true,
        active: true,
        built_in: true,
        labels: vec!["person".into(), "car".into()],
    }
}

fn system() -> System {
    let child =
        ChildStatus { pid: Some(812), memory_bytes: Some(91_488_256), ..ChildStatus::default() };
    System {
        node: "ec-0a1b2c".into(),
        name: "Gate house".into(),
        board: "Raspberry Pi 5 Model B Rev 1.0".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        boot_id: "4ca027".into(),
        started_at: time("2026-07-01T11:58:00Z"),
        temperature_c: Some(52.5),
        load_1m: 0.8,
        memory_total_bytes: 4_147_757_056,
        memory_available_bytes: 3_221_225_472,
        disk_total_bytes: 31_268_536_320,
        disk_free_bytes: 24_117_248_000,
        mqtt: MqttStatus {
            enabled: true,
            connected: true,
            broker: Some("mqtt://127.0.0.1:1883".into()),
            ..MqttStatus::default()
        },
        children: BTreeMap::from([("camera-front".to_owned(), child)]),
    }
}

fn version() -> Version {
    Version {
        product: "EdgeCam".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        api: "v1".into(),
        event_schema: SCHEMA.into(),
    }
}

fn readiness(ready: bool, detail: &str) -> Readiness {
    let check = Check { name: "camera front".into(), ok: ready, detail: detail.into() };
    Readiness { ready, checks: vec![check] }
}
