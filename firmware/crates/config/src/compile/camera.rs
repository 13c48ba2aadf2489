//! A camera's settings, checked.

use std::path::PathBuf;
use std::time::Duration;

use api::settings::{
    CameraSettings, DetectorSettings, EncoderPreference, EncoderSettings, GovernorSettings,
    OverlaySettings, Precision, ThermalSettings, TrackerSettings, VideoSettings,
};
use domain::Size;
use domain::tracker::TrackerParams;

use super::{detection, image, rules, source};
use crate::check::Check;
use crate::model::{
    CameraConfig, CameraId, DetectorConfig, Draw, EncoderConfig, EncoderLadder, GovernorConfig,
    HistoryConfig, OverlayConfig, ThermalConfig, VideoConfig,
};
use crate::template::TEMPLATE;

/// The camera `id`; `check` stands at the top of the settings.
pub(super) fn camera(
    check: &mut Check<'_>,
    id: &str,
    settings: &CameraSettings,
    detector: &DetectorSettings,
    thermal: &ThermalSettings,
    governor: &GovernorSettings,
) -> Option<CameraConfig> {
    let detector = detector_config(&mut check.below("detector"), detector);
    let thermal = thermal_config(&mut check.below("thermal"), thermal);
    let governor = governor_config(&mut check.below("governor"), governor);
    let mut cameras = check.below("cameras");
    let mut check = cameras.below(id);
    check.id("", id);
    if id == TEMPLATE {
        check.wrong("", None, "is what cameras start from and cannot be a camera itself");
    }
    if let Some(name) = &settings.name {
        shown_name(&mut check, name);
    }
    let enabled = check.need("enabled", settings.enabled);
    let source = source::source(&mut check, settings);
    let video = video(&mut check.below("video"), &settings.video);
    let image = image::image(&mut check.below("image"), &settings.image);
    let masks = image::masks(&mut check.below("privacy_masks"), &settings.privacy_masks);
    let encoder = encoder(&mut check.below("encoder"), &settings.encoder);
    let found = detection::detection(&mut check.below("detection"), &settings.detection);
    let tracker = tracker(&mut check.below("tracker"), &settings.tracker);
    let keep = check.below("history").need_or("enabled", settings.history.enabled, false);
    let history = if keep { HistoryConfig::Kept } else { HistoryConfig::Off };
    let overlay = overlay(&mut check.below("overlay"), &settings.overlay);
    let zones = rules::zones(&mut check.below("zones"), &settings.zones);
    let lines = rules::lines(&mut check.below("lines"), &settings.lines);
    let (model, threads, prefer_int8, precision) = detector?;
    Some(CameraConfig {
        id: CameraId::new(id)?,
        name: settings.name.clone().unwrap_or_else(|| id.to_owned()),
        enabled: enabled?,
        source: source?,
        video,
        image,
        masks: masks?,
        encoder: encoder?,
        detector: DetectorConfig {
            enabled: found.enabled,
            model,
            threads,
            prefer_int8,
            precision,
            min_interval: found.min_interval,
        },
        view: found.view,
        motion: found.motion,
        detection: found.params,
        tracker,
        history,
        overlay,
        zones: zones?,
        lines: lines?,
        thermal,
        governor,
    })
}

/// A name that people read.
pub(super) fn shown_name(check: &mut Check<'_>, name: &str) {
    let length = name.chars().count();
    if !(1..=64).contains(&length) || name.trim() != name || name.contains(char::is_control) {
        let reason = "must be 1 to 64 characters, without blanks around it or line breaks";
        check.wrong("name", Some(&name), reason);
    }
}

/// Model, threads, whether 8 bits are preferred, and the number format.
fn detector_config(
    check: &mut Check<'_>,
    settings: &DetectorSettings,
) -> Option<(String, u8, bool, Precision)> {
    let model = check.need("model", settings.model.clone());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(name) = &model
        && (name.is_empty() || name.starts_with('.') || !name.chars().all(allowed))
    {
        let reason = "must be the name of a model's manifest, such as nanodet-plus-m_320; \
                      /api/v1/models lists them";
        check.wrong("model", Some(name), reason);
    }
    let threads = check.number("threads", settings.threads, 1..=8);
    let prefer_int8 = check.need_or("prefer_int8", settings.prefer_int8, false);
    let precision = check.need("precision", settings.precision);
    Some((model?, threads, prefer_int8, precision?))
}

