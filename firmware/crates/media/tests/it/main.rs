//! The pipeline as the camera process uses it: real GStreamer, real encoder, real media server.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

extern crate edgecam_media as media;

mod failures;
mod masks;
mod publishing;
mod running;
mod support;
