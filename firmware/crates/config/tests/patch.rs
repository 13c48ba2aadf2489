//! What merge patches make of settings, and what they are refused for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::needless_pass_by_value, reason = "JSON is written where it is passed")]

use std::io::Write as _;

use edgecam_config::patch::{Patched, json};
use edgecam_config::{ConfigErrors, Layers, Loaded, Sources};
use proptest::prelude::*;
use serde_json::{Value, json};

const FILE: &str = r#"
[cameras.front]
source = "rtsp://me:c4nary@10.0.0.9/stream"
[cameras.front.zones.door]
polygon = [[0.1,0.1],[0.9,0.1],[0.5,0.9]]
"#;

/// The layers below and above the API, and what was made over it.
struct Device {
    sources: Sources,
    made: Value,
}

impl Device {
    fn new(file: &str, env: &[(&str, &str)], source: Option<&str>) -> Self {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(file.as_bytes()).unwrap();
        let layers = Layers {
            files: vec![on_disk.path().to_owned()],
            env: env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            source: source.map(str::to_owned),
            ..Layers::default()
        };
        Self { sources: Sources::read(&layers), made: json!({}) }
    }

    fn front() -> Self {
        Self::new(FILE, &[], None)
    }

    fn loaded(&self) -> Loaded {
        self.sources.load(&self.made).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn tried(&self, patch: &Value) -> Result<Patched, ConfigErrors> {
        self.sources.patch(&self.made, &self.loaded().settings, patch)
    }

    /// Takes `patch` over; answers all that is made now.
    #[track_caller]
    fn patch(&mut self, patch: &Value) -> Value {
        let patched = self.tried(patch).unwrap_or_else(|errors| panic!("{patch}: {errors}"));
        self.made = patched.made;
        assert_eq!(self.loaded().settings, patched.loaded.settings);
        self.made.clone()
    }

    #[track_caller]
    fn refused(&self, patch: &Value) -> Vec<(String, String)> {
        let errors = self.tried(patch).expect_err("it is wrong");
        errors.field_problems().into_iter().map(|p| (p.pointer, p.detail)).collect()
    }

    fn shown(&self) -> Value {
        json(&edgecam_config::redact(&self.loaded().settings))
    }
}

fn front(settings: Value) -> Value {
    json!({ "cameras": { "front": settings } })
}

#[test]
fn only_what_differs_is_made() {
    let mut device = Device::front();
    assert_eq!(device.patch(&json!({})), json!({}));
    let same = front(json!({ "encoder": { "bitrate_kbps": 2500 }, "detection": {} }));
    assert_eq!(device.patch(&same), json!({}), "a default stays one");
    let patch = front(json!({ "encoder": { "bitrate_kbps": 900, "prefer": "auto" } }));
    assert_eq!(device.patch(&patch), front(json!({ "encoder": { "bitrate_kbps": 900 } })));
    let camera = &device.loaded().settings.cameras["front"];
    assert_eq!(camera.encoder.bitrate_kbps, Some(900));
    assert_eq!(camera.detection.score_threshold, Some(0.25), "numbers with fractions stay");
    assert_eq!(
        device.loaded().provenance["/cameras/front/encoder/bitrate_kbps"],
        "settings made over the API"
    );
}

#[test]
fn settings_sent_back_as_they_are_shown_change_nothing() {
    let mut device = Device::front();
    device.patch(&json!({ "mqtt": { "username": "me", "password": "c4nary" } }));
    let made = device.patch(&front(json!({ "detection": { "score_threshold": 0.35 } })));
    let before = device.loaded().settings;
    let shown = device.shown();
    assert!(
        !shown.to_string().contains("c4nary") && shown["cameras"]["front"]["source"].is_string()
    );
    assert_eq!(device.patch(&shown), made);
    assert_eq!(device.loaded().settings, before);
}

#[test]
fn null_gives_back_to_the_layers_below() {
    let mut device = Device::front();
    device.patch(&front(json!({
        "encoder": { "bitrate_kbps": 900 },
        "detection": { "class_thresholds": { "car": 0.9 } },
        "zones": {
            "gate": { "polygon": [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]] },
            "door": { "inertia": 9 },
        },
    })));
    assert_eq!(device.loaded().settings.cameras["front"].zones.len(), 2);
    let back = front(json!({
        "encoder": { "bitrate_kbps": null },
        "detection": { "class_thresholds": null },
        "zones": { "gate": null, "door": { "inertia": null } },
    }));
    assert_eq!(device.patch(&back), json!({}));
    assert_eq!(device.loaded().settings, Device::front().loaded().settings);
    device.patch(&front(json!({ "encoder": { "bitrate_kbps": 900 } })));
    assert_eq!(device.patch(&json!({ "cameras": null })), json!({}));
}

