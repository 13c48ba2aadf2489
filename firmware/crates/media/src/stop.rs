//! Brings a pipeline down without ever waiting for ever.

use std::sync::mpsc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

/// Longest time that an element may take to let go.
const TEARDOWN: Duration = Duration::from_millis(1500);

/// Sets `pipeline` to `Null`. Does so on a thread of its own, because an element that hangs in a
/// driver or a socket would hang the caller; such a pipeline is left behind, with a warning.
pub(crate) fn tear_down(pipeline: &gst::Pipeline) {
    let (done, finished) = mpsc::channel();
    let doomed = pipeline.clone();
    let thread = base::thread::spawn("ec-teardown", move || {
        let _ = doomed.set_state(gst::State::Null);
        let _ = done.send(());
    });
    let Ok(thread) = thread else {
        let _ = pipeline.set_state(gst::State::Null);
        return;
    };
    match finished.recv_timeout(TEARDOWN) {
        Ok(()) => {
            // It has nothing left to do but end.
            let _ = thread.join();
        }
        Err(_) => {
            tracing::warn!(pipeline = %pipeline.name(), "a pipeline does not stop: left behind");
        }
    }
}
