//! Updates of the firmware: carries out what the machine of crate `ota` decides.
//!
//! | module | owns |
//! |---|---|
//! | [`engine`] | the state: taken in, stepped, written down, then acted on |
//! | `act` | each action of the machine |
//! | `fetch` | a bundle to the disk, from where the last try ended |
//! | `place` | where RAUC finds a bundle |
//! | `way` | how far one may go for a bundle, and whether all of it comes (pure) |
//! | `remote` | a bundle that is read where it lies, in parts |
//! | `stream` | RAUC's way to it |
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
mod place;
mod port;
mod remote;
mod shown;
mod stream;
mod trial;
mod upload;
mod way;

pub(crate) use engine::{Parts, Updater};
