//! What a camera process has to do about a new configuration (pure).

use domain::View;

use crate::model::{CameraConfig, DetectorConfig, EncoderConfig, ImageConfig, Source};

/// What a camera process has to do about a new configuration. Fields are JSON pointers inside the
/// camera, such as `/encoder/bitrate_kbps`; those of all cameras begin with their section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing differs.
    None,
    /// These fields differ, and all of them can be taken over as it runs.
    Live(Vec<&'static str>),
    /// These fields differ and need a new process; others may differ too.
    Rebuild(Vec<&'static str>),
}

/// Compares what a camera process runs on with what it is to run on.
pub fn camera_change(old: &CameraConfig, new: &CameraConfig) -> Change {
    let rebuild = differing(&rebuild_parts(old, new));
    if !rebuild.is_empty() {
        return Change::Rebuild(rebuild);
    }
    let live = differing(&live_parts(old, new));
    if live.is_empty() { Change::None } else { Change::Live(live) }
}

fn differing(parts: &[(&'static str, bool)]) -> Vec<&'static str> {
    parts.iter().filter(|(_, differs)| *differs).map(|(field, _)| *field).collect()
}

// Both functions take the configuration apart field by field, so that a new field does not compile
// until someone decides what it costs.

fn rebuild_parts(old: &CameraConfig, new: &CameraConfig) -> [(&'static str, bool); 13] {
    let ImageConfig { orientation, controls: _ } = &new.image;
    let EncoderConfig { ladder, bitrate_kbps: _, key_frame_interval } = new.encoder;
    let DetectorConfig { enabled: _, model, threads, prefer_int8, precision, min_interval: _ } =
        &new.detector;
    // A camera that scales gives small pictures to who looks at all of one, and large ones to who looks
    // at parts: which of the two is settled when it starts.
    let scales = [old, new].iter().any(|one| matches!(one.source, Source::Libcamera { .. }));
    let whole = View::default();
    let becomes_part = scales && (new.view == whole) != (old.view == whole);
    [
        ("/enabled", new.enabled != old.enabled),
        ("/source", new.source != old.source),
        ("/video", new.video != old.video),
        ("/image/rotation", orientation.rotation != old.image.orientation.rotation),
        ("/image/mirror", orientation.mirror != old.image.orientation.mirror),
        ("/encoder/prefer", ladder != old.encoder.ladder),
        ("/encoder/key_frame_interval_s", key_frame_interval != old.encoder.key_frame_interval),
        ("/detector/model", *model != old.detector.model),
        ("/detector/threads", *threads != old.detector.threads),
        ("/detector/prefer_int8", *prefer_int8 != old.detector.prefer_int8),
        ("/detector/precision", *precision != old.detector.precision),
        ("/detection/region", becomes_part && new.view.region != old.view.region),
        ("/detection/tiling", becomes_part && new.view.tiling != old.view.tiling),
    ]
}

fn live_parts(old: &CameraConfig, new: &CameraConfig) -> [(&'static str, bool); 18] {
    let CameraConfig {
        id: _,
        name,
        enabled: _,
        source: _,
        video: _,
        image,
        masks,
        encoder,
        detector,
        view,
        motion,
        detection,
        tracker,
        history,
        overlay,
        zones,
        lines,
        thermal,
        governor,
    } = new;
    [
        ("/name", *name != old.name),
        ("/image", image.controls != old.image.controls),
        ("/privacy_masks", *masks != old.masks),
        ("/encoder/bitrate_kbps", encoder.bitrate_kbps != old.encoder.bitrate_kbps),
        ("/detection/enabled", detector.enabled != old.detector.enabled),
        ("/detection/max_fps", detector.min_interval != old.detector.min_interval),
        ("/detection/region", view.region != old.view.region),
        ("/detection/tiling", view.tiling != old.view.tiling),
        ("/detection/motion_gate", motion.is_some() != old.motion.is_some()),
        (
            "/detection/motion_refresh_s",
            motion.zip(old.motion).is_some_and(|(new, old)| new != old),
        ),
        ("/detection", *detection != old.detection),
        ("/tracker", *tracker != old.tracker),
        ("/history", *history != old.history),
        ("/overlay", *overlay != old.overlay),
        ("/zones", *zones != old.zones),
        ("/lines", *lines != old.lines),
        ("/thermal", *thermal != old.thermal),
        ("/governor", *governor != old.governor),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Layers, load};

    fn settings(set: &[&str]) -> crate::Loaded {
        let set = set.iter().map(|&text| text.to_owned()).collect();
        load(&Layers { set, ..Layers::default() }).unwrap()
    }

    /// Applies one setting to the only camera and says what its process has to do.
    fn change(set: &str) -> Change {
        let camera = |loaded: &crate::Loaded| loaded.config.cameras[0].clone();
        camera_change(&camera(&settings(&[])), &camera(&settings(&[set])))
    }

    #[test]
    fn a_camera_takes_over_what_is_live_and_starts_again_for_the_rest() {
        assert_eq!(change("cameras.cam.encoder.bitrate_kbps=2500"), Change::None);
        for (set, field) in [
            ("cameras.cam.encoder.bitrate_kbps=800", "/encoder/bitrate_kbps"),
            ("cameras.cam.detection.score_threshold=0.9", "/detection"),
            ("cameras.cam.detection.max_fps=2", "/detection/max_fps"),
            ("cameras.cam.detection.region=[0.5, 0, 0.5, 1]", "/detection/region"),
            ("cameras.cam.detection.tiling=two", "/detection/tiling"),
            ("cameras.cam.detection.motion_gate=false", "/detection/motion_gate"),
            ("cameras.cam.detection.motion_refresh_s=5", "/detection/motion_refresh_s"),
            ("cameras.cam.overlay.boxes=false", "/overlay"),
            ("cameras.cam.image.brightness=0.5", "/image"),
            ("cameras.cam.privacy_masks.a.polygon=[[0,0],[1,0],[1,1]]", "/privacy_masks"),
            ("thermal.max_temp_c=60", "/thermal"),
            ("governor.calm_s=90", "/governor"),
        ] {
            assert_eq!(change(set), Change::Live(vec![field]), "{set}");
        }
        for (set, field) in [
            ("cameras.cam.source=libcamera", "/source"),
            ("cameras.cam.image.rotation=180", "/image/rotation"),
            ("cameras.cam.image.mirror=true", "/image/mirror"),
            ("cameras.cam.encoder.key_frame_interval_s=1", "/encoder/key_frame_interval_s"),
            ("detector.threads=2", "/detector/threads"),
            ("detector.prefer_int8=true", "/detector/prefer_int8"),
            ("detector.precision=full", "/detector/precision"),
        ] {
            assert_eq!(change(set), Change::Rebuild(vec![field]), "{set}");
        }
    }

    #[test]
    fn a_camera_that_scales_starts_again_to_look_at_a_part_of_the_picture_and_to_stop_that() {
        let camera = |set: &[&str]| {
            let set = [&["cameras.cam.source=libcamera"], set].concat();
            settings(&set).config.cameras[0].clone()
        };
        let whole = camera(&[]);
        let left = camera(&["cameras.cam.detection.region=[0, 0, 0.5, 1]"]);
        let right = camera(&["cameras.cam.detection.region=[0.5, 0, 0.5, 1]"]);
        let tiled = camera(&["cameras.cam.detection.tiling=two"]);
        let region = Change::Rebuild(vec!["/detection/region"]);
        assert_eq!(camera_change(&whole, &left), region);
        assert_eq!(camera_change(&left, &whole), region);
        assert_eq!(camera_change(&whole, &tiled), Change::Rebuild(vec!["/detection/tiling"]));
        assert_eq!(camera_change(&left, &right), Change::Live(vec!["/detection/region"]));
    }
}
