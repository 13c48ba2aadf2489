//! What can be done to the machine.

use config::{NetworkConfig, TimeConfig};
use serde::{Deserialize, Serialize};

/// How the machine is to be. What is not named is as the image has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its network.
    pub network: NetworkConfig,
    /// Its clock.
    pub time: TimeConfig,
}

/// What the agent does: all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Makes the machine as planned, which takes back what an earlier plan had.
    Apply(Box<Plan>),
    /// Starts the machine anew.
    Reboot,
    /// Switches the machine off.
    PowerOff,
    /// Takes away what other users keep for EdgeCam: the broker's messages.
    Forget,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is done, or begun.
    Done,
    /// It is not.
    Failed {
        /// Why, with the way out.
        reason: String,
    },
}
