//! Inputs and outputs of the device, and what drives the outputs; checked.

use std::time::Duration;

use api::event::{Kind, Phase};
use api::settings::{ChipChoice, PinPull};

/// Inputs and outputs of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpioConfig {
    /// Which chip has the pins.
    pub chip: ChipChoice,
    /// The pins, by name.
    pub pins: Vec<GpioPinConfig>,
    /// What drives outputs, by name; only what is switched on.
    pub actions: Vec<GpioActionConfig>,
}

/// A pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpioPinConfig {
    /// Its name.
    pub name: String,
    /// Its number (BCM), 0..=27; no two have the same.
    pub number: u8,
    /// Whether it is active when its voltage is low.
    pub active_low: bool,
    /// What it is for.
    pub role: PinRole,
}

/// What a pin is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinRole {
    /// It is driven.
    Output {
        /// Whether it is active while nothing drives it.
        initial: bool,
    },
    /// It is read.
    Input {
        /// What holds it when nothing drives it.
        pull: PinPull,
        /// For how long it has to hold still.
        debounce: Duration,
        /// What it means in its events.
        label: String,
        /// The camera that its events belong to; `None`: they are of the device.
        camera: Option<String>,
    },
}

/// An output that events drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpioActionConfig {
    /// Its name.
    pub name: String,
    /// The output, one of [`GpioConfig::pins`].
    pub pin: String,
    /// Which events.
    pub events: EventMatch,
    /// What they do.
    pub reaction: GpioReaction,
}

/// Which events; an empty list lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventMatch {
    /// About one of these.
    pub kinds: Vec<Kind>,
    /// Of these cameras.
    pub cameras: Vec<String>,
    /// Of objects or inputs with these labels.
    pub labels: Vec<String>,
    /// About one of these zones, or of an object in one.
    pub zones: Vec<String>,
}

/// What events do to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpioReaction {
    /// Each announcement drives it for a time.
    Pulse {
        /// How long.
        length: Duration,
        /// In these places of the event's life.
        phases: Vec<Phase>,
    },
    /// It is driven as long as an event lasts.
    Follow {
        /// At most so long by one event.
        longest: Duration,
    },
}
