//! What is in flight on one connection, by packet id. Pure.
//!
//! rumqttc gives packet ids 1 to 100 in turn, to publishes and subscriptions alike, and says
//! which only when a packet leaves, in the order in which packets were queued. A window counted
//! from the oldest unacknowledged packet therefore rules out that an id is used twice at once.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Announcements are sent only while fewer packets than this are between the oldest
/// unacknowledged one and the next.
pub(crate) const EVENTS: usize = 50;
/// The same for all other packets, so that state gets through while announcements fill theirs.
pub(crate) const ALL: usize = 80;
/// Packet ids that rumqttc uses.
pub(crate) const PACKET_IDS: u16 = 100;

/// What a packet was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An announcement, by `seq`.
    Event(u64),
    /// A retained topic; `cleared` when its payload was empty.
    Retained { topic: String, cleared: bool },
    /// A subscription or its end.
    Control,
}

/// A packet on a list from the oldest unacknowledged one on.
#[derive(Debug)]
struct Entry {
    what: Option<What>,
}

/// The packets in flight.
#[derive(Debug)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    /// Number of the first entry, counted from the beginning of the connection.
    first: u64,
    /// Number of the next entry to leave.
    leaving: u64,
    by_packet_id: HashMap<u16, u64>,
    events: usize,
    progress: Instant,
}

/// The broker or the client said something that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WindowError {
    /// A packet left that was never queued.
    #[error("packet {0} left without having been queued")]
    NotQueued(u16),
    /// An acknowledgement of what is not in flight.
    #[error("the broker acknowledged packet {0}, which is not in flight")]
    NotInFlight(u16),
}

impl Window {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            leaving: 0,
            by_packet_id: HashMap::new(),
            events: 0,
            progress: now,
        }
    }

    /// Whether an announcement may be queued.
    pub(crate) fn has_room_for_event(&self) -> bool {
        self.entries.len() < EVENTS
    }

    /// Whether another packet may be queued.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < ALL
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Announcements in flight.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// A packet was queued.
    pub(crate) fn queued(&mut self, what: What, now: Instant) {
        if self.entries.is_empty() {
            self.progress = now;
        }
        self.events += usize::from(matches!(what, What::Event(_)));
        self.entries.push_back(Entry { what: Some(what) });
    }

    /// The next queued packet left under `packet_id`.
    pub(crate) fn left(&mut self, packet_id: u16) -> Result<(), WindowError> {
        if self.leaving >= self.first + self.entries.len() as u64 {
            return Err(WindowError::NotQueued(packet_id));
        }
        self.by_packet_id.insert(packet_id, self.leaving);
        self.leaving += 1;
        Ok(())
    }

    /// The broker has the packet; answers with what it was.
    pub(crate) fn acknowledged(
        &mut self,
        packet_id: u16,
        now: Instant,
    ) -> Result<What, WindowError> {
        let missing = WindowError::NotInFlight(packet_id);
        let number = self.by_packet_id.remove(&packet_id).ok_or(missing)?;
        let index = usize::try_from(number - self.first).map_err(|_| missing)?;
        let what =
            self.entries.get_mut(index).and_then(|entry| entry.what.take()).ok_or(missing)?;
        self.events -= usize::from(matches!(what, What::Event(_)));
        while self.entries.front().is_some_and(|entry| entry.what.is_none()) {
            self.entries.pop_front();
            self.first += 1;
        }
        self.progress = now;
        Ok(what)
    }

    /// When to give the connection up if nothing is acknowledged until then; `None`: nothing is
    /// in flight.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Instant> {
        (!self.entries.is_empty()).then(|| self.progress + patience)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(seq: u64) -> What {
        What::Event(seq)
    }

    #[test]
    fn acknowledgements_name_what_was_sent_whatever_their_order() {
        let now = Instant::now();
        let mut window = Window::new(now);
        for seq in 1..=3 {
            window.queued(event(seq), now);
            window.left(u16::try_from(seq).unwrap()).unwrap();
        }
        assert_eq!(window.acknowledged(2, now), Ok(event(2)));
        assert_eq!(window.acknowledged(1, now), Ok(event(1)));
        assert_eq!((window.events(), window.entries.len()), (1, 1));
        assert_eq!(window.acknowledged(2, now), Err(WindowError::NotInFlight(2)));
    }

    #[test]
    fn a_packet_that_was_never_queued_is_an_error() {
        let now = Instant::now();
        let mut window = Window::new(now);
        window.queued(What::Control, now);
        assert_eq!(window.left(1), Ok(()));
        assert_eq!(window.left(2), Err(WindowError::NotQueued(2)));
    }

    #[test]
    fn patience_is_counted_from_the_last_progress() {
        let (now, patience) = (Instant::now(), Duration::from_secs(10));
        let mut window = Window::new(now);
        assert_eq!(window.deadline(patience), None);
        let later = now + Duration::from_secs(60);
        window.queued(event(1), later);
        window.queued(event(2), later + Duration::from_secs(1));
        assert_eq!(window.deadline(patience), Some(later + patience));
    }

    proptest! {
        /// rumqttc's way with packet ids: 1 to 100 in turn, whatever is still in flight.
        #[test]
        fn no_packet_id_is_ever_in_flight_twice(steps in prop::collection::vec(0u8..=255, 1..2_000)) {
            let now = Instant::now();
            let mut window = Window::new(now);
            let mut next_id = 1;
            let mut in_flight = Vec::<u16>::new();
            for step in steps {
                if step % 2 == 0 && window.has_room() {
                    window.queued(What::Control, now);
                    window.left(next_id).unwrap();
                    prop_assert!(!in_flight.contains(&next_id));
                    in_flight.push(next_id);
                    next_id = next_id % PACKET_IDS + 1;
                } else if !in_flight.is_empty() {
                    // Never the oldest until there is nothing else: the worst that a broker can do.
                    let index = usize::from(step) % in_flight.len();
                    let index = if in_flight.len() > 1 { index.max(1) } else { 0 };
                    window.acknowledged(in_flight.remove(index), now).unwrap();
                }
            }
        }
    }
}
