//! What differs between two settings, and what each difference costs.

mod camera;

use std::collections::BTreeMap;

use serde_json::Value;

use api::settings::Settings;

use crate::compile::compile_camera;
use crate::pointer;

pub use camera::{Change, camera_change};

/// What a change of a setting costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing: taken over while everything runs.
    Live,
    /// The camera's process starts again.
    Rebuild,
    /// The daemon starts again.
    Restart,
}

/// One setting that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// JSON pointer to it.
    pub pointer: String,
    /// Value before; `None`: there was none.
    pub old: Option<Value>,
    /// Value after; `None`: there is none any more.
    pub new: Option<Value>,
    /// What the change costs.
    pub cost: Cost,
}

/// All settings that differ, ordered by their pointers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigDiff {
    /// The differences.
    pub changes: Vec<FieldChange>,
}

/// What a change of each setting costs; `*` stands for a name that the owner chose. A test holds
/// the table against the shape of the settings: a new field has to be put here.
pub const COSTS: &[(&str, Cost)] = &[
    ("/node/id", Cost::Restart),
    ("/node/name", Cost::Restart),
    ("/network/wifi_country", Cost::Live),
    ("/network/interfaces/*/dhcp", Cost::Live),
    ("/network/interfaces/*/addresses", Cost::Live),
    ("/network/interfaces/*/gateways", Cost::Live),
    ("/network/interfaces/*/dns", Cost::Live),
    ("/network/interfaces/*/wifi/ssid", Cost::Live),
    ("/network/interfaces/*/wifi/password", Cost::Live),
    ("/network/interfaces/*/wifi/hidden", Cost::Live),
    ("/time/zone", Cost::Rebuild),
    ("/time/servers", Cost::Live),
    ("/api/listen", Cost::Restart),
    ("/api/tls", Cost::Restart),
    ("/api/tls_listen", Cost::Restart),
    ("/api/hosts", Cost::Restart),
    ("/api/announce", Cost::Restart),
    ("/data/dir", Cost::Restart),
    ("/data/outbox_max_events", Cost::Restart),
    ("/data/events_max", Cost::Restart),
    ("/data/tracks_max_mb", Cost::Restart),
    ("/data/tracks_max_days", Cost::Restart),
    ("/mqtt/enabled", Cost::Restart),
    ("/mqtt/url", Cost::Restart),
    ("/mqtt/username", Cost::Restart),
    ("/mqtt/password", Cost::Restart),
    ("/mqtt/ca_file", Cost::Restart),
    ("/mqtt/client_cert_file", Cost::Restart),
    ("/mqtt/client_key_file", Cost::Restart),
    ("/mqtt/prefix", Cost::Restart),
    ("/mqtt/discovery_prefix", Cost::Restart),
    ("/mqtt/commands", Cost::Restart),
    ("/mqtt/listen", Cost::Restart),
    ("/mqtt/keep_alive_s", Cost::Restart),
    ("/media_server/enabled", Cost::Restart),
    ("/media_server/path", Cost::Restart),
    ("/media_server/rtsp_listen", Cost::Restart),
    ("/media_server/hls_listen", Cost::Restart),
    ("/media_server/webrtc_listen", Cost::Restart),
    ("/media_server/webrtc_udp_listen", Cost::Restart),
    ("/media_server/control_listen", Cost::Restart),
    ("/detector/model", Cost::Rebuild),
    ("/detector/threads", Cost::Rebuild),
    ("/detector/prefer_int8", Cost::Rebuild),
    ("/detector/precision", Cost::Rebuild),
    ("/detector/download", Cost::Restart),
    ("/thermal/enabled", Cost::Live),
    ("/thermal/sensor", Cost::Live),
    ("/thermal/throttled", Cost::Live),
    ("/thermal/max_temp_c", Cost::Live),
    ("/thermal/critical_c", Cost::Live),
    ("/governor/enabled", Cost::Live),
    ("/governor/min_detect_fps", Cost::Live),
    ("/governor/event_latency_ms", Cost::Live),
    ("/governor/min_bitrate_kbps", Cost::Live),
    ("/governor/settle_s", Cost::Live),
    ("/governor/calm_s", Cost::Live),
    ("/gpio/chip", Cost::Live),
    ("/gpio/pins/*/number", Cost::Live),
    ("/gpio/pins/*/direction", Cost::Live),
    ("/gpio/pins/*/active_low", Cost::Live),
    ("/gpio/pins/*/initial", Cost::Live),
    ("/gpio/pins/*/pull", Cost::Live),
    ("/gpio/pins/*/debounce_ms", Cost::Live),
    ("/gpio/pins/*/label", Cost::Live),
    ("/gpio/pins/*/camera", Cost::Live),
    ("/gpio/actions/*/enabled", Cost::Live),
    ("/gpio/actions/*/pin", Cost::Live),
    ("/gpio/actions/*/kinds", Cost::Live),
    ("/gpio/actions/*/cameras", Cost::Live),
    ("/gpio/actions/*/labels", Cost::Live),
    ("/gpio/actions/*/zones", Cost::Live),
    ("/gpio/actions/*/types", Cost::Live),
    ("/gpio/actions/*/pulse_ms", Cost::Live),
    ("/gpio/actions/*/follow", Cost::Live),
    ("/gpio/actions/*/max_s", Cost::Live),
    ("/updates/index_url", Cost::Live),
    ("/updates/channel", Cost::Live),
    ("/updates/automatic", Cost::Live),
    ("/updates/window", Cost::Live),
    ("/updates/confirm", Cost::Live),
    ("/updates/confirm_within_min", Cost::Live),
    ("/updates/transfer", Cost::Live),
    ("/updates/allowed_hosts", Cost::Live),
    ("/cameras/*/name", Cost::Live),
    ("/cameras/*/enabled", Cost::Rebuild),
    ("/cameras/*/source", Cost::Rebuild),
    ("/cameras/*/loop_clip", Cost::Rebuild),
    ("/cameras/*/scene_seed", Cost::Rebuild),
    ("/cameras/*/video/width", Cost::Rebuild),
    ("/cameras/*/video/height", Cost::Rebuild),
    ("/cameras/*/video/fps", Cost::Rebuild),
    ("/cameras/*/image/rotation", Cost::Rebuild),
    ("/cameras/*/image/mirror", Cost::Rebuild),
    ("/cameras/*/image/exposure_us", Cost::Live),
    ("/cameras/*/image/gain", Cost::Live),
    ("/cameras/*/image/white_balance", Cost::Live),
    ("/cameras/*/image/colour_gains", Cost::Live),
    ("/cameras/*/image/lens_position", Cost::Live),
    ("/cameras/*/image/exposure_compensation", Cost::Live),
    ("/cameras/*/image/brightness", Cost::Live),
    ("/cameras/*/image/contrast", Cost::Live),
    ("/cameras/*/image/saturation", Cost::Live),
    ("/cameras/*/image/sharpness", Cost::Live),
    ("/cameras/*/image/v4l2_controls/*", Cost::Live),
    ("/cameras/*/privacy_masks/*/polygon", Cost::Live),
    ("/cameras/*/encoder/prefer", Cost::Rebuild),
    ("/cameras/*/encoder/key_frame_interval_s", Cost::Rebuild),
    ("/cameras/*/encoder/bitrate_kbps", Cost::Live),
    ("/cameras/*/detection/enabled", Cost::Live),
    ("/cameras/*/detection/max_fps", Cost::Live),
    ("/cameras/*/detection/region", Cost::Live),
    ("/cameras/*/detection/tiling", Cost::Live),
    ("/cameras/*/detection/motion_gate", Cost::Live),
    ("/cameras/*/detection/motion_refresh_s", Cost::Live),
    ("/cameras/*/detection/score_threshold", Cost::Live),
    ("/cameras/*/detection/class_thresholds/*", Cost::Live),
    ("/cameras/*/detection/size_thresholds", Cost::Live),
    ("/cameras/*/detection/size_caps", Cost::Live),
    ("/cameras/*/detection/large_cap", Cost::Live),
    ("/cameras/*/detection/class_filters/*/max_count", Cost::Live),
    ("/cameras/*/detection/class_filters/*/min_area", Cost::Live),
    ("/cameras/*/detection/class_filters/*/min_aspect", Cost::Live),
    ("/cameras/*/detection/class_filters/*/max_aspect", Cost::Live),
    ("/cameras/*/detection/top_k", Cost::Live),
    ("/cameras/*/detection/iou_threshold", Cost::Live),
    ("/cameras/*/detection/max_detections", Cost::Live),
    ("/cameras/*/detection/min_box_area_px", Cost::Live),
    ("/cameras/*/detection/labels", Cost::Live),
    ("/cameras/*/tracker/start_score", Cost::Live),
    ("/cameras/*/tracker/match_iou", Cost::Live),
    ("/cameras/*/tracker/ema_weight", Cost::Live),
    ("/cameras/*/tracker/max_missed_ms", Cost::Live),
    ("/cameras/*/tracker/confirm_hits", Cost::Live),
    ("/cameras/*/history/enabled", Cost::Live),
    ("/cameras/*/overlay/boxes", Cost::Live),
    ("/cameras/*/overlay/labels", Cost::Live),
    ("/cameras/*/overlay/zones", Cost::Live),
    ("/cameras/*/overlay/timestamp", Cost::Live),
    ("/cameras/*/overlay/max_age_ms", Cost::Live),
    ("/cameras/*/zones/*/polygon", Cost::Live),
    ("/cameras/*/zones/*/labels", Cost::Live),
    ("/cameras/*/zones/*/loitering_s", Cost::Live),
    ("/cameras/*/zones/*/inertia", Cost::Live),
    ("/cameras/*/zones/*/min_area", Cost::Live),
    ("/cameras/*/zones/*/max_area", Cost::Live),
    ("/cameras/*/zones/*/min_height", Cost::Live),
    ("/cameras/*/zones/*/schedule", Cost::Live),
    ("/cameras/*/zones/*/crowding/more_than", Cost::Live),
    ("/cameras/*/zones/*/crowding/after_s", Cost::Live),
    ("/cameras/*/zones/*/crowding/clear_after_s", Cost::Live),
    ("/cameras/*/lines/*/from", Cost::Live),
    ("/cameras/*/lines/*/to", Cost::Live),
    ("/cameras/*/lines/*/labels", Cost::Live),
    ("/cameras/*/lines/*/min_area", Cost::Live),
    ("/cameras/*/lines/*/max_area", Cost::Live),
    ("/cameras/*/lines/*/min_height", Cost::Live),
    ("/cameras/*/lines/*/schedule", Cost::Live),
];

