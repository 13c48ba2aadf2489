//! Examples of a camera's parts, entries, capabilities and latency.

use api::areas::{LineEntry, NewCamera, PrivacyMaskEntry, ZoneEntry};
use api::capabilities::{
    CameraCapabilities, CameraLatency, EncoderOption, ImageControl, VideoMode,
};
use api::settings::{
    CameraSettings, EncoderSettings, ImageSettings, LineSettings, OverlaySettings,
    PrivacyMaskSettings, ZoneSettings,
};
use api::status::Quantiles;
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, camera, operation};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    for (id, status, example) in answers() {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            put!(answer.content, JSON, example);
        }
    }
    for (id, example) in bodies() {
        let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            for media_type in [JSON, MERGE_PATCH_JSON] {
                put!(body.content, media_type, example.clone());
            }
        }
    }
}

fn answers() -> Vec<(&'static str, &'static str, Value)> {
    let (zone, line, mask) = (json(&zone()), json(&line()), json(&mask()));
    let mut all = vec![
        ("create_camera", "201", json(&camera())),
        ("get_camera_capabilities", "200", json(&capabilities())),
        ("get_camera_latency", "200", json(&latency())),
        ("get_image", "200", json(&image())),
        ("patch_image", "200", json(&image())),
        ("get_encoder", "200", json(&encoder())),
        ("patch_encoder", "200", json(&encoder())),
        ("get_overlay", "200", json(&overlay())),
        ("patch_overlay", "200", json(&overlay())),
        ("list_zones", "200", raw!([zone])),
        ("list_lines", "200", raw!([line])),
        ("list_privacy_masks", "200", raw!([mask])),
    ];
    for (create, get, replace, entry) in [
        ("create_zone", "get_zone", "put_zone", zone),
        ("create_line", "get_line", "put_line", line),
        ("create_privacy_mask", "get_privacy_mask", "put_privacy_mask", mask),
    ] {
        let answers = [(create, "201"), (get, "200"), (replace, "200")];
        all.extend(answers.map(|(id, status)| (id, status, entry.clone())));
    }
    all
}

fn bodies() -> [(&'static str, Value); 10] {
    let settings = CameraSettings {
        source: Some("rtsp://10.0.0.9/stream".into()),
        ..CameraSettings::default()
    };
    let body = raw!({ "id": "yard", "settings": { "source": settings.source } });
    // The type says what a body may have; one that leaves things out is the better example.
    debug_assert!(serde_json::from_value::<NewCamera>(body.clone()).is_ok());
    [
        ("create_camera", body),
        ("patch_image", raw!({ "rotation": 180, "exposure_us": null, "brightness": 0.1 })),
        ("patch_encoder", raw!({ "bitrate_kbps": 1500 })),
        ("patch_overlay", raw!({ "labels": false })),
        ("create_zone", json(&zone())),
        ("put_zone", json(&zone().settings)),
        ("create_line", json(&line())),
        ("put_line", json(&line().settings)),
        ("create_privacy_mask", json(&mask())),
        ("put_privacy_mask", json(&mask().settings)),
    ]
}

fn zone() -> ZoneEntry {
    let settings = ZoneSettings {
        polygon: vec![[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]],
        labels: Some(vec!["person".into()]),
        loitering_s: Some(30.0),
        ..ZoneSettings::default()
    };
    ZoneEntry { id: "door".into(), settings }
}

fn line() -> LineEntry {
    let settings = LineSettings { from: [0.1, 0.6], to: [0.9, 0.6], ..LineSettings::default() };
    LineEntry { id: "gate".into(), settings }
}

fn mask() -> PrivacyMaskEntry {
    let polygon = vec![[0.7, 0.0], [1.0, 0.0], [1.0, 0.4], [0.7, 0.4]];
    PrivacyMaskEntry { id: "neighbours".into(), settings: PrivacyMaskSettings { polygon } }
}

fn image() -> ImageSettings {
    ImageSettings {
        rotation: Some(180),
        mirror: Some(false),
        brightness: Some(0.1),
        ..ImageSettings::default()
    }
}

fn encoder() -> EncoderSettings {
    EncoderSettings {
        prefer: Some(api::settings::EncoderPreference::Auto),
        bitrate_kbps: Some(1500),
        key_frame_interval_s: Some(2.0),
    }
}

fn overlay() -> OverlaySettings {
    OverlaySettings {
        boxes: Some(true),
        labels: Some(false),
        zones: Some(true),
        timestamp: Some(true),
        max_age_ms: Some(700),
    }
}

fn capabilities() -> CameraCapabilities {
    let control = |setting: &str, supported, range: Option<(f32, f32)>| ImageControl {
        setting: setting.into(),
        supported,
        minimum: range.map(|(minimum, _)| minimum),
        maximum: range.map(|(_, maximum)| maximum),
    };
    let encoder = |name: &str, in_use, trouble: Option<&str>| EncoderOption {
        name: name.into(),
        in_use,
        trouble: trouble.map(Into::into),
    };
    CameraCapabilities {
        controls: vec![
            control("rotation", true, None),
            control("brightness", true, Some((-1.0, 1.0))),
        ],
        modes: vec![VideoMode { width: 1920, height: 1080, max_fps: Some(30.0) }],
        encoders: vec![
            encoder("v4l2-mmap", false, Some("a Raspberry Pi 5 has no hardware H.264 encoder")),
            encoder("x264", true, None),
        ],
    }
}

fn latency() -> CameraLatency {
    let times = |p50_ms, p95_ms, max_ms| Quantiles { p50_ms, p95_ms, max_ms };
    CameraLatency {
        sensor_to_tap: times(4.0, 6.5, 21.0),
        tap_to_inferred: times(31.0, 44.0, 80.0),
        inferred_to_stored: times(2.5, 6.0, 19.0),
        stored_to_published: times(1.5, 4.0, 35.0),
        sensor_to_stored: times(40.0, 55.0, 96.0),
    }
}