#[test]
fn a_field_of_a_zone_is_made_over_a_zone_of_a_file() {
    let mut device = Device::front();
    let made = device.patch(&front(json!({ "zones": { "door": { "loitering_s": 5.0 } } })));
    assert_eq!(made, front(json!({ "zones": { "door": { "loitering_s": 5.0 } } })));
    assert_eq!(device.loaded().settings.cameras["front"].zones["door"].polygon.len(), 3);
    let refused = device.refused(&front(json!({ "zones": { "gate": { "loitering_s": 5.0 } } })));
    assert_eq!(refused[0].0, "/cameras/front/zones/gate/polygon");
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let all = Device::front().refused(&json!({
        "zozo": 1,
        "nothing": null,
        "api": ["auto", 900],
        "mqtt": { "keep_alive_s": 1 },
        "data": { "dir": "/elsewhere" },
        "cameras": {
            "default": { "name": "x" },
            "front": {
                "encoder": { "bitrate_kbps": 5, "bitrat": 1, "prefer": "best" },
                "detection": {
                    "score_threshold": "x",
                    "max_fps": -1,
                    "size_thresholds": [{ "below_area": 0.1, "min_score": "q" }],
                },
                "zones": { "door": { "polygon": [[0.1, 0.1], [0.2]] } },
                "overlay": 7,
                "tracker": { "confirm_hits": {} },
            },
        },
    }));
    let places: Vec<_> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let expected = [
        "/api",
        "/cameras/default",
        "/cameras/front/detection/max_fps",
        "/cameras/front/detection/score_threshold",
        "/cameras/front/detection/size_thresholds/0/min_score",
        "/cameras/front/encoder/bitrat",
        "/cameras/front/encoder/bitrate_kbps",
        "/cameras/front/encoder/prefer",
        "/cameras/front/overlay",
        "/cameras/front/tracker/confirm_hits",
        "/cameras/front/zones/door/polygon/1",
        "/data/dir",
        "/mqtt/keep_alive_s",
        "/nothing",
        "/zozo",
    ];
    assert_eq!(places, expected, "{all:?}");
    let said = |pointer: &str| &all.iter().find(|(p, _)| p.ends_with(pointer)).unwrap().1;
    assert_eq!(said("score_threshold"), "is text, but must be a number");
    assert_eq!(
        said("bitrat"),
        "is no setting; there are prefer, bitrate_kbps, key_frame_interval_s"
    );
    assert_eq!(said("bitrate_kbps"), "must be within 100..=25000");
}

#[test]
fn a_patch_that_is_no_table_is_refused() {
    for no_table in [json!("x"), json!(null), json!([1]), json!(7)] {
        let all = Device::front().refused(&no_table);
        assert_eq!(all, [(String::new(), "must be a table".to_owned())]);
    }
}

#[test]
fn what_the_environment_fixes_is_refused_with_its_name_unless_it_stays() {
    let env = [
        ("EDGECAM__CAMERAS__FRONT__ENCODER__BITRATE_KBPS", "700"),
        ("EDGECAM__CAMERAS__DEFAULT__SCENE_SEED", "7"),
    ];
    let mut device = Device::new(FILE, &env, None);
    let bitrate = |kbps: u32| front(json!({ "encoder": { "bitrate_kbps": kbps } }));
    let all = device.refused(&bitrate(900));
    assert_eq!(all[0].0, "/cameras/front/encoder/bitrate_kbps");
    assert!(all[0].1.contains("EDGECAM__CAMERAS__FRONT__ENCODER__BITRATE_KBPS"), "{all:?}");
    assert_eq!(device.patch(&bitrate(700)), json!({}));
    let fixed = device.sources.fixed();
    assert_eq!(fixed.keys().collect::<Vec<_>>(), ["/cameras/front/encoder/bitrate_kbps"]);
    device.patch(&front(json!({ "scene_seed": 3 })));
    assert_eq!(device.loaded().settings.cameras["front"].scene_seed, Some(3), "over the template");
}

