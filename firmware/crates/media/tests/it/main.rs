//! The pipeline as the camera process uses it: real GStreamer, real encoder, real media server.

extern crate edgecam_media as media;

mod failures;
mod publishing;
mod running;
mod support;