/// What a change of the setting at `pointer` costs; `None`: there is no such setting.
pub fn cost(pointer: &str) -> Option<Cost> {
    let keys = pointer::keys(pointer);
    let fits = |pattern: &str| {
        let pattern = pattern.split('/').skip(1);
        pattern.clone().count() == keys.len()
            && pattern.zip(&keys).all(|(wanted, key)| wanted == "*" || wanted == key)
    };
    COSTS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, cost)| *cost)
}

impl ConfigDiff {
    /// What must change in `old` to get `new`.
    pub fn between(old: &Settings, new: &Settings) -> Self {
        let rebuilt = rebuilt(old, new);
        let (old, new) = (fields(old), fields(new));
        let mut pointers: Vec<_> = old.keys().chain(new.keys()).collect();
        pointers.sort();
        pointers.dedup();
        let differs = pointers.into_iter().filter(|pointer| old.get(*pointer) != new.get(*pointer));
        let starts_again = |pointer: &str| {
            rebuilt.iter().any(|part| {
                let below = pointer.strip_prefix(part.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            })
        };
        let change = |pointer: &String| FieldChange {
            pointer: pointer.clone(),
            old: old.get(pointer).cloned(),
            new: new.get(pointer).cloned(),
            cost: match cost(pointer) {
                Some(Cost::Live) if starts_again(pointer) => Cost::Rebuild,
                Some(cost) => cost,
                // A setting that the table does not know.
                None => Cost::Restart,
            },
        };
        Self { changes: differs.map(change).collect() }
    }

    /// The way back.
    #[must_use]
    pub fn flip(self) -> Self {
        let flip = |change: FieldChange| FieldChange { old: change.new, new: change.old, ..change };
        Self { changes: self.changes.into_iter().map(flip).collect() }
    }

    /// The most expensive of the changes; `None`: there are none.
    pub fn cost(&self) -> Option<Cost> {
        self.changes.iter().map(|change| change.cost).max()
    }
}

/// Parts of the settings whose change takes a process of a camera whatever the table says: all of a camera
/// that comes or goes, and what its source cannot take over as it runs.
fn rebuilt(old: &Settings, new: &Settings) -> Vec<String> {
    let mut parts = Vec::new();
    for id in old.cameras.keys().chain(new.cameras.keys()) {
        let camera = pointer::of(["cameras", id]);
        let compiled = |of: &Settings| {
            let one = of.cameras.get(id)?;
            compile_camera(id, one, &of.detector, &of.thermal, &of.governor).ok()
        };
        if old.cameras.contains_key(id) != new.cameras.contains_key(id) {
            parts.push(camera);
        } else if old.cameras.get(id) != new.cameras.get(id)
            && let (Some(old), Some(new)) = (compiled(old), compiled(new))
            && let Change::Rebuild(fields) = camera_change(&old, &new)
        {
            parts.extend(fields.into_iter().map(|field| format!("{camera}{field}")));
        }
    }
    parts
}

/// Every setting that has a value, by its pointer. Lists count as one value.
fn fields(settings: &Settings) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect("", crate::patch::json(settings), &mut found);
    found
}

