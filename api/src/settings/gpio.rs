//! Settings of inputs and outputs of the device (GPIO), and of what drives the outputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::{Kind, Phase};

/// Inputs and outputs of the device (GPIO), and what drives the outputs. All fields are live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpioSettings {
    /// Which chip has the pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip: Option<ChipChoice>,
    /// The pins in use by name: lower case letters, digits and `-`, at most 32 characters.
    pub pins: BTreeMap<String, GpioPinSettings>,
    /// What drives outputs, by name.
    pub actions: BTreeMap<String, GpioActionSettings>,
}

/// Which chip has the pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChipChoice {
    /// The Raspberry Pi's on a Raspberry Pi, else the simulated one.
    Auto,
    /// The Raspberry Pi's.
    RaspberryPi,
    /// One in memory, whose inputs are set over the API: to try things out.
    Simulated,
}

/// Which way a pin works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PinDirection {
    /// It is read.
    In,
    /// It is driven.
    Out,
}

/// What holds an input that nothing drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PinPull {
    /// A resistor to the supply voltage.
    Up,
    /// A resistor to ground.
    Down,
    /// Nothing: whatever is connected drives it.
    None,
}

/// A pin. `initial` is of outputs, the fields from `pull` to `camera` are of inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpioPinSettings {
    /// Its number (BCM, not that of the header), 0..=27.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u8>,
    /// Which way it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<PinDirection>,
    /// Whether it is active when its voltage is low, as with a contact to ground. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_low: Option<bool>,
    /// Whether an output is active while nothing drives it: at the start, at the stop, and after whatever
    /// an action does. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<bool>,
    /// What holds an input that nothing drives. Default: `up` with `active_low`, else `down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<PinPull>,
    /// An input has changed once it has held still for this time, in milliseconds, 10..=10000. Default: 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce_ms: Option<u32>,
    /// What an input means in its events, at most 64 characters. Default: the pin's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The camera that the events of an input belong to: they are announced with it, and seen by those
    /// who see it. Default: none, they are of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
}

/// An output that events drive: it leaves its `initial` state for them and returns to it. Filters that
/// are absent or empty let all through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpioActionSettings {
    /// Whether events are looked at. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Name of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Only events about one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Kind>>,
    /// Only events of these cameras, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cameras: Option<Vec<String>>,
    /// Only events of objects of these classes, or of inputs with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Only events about one of these zones, or of an object that is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<String>>,
    /// Only announcements in one of these places of an event's life. With `pulse_ms`; default: `new`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<Phase>>,
    /// Each announcement that fits drives the output for this time, in milliseconds, 10..=600000; one that
    /// comes meanwhile prolongs it. Either this or `follow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulse_ms: Option<u32>,
    /// Whether the output is driven as long as an event that fits lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
    /// With `follow`: the longest time for which one event drives the output, in seconds, 1..=86400.
    /// Default: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_s: Option<u32>,
}
