//! Too many objects in a zone for too long: one episode from its start to its end.

use std::time::Duration;

/// When a zone is crowded. Both times make for quiet: a crowd that comes or goes for a moment
/// changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowding {
    /// More objects than this in the zone are a crowd.
    pub more_than: u32,
    /// How long there must be a crowd, without a break, before crowding starts.
    pub after: Duration,
    /// How long there must be no crowd, without a break, before crowding ends.
    pub clear_after: Duration,
}

/// What a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Crowding has started; there has been a crowd since `since`.
    Started { since: Duration },
    /// It has ended.
    Ended(Episode),
}

/// An episode of crowding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    /// From when on there was a crowd.
    pub(crate) since: Duration,
    /// Most objects at a time.
    pub(crate) peak: u32,
    /// The limit at its start.
    pub(crate) limit: u32,
}

/// The crowd in one zone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crowd {
    episode: Option<Episode>,
    /// Since when the count speaks for the other state, and the most objects in that time.
    contrary: Option<Episode>,
}

impl Crowd {
    /// Notes that there are `count` objects `at` this time.
    pub(crate) fn see(&mut self, at: Duration, count: u32, rule: &Crowding) -> Option<Turn> {
        let limit = rule.more_than;
        let crowded = count > limit;
        if let Some(episode) = &mut self.episode {
            episode.peak = episode.peak.max(count);
        }
        if crowded == self.episode.is_some() {
            self.contrary = None;
            return None;
        }
        let contrary = self.contrary.get_or_insert(Episode { since: at, peak: count, limit });
        contrary.peak = contrary.peak.max(count);
        let needed = if crowded { rule.after } else { rule.clear_after };
        if at.saturating_sub(contrary.since) < needed {
            return None;
        }
        if crowded {
            self.episode = self.contrary.take();
            self.episode.map(|episode| Turn::Started { since: episode.since })
        } else {
            self.end().map(Turn::Ended)
        }
    }

    /// Ends what is going on: the episode, if there is one.
    pub(crate) fn end(&mut self) -> Option<Episode> {
        self.contrary = None;
        self.episode.take()
    }

    /// Whether time alone may change it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.episode.is_some() || self.contrary.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Crowding = Crowding {
        more_than: 2,
        after: Duration::from_secs(3),
        clear_after: Duration::from_secs(2),
    };

    /// One count a second; what changed, by second.
    fn see(counts: &[u32]) -> Vec<(u64, Turn)> {
        let mut crowd = Crowd::default();
        let mut turns = Vec::new();
        for (second, &count) in (0..).zip(counts) {
            let turn = crowd.see(Duration::from_secs(second), count, &RULE);
            turns.extend(turn.map(|turn| (second, turn)));
        }
        turns
    }

    #[test]
    fn an_episode_starts_after_its_time_and_ends_after_its_time() {
        let since = Duration::from_secs(1);
        let turns = see(&[2, 3, 3, 5, 4, 3, 2, 2, 2, 2]);
        let episode = Episode { since, peak: 5, limit: 2 };
        assert_eq!(turns, [(4, Turn::Started { since }), (8, Turn::Ended(episode))]);
    }

    #[test]
    fn a_break_begins_the_waiting_anew() {
        assert_eq!(see(&[3, 3, 3, 2, 3, 3, 3]), []);
        let since = Duration::ZERO;
        let turns = see(&[3, 3, 3, 3, 2, 2, 3, 2, 2, 3]);
        assert_eq!(turns, [(3, Turn::Started { since })], "never clear for two seconds");
    }

    #[test]
    fn without_a_time_it_starts_at_once() {
        let rule = Crowding { after: Duration::ZERO, ..RULE };
        let at = Duration::from_secs(7);
        assert_eq!(Crowd::default().see(at, 3, &rule), Some(Turn::Started { since: at }));
    }
}
