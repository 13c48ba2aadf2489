//! Pins in memory: the output `lamp` and the input `bell`.

use std::sync::Mutex;

use api::gpio::{ChipKind, Gpio, GpioOrder, GpioPin};
use api::settings::PinDirection;
use base::error::ErrorKind;
use edgecam_control::PortError;
use edgecam_control::ports::{Answer, GpioPort};
use futures::FutureExt;

use super::Fake;

/// Orders that were given, by pin.
pub(crate) type Pins = Mutex<Vec<(String, GpioOrder)>>;

fn pin(name: &str, direction: PinDirection) -> GpioPin {
    GpioPin {
        name: name.into(),
        number: 22,
        direction,
        active: false,
        since: "2026-07-01T12:00:00Z".parse().unwrap(),
        driven_by: Vec::new(),
        error: None,
    }
}

impl GpioPort for Fake {
    fn status(&self) -> Gpio {
        let pins = vec![pin("bell", PinDirection::In), pin("lamp", PinDirection::Out)];
        Gpio { chip: ChipKind::RaspberryPi, error: None, pins }
    }

    fn order<'a>(&'a self, name: &'a str, order: GpioOrder) -> Answer<'a, GpioPin> {
        let answer = match name {
            "lamp" => {
                self.gpio.lock().unwrap().push((name.to_owned(), order));
                Ok(GpioPin { active: true, ..pin(name, PinDirection::Out) })
            }
            "bell" => Err(PortError::new(ErrorKind::FailedPrecondition, "it is an input")),
            _ => Err(PortError::new(ErrorKind::NotFound, "there is no such pin")),
        };
        async move { answer }.boxed()
    }
}
