//! Inputs and outputs of the device (GPIO): how they are, and what is asked of an output.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::PinDirection;

/// What has the pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChipKind {
    /// The Raspberry Pi.
    RaspberryPi,
    /// Memory: outputs lead nowhere, inputs are set over the API.
    Simulated,
    /// Nothing: `error` says why.
    #[default]
    None,
}

/// The pins of the device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gpio {
    /// What has the pins.
    pub chip: ChipKind,
    /// Why there is no chip; null when there is one.
    pub error: Option<String>,
    /// The pins that the settings name, by name.
    pub pins: Vec<GpioPin>,
}

/// A pin of the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GpioPin {
    /// Its name in the settings.
    #[schema(example = "lamp")]
    pub name: String,
    /// Its number (BCM), 0..=27.
    #[schema(example = 22)]
    pub number: u8,
    /// Which way it works.
    pub direction: PinDirection,
    /// Whether it is active.
    pub active: bool,
    /// Since when it is as it is.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Names of the actions that drive it now.
    pub driven_by: Vec<String>,
    /// Why it does not work, such as another program that has it; null when it does.
    pub error: Option<String>,
}

/// What a pin is to be: either `active` or `pulse_ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GpioOrder {
    /// Active or not, from now on; what drove it is let go. A stop of the daemon ends it.
    #[schema(example = true)]
    pub active: Option<bool>,
    /// Out of its initial state for this time, in milliseconds, 10..=600000.
    #[schema(minimum = 10, maximum = 600_000)]
    pub pulse_ms: Option<u32>,
}
