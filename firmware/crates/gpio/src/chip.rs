//! What a chip can do: the border to the hardware. Levels here are voltages; what is active is decided
//! above.

use std::ops::Not;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::gpio::ChipKind;
use api::settings::{ChipChoice, PinPull};
use tokio::sync::Notify;

use crate::error::GpioError;
use crate::raspberry::RaspberryPi;
use crate::simulated::Simulated;

/// A voltage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Ground.
    Low,
    /// Supply.
    High,
}

impl Not for Level {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// A chip with pins, numbered as the BCM does, 0..=27. Everything here is quick.
pub trait Chip: Send {
    /// What it is.
    fn kind(&self) -> ChipKind;

    /// Takes a pin as an output at `level`, without a glitch between.
    ///
    /// # Errors
    /// When somebody else has it, or it cannot be had.
    fn output(&mut self, number: u8, level: Level) -> Result<Box<dyn Output>, GpioError>;

    /// Takes a pin as an input. `edge` is told of every change of its level from then on.
    ///
    /// # Errors
    /// As [`Self::output`].
    fn input(&mut self, number: u8, pull: PinPull, edge: Edge)
    -> Result<Box<dyn Input>, GpioError>;

    /// Sets the level of an input from outside.
    ///
    /// # Errors
    /// Where its level is what is connected to it.
    fn set_input(&mut self, number: u8, level: Level) -> Result<(), GpioError>;
}

/// An output. A dropped one stays as it is.
pub trait Output: Send {
    /// Drives the pin.
    fn write(&mut self, level: Level);

    /// Makes the pin again what it was before it was taken.
    fn free(self: Box<Self>);
}

/// An input. A dropped one is free again.
pub trait Input: Send {
    /// The level now.
    fn read(&self) -> Level;
}

/// Tells that the level of a pin has changed: however often that is before anybody looks, it is one bit.
#[derive(Clone, Debug)]
pub struct Edge {
    edges: Arc<Edges>,
    bit: u32,
}

impl Edge {
    /// It has changed.
    pub fn tell(&self) {
        self.edges.seen.fetch_or(self.bit, Ordering::AcqRel);
        self.edges.wake.notify_one();
    }
}

/// Which pins have changed.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    seen: AtomicU32,
    wake: Notify,
}

impl Edges {
    /// What tells of the pin `number`.
    pub(crate) fn of(self: &Arc<Self>, number: u8) -> Edge {
        Edge { edges: self.clone(), bit: 1 << u32::from(number.min(31)) }
    }

    /// Waits until one has. Cancel-safe.
    pub(crate) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// The numbers of those that have since the last call.
    pub(crate) fn take(&self) -> impl Iterator<Item = u8> + use<> {
        let seen = self.seen.swap(0, Ordering::AcqRel);
        (0..32).filter(move |number| seen & (1 << u32::from(*number)) != 0)
    }
}

/// How a chip is opened.
pub type OpenChip = Box<dyn Fn(ChipChoice) -> Result<Box<dyn Chip>, GpioError> + Send>;

/// Opens the chip that `choice` names. `Auto` takes the simulated one only where there is no Raspberry Pi:
/// a missing permission is an error, not a reason to pretend.
///
/// # Errors
/// When there is none, or it may not be used.
pub fn open(choice: ChipChoice) -> Result<Box<dyn Chip>, GpioError> {
    match choice {
        ChipChoice::Simulated => Ok(Box::new(Simulated::default())),
        ChipChoice::RaspberryPi => Ok(Box::new(RaspberryPi::open()?)),
        ChipChoice::Auto => match RaspberryPi::open() {
            Ok(chip) => Ok(Box::new(chip)),
            Err(GpioError::NoChip) => Ok(Box::new(Simulated::default())),
            Err(error) => Err(error),
        },
    }
}
