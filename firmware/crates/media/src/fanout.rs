//! Encoded frames to any number of takers (RTSP publisher, later recorder and restream), each with
//! its own bounded queue. A taker that is too slow loses frames up to the next key frame, so that
//! what it gets can always be decoded; nobody else notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;

/// One access unit of H.264, byte-stream, parameter sets in band.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// The bytes.
    pub data: gst::Buffer,
    /// What they are.
    pub caps: gst::Caps,
    /// Whether decoding can begin here.
    pub key: bool,
    /// When the picture was captured, on the machine's monotonic clock.
    pub captured: Duration,
}

/// Hands every encoded frame to every taker; clones share the takers.
#[derive(Clone, Debug, Default)]
pub struct EncodedFanout(Arc<Mutex<Vec<Taker>>>);

#[derive(Debug)]
struct Taker {
    queue: SyncSender<EncodedFrame>,
    /// Nothing but a key frame can be taken next.
    needs_key: bool,
    dropped: Arc<AtomicU64>,
}

/// One taker's end. Its first frame is a key frame. Dropping it ends the taking.
#[derive(Debug)]
pub struct EncodedFrames {
    queue: Receiver<EncodedFrame>,
    dropped: Arc<AtomicU64>,
}

impl EncodedFanout {
    /// A new taker, with room for `capacity` frames. Ask for a key frame to get one soon.
    pub fn subscribe(&self, capacity: usize) -> EncodedFrames {
        let (sender, receiver) = sync_channel(capacity);
        let dropped = Arc::<AtomicU64>::default();
        let taker = Taker { queue: sender, needs_key: true, dropped: Arc::clone(&dropped) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(taker);
        EncodedFrames { queue: receiver, dropped }
    }

    /// Hands `frame` to every taker; never waits.
    pub(crate) fn push(&self, frame: &EncodedFrame) {
        let mut takers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        takers.retain_mut(|taker| taker.offer(frame));
    }
}

impl Taker {
    /// `false` when the taker is gone.
    fn offer(&mut self, frame: &EncodedFrame) -> bool {
        if self.needs_key && !frame.key {
            return true;
        }
        match self.queue.try_send(frame.clone()) {
            Ok(()) => self.needs_key = false,
            Err(TrySendError::Full(_)) => {
                self.needs_key = true;
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }
}

impl EncodedFrames {
    /// The next frame, waited for at most `timeout`; `None` when none came.
    pub fn next(&self, timeout: Duration) -> Option<EncodedFrame> {
        self.queue.recv_timeout(timeout).ok()
    }

    /// Times that the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(key: bool, n: u64) -> EncodedFrame {
        gst::init().unwrap();
        EncodedFrame {
            data: gst::Buffer::new(),
            caps: gst::Caps::new_empty(),
            key,
            captured: Duration::from_secs(n),
        }
    }

    fn all(frames: &EncodedFrames) -> Vec<u64> {
        std::iter::from_fn(|| frames.next(Duration::ZERO)).map(|f| f.captured.as_secs()).collect()
    }

    #[test]
    fn a_taker_begins_with_a_key_frame() {
        let fanout = EncodedFanout::default();
        let taker = fanout.subscribe(8);
        fanout.push(&frame(false, 1));
        fanout.push(&frame(true, 2));
        fanout.push(&frame(false, 3));
        assert_eq!(all(&taker), [2, 3]);
    }

    #[test]
    fn a_slow_taker_goes_on_with_a_key_frame_and_others_lose_nothing() {
        let fanout = EncodedFanout::default();
        let (slow, quick) = (fanout.subscribe(2), fanout.subscribe(9));
        for n in 1..=4 {
            fanout.push(&frame(n == 1, n));
        }
        assert_eq!(all(&slow), [1, 2]);
        assert_eq!(slow.dropped(), 1);
        fanout.push(&frame(false, 5));
        fanout.push(&frame(true, 6));
        assert_eq!(all(&slow), [6]);
        assert_eq!(all(&quick), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_taker_that_is_gone_is_forgotten() {
        let fanout = EncodedFanout::default();
        drop(fanout.subscribe(1));
        fanout.push(&frame(true, 1));
        assert!(fanout.0.lock().unwrap().is_empty());
    }
}
