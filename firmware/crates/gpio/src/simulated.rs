//! A chip in memory: outputs lead nowhere, inputs are set by whoever wants to try something out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::gpio::ChipKind;
use api::settings::PinPull;

use crate::chip::{Chip, Edge, Input, Level, Output};
use crate::error::GpioError;

/// Pins that there are.
const PINS: usize = 28;

/// The chip; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Simulated(Arc<Mutex<[Pin; PINS]>>);

#[derive(Clone, Debug, Default)]
enum Pin {
    #[default]
    Free,
    Output(Level),
    Input(Level, Edge),
}

impl Simulated {
    /// The level of a pin; `None`: nobody has it.
    pub fn level(&self, number: u8) -> Option<Level> {
        match self.pins().get(usize::from(number))? {
            Pin::Free => None,
            Pin::Output(level) | Pin::Input(level, _) => Some(*level),
        }
    }

    fn pins(&self) -> MutexGuard<'_, [Pin; PINS]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a free pin `made`.
    fn take(&self, number: u8, made: Pin) -> Result<Held, GpioError> {
        match self.pins().get_mut(usize::from(number)) {
            None => Err(GpioError::NoSuchNumber { number }),
            Some(pin @ Pin::Free) => {
                *pin = made;
                Ok(Held { chip: self.clone(), number })
            }
            Some(_) => Err(GpioError::Busy { number }),
        }
    }
}

impl Chip for Simulated {
    fn kind(&self) -> ChipKind {
        ChipKind::Simulated
    }

    fn output(&mut self, number: u8, level: Level) -> Result<Box<dyn Output>, GpioError> {
        Ok(Box::new(Driven(self.take(number, Pin::Output(level))?)))
    }

    fn input(
        &mut self,
        number: u8,
        pull: PinPull,
        edge: Edge,
    ) -> Result<Box<dyn Input>, GpioError> {
        let level = if pull == PinPull::Up { Level::High } else { Level::Low };
        Ok(Box::new(Read(self.take(number, Pin::Input(level, edge))?)))
    }

    fn set_input(&mut self, number: u8, level: Level) -> Result<(), GpioError> {
        match self.pins().get_mut(usize::from(number)) {
            Some(Pin::Input(old, edge)) => {
                if std::mem::replace(old, level) != level {
                    edge.tell();
                }
                Ok(())
            }
            _ => Err(GpioError::NoSuchNumber { number }),
        }
    }
}

/// A pin that somebody has.
#[derive(Debug)]
struct Held {
    chip: Simulated,
    number: u8,
}

impl Held {
    fn put(&self, pin: Pin) {
        if let Some(place) = self.chip.pins().get_mut(usize::from(self.number)) {
            *place = pin;
        }
    }
}

struct Driven(Held);

impl Output for Driven {
    fn write(&mut self, level: Level) {
        self.0.put(Pin::Output(level));
    }

    fn free(self: Box<Self>) {
        self.0.put(Pin::Free);
    }
}

struct Read(Held);

impl Input for Read {
    fn read(&self) -> Level {
        self.0.chip.level(self.0.number).unwrap_or(Level::Low)
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.0.put(Pin::Free);
    }
}
