//! What a source is told about taking pictures: properties of `libcamerasrc` and controls of a V4L2
//! device, set as it runs.
//!
//! `libcamerasrc` sends a control with its next request, and has more of them the newer it is: those
//! that it does not have are left out, and shown as not supported.

use config::{ImageControls, WhiteBalance};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::event::{ImageControl, VideoMode};

/// Most modes that are told.
const MODES: usize = 100;

/// One setting as properties of `libcamerasrc`; the first is the one that matters.
struct Control {
    setting: &'static str,
    range: Option<(f32, f32)>,
    props: Vec<(&'static str, String)>,
}

/// What `controls` are as properties of `libcamerasrc` (libcamera's `control_ids_core.yaml`). What is left
/// to the camera is given back to it: a control that was set once stays until it is told otherwise.
fn libcamera(controls: &ImageControls) -> Vec<Control> {
    let or = |value: Option<f32>, usual: f32| value.unwrap_or(usual).to_string();
    let plain = |setting, range, property, value: String| Control {
        setting,
        range: Some(range),
        props: vec![(property, value)],
    };
    // The modes are of a libcamera from 0.5 on; for older ones, 0 is automatic.
    let manual = |set: bool| if set { "1" } else { "0" }.to_owned();
    let exposure = controls.exposure_us;
    let focus = controls.lens_position;
    let mut all = vec![
        Control {
            setting: "exposure_us",
            range: Some((1.0, 60e6)),
            props: vec![
                ("exposure-time", exposure.unwrap_or(0).to_string()),
                ("exposure-time-mode", manual(exposure.is_some())),
            ],
        },
        Control {
            setting: "gain",
            range: Some((1.0, 64.0)),
            props: vec![
                ("analogue-gain", or(controls.gain, 0.0)),
                ("analogue-gain-mode", manual(controls.gain.is_some())),
            ],
        },
        Control { setting: "white_balance", range: None, props: white_balance(controls) },
        Control {
            setting: "lens_position",
            range: Some((0.0, 32.0)),
            // Manual, or all the time.
            props: vec![
                ("lens-position", or(focus, 0.0)),
                ("af-mode", if focus.is_some() { "0" } else { "2" }.to_owned()),
            ],
        },
    ];
    let gains = controls.colour_gains.map(|[red, blue]| format!("<(float){red},(float){blue}>"));
    let gains = gains.map(|gains| ("colour-gains", gains));
    all.push(Control {
        setting: "colour_gains",
        range: Some((0.0, 32.0)),
        props: gains.into_iter().collect(),
    });
    all.extend([
        plain(
            "exposure_compensation",
            (-8.0, 8.0),
            "exposure-value",
            or(controls.exposure_compensation, 0.0),
        ),
        plain("brightness", (-1.0, 1.0), "brightness", or(controls.brightness, 0.0)),
        plain("contrast", (0.0, 32.0), "contrast", or(controls.contrast, 1.0)),
        plain("saturation", (0.0, 32.0), "saturation", or(controls.saturation, 1.0)),
        plain("sharpness", (0.0, 16.0), "sharpness", or(controls.sharpness, 1.0)),
    ]);
    all
}

fn white_balance(controls: &ImageControls) -> Vec<(&'static str, String)> {
    let mode = match controls.white_balance.unwrap_or(WhiteBalance::Auto) {
        WhiteBalance::Auto => 0,
        WhiteBalance::Incandescent => 1,
        WhiteBalance::Tungsten => 2,
        WhiteBalance::Fluorescent => 3,
        WhiteBalance::Indoor => 4,
        WhiteBalance::Daylight => 5,
        WhiteBalance::Cloudy => 6,
    };
    // Gains of one's own are in force while nothing is balanced.
    let balanced = controls.colour_gains.is_none();
    vec![("awb-mode", mode.to_string()), ("awb-enable", balanced.to_string())]
}

/// The properties that differ between `old` and `new`; all that are set in `new` where there is no `old`.
fn changes(old: Option<&ImageControls>, new: &ImageControls) -> Vec<(&'static str, String)> {
    let before = libcamera(old.unwrap_or(&ImageControls::default()));
    let before: Vec<_> = before.into_iter().flat_map(|control| control.props).collect();
    let now = libcamera(new).into_iter().flat_map(|control| control.props);
    now.filter(|prop| !before.contains(prop)).collect()
}

/// Controls of a V4L2 device as `extra-controls`; `None`: there are none.
fn extra_controls(controls: &ImageControls) -> Option<gst::Structure> {
    let mut all = gst::Structure::new_empty("controls");
    controls.v4l2.iter().for_each(|(name, value)| all.set(name.as_str(), *value));
    (!controls.v4l2.is_empty()).then_some(all)
}

/// Tells `source` what differs between `old` (`None`: it was told nothing yet) and `new`.
pub(crate) fn apply(source: &gst::Element, old: Option<&ImageControls>, new: &ImageControls) {
    if is(source, "v4l2src") {
        if let Some(controls) = extra_controls(new).filter(|_| old != Some(new)) {
            source.set_property("extra-controls", controls);
        }
        return;
    }
    if !is(source, "libcamerasrc") {
        return;
    }
    for (property, text) in changes(old, new) {
        let Some(spec) = source.find_property(property) else {
            tracing::warn!(property, "libcamerasrc is too old to have it: left out");
            continue;
        };
        match gst::glib::Value::deserialize(&text, spec.value_type()) {
            Ok(value) => source.set_property_from_value(property, &value),
            Err(_) => tracing::warn!(property, text, "libcamerasrc does not take it: left out"),
        }
    }
}

/// Which settings `source` takes over. A device must be open to tell of its own.
pub(crate) fn controls(source: Option<&gst::Element>) -> Vec<ImageControl> {
    let of_libcamera = source.filter(|source| is(source, "libcamerasrc"));
    let with_all = ImageControls { colour_gains: Some([1.0; 2]), ..ImageControls::default() };
    let has = |control: &Control| {
        let (first, _) = control.props.first()?;
        of_libcamera?.find_property(first)
    };
    let mut all: Vec<_> = ["rotation", "mirror"].map(turned).into();
    all.extend(libcamera(&with_all).iter().map(|control| ImageControl {
        setting: control.setting.to_owned(),
        supported: has(control).is_some(),
        range: control.range,
    }));
    all.extend(source.and_then(|source| source.dynamic_cast_ref()).into_iter().flat_map(device));
    all
}

fn turned(setting: &str) -> ImageControl {
    ImageControl { setting: setting.to_owned(), supported: true, range: None }
}

/// Controls that a V4L2 device tells the range of.
fn device(device: &gst_video::ColorBalance) -> Vec<ImageControl> {
    let channels = device.list_channels();
    let control = |channel: &gst_video::ColorBalanceChannel| ImageControl {
        setting: format!("v4l2_controls.{}", name_of(&channel.label())),
        supported: true,
        range: Some((channel.min_value() as f32, channel.max_value() as f32)),
    };
    channels.iter().map(control).collect()
}

/// A control's name as `extra-controls` has it: GStreamer makes it of the label so.
fn name_of(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// Sizes and rates that `source` offers, each once, the largest first.
pub(crate) fn modes(source: Option<&gst::Element>) -> Vec<VideoMode> {
    let camera = source.filter(|source| is(source, "libcamerasrc") || is(source, "v4l2src"));
    let pad = camera.and_then(|camera| camera.static_pad("src"));
    pad.map(|pad| modes_of(&pad.query_caps(None))).unwrap_or_default()
}

fn modes_of(caps: &gst::CapsRef) -> Vec<VideoMode> {
    let mut all: Vec<VideoMode> = Vec::new();
    for structure in caps.iter() {
        let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
        // Ranges are of who scales, and could be anything.
        let (Some(width), Some(height)) = (side("width"), side("height")) else { continue };
        let max_fps = structure.value("framerate").ok().and_then(most);
        match all.iter_mut().find(|mode| (mode.width, mode.height) == (width, height)) {
            Some(mode) => mode.max_fps = mode.max_fps.into_iter().chain(max_fps).reduce(f32::max),
            None => all.push(VideoMode { width, height, max_fps }),
        }
    }
    all.sort_by_key(|mode| std::cmp::Reverse((mode.width, mode.height)));
    all.truncate(MODES);
    all
}

/// The greatest of the fractions that `value` is.
fn most(value: &gst::glib::SendValue) -> Option<f32> {
    let rate =
        |rate: gst::Fraction| (rate.denom() > 0).then(|| rate.numer() as f32 / rate.denom() as f32);
    if let Ok(one) = value.get::<gst::Fraction>() {
        return rate(one);
    }
    if let Ok(range) = value.get::<gst::FractionRange>() {
        return rate(range.max());
    }
    let list = value.get::<gst::List>().ok()?;
    let rates = list.iter().filter_map(|one| rate(one.get::<gst::Fraction>().ok()?));
    rates.reduce(f32::max)
}

fn is(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|of| of.name() == factory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_told_and_what_is_given_back_is_automatic_again() {
        let nothing = ImageControls::default();
        assert_eq!(changes(None, &nothing), []);
        let set = ImageControls {
            exposure_us: Some(20_000),
            lens_position: Some(2.5),
            brightness: Some(-0.25),
            colour_gains: Some([1.5, 2.0]),
            ..nothing.clone()
        };
        let text = |prop: (&'static str, String)| format!("{}={}", prop.0, prop.1);
        let told: Vec<_> = changes(None, &set).into_iter().map(text).collect();
        let expected = [
            "exposure-time=20000",
            "exposure-time-mode=1",
            "awb-enable=false",
            "lens-position=2.5",
            "af-mode=0",
            "colour-gains=<(float)1.5,(float)2>",
            "brightness=-0.25",
        ];
        assert_eq!(told, expected);
        assert_eq!(changes(Some(&set), &set), []);
        let back: Vec<_> = changes(Some(&set), &nothing).into_iter().map(text).collect();
        let expected = [
            "exposure-time=0",
            "exposure-time-mode=0",
            "awb-enable=true",
            "lens-position=0",
            "af-mode=2",
            "brightness=0",
        ];
        assert_eq!(back, expected);
    }

    #[test]
    fn controls_of_a_device_are_a_structure_with_their_numbers() {
        gst::init().unwrap();
        assert_eq!(extra_controls(&ImageControls::default()), None);
        let v4l2 = [("gain".to_owned(), -3), ("power_line_frequency".to_owned(), 1)].into();
        let set = ImageControls { v4l2, ..ImageControls::default() };
        let structure = extra_controls(&set).unwrap();
        assert_eq!(structure.get::<i32>("gain"), Ok(-3));
        assert_eq!(structure.get::<i32>("power_line_frequency"), Ok(1));
        let source = gst::ElementFactory::make("v4l2src").build().unwrap();
        apply(&source, None, &set);
        let told = source.property::<gst::Structure>("extra-controls");
        assert_eq!(told.get::<i32>("gain"), Ok(-3));
        assert_eq!(name_of("White Balance, Automatic"), "white_balance_automatic");
    }

    #[test]
    fn a_source_that_takes_nothing_over_says_so() {
        gst::init().unwrap();
        let source = gst::ElementFactory::make("appsrc").build().unwrap();
        let controls = controls(Some(&source));
        let supported = controls.iter().filter(|control| control.supported);
        assert_eq!(supported.map(|one| &*one.setting).collect::<Vec<_>>(), ["rotation", "mirror"]);
        assert!(controls.iter().any(|one| one.setting == "exposure_us"));
        assert_eq!(modes(Some(&source)), []);
        let all = ImageControls { brightness: Some(0.5), ..ImageControls::default() };
        apply(&source, None, &all);
    }

    #[test]
    fn the_modes_of_a_source_are_told_once_with_their_greatest_rate() {
        gst::init().unwrap();
        let caps: gst::Caps =
            "video/x-raw,width=640,height=480,framerate={(fraction)15/1,(fraction)30/1};\
            image/jpeg,width=1280,height=720,framerate=30/1;\
            image/jpeg,width=640,height=480,framerate=60/1;\
            video/x-raw,width=[1,99],height=20"
                .parse()
                .unwrap();
        let mode = |width, height, fps| VideoMode { width, height, max_fps: Some(fps) };
        assert_eq!(modes_of(&caps), [mode(1280, 720, 30.0), mode(640, 480, 60.0)]);
    }
}