fn thermal_config(check: &mut Check<'_>, settings: &ThermalSettings) -> Option<ThermalConfig> {
    let enabled = check.need_or("enabled", settings.enabled, false);
    let sensor = check.need_or("sensor", settings.sensor.clone(), String::new());
    if settings.sensor.as_deref() == Some("") {
        check.wrong("sensor", None, "must be the path of a file with the temperature in m°C");
    }
    let throttled = check.need_or("throttled", settings.throttled.clone(), String::new());
    let max_temp_c = check.number("max_temp_c", settings.max_temp_c, 30.0..=110.0);
    let critical_c = check.number("critical_c", settings.critical_c, 31.0..=120.0);
    if let (Some(max), Some(critical)) = (settings.max_temp_c, settings.critical_c)
        && critical <= max
    {
        let reason = format!("must be above `max_temp_c`, which is {max}");
        check.wrong("critical_c", Some(&critical), reason);
    }
    let (sensor, throttled) = (PathBuf::from(sensor), PathBuf::from(throttled));
    enabled.then_some(ThermalConfig { sensor, throttled, max_temp_c, critical_c })
}

fn governor_config(check: &mut Check<'_>, settings: &GovernorSettings) -> Option<GovernorConfig> {
    let enabled = check.need_or("enabled", settings.enabled, false);
    let latency = check.number("event_latency_ms", settings.event_latency_ms, 20..=60_000);
    let config = GovernorConfig {
        min_detect_fps: check.number("min_detect_fps", settings.min_detect_fps, 0.1..=60.0),
        event_latency: Duration::from_millis(latency.into()),
        min_bitrate_kbps: check.number("min_bitrate_kbps", settings.min_bitrate_kbps, 100..=25_000),
        settle: Duration::from_secs_f32(check.number("settle_s", settings.settle_s, 0.5..=600.0)),
        calm: Duration::from_secs_f32(check.number("calm_s", settings.calm_s, 1.0..=3600.0)),
    };
    enabled.then_some(config)
}

fn video(check: &mut Check<'_>, settings: &VideoSettings) -> VideoConfig {
    let mut side = |field: &str, value: Option<u32>, most: u32| {
        let value = check.within(field, value?, 64..=most);
        if !value.is_multiple_of(2) {
            check.wrong(field, Some(&value), "must be even: the encoder takes pixels in pairs");
        }
        Some(value)
    };
    let width = side("width", settings.width, 3840);
    let height = side("height", settings.height, 2160);
    match (width, height) {
        (Some(_), None) => check.wrong("height", None, "is missing beside `width`"),
        (None, Some(_)) => check.wrong("width", None, "is missing beside `height`"),
        _ => {}
    }
    VideoConfig {
        size: width.zip(height).map(|(width, height)| Size::new(width, height)),
        fps: settings.fps.map(|fps| check.within("fps", fps, 1..=120)),
    }
}

fn encoder(check: &mut Check<'_>, settings: &EncoderSettings) -> Option<EncoderConfig> {
    let prefer = check.need("prefer", settings.prefer);
    let bitrate_kbps = check.number("bitrate_kbps", settings.bitrate_kbps, 100..=25_000);
    let key = check.number("key_frame_interval_s", settings.key_frame_interval_s, 0.5..=10.0);
    Some(EncoderConfig {
        ladder: match prefer? {
            EncoderPreference::Auto => EncoderLadder::Full,
            EncoderPreference::NoDmabuf => EncoderLadder::NoDmabuf,
            EncoderPreference::Software => EncoderLadder::Software,
        },
        bitrate_kbps,
        key_frame_interval: Duration::from_secs_f32(key),
    })
}

fn tracker(check: &mut Check<'_>, settings: &TrackerSettings) -> TrackerParams {
    let missed = check.number("max_missed_ms", settings.max_missed_ms, 0..=60_000);
    let high_score = check.number("start_score", settings.start_score, 0.0..=1.0);
    let usual = TrackerParams::default();
    TrackerParams {
        high_score,
        low_score: usual.low_score.min(high_score),
        match_iou: check.number("match_iou", settings.match_iou, 0.0..=1.0),
        ema_weight: check.number("ema_weight", settings.ema_weight, 0.05..=1.0),
        max_missed: Duration::from_millis(missed.into()),
        confirm_hits: check.number("confirm_hits", settings.confirm_hits, 1..=30),
        ..usual
    }
}

fn overlay(check: &mut Check<'_>, settings: &OverlaySettings) -> OverlayConfig {
    let mut draw = |field: &str, value: Option<bool>| match check.need(field, value) {
        Some(true) => Draw::On,
        Some(false) | None => Draw::Off,
    };
    OverlayConfig {
        boxes: draw("boxes", settings.boxes),
        labels: draw("labels", settings.labels),
        zones: draw("zones", settings.zones),
        timestamp: draw("timestamp", settings.timestamp),
        max_age: Duration::from_millis(
            check.number("max_age_ms", settings.max_age_ms, 50..=10_000).into(),
        ),
    }
}
