//! The newest value, overwritten until taken; overwrites are counted.
//!
//! Between a producer that must never wait (the tap on a streaming thread) and a consumer that may
//! be slow (the detector): the consumer always gets the newest value and never an older one. It can say
//! when it will want the next, so that the producer need not make what nobody will see, and give
//! values back for their storage to be used again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A place for one value; clones share it.
#[derive(Debug)]
pub struct Slot<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    /// Given back, for its storage.
    spent: Option<T>,
    /// When the next value will be wanted; `None`: at any time.
    due: Option<Instant>,
    unseen: u64,
    closed: bool,
}

/// What waiting for a value came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The newest value.
    Value(T),
    /// None came within the time.
    TimedOut,
    /// None will come any more.
    Closed,
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        let state = State { value: None, spent: None, due: None, unseen: 0, closed: false };
        Self(Arc::new(Inner { state: Mutex::new(state), filled: Condvar::new() }))
    }
}

impl<T> Slot<T> {
    /// Puts `value` in, and hands back the one it replaced (for its buffer to be used again).
    pub fn put(&self, value: T) -> Option<T> {
        let mut state = self.lock();
        let old = state.value.replace(value);
        if old.is_some() {
            state.unseen += 1;
        }
        drop(state);
        self.0.filled.notify_one();
        old
    }

    /// Waits at most `timeout` for a value and takes it.
    pub fn take(&self, timeout: Duration) -> Taken<T> {
        let waiting = |s: &mut State<T>| s.value.is_none() && !s.closed;
        let (mut state, _) = self
            .0
            .filled
            .wait_timeout_while(self.lock(), timeout, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        match state.value.take() {
            Some(value) => Taken::Value(value),
            None if state.closed => Taken::Closed,
            None => Taken::TimedOut,
        }
    }

    /// Ends all waiting: a value still inside can be taken, then `Closed` is answered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.filled.notify_all();
    }

    /// Values that nobody took: replaced, or passed over by [`wants`](Self::wants).
    pub fn overwritten(&self) -> u64 {
        self.lock().unseen
    }

    /// Says that the next value will be wanted at `due`, and none that another replaces before.
    pub fn want_at(&self, due: Instant) {
        self.lock().due = Some(due);
    }

    /// Whether a value that is put now may be taken before the next one comes, `interval` from now. If
    /// not, it is counted as one that nobody took, and need not be made.
    pub fn wants(&self, interval: Duration) -> bool {
        let mut state = self.lock();
        let wants = state.due.is_none_or(|due| Instant::now() + interval > due);
        state.unseen += u64::from(!wants);
        wants
    }

    /// Hands a value back that was taken, for its storage to be used again.
    pub fn give_back(&self, value: T) {
        self.lock().spent = Some(value);
    }

    /// A value that was given back.
    pub fn spent(&self) -> Option<T> {
        self.lock().spent.take()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic elsewhere cannot leave the state half-changed: every change is one assignment.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn the_newest_value_wins_and_overwrites_are_counted() {
        let slot = Slot::default();
        assert_eq!(slot.put(1), None);
        assert_eq!(slot.put(2), Some(1));
        assert_eq!(slot.put(3), Some(2));
        assert_eq!(slot.take(SOON), Taken::Value(3));
        assert_eq!(slot.take(SOON), Taken::TimedOut);
        assert_eq!(slot.overwritten(), 2);
    }

    #[test]
    fn a_slow_taker_never_sees_an_older_value() {
        let slot = Slot::default();
        let producer = slot.clone();
        let thread = std::thread::spawn(move || {
            for n in 0..10_000 {
                producer.put(n);
            }
            producer.close();
        });
        let mut last = -1;
        while let Taken::Value(n) = slot.take(Duration::from_secs(10)) {
            assert!(n > last);
            last = n;
        }
        thread.join().unwrap();
        assert_eq!(last, 9_999);
    }

    #[test]
    fn a_value_that_another_replaces_before_it_is_wanted_need_not_be_made() {
        let slot = Slot::<u8>::default();
        let second = Duration::from_secs(1);
        assert!(slot.wants(second), "nobody has said when");
        slot.want_at(Instant::now() + 10 * second);
        assert!(!slot.wants(second), "nine more will come");
        assert!(slot.wants(20 * second), "the next would come too late");
        slot.want_at(Instant::now());
        assert!(slot.wants(Duration::ZERO));
        assert_eq!(slot.overwritten(), 1);
    }

    #[test]
    fn a_value_given_back_can_be_had_once() {
        let slot = Slot::default();
        slot.give_back(7);
        assert_eq!((slot.spent(), slot.spent()), (Some(7), None));
        assert_eq!(slot.take(SOON), Taken::TimedOut);
    }

    #[test]
    fn closing_wakes_a_waiting_taker() {
        let slot = Slot::<u8>::default();
        let other = slot.clone();
        let thread = std::thread::spawn(move || other.take(Duration::from_secs(60)));
        slot.close();
        assert_eq!(thread.join().unwrap(), Taken::Closed);
    }
}
