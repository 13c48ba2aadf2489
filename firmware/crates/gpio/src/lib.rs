//! Inputs and outputs of the device (GPIO).
//!
//! | module | owns |
//! |---|---|
//! | [`chip`] | what a chip can do: the border to the hardware |
//! | [`raspberry`] | the Raspberry Pi's, by `rppal`; the only place that sees it |
//! | [`simulated`] | one in memory |
//! | [`debounce`], [`drive`], [`matching`] | when an input has changed; whether an output is on; which events an action is about (pure) |
//! | [`pins`] | the pins in use |
//! | [`task`] | the loop: edges, events, orders, time |
//! | [`handle`] | the cloneable front |
//!
//! Invariants: an output is in its initial state whenever nothing drives it, from its opening to the end
//! of the task, however that ends; nothing drives one for ever but its owner's word over the API. A change
//! of an input is told once and in order.

mod chip;
mod debounce;
mod drive;
mod error;
mod handle;
mod matching;
mod pins;
mod raspberry;
mod simulated;
mod task;

pub use chip::{Chip, Edge, Input, Level, OpenChip, Output, open};
pub use error::GpioError;
pub use handle::GpioHandle;
pub use simulated::Simulated;
pub use task::{GpioTask, Happenings, InputChange};
