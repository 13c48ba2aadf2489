//! The settings: found at the start, in force, changed while everything runs.
//!
//! | module | owns |
//! |---|---|
//! | [`start`] | the settings at the start, whatever is on the disk |
//! | [`live`] | the settings in force |
//! | [`engine`] | a change: checked, kept, taken over or taken back |
//! | [`plan`] | what a change takes to be taken over (pure) |
//! | [`shown`] | changes, revisions and status as the API shows them |
//! | [`labels`] | whether the model has the labels that settings name (pure) |
//! | [`orders`] | settings → the orders of camera processes |

mod engine;
mod labels;
mod live;
mod orders;
mod plan;
mod shown;
pub(crate) mod start;

pub(crate) use engine::models::refused;
pub(crate) use engine::{Engine, Parts};
pub(crate) use live::LiveSettings;
pub(crate) use orders::OrderMaker;
pub(crate) use start::{Opened, open, peek, take_back};
