//! What merge patches make of a camera's settings, and what they are refused for.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The built-in defaults with one camera, `front`, and the zone `door` in it.
fn settings() -> Settings {
    let set = [
        "cameras.front.source=rtsp://me:c4nary@10.0.0.9/stream",
        "cameras.front.zones.door.polygon=[[0.1,0.1],[0.9,0.1],[0.5,0.9]]",
    ];
    let layers = config::Layers { set: set.map(str::to_owned).to_vec(), ..Default::default() };
    config::load(&layers).expect("the built-in defaults are right").settings
}

fn patch(patch: impl Into<Value>) -> Result<CameraSettings, Refusal> {
    patched(&settings(), &settings(), "front", &patch.into()).expect("there is this camera")
}

fn reasons(refusal: Result<CameraSettings, Refusal>) -> Vec<(String, String)> {
    match refusal {
        Err(Refusal::Wrong(all)) => all.into_iter().map(|p| (p.pointer, p.detail)).collect(),
        other => panic!("not refused for what is in it: {other:?}"),
    }
}

#[test]
fn what_is_not_named_stays() {
    let old = &settings().cameras["front"];
    assert_eq!(patch(json!({})).as_ref(), Ok(old));
    let new = patch(json!({ "encoder": { "bitrate_kbps": 900 } })).unwrap();
    assert_eq!(new.encoder.bitrate_kbps, Some(900));
    assert_eq!(new.encoder.prefer, old.encoder.prefer);
    assert_eq!(new.detection, old.detection, "numbers with fractions are what they were");
}

#[test]
fn null_goes_back_to_what_files_and_environment_say() {
    let (base, mut current) = (settings(), settings());
    let camera = current.cameras.get_mut("front").unwrap();
    camera.encoder.bitrate_kbps = Some(900);
    camera.detection.class_thresholds = Some([("car".to_owned(), 0.9)].into());
    camera.zones.insert("gate".into(), camera.zones["door"].clone());
    camera.zones.get_mut("door").unwrap().inertia = Some(9);
    let back = json!({
        "encoder": { "bitrate_kbps": null },
        "detection": { "class_thresholds": null },
        "zones": { "gate": null, "door": null },
    });
    let new = patched(&current, &base, "front", &back).unwrap();
    assert_eq!(new.as_ref(), Ok(&base.cameras["front"]));
    let whole = patched(&current, &base, "front", &json!({ "zones": null })).unwrap().unwrap();
    assert_eq!(whole.zones, base.cameras["front"].zones);
}

#[test]
fn zones_are_added_and_lists_are_replaced_whole() {
    let triangle = json!([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]);
    let new = patch(json!({
        "zones": { "gate": { "polygon": triangle } },
        "detection": { "labels": ["car"] },
    }))
    .unwrap();
    assert_eq!(new.zones.keys().collect::<Vec<_>>(), ["door", "gate"]);
    assert_eq!(new.detection.labels.as_deref(), Some(&["car".to_owned()][..]));
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_in_the_body() {
    let all = reasons(patch(json!({
        "zozo": 1,
        "encoder": { "bitrate_kbps": 5, "bitrat": 1, "prefer": "best" },
        "detection": {
            "score_threshold": "x",
            "max_fps": -1,
            "size_thresholds": [{ "below_area": 0.1, "min_score": "q" }],
        },
        "zones": { "door": { "polygon": [[0.1, 0.1], [0.2]] } },
    })));
    let places: Vec<_> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        places,
        [
            "/detection/max_fps",
            "/detection/score_threshold",
            "/detection/size_thresholds/0/min_score",
            "/encoder/bitrat",
            "/encoder/bitrate_kbps",
            "/encoder/prefer",
            "/zones/door/polygon/1",
            "/zozo",
        ]
    );
    let said = |pointer: &str| &all.iter().find(|(p, _)| p == pointer).unwrap().1;
    assert_eq!(said("/detection/score_threshold"), "must be a number");
    assert_eq!(said("/encoder/prefer"), "must be one of auto, no_dmabuf, software");
    assert_eq!(
        said("/encoder/bitrat"),
        "is no setting; there are prefer, bitrate_kbps, key_frame_interval_s"
    );
    assert_eq!(said("/encoder/bitrate_kbps"), "must be within 100..=25000");
}

#[test]
fn a_patch_that_is_no_object_is_refused() {
    for no_object in [json!("x"), json!(null), json!([1]), json!(7)] {
        let all = reasons(patch(no_object));
        assert_eq!(all, [(String::new(), "must be a table".to_owned())]);
    }
    let all = reasons(patch(json!({
        "encoder": ["auto", 900, 2.0], "zones": { "door": [] }, "detection": 1, "zozo": 1,
    })));
    let places: Vec<_> = all.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(places, ["/detection", "/encoder", "/zones/door", "/zozo"]);
}

#[test]
fn what_needs_a_new_start_is_refused_and_named() {
    let refused = patch(json!({
        "video": { "width": 640, "height": 480 },
        "source": "scene",
        "enabled": false,
        "encoder": { "bitrate_kbps": 900 },
    }));
    let Err(Refusal::NotLive(fields)) = refused else { panic!("{refused:?}") };
    let places: Vec<_> = fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(places, ["/enabled", "/source", "/video/height", "/video/width"]);
}

#[test]
fn a_source_sent_back_as_it_is_shown_keeps_its_password() {
    let shown = json(&config::redact_camera(&settings().cameras["front"]));
    assert_eq!(shown["source"], "rtsp://10.0.0.9/stream");
    assert_eq!(patch(shown).as_ref(), Ok(&settings().cameras["front"]));
}

#[test]
fn an_unknown_camera_is_none() {
    assert_eq!(patched(&settings(), &settings(), "back", &json!({})), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
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
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..4).prop_map(|map| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    /// Whatever is sent: an answer, and what is taken compiles and stays what it is when sent again.
    #[test]
    fn any_patch_is_taken_or_refused_with_reasons(patch in any_json()) {
        let (current, base) = (settings(), settings());
        match patched(&current, &base, "front", &patch).unwrap() {
            Ok(new) => {
                let mut all = current.clone();
                all.cameras.insert("front".into(), new.clone());
                prop_assert!(config::compile(&all).is_ok());
                prop_assert_eq!(patched(&all, &base, "front", &patch).unwrap(), Ok(new));
            }
            Err(Refusal::Wrong(reasons) | Refusal::NotLive(reasons)) => {
                prop_assert!(!reasons.is_empty());
            }
        }
    }
}
