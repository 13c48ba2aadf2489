//! Privacy masks and which way up the picture is, in pipelines that run.

use config::{CameraConfig, Orientation, Rotation};
use domain::{Frame, Point, PrivacyMask, Size};

use crate::support::{Started, scene, start, wait_for};

/// The right half of the picture.
fn right_half() -> PrivacyMask {
    let corners = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)];
    PrivacyMask::new(corners.map(|(x, y)| Point::new(x, y)).to_vec()).unwrap()
}

/// Whether nothing is seen of the right half of a 640×360 picture as the detector gets it.
fn is_masked(frame: &Frame) -> bool {
    frame.data[..640 * 360].chunks(640).all(|row| row[320..].iter().all(|luma| *luma == 16))
}

/// The brightest pixel of the right half of the newest picture.
fn brightest(started: &Started) -> u8 {
    let jpeg = started.handle.snapshot(95).unwrap();
    let picture = image::load_from_memory(&jpeg).unwrap().into_luma8();
    // Not at the edge, where JPEG's blocks blend.
    let right = picture.enumerate_pixels().filter(|(x, ..)| *x >= 336);
    right.map(|(.., luma)| luma.0[0]).max().unwrap()
}

#[test]
fn a_mask_is_there_from_the_first_frame_on_for_the_detector_and_in_snapshots() {
    let mut camera = CameraConfig { masks: vec![right_half()], ..scene() };
    camera.overlay.timestamp = config::Draw::Off;
    let started = start(&camera);
    let first = started.frame();
    assert!(is_masked(&first), "the first frame shows what is masked");
    assert!(first.data[..640].iter().any(|luma| *luma > 30), "the rest is shown");
    started.running();
    (0..10).for_each(|_| assert!(is_masked(&started.frame())));
    assert!(brightest(&started) < 8);
}

#[test]
fn a_mask_that_comes_later_is_on_the_very_next_picture() {
    let mut camera = scene();
    camera.overlay.timestamp = config::Draw::Off;
    let started = start(&camera);
    started.running();
    for _ in 0..20 {
        wait_for("a picture that shows everything", || brightest(&started) > 30);
        started.handle.set_masks(&[right_half()]);
        assert!(brightest(&started) < 8, "the newest picture shows what is masked");
        started.handle.set_masks(&[]);
    }
}

#[test]
fn a_picture_is_turned_for_everybody() {
    let mut camera = scene();
    camera.image.orientation = Orientation { rotation: Rotation::Quarter, mirror: false };
    let turned = start(&camera);
    assert_eq!(turned.running().size, Size::new(360, 640));
    assert_eq!(turned.frame().size, Size::new(360, 640));
}

#[test]
fn what_a_scene_can_do_is_told() {
    let started = start(&scene());
    let told = started.running().capabilities;
    assert!(told.modes.is_empty(), "it takes any size");
    let supported = told.controls.iter().filter(|control| control.supported);
    assert_eq!(supported.map(|one| &*one.setting).collect::<Vec<_>>(), ["rotation", "mirror"]);
    let trouble = |name: &str| {
        let rung = told.encoders.iter().find(|(rung, _)| rung.as_str() == name);
        rung.unwrap_or_else(|| panic!("{name}")).1.as_deref()
    };
    assert_eq!(trouble("x264"), None);
    assert!(trouble("v4l2-dmabuf").is_some_and(|reason| reason.contains("no hardware")));
}
