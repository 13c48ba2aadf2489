//! How the picture is taken, and what nobody gets to see of it, checked.

use std::collections::BTreeMap;

use api::settings::{ImageSettings, PrivacyMaskSettings};
use domain::{Point, PrivacyMask};

use super::rules::corners;
use crate::check::Check;
use crate::model::{ImageConfig, ImageControls, Orientation, Rotation};

/// Most privacy masks of a camera.
const MASKS: usize = 64;
/// Most controls of a V4L2 device.
const CONTROLS: usize = 64;

/// Checks how the picture is taken.
pub(super) fn image(check: &mut Check<'_>, settings: &ImageSettings) -> ImageConfig {
    let rotation = match check.need_or("rotation", settings.rotation, 0) {
        0 => Rotation::None,
        90 => Rotation::Quarter,
        180 => Rotation::Half,
        270 => Rotation::ThreeQuarters,
        other => {
            check.wrong("rotation", Some(&other), "must be 0, 90, 180 or 270");
            Rotation::None
        }
    };
    let mirror = check.need_or("mirror", settings.mirror, false);
    let mut factor = |field: &str, value: Option<f32>, range: std::ops::RangeInclusive<f32>| {
        value.map(|value| check.within(field, value, range))
    };
    let mut controls = ImageControls {
        gain: factor("gain", settings.gain, 1.0..=64.0),
        lens_position: factor("lens_position", settings.lens_position, 0.0..=32.0),
        exposure_compensation: factor(
            "exposure_compensation",
            settings.exposure_compensation,
            -8.0..=8.0,
        ),
        brightness: factor("brightness", settings.brightness, -1.0..=1.0),
        contrast: factor("contrast", settings.contrast, 0.0..=32.0),
        saturation: factor("saturation", settings.saturation, 0.0..=32.0),
        sharpness: factor("sharpness", settings.sharpness, 0.0..=16.0),
        white_balance: settings.white_balance,
        ..ImageControls::default()
    };
    controls.exposure_us =
        settings.exposure_us.map(|us| check.within("exposure_us", us, 1..=60_000_000));
    controls.colour_gains = settings.colour_gains.map(|gains| colour_gains(check, gains));
    controls.v4l2 = v4l2(&mut check.below("v4l2_controls"), settings.v4l2_controls.as_ref());
    ImageConfig { orientation: Orientation { rotation, mirror }, controls }
}

fn colour_gains(check: &mut Check<'_>, gains: [f32; 2]) -> [f32; 2] {
    if !gains.iter().all(|gain| (0.0..=32.0).contains(gain)) {
        check.wrong("colour_gains", Some(&gains), "must be [red, blue], each within 0..=32");
    }
    gains
}

fn v4l2(check: &mut Check<'_>, all: Option<&BTreeMap<String, i32>>) -> BTreeMap<String, i32> {
    let all = all.cloned().unwrap_or_default();
    if all.len() > CONTROLS {
        check.wrong("", None, format!("has {} controls, but may have {CONTROLS}", all.len()));
    }
    // As GStreamer spells the names of controls.
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for name in
        all.keys().filter(|name| !(1..=64).contains(&name.len()) || !name.chars().all(allowed))
    {
        let reason = format!("`{name}` must be 1 to 64 lower case letters, digits and `_`");
        check.below(name).wrong("", None, reason);
    }
    all
}

/// Checks the privacy masks.
pub(super) fn masks(
    check: &mut Check<'_>,
    all: &BTreeMap<String, PrivacyMaskSettings>,
) -> Option<Vec<PrivacyMask>> {
    if all.len() > MASKS {
        check.wrong("", None, format!("has {} masks, but may have {MASKS}", all.len()));
    }
    let made: Vec<_> = all.iter().map(|(id, one)| mask(&mut check.below(id), id, one)).collect();
    made.into_iter().collect()
}

fn mask(check: &mut Check<'_>, id: &str, settings: &PrivacyMaskSettings) -> Option<PrivacyMask> {
    check.id("", id);
    if !corners(check, &settings.polygon) {
        return None;
    }
    let polygon = settings.polygon.iter().map(|[x, y]| Point::new(*x, *y)).collect();
    let made = PrivacyMask::new(polygon);
    made.map_err(|error| check.wrong("polygon", None, error.to_string())).ok()
}
