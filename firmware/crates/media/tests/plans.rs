//! The plan of every source on every board, held as a golden. After an intended change:
//! `EDGECAM_UPDATE_GOLDEN=1 cargo test -p edgecam-media --test plans`, then read the difference.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{CameraConfig, EncoderLadder, Orientation, Rotation, Source, VideoConfig};
use domain::Size;
use media::plan::PlanError;
use media::{Board, BoardKind, EncoderRung, Pace, PipelinePlan, TapFit};

extern crate edgecam_media as media;

#[path = "it/support.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of running pipelines")]
mod support;

const TAP: TapFit = TapFit::Keep(Size::new(320, 320));

fn sources() -> Vec<(&'static str, CameraConfig)> {
    let mut sized = support::camera(Source::Libcamera { name: None });
    sized.video = VideoConfig { size: Some(Size::new(1920, 1080)), fps: Some(30) };
    let rtsp = "rtsp://viewer:p%40ss@10.0.0.9:554/h264".parse().unwrap();
    vec![
        ("scene", support::camera(Source::Scene { seed: 7 })),
        (
            "file",
            support::camera(Source::File { path: PathBuf::from("/data/clip.mp4"), looped: true }),
        ),
        ("rtsp", support::camera(Source::Rtsp(rtsp))),
        ("v4l2", support::camera(Source::V4l2 { device: PathBuf::from("/dev/video0") })),
        ("libcamera", sized),
    ]
}

/// As [`Board::typical`], with a libcamera on the host too.
fn board(kind: BoardKind) -> Board {
    let mut board = Board::typical(kind);
    board.elements.insert("libcamerasrc".to_owned());
    board
}

fn choose(camera: &CameraConfig, board: &Board) -> Result<PipelinePlan, PlanError> {
    PipelinePlan::choose(camera, board, TAP, Pace::RealTime)
}

#[test]
fn plans_are_as_their_goldens_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plans");
    let update = std::env::var_os("EDGECAM_UPDATE_GOLDEN").is_some();
    for kind in [BoardKind::Rpi4, BoardKind::Rpi5, BoardKind::Host] {
        for (name, camera) in sources() {
            let plan = choose(&camera, &board(kind)).unwrap().to_string();
            let path = folder.join(format!("{kind}-{name}.txt"));
            if update {
                std::fs::write(&path, &plan).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(plan, golden, "{} is out of date", path.display());
        }
    }
}

#[test]
fn a_password_is_in_no_plan_that_is_shown() {
    for (_, camera) in sources() {
        let plan = choose(&camera, &board(BoardKind::Host)).unwrap().to_string();
        assert!(!plan.contains("p@ss") && !plan.contains("p%40ss"), "{plan}");
    }
}

fn rungs(camera: &CameraConfig, board: &Board) -> Vec<EncoderRung> {
    choose(camera, board).unwrap().rungs.into_iter().map(|rung| rung.rung).collect()
}

#[test]
fn the_settings_shorten_the_ladder() {
    let mut camera = support::camera(Source::Libcamera { name: None });
    let board = board(BoardKind::Rpi4);
    use EncoderRung::{Openh264, V4l2Dmabuf, V4l2Mmap, X264};
    assert_eq!(rungs(&camera, &board), [V4l2Dmabuf, V4l2Mmap, X264, Openh264]);
    camera.encoder.ladder = EncoderLadder::NoDmabuf;
    assert_eq!(rungs(&camera, &board), [V4l2Mmap, X264, Openh264]);
    camera.encoder.ladder = EncoderLadder::Software;
    assert_eq!(rungs(&camera, &board), [X264, Openh264]);
}

#[test]
fn a_picture_too_large_for_the_hardware_is_encoded_in_software() {
    let mut camera = support::camera(Source::Libcamera { name: None });
    camera.video.size = Some(Size::new(2304, 1296));
    let plan = choose(&camera, &board(BoardKind::Rpi4)).unwrap();
    assert_eq!(plan.rungs[0].rung, EncoderRung::X264);
    assert!(plan.missing[1].reason.contains("at most 1920 pixels a side, not 2304x1296"));
}

#[test]
fn without_any_encoder_every_reason_is_told() {
    let mut board = Board::typical(BoardKind::Host);
    board.elements.retain(|name| !name.ends_with("264enc"));
    let error = choose(&support::scene(), &board).unwrap_err().to_string();
    assert!(error.contains("install the package gstreamer1.0-plugins-ugly"), "{error}");
    assert!(error.contains("install the package gstreamer1.0-plugins-bad"), "{error}");
}

#[test]
fn the_key_frame_interval_counts_in_frames_of_the_rate() {
    let mut camera = support::scene();
    camera.encoder.key_frame_interval = Duration::from_secs(4);
    let plan = choose(&camera, &board(BoardKind::Host)).unwrap().to_string();
    assert!(plan.contains("key-int-max=100"), "{plan}");
}

#[test]
fn a_camera_that_does_not_detect_has_a_tap_for_when_it_does() {
    let mut camera = support::camera(Source::Libcamera { name: None });
    let detecting = choose(&camera, &board(BoardKind::Rpi4)).unwrap();
    camera.detector.enabled = false;
    assert_eq!(choose(&camera, &board(BoardKind::Rpi4)).unwrap(), detecting);
    assert!(detecting.low_res.is_some());
}

#[test]
fn a_picture_is_turned_behind_everything_else_and_its_price_is_told() {
    let directions = [
        (Rotation::None, true, "horiz"),
        (Rotation::Quarter, false, "90r"),
        (Rotation::Quarter, true, "ul-lr"),
        (Rotation::Half, false, "180"),
        (Rotation::Half, true, "vert"),
        (Rotation::ThreeQuarters, false, "90l"),
        (Rotation::ThreeQuarters, true, "ur-ll"),
    ];
    for (rotation, mirror, direction) in directions {
        let mut camera = support::camera(Source::Libcamera { name: None });
        camera.image.orientation = Orientation { rotation, mirror };
        let plan = choose(&camera, &board(BoardKind::Rpi4)).unwrap();
        let last = plan.rungs[0].source.last().unwrap().to_string();
        assert_eq!(last, format!("videoflip name=flip video-direction={direction}"));
        assert_eq!((plan.rungs[0].rung, plan.low_res), (EncoderRung::V4l2Mmap, None));
        assert!(plan.missing[0].reason.contains("turns the picture"), "{}", plan.missing[0].reason);
    }
}

#[test]
fn who_looks_at_parts_of_a_picture_gets_it_whole_where_the_camera_could_scale() {
    let camera = support::camera(Source::Libcamera { name: None });
    let board = board(BoardKind::Rpi4);
    let plan = |tap| PipelinePlan::choose(&camera, &board, tap, Pace::RealTime).unwrap();
    assert!(plan(TAP).low_res.is_some());
    assert_eq!(plan(TapFit::Full).low_res, None);
    assert_eq!(TapFit::Full.size_for(Size::new(1281, 721)), Size::new(1281, 721));
}

#[test]
fn the_tapped_frame_keeps_the_aspect_and_fits() {
    for (source, fitted) in [
        ((1280, 720), (320, 180)),
        ((768, 432), (320, 180)),
        ((720, 1280), (180, 320)),
        ((100, 100), (320, 320)),
        ((4000, 10), (320, 2)),
    ] {
        let size = TAP.size_for(Size::new(source.0, source.1));
        assert_eq!((size.width, size.height), fitted, "{source:?}");
    }
    let stretched = TapFit::Stretch(Size::new(416, 416)).size_for(Size::new(1280, 720));
    assert_eq!(stretched, Size::new(416, 416));
}
