//! The pins that the API shows and sets: those of crate `gpio`.

use api::gpio::{Gpio, GpioOrder, GpioPin};
use base::error::Kind;
use control::PortError;
use control::ports::{Answer, GpioPort};
use futures::FutureExt;
use gpio::{GpioError, GpioHandle};

/// The pins as the API sees them.
#[derive(Debug)]
pub(crate) struct PinPort(pub(crate) GpioHandle);

impl GpioPort for PinPort {
    fn status(&self) -> Gpio {
        (*self.0.status()).clone()
    }

    fn order<'a>(&'a self, name: &'a str, order: GpioOrder) -> Answer<'a, GpioPin> {
        let failed = |error: GpioError| PortError::new(error.kind(), error.to_string());
        async move { self.0.order(name, order).await.map_err(failed) }.boxed()
    }
}
