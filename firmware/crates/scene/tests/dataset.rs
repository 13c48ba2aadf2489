//! Data sets: what the program writes, and that training and judgement never share a street.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;
use std::process::Command;

use domain::Size;
use edgecam_scene::Look;
use edgecam_scene::dataset::{Looks, Split, samples, scaled};
use serde_json::Value;

fn write(out: &Path, more: &[&str]) -> Value {
    let status = Command::new(env!("CARGO_BIN_EXE_edgecam-scene"))
        .args(["dataset", "--split", "held-out", "--scenes", "2", "--frames", "2", "--out"])
        .arg(out)
        .args(more)
        .status();
    assert!(status.unwrap().success());
    serde_json::from_slice(&std::fs::read(out.join("annotations.json")).unwrap()).unwrap()
}

#[test]
fn a_small_data_set_is_the_one_that_was_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let told = write(folder.path(), &["--look", "varied", "--size", "320x180"]);
    let text = serde_json::to_string_pretty(&told).unwrap() + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dataset.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(golden).unwrap(), text, "look at it, then UPDATE_GOLDEN=1");
    for image in told["images"].as_array().unwrap() {
        let file = folder.path().join(image["file_name"].as_str().unwrap());
        assert_eq!(image::image_dimensions(file).unwrap(), (320, 180));
    }
}

#[test]
fn a_raw_data_set_is_the_same_pictures_in_the_size_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, png) = (folder.path().join("raw"), folder.path().join("png"));
    let told = write(&raw, &["--size", "320x180", "--raw", "160x96"]);
    assert_eq!(told["images"][0]["width"], 160);
    let bytes = std::fs::read(raw.join("frames.rgb")).unwrap();
    assert_eq!(bytes.len(), 4 * 160 * 96 * 3);
    let told = write(&png, &["--size", "320x180"]);
    let first = image::open(png.join(told["images"][0]["file_name"].as_str().unwrap())).unwrap();
    let first = scaled(&first.into_rgb8(), Size::new(320, 180), Size::new(160, 96));
    assert!(bytes[..first.len()] == first);
}

#[test]
fn no_street_is_both_learnt_from_and_judged_by() {
    let (training, held_out) = (Split::Training.seeds(), Split::HeldOut.seeds());
    assert!(training.end <= held_out.start || held_out.end <= training.start);
    assert!(training.start > 0xffff && held_out.start > 0xffff, "people choose small seeds");
}

#[test]
fn looks_differ_by_seed_and_are_the_same_for_the_same() {
    assert_eq!(Look::varied(5), Look::varied(5));
    assert_ne!(Look::varied(5), Look::varied(6));
    let size = Size::new(160, 90);
    let draw = |scene| samples(Split::Training, scene, Looks::Varied, 1, size).next().unwrap();
    assert!(draw(3).rgb == draw(3).rgb);
    assert!(draw(3).rgb != draw(4).rgb);
}

#[test]
fn scaling_takes_the_four_pixels_around_each_middle() {
    // 4×1 grey values to 2×1: the middles of the new pixels lie between old ones.
    let row: Vec<u8> = [0, 100, 200, 40].into_iter().flat_map(|v| [v; 3]).collect();
    let half = scaled(&row, Size::new(4, 1), Size::new(2, 1));
    assert_eq!(half, [50, 50, 50, 120, 120, 120]);
    assert_eq!(scaled(&row, Size::new(4, 1), Size::new(4, 1)), row);
}
