//! Updates that cannot brick the device: what is decided about them, and RAUC, which carries them out.
//!
//! | module | owns |
//! |---|---|
//! | [`state`] | what is remembered of an update across reboots, in either slot |
//! | [`machine`] | what happens to it (pure) |
//! | [`version`] | which version may follow which (pure) |
//! | [`gate`] | whether a new system works (pure) |
//! | [`rauc`] | RAUC over D-Bus, and what it is not to be believed |
//! | [`folder`] | the files |
//! | [`guard`] | what brings a new system down that never gets to decide |
//! | [`handler`] | what RAUC asks before it installs anything, as root |
//!
//! The daemon owns the machine: it writes each state down before it does what the machine says. Only this
//! crate sees D-Bus.

mod error;
pub mod folder;
pub mod gate;
pub mod guard;
pub mod handler;
pub mod machine;
pub mod rauc;
pub mod state;
pub mod version;

pub use error::{FileError, RaucError};
