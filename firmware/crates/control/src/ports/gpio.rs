//! What the API needs to know of the inputs and outputs of the device.

use api::gpio::{Gpio, GpioOrder, GpioPin};

use super::Answer;

/// Inputs and outputs of the device.
pub trait GpioPort: Send + Sync + 'static {
    /// How they are. Must be quick.
    fn status(&self) -> Gpio;

    /// Has the pin `name` be what `order`, which has one of its fields, says; answers with how it is
    /// since. `NotFound`: there is none. `FailedPrecondition`: it does not work, or what is connected to it
    /// decides.
    fn order<'a>(&'a self, name: &'a str, order: GpioOrder) -> Answer<'a, GpioPin>;
}