#[test]
fn the_only_camera_stays_when_another_comes_unless_it_is_given_up() {
    for source in [None, Some("scene")] {
        let mut device = Device::new("", &[], source);
        let two = device.patch(&json!({ "cameras": { "back": { "source": "scene" } } }));
        let ids =
            |device: &Device| device.loaded().settings.cameras.into_keys().collect::<Vec<_>>();
        assert_eq!(ids(&device), ["back", "cam"], "{two}");
        device.patch(&json!({ "cameras": { "back": null } }));
        assert_eq!(ids(&device), ["cam"]);
    }
    let mut device = Device::new("", &[], None);
    device.patch(&json!({ "cameras": { "back": {}, "cam": null } }));
    assert_eq!(device.loaded().settings.cameras.into_keys().collect::<Vec<_>>(), ["back"]);
    device.patch(&json!({ "cameras": { "back": { "name": "Yard" } } }));
    device.patch(&json!({ "cameras": { "back": { "name": null } } }));
    let left = device.loaded().settings.cameras.into_keys().collect::<Vec<_>>();
    assert_eq!(left, ["back"], "a camera without settings of its own is one");
}

#[test]
fn the_data_folder_is_known_without_what_lies_in_it() {
    let device = Device::new("[data]\ndir = \"/srv/edgecam\"\n", &[], None);
    assert_eq!(device.sources.data_dir().unwrap().to_str(), Some("/srv/edgecam"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "cameras",
        "front",
        "back",
        "cam",
        "default",
        "encoder",
        "bitrate_kbps",
        "detection",
        "labels",
        "zones",
        "door",
        "polygon",
        "inertia",
        "score_threshold",
        "size_caps",
        "mqtt",
        "keep_alive_s",
        "x",
        "a/b~c",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-10i64..40_000).prop_map(Value::from),
        (-1.0f64..2.0).prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..4).prop_map(|map| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

/// Settings that are right, of the fields that patches are made of most.
fn any_right() -> impl Strategy<Value = Value> {
    let bitrate = prop_oneof![Just(Value::Null), (100i64..25_000).prop_map(Value::from)];
    let score = prop_oneof![Just(Value::Null), (0.0f32..1.0).prop_map(|score| json(&score))];
    let zone =
        prop_oneof![Just(Value::Null), (0i64..30).prop_map(|n| json!({ "inertia": n % 9 + 1 }))];
    (bitrate, score, zone).prop_map(|(bitrate, score, zone)| {
        front(json!({
            "encoder": { "bitrate_kbps": bitrate },
            "detection": { "score_threshold": score },
            "zones": { "door": zone },
        }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is sent: an answer, and what is taken is in force as it says, and stays what it is
    /// when sent again.
    #[test]
    fn any_patch_is_taken_or_refused_with_reasons(patch in any_json(), in_camera in any::<bool>()) {
        let patch = if in_camera { front(patch) } else { patch };
        let mut device = Device::front();
        match device.tried(&patch) {
            Ok(patched) => {
                device.made = patched.made.clone();
                prop_assert_eq!(device.loaded().settings, patched.loaded.settings);
                prop_assert_eq!(device.tried(&patch).unwrap().made, patched.made);
            }
            Err(errors) => prop_assert!(!errors.mistakes().is_empty()),
        }
    }

    #[test]
    fn right_settings_are_taken_shown_and_given_back(patches in prop::collection::vec(any_right(), 1..4)) {
        let mut device = Device::front();
        for patch in &patches {
            let made = device.patch(patch);
            let shown = device.shown();
            prop_assert_eq!(device.patch(&shown), made);
        }
        prop_assert_eq!(device.patch(&json!({ "cameras": { "front": null } })), json!({}));
    }
}
