//! Inputs and outputs of the device, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use api::event::Phase;
use api::settings::{
    CameraSettings, ChipChoice, GpioActionSettings, GpioPinSettings, GpioSettings, PinDirection,
    PinPull,
};

use crate::check::Check;
use crate::model::{
    EventMatch, GpioActionConfig, GpioConfig, GpioPinConfig, GpioReaction, PinRole,
};

/// Most actions.
const ACTIONS: usize = 64;
/// Most entries of a filter.
const LISTED: usize = 64;
/// Longest label, in characters.
const LABEL: usize = 64;
/// Default of `debounce_ms`: contacts bounce for some milliseconds.
const DEBOUNCE_MS: u32 = 50;
/// Default of `max_s`.
const LONGEST_S: u32 = 600;

/// Checks the section `gpio`.
pub(super) fn gpio(
    check: &mut Check<'_>,
    settings: &GpioSettings,
    cameras: &BTreeMap<String, CameraSettings>,
) -> Option<GpioConfig> {
    let chip = check.need_or("chip", settings.chip, ChipChoice::Auto);
    let mut below = check.below("pins");
    let pins: Vec<_> = settings
        .pins
        .iter()
        .map(|(name, one)| pin(&mut below.below(name), name, one, cameras))
        .collect();
    numbers_once(&mut below, &settings.pins);
    if settings.actions.len() > ACTIONS {
        let reason = format!("has {} actions, but may have {ACTIONS}", settings.actions.len());
        check.wrong("actions", None, reason);
    }
    let mut below = check.below("actions");
    let actions: Vec<_> = settings
        .actions
        .iter()
        .map(|(name, one)| action(&mut below.below(name), name, one, &settings.pins, cameras))
        .collect();
    let on = |action: &GpioActionConfig| {
        settings.actions.get(&action.name).is_some_and(|one| one.enabled != Some(false))
    };
    let actions = actions.into_iter().collect::<Option<Vec<_>>>()?;
    Some(GpioConfig {
        chip,
        pins: pins.into_iter().collect::<Option<_>>()?,
        actions: actions.into_iter().filter(on).collect(),
    })
}

fn numbers_once(check: &mut Check<'_>, pins: &BTreeMap<String, GpioPinSettings>) {
    let mut taken = BTreeMap::new();
    for (name, pin) in pins {
        let Some(number) = pin.number else { continue };
        if let Some(other) = taken.insert(number, name) {
            let reason =
                format!("is the number of the pin `{other}` too; give one of them another");
            check.below(name).wrong("number", Some(&number), reason);
        }
    }
}

fn pin(
    check: &mut Check<'_>,
    name: &str,
    settings: &GpioPinSettings,
    cameras: &BTreeMap<String, CameraSettings>,
) -> Option<GpioPinConfig> {
    check.id("", name);
    let number = missing(check, "number", settings.number, "a number (BCM), 0 to 27");
    let number = number.map(|number| check.within("number", number, 0..=27));
    let direction = missing(check, "direction", settings.direction, "`in` or `out`");
    let debounce =
        check.within("debounce_ms", settings.debounce_ms.unwrap_or(DEBOUNCE_MS), 10..=10_000);
    let active_low = settings.active_low.unwrap_or(false);
    let label = settings.label.clone().unwrap_or_else(|| name.to_owned());
    if label.trim().is_empty() || label.chars().count() > LABEL {
        check.wrong("label", Some(&label), format!("must have 1 to {LABEL} characters"));
    }
    if let Some(camera) = &settings.camera {
        known_camera(check, "camera", camera, cameras);
    }
    let role = match direction? {
        PinDirection::Out => {
            let of_inputs = [
                ("pull", settings.pull.is_some()),
                ("debounce_ms", settings.debounce_ms.is_some()),
                ("label", settings.label.is_some()),
                ("camera", settings.camera.is_some()),
            ];
            for (field, _) in of_inputs.into_iter().filter(|(_, given)| *given) {
                check.wrong(field, None, "has no effect on an output; leave it out");
            }
            PinRole::Output { initial: settings.initial.unwrap_or(false) }
        }
        PinDirection::In => {
            if settings.initial.is_some() {
                check.wrong("initial", None, "has no effect on an input; leave it out");
            }
            let usual = if active_low { PinPull::Up } else { PinPull::Down };
            PinRole::Input {
                pull: settings.pull.unwrap_or(usual),
                debounce: Duration::from_millis(debounce.into()),
                label,
                camera: settings.camera.clone(),
            }
        }
    };
    Some(GpioPinConfig { name: name.to_owned(), number: number?, active_low, role })
}

