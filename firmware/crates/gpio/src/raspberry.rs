//! The Raspberry Pi's pins, by `rppal`; nothing else sees it. It compiles on every Linux, so that what is
//! wrong here is found without one.
//!
//! An output is driven by the chip's registers: one of a daemon that was killed stays as it was until the
//! next start, which takes every output at its initial state first of all.

use std::io;

use api::gpio::ChipKind;
use api::settings::PinPull;
use rppal::gpio::{Error, Gpio, InputPin, OutputPin, Trigger};

use crate::chip::{Chip, Edge, Input, Level, Output};
use crate::error::GpioError;

/// The chip.
#[derive(Debug)]
pub(crate) struct RaspberryPi(Gpio);

impl RaspberryPi {
    /// Opens it.
    ///
    /// # Errors
    /// [`GpioError::NoChip`] where this is no Raspberry Pi.
    pub(crate) fn open() -> Result<Self, GpioError> {
        Gpio::new().map(Self).map_err(|error| explain(0, error))
    }
}

fn explain(number: u8, error: Error) -> GpioError {
    match error {
        Error::UnknownModel => GpioError::NoChip,
        Error::PinUsed(number) => GpioError::Busy { number },
        Error::PinNotAvailable(number) => GpioError::NoSuchNumber { number },
        Error::PermissionDenied(path) => GpioError::NotPermitted { path },
        Error::Io(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            GpioError::Busy { number }
        }
        Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            GpioError::NotPermitted { path: error.to_string() }
        }
        error => GpioError::Failed { number, reason: error.to_string() },
    }
}

impl Chip for RaspberryPi {
    fn kind(&self) -> ChipKind {
        ChipKind::RaspberryPi
    }

    fn output(&mut self, number: u8, level: Level) -> Result<Box<dyn Output>, GpioError> {
        let pin = self.0.get(number).map_err(|error| explain(number, error))?;
        let mut pin = match level {
            Level::Low => pin.into_output_low(),
            Level::High => pin.into_output_high(),
        };
        // The stop of the daemon leaves it in its initial state, not floating.
        pin.set_reset_on_drop(false);
        Ok(Box::new(Driven(pin)))
    }

    fn input(
        &mut self,
        number: u8,
        pull: PinPull,
        edge: Edge,
    ) -> Result<Box<dyn Input>, GpioError> {
        let pin = self.0.get(number).map_err(|error| explain(number, error))?;
        let mut pin = match pull {
            PinPull::Up => pin.into_input_pullup(),
            PinPull::Down => pin.into_input_pulldown(),
            PinPull::None => pin.into_input(),
        };
        // Bounces are ours to judge: what the kernel holds back could not be told in time.
        pin.set_async_interrupt(Trigger::Both, None, move |_| edge.tell())
            .map_err(|error| explain(number, error))?;
        Ok(Box::new(Read(pin)))
    }

    fn set_input(&mut self, number: u8, _: Level) -> Result<(), GpioError> {
        Err(GpioError::IsInput(number.to_string()))
    }
}

struct Driven(OutputPin);

impl Output for Driven {
    fn write(&mut self, level: Level) {
        match level {
            Level::Low => self.0.set_low(),
            Level::High => self.0.set_high(),
        }
    }

    fn free(mut self: Box<Self>) {
        self.0.set_reset_on_drop(true);
    }
}

struct Read(InputPin);

impl Input for Read {
    fn read(&self) -> Level {
        if self.0.is_high() { Level::High } else { Level::Low }
    }
}