fn collect(at: &str, value: Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(&pointer::join(at, &key), value, found);
            }
        }
        Value::Null => {}
        value => drop(found.insert(at.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Layers, load};
    use crate::shape::Shape;

    fn settings(set: &[&str]) -> crate::Loaded {
        let set = set.iter().map(|&text| text.to_owned()).collect();
        load(&Layers { set, ..Layers::default() }).unwrap()
    }

    fn patterns(at: &str, shape: &Shape, found: &mut Vec<String>) {
        match shape {
            Shape::Group(fields) => {
                fields.iter().for_each(|f| patterns(&format!("{at}/{}", f.name), &f.shape, found));
            }
            Shape::Map { of, .. } => patterns(&format!("{at}/*"), of, found),
            _ => found.push(at.to_owned()),
        }
    }

    #[test]
    fn every_setting_has_a_cost_and_every_cost_a_setting() {
        let mut there = Vec::new();
        patterns("", Shape::settings(), &mut there);
        let mut decided: Vec<_> = COSTS.iter().map(|(pattern, _)| (*pattern).to_owned()).collect();
        there.sort();
        decided.sort();
        assert_eq!(there, decided);
    }

    #[test]
    fn a_difference_names_the_field_both_values_and_what_it_costs() {
        let old = settings(&[]).settings;
        let new =
            settings(&["cameras.cam.encoder.bitrate_kbps=800", "detector.threads=2"]).settings;
        let diff = ConfigDiff::between(&old, &new);
        let shown: Vec<_> = diff.changes.iter().map(|c| (c.pointer.as_str(), c.cost)).collect();
        assert_eq!(
            shown,
            [
                ("/cameras/cam/encoder/bitrate_kbps", Cost::Live),
                ("/detector/threads", Cost::Rebuild)
            ]
        );
        assert_eq!(diff.changes[0].new, Some(800.into()));
        assert_eq!(diff.cost(), Some(Cost::Rebuild));
    }

    #[test]
    fn a_camera_that_comes_or_goes_takes_a_process_and_nothing_else() {
        let one = settings(&["cameras.front.source=scene"]).settings;
        let two = settings(&["cameras.front.source=scene", "cameras.back.name=B"]).settings;
        for diff in [ConfigDiff::between(&one, &two), ConfigDiff::between(&two, &one)] {
            assert!(diff.changes.len() > 10, "{diff:?}");
            assert!(diff.changes.iter().all(|change| change.cost == Cost::Rebuild), "{diff:?}");
        }
    }

    #[test]
    fn the_way_back_is_the_difference_the_other_way_round() {
        let old = settings(&[
            "cameras.cam.name=Door",
            "cameras.cam.lines.a.from=[0.1, 0.5]",
            "cameras.cam.lines.a.to=[0.9, 0.5]",
        ])
        .settings;
        let new = settings(&["cameras.back.source=libcamera"]).settings;
        let there = ConfigDiff::between(&old, &new);
        assert!(!there.changes.is_empty());
        assert_eq!(there.clone().flip(), ConfigDiff::between(&new, &old));
        assert_eq!(there.clone().flip().flip(), there);
        assert_eq!(ConfigDiff::between(&old, &old), ConfigDiff::default());
    }

    #[test]
    fn a_difference_costs_what_the_source_makes_of_it() {
        let region = "cameras.cam.detection.region=[0, 0, 0.5, 1]";
        for (source, cost) in [("libcamera", Cost::Rebuild), ("scene", Cost::Live)] {
            let source = format!("cameras.cam.source={source}");
            let (whole, part) =
                (settings(&[&source]).settings, settings(&[&source, region]).settings);
            for diff in [ConfigDiff::between(&whole, &part), ConfigDiff::between(&part, &whole)] {
                let changes: Vec<_> = diff.changes.iter().map(|c| (&*c.pointer, c.cost)).collect();
                assert_eq!(changes, [("/cameras/cam/detection/region", cost)]);
            }
        }
    }
}