fn action(
    check: &mut Check<'_>,
    name: &str,
    settings: &GpioActionSettings,
    pins: &BTreeMap<String, GpioPinSettings>,
    cameras: &BTreeMap<String, CameraSettings>,
) -> Option<GpioActionConfig> {
    check.id("", name);
    let pin = missing(check, "pin", settings.pin.clone(), "the name of an output of `gpio.pins`");
    match pin.as_ref().map(|pin| pins.get(pin)) {
        Some(None) => check.wrong("pin", Some(&pin), "there is no such pin in `gpio.pins`"),
        Some(Some(of)) if of.direction == Some(PinDirection::In) => {
            check.wrong("pin", Some(&pin), "is an input; only outputs can be driven");
        }
        _ => {}
    }
    let events = EventMatch {
        kinds: settings.kinds.clone().unwrap_or_default(),
        cameras: listed(check, "cameras", settings.cameras.as_ref()),
        labels: listed(check, "labels", settings.labels.as_ref()),
        zones: listed(check, "zones", settings.zones.as_ref()),
    };
    for (index, camera) in events.cameras.iter().enumerate() {
        known_camera(&mut check.below("cameras").item(index), "", camera, cameras);
    }
    let reaction = reaction(check, settings);
    Some(GpioActionConfig { name: name.to_owned(), pin: pin?, events, reaction: reaction? })
}

fn reaction(check: &mut Check<'_>, settings: &GpioActionSettings) -> Option<GpioReaction> {
    let pulse = settings.pulse_ms.map(|ms| check.within("pulse_ms", ms, 10..=600_000));
    let longest = check.within("max_s", settings.max_s.unwrap_or(LONGEST_S), 1..=86_400);
    match (pulse, settings.follow == Some(true)) {
        (Some(_), true) => {
            check.wrong("follow", None, "goes not with `pulse_ms`; leave one of them out");
            None
        }
        (None, false) => {
            check.wrong("pulse_ms", None, "is missing: say this, or `follow = true`");
            None
        }
        (Some(ms), false) => {
            if settings.max_s.is_some() {
                check.wrong("max_s", None, "has an effect with `follow` only; leave it out");
            }
            let types = settings.types.clone().filter(|types| !types.is_empty());
            Some(GpioReaction::Pulse {
                length: Duration::from_millis(ms.into()),
                phases: types.unwrap_or_else(|| vec![Phase::New]),
            })
        }
        (None, true) => {
            if settings.types.is_some() {
                let reason =
                    "has an effect with `pulse_ms` only: what follows an event sees all of it";
                check.wrong("types", None, reason);
            }
            Some(GpioReaction::Follow { longest: Duration::from_secs(longest.into()) })
        }
    }
}

fn missing<T>(check: &mut Check<'_>, field: &str, value: Option<T>, what: &str) -> Option<T> {
    if value.is_none() {
        check.wrong(field, None, format!("is missing: give {what}"));
    }
    value
}

fn listed(check: &mut Check<'_>, field: &str, list: Option<&Vec<String>>) -> Vec<String> {
    let list = list.cloned().unwrap_or_default();
    if list.len() > LISTED {
        let reason = format!("has {} entries, but may have {LISTED}", list.len());
        check.wrong(field, None, reason);
    }
    list
}

fn known_camera(
    check: &mut Check<'_>,
    field: &str,
    camera: &str,
    cameras: &BTreeMap<String, CameraSettings>,
) {
    if !cameras.contains_key(camera) {
        check.wrong(field, Some(&camera), "there is no such camera in `cameras`");
    }
}
