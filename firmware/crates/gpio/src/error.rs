//! What can go wrong with pins.

use base::error::{ErrorKind, Kind};

/// What went wrong, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpioError {
    /// This is no Raspberry Pi.
    #[error(
        "this is no Raspberry Pi that is known; with the setting gpio.chip = \"simulated\" pins can be tried out without one"
    )]
    NoChip,
    /// The kernel refuses.
    #[error(
        "the pins may not be used: {path}; the user of edgecamd has to be in the group gpio, and its unit has to admit the device"
    )]
    NotPermitted {
        /// What was refused.
        path: String,
    },
    /// Somebody has the pin.
    #[error(
        "pin {number} is in use by another program or by the kernel; choose another pin, or end its use"
    )]
    Busy {
        /// The pin.
        number: u8,
    },
    /// There is no such pin.
    #[error("this chip has no pin {number}")]
    NoSuchNumber {
        /// The pin.
        number: u8,
    },
    /// Anything else that the chip says.
    #[error("pin {number}: {reason}")]
    Failed {
        /// The pin.
        number: u8,
        /// In the words of the chip.
        reason: String,
    },
    /// The settings name no such pin.
    #[error(
        "there is no pin \"{0}\"; /api/v1/gpio lists them, and the setting gpio.pins adds them"
    )]
    Unknown(String),
    /// An input is what is connected to it.
    #[error(
        "\"{0}\" is an input: what is connected to it decides; only the simulated chip lets inputs be set"
    )]
    IsInput(String),
    /// A pulse is for outputs.
    #[error("\"{0}\" is an input: it can be set with `active`, but not pulsed")]
    NoPulse(String),
    /// The pin does not work.
    #[error("\"{name}\" does not work: {reason}")]
    NotOpen {
        /// Name of the pin.
        name: String,
        /// Why.
        reason: String,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopped,
}

impl Kind for GpioError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown(_) => ErrorKind::NotFound,
            Self::Stopped => ErrorKind::Unavailable,
            Self::NoChip
            | Self::NotPermitted { .. }
            | Self::Busy { .. }
            | Self::NoSuchNumber { .. }
            | Self::Failed { .. }
            | Self::IsInput(_)
            | Self::NoPulse(_)
            | Self::NotOpen { .. } => ErrorKind::FailedPrecondition,
        }
    }
}
