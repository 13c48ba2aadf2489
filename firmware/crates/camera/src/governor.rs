//! The governor: one closed loop per camera that holds the limits of temperature, detector time,
//! missed frames and event latency by steps in a stated order, and tells every step.
//!
//! | module | owns |
//! |---|---|
//! | [`limits`] | limits and readings, and how the ones stand to the others (pure) |
//! | [`ladder`] | what can be reduced, in order (pure) |
//! | [`plan`] | when to step down and up (pure) |
//! | [`sensors`] | where readings come from, and what of them is believed |
//! | [`task`] | the thread `ec-governor` |
//!
//! The frame rate of the video is never touched, and nothing here waits for anyone: a sensor that
//! hangs stops the governor, not the camera.

mod ladder;
mod limits;
mod plan;
mod sensors;
mod task;

#[cfg(test)]
mod hot_day_tests;
#[cfg(test)]
mod plan_tests;

pub(crate) use ladder::Candidate;
pub(crate) use plan::interval;
pub(crate) use task::{Governed, Governing, GovernorSetup};
