//! GStreamer: plan, build, run, tap, overlay. The only crate that sees it.
