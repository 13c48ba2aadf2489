//! What every whole-app test needs: the real `edgecamd` on a data folder and ports of its own,
//! the real mosquitto and MediaMTX, viewers, subscribers, a browser; and proof that nothing is left.
//!
//! | module | owns |
//! |---|---|
//! | [`site`] | where programs and clips are; why a test cannot run here; one test at a time |
//! | [`daemon`] | an `edgecamd`: settings, start, log, end, no orphans |
//! | [`procs`] | processes, read from `/proc` |
//! | [`ports`] | ports that nobody uses |
//! | [`mqtt`] | subscribers and brokers |
//! | [`viewer`] | readers of the RTSP stream, and pictures |
//! | [`http`] | the REST API |
//! | [`browser`] | a headless Chromium |
//! | [`clips`] | clips cut from the real ones |
//! | [`home`] | a network of its own, with a neighbour in it |
//! | [`measure`] | waiting for a condition, quantiles |
//!
//! No fixed sleeps: whatever is waited for is a condition with a deadline.

// Every test binary uses a part of this.
#![allow(dead_code, unused_imports)]
// Tests speak on standard output.
#![allow(clippy::print_stdout)]

pub(crate) mod browser;
pub(crate) mod clips;
pub(crate) mod daemon;
pub(crate) mod home;
pub(crate) mod http;
pub(crate) mod measure;
pub(crate) mod mqtt;
pub(crate) mod ports;
pub(crate) mod procs;
pub(crate) mod site;
pub(crate) mod viewer;

pub(crate) use daemon::Setup;
pub(crate) use measure::{until, until_some};
pub(crate) use site::{Need, Site};
