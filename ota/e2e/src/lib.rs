//! Boots the image in QEMU, as it is flashed, and asks it from outside as its owner would.
//!
//! | module | owns |
//! |---|---|
//! | [`image`] | what was built: the card, the updates, the programs to run them |
//! | [`card`] | a test's own copy of the card, and what happens to cards |
//! | [`machine`] | a machine that runs from a card: power, console, ports |
//! | [`device`] | the product on it, over its API |
//! | [`server`] | where the owner puts updates, and how much of them is fetched |
//! | [`owned`] | a device that has an owner, where most promises begin |
//!
//! One promise is one file in `tests`. All of it is emulated, so every wait is for a condition, and its
//! deadline is several times what an idle machine takes.

pub mod card;
pub mod device;
pub mod image;
pub mod machine;
pub mod owned;
pub mod server;

use std::time::{Duration, Instant};

/// Waits until `ready` gives something, asking again each `every`.
///
/// # Errors
/// When it has not by the deadline; `what` is in the words.
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    every: Duration,
    mut ready: impl FnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(it) = ready() {
            return Ok(it);
        }
        anyhow::ensure!(begin.elapsed() < within, "no {what} within {within:?}");
        std::thread::sleep(every);
    }
}
