//! Entries that come, go and are replaced whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use edgecam_config::{EditError, Entry, Layers, Sources};
use serde_json::{Value, json};

const FILE: &str = "\
[cameras.front]
source = \"scene\"
[cameras.front.zones.drive]
polygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
";

fn keys(at: &str) -> Vec<String> {
    at.split('/').map(str::to_owned).collect()
}

fn entry(at: &str, value: Value) -> Entry {
    Entry { at: keys(at), value }
}

fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    let sources = Sources::read(&Layers { files: vec![path], ..Layers::default() });
    (folder, sources)
}

fn door() -> Value {
    json!({ "polygon": [[0, 0], [1, 0], [1, 1]], "labels": ["car"], "crowding": { "more_than": 2, "after_s": 3 } })
}

#[test]
fn an_entry_is_added_once_replaced_whole_and_taken_away() {
    let (_folder, sources) = file(FILE);
    let start = sources.load(&json!({})).unwrap().settings;
    let at = "cameras/front/zones/door";
    let added = sources.add(&json!({}), &start, &entry(at, door())).unwrap();
    let settings = &added.loaded.settings;
    assert_eq!(settings.cameras["front"].zones["door"].labels, Some(vec!["car".into()]));
    let again = sources.add(&added.made, settings, &entry(at, door())).unwrap_err();
    assert_eq!(again, EditError::Exists("zone \"door\"".into()));

    let less = json!({ "polygon": [[0, 0], [1, 0], [0, 1]], "crowding": { "more_than": 5 } });
    let put = sources.put(&added.made, settings, &entry(at, less)).unwrap();
    let zone = &put.loaded.settings.cameras["front"].zones["door"];
    assert_eq!((&zone.labels, zone.polygon[2]), (&None, [0.0, 1.0]));
    let crowding = zone.crowding.as_ref().unwrap();
    assert_eq!((crowding.more_than, crowding.after_s), (Some(5), None));

    let gone = sources.remove(&put.made, &put.loaded.settings, &keys(at)).unwrap();
    assert_eq!((gone.made, gone.loaded.settings), (json!({}), start.clone()));
    let nowhere = entry("cameras/yard/zones/door", door());
    for made in
        [sources.add(&json!({}), &start, &nowhere), sources.put(&json!({}), &start, &nowhere)]
    {
        assert_eq!(made.unwrap_err(), EditError::Missing("camera \"yard\"".into()));
    }
    let missing = sources.remove(&json!({}), &start, &keys(at)).unwrap_err();
    assert_eq!(missing, EditError::Missing("zone \"door\"".into()));
}

#[test]
fn what_is_not_made_over_the_api_stays_and_says_who_sets_it() {
    let (_folder, sources) = file(FILE);
    let start = sources.load(&json!({})).unwrap().settings;
    for (at, what) in
        [("cameras/front/zones/drive", "zone \"drive\""), ("cameras/front", "camera \"front\"")]
    {
        let stays = sources.remove(&json!({}), &start, &keys(at)).unwrap_err().to_string();
        assert!(stays.starts_with(what) && stays.contains("settings.toml"), "{stays}");
    }
}

#[test]
fn the_only_camera_goes_when_another_one_is_there() {
    let sources = Sources::read(&Layers::default());
    let start = sources.load(&json!({})).unwrap().settings;
    let only = sources.remove(&json!({}), &start, &keys("cameras/cam")).unwrap_err();
    assert_eq!(only, EditError::OnlyCamera("camera \"cam\"".into()));
    let yard = entry("cameras/yard", json!({ "source": "scene" }));
    let two = sources.add(&json!({}), &start, &yard).unwrap();
    assert_eq!(two.loaded.settings.cameras.len(), 2);
    let one = sources.remove(&two.made, &two.loaded.settings, &keys("cameras/cam")).unwrap();
    assert_eq!(one.loaded.settings.cameras.keys().collect::<Vec<_>>(), ["yard"]);
    let none = sources.remove(&one.made, &one.loaded.settings, &keys("cameras/yard")).unwrap();
    assert_eq!(none.loaded.settings.cameras.keys().collect::<Vec<_>>(), ["cam"]);
}

#[test]
fn what_is_wrong_with_an_entry_is_told_at_once() {
    let sources = Sources::read(&Layers::default());
    let start = sources.load(&json!({})).unwrap().settings;
    let told = |entry: &Entry| match sources.add(&json!({}), &start, entry) {
        Err(EditError::Wrong(errors)) => {
            errors.mistakes().iter().map(|mistake| mistake.pointer.clone()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let mask = json!({ "polygon": [[0, 0], [1, 1]], "colour": 1 });
    let at = "cameras/cam/privacy_masks";
    let wrong = told(&entry(&format!("{at}/A b"), mask));
    assert_eq!(wrong, ["A b", "A b/colour", "A b/polygon"].map(|end| format!("/{at}/{end}")));
    assert_eq!(told(&entry("cameras/yard", json!(7))), ["/cameras/yard"]);
    assert_eq!(told(&entry("cameras/default", json!({}))), ["/cameras/default"]);
    let image = json!({ "image": { "rotation": 45, "gain": 0, "colour_gains": [1, -1],
        "brightness": -1.5, "v4l2_controls": { "a,b=1": 2 } } });
    let wrong = told(&entry("cameras/yard", image));
    let fields = ["brightness", "colour_gains", "gain", "rotation", "v4l2_controls/a,b=1"];
    assert_eq!(wrong, fields.map(|field| format!("/cameras/yard/image/{field}")));
    let many: serde_json::Map<_, _> = (0..40).map(|n| (format!("c{n}"), json!({}))).collect();
    let many = sources.patch(&json!({}), &start, &json!({ "cameras": many })).unwrap_err();
    assert_eq!(many.mistakes()[0].pointer, "/cameras");
}
