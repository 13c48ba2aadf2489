//! The cloneable front: how the pins are, and orders to them.

use std::sync::Arc;

use api::gpio::{Gpio, GpioOrder, GpioPin};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::GpioError;

/// An order, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) pin: String,
    pub(crate) order: GpioOrder,
    pub(crate) answer: oneshot::Sender<Result<GpioPin, GpioError>>,
}

/// The pins; clones share them.
#[derive(Clone, Debug)]
pub struct GpioHandle {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) shown: watch::Receiver<Arc<Gpio>>,
}

impl GpioHandle {
    /// How they are.
    pub fn status(&self) -> Arc<Gpio> {
        self.shown.borrow().clone()
    }

    /// Waits until they are another way than at the last call. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.shown.changed().await.is_err() {
            // The loop has ended: nothing changes any more.
            std::future::pending::<()>().await;
        }
    }

    /// Sets or pulses the pin `name`; answers with how it is since. `order` has one of its fields.
    ///
    /// # Errors
    /// When there is no such pin, it does not work, or it is an input of a real chip.
    pub async fn order(&self, name: &str, order: GpioOrder) -> Result<GpioPin, GpioError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { pin: name.to_owned(), order, answer };
        self.requests.send(request).await.map_err(|_| GpioError::Stopped)?;
        answered.await.map_err(|_| GpioError::Stopped)?
    }
}
