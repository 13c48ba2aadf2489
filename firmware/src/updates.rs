//! Updates of the firmware: carries out what the machine of crate `ota` decides.
//!
//! | module | owns |
//! |---|---|
//! | [`engine`] | the state: taken in, stepped, written down, then acted on |
//! | `act` | each action of the machine |
//! | `fetch` | a bundle to the disk, from where the last try ended |
//! | `upload` | a bundle that is sent |
//! | `trial` | looks at the product for the gate |
//! | `index` | which releases there are |
//! | `automatic` | when the device updates itself |
//! | `shown` | the state as the API shows it (pure) |
//! | `device` | what image runs, from which slot |
//!
//! One task takes the actions that the steps leave and does them; a step is written down before its actions
//! are handed to it. What is cut off is done again after the next start.

mod act;
mod automatic;
mod device;
mod engine;
mod fetch;
mod index;
mod port;
mod shown;
mod trial;
mod upload;

pub(crate) use engine::{Parts, Updater};
