//! What the broker keeps for us against what it should keep: which topics to publish next. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::to_wire::Item;

/// What was published on this connection.
#[derive(Debug)]
struct Published {
    item: Item,
    at: Instant,
}

/// The retained topics.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    desired: BTreeMap<String, Item>,
    published: HashMap<String, Published>,
    /// Topics that the broker may keep something under, from any connection.
    known: BTreeSet<String>,
    dirty: BTreeSet<String>,
}

/// The next thing to publish, retained; an empty payload takes it off the broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

impl Retained {
    /// A new connection: the broker may have forgotten everything, all is published again.
    pub(crate) fn connected(&mut self) {
        self.published.clear();
        self.dirty = self.desired.keys().chain(&self.known).cloned().collect();
    }

    /// Exactly these from now on. What changed in its news is published soon, what changed
    /// otherwise once it is `interval` old, what is no longer there is emptied.
    pub(crate) fn set(
        &mut self,
        desired: BTreeMap<String, Item>,
        now: Instant,
        interval: Duration,
    ) {
        self.desired = desired;
        // A tenth earlier: who is asked once per interval must not miss it by a hair.
        let settled = interval - interval / 10;
        for (topic, item) in &self.desired {
            let due = self.published.get(topic).is_none_or(|published| {
                published.item.news != item.news
                    || (published.item.payload != item.payload && now >= published.at + settled)
            });
            if due && !self.dirty.contains(topic) {
                self.dirty.insert(topic.clone());
            }
        }
        let gone = self.known.iter().filter(|topic| !self.desired.contains_key(*topic));
        self.dirty.extend(gone.cloned());
    }

    /// The broker turned out to keep something under `topic`.
    pub(crate) fn found(&mut self, topic: &str) {
        self.known.insert(topic.to_owned());
        if !self.desired.contains_key(topic) {
            self.dirty.insert(topic.to_owned());
        }
    }

    /// Publishes `topic` again, changed or not.
    pub(crate) fn again(&mut self, topic: &str) {
        if self.desired.contains_key(topic) {
            self.dirty.insert(topic.to_owned());
        }
    }

    /// The next topic to publish, taken as published.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Next> {
        loop {
            let topic = self.dirty.pop_first()?;
            if let Some(item) = self.desired.get(&topic) {
                let payload = item.payload.clone();
                self.known.insert(topic.clone());
                self.published.insert(topic.clone(), Published { item: item.clone(), at: now });
                return Some(Next { topic, payload });
            }
            if self.known.contains(&topic) {
                self.published.remove(&topic);
                return Some(Next { topic, payload: Vec::new() });
            }
        }
    }

    /// The broker has what was last published under `topic`.
    pub(crate) fn acknowledged(&mut self, topic: &str, cleared: bool) {
        if cleared && !self.desired.contains_key(topic) {
            self.known.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn items(items: &[(&str, &str, &str)]) -> BTreeMap<String, Item> {
        let item = |payload: &str, news: &str| Item { payload: payload.into(), news: news.into() };
        items.iter().map(|(topic, p, news)| ((*topic).to_owned(), item(p, news))).collect()
    }

    fn drain(retained: &mut Retained, now: Instant) -> Vec<(String, String)> {
        std::iter::from_fn(|| retained.next(now))
            .map(|next| (next.topic, String::from_utf8(next.payload).unwrap()))
            .collect()
    }

    fn pair(topic: &str, payload: &str) -> (String, String) {
        (topic.to_owned(), payload.to_owned())
    }

    #[test]
    fn news_goes_out_at_once_and_the_rest_with_the_interval() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        retained.set(items(&[("a", "1", "x"), ("b", "1", "x")]), now, INTERVAL);
        assert_eq!(drain(&mut retained, now), [pair("a", "1"), pair("b", "1")]);
        retained.set(items(&[("a", "2", "y"), ("b", "2", "x")]), now, INTERVAL);
        assert_eq!(drain(&mut retained, now), [pair("a", "2")]);
        let later = now + INTERVAL;
        retained.set(items(&[("a", "2", "y"), ("b", "2", "x")]), later, INTERVAL);
        assert_eq!(drain(&mut retained, later), [pair("b", "2")]);
    }

    #[test]
    fn what_is_gone_is_emptied_again_until_the_broker_has_it() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        retained.set(items(&[("a", "1", "1")]), now, INTERVAL);
        drain(&mut retained, now);
        retained.set(items(&[]), now, INTERVAL);
        assert_eq!(drain(&mut retained, now), [pair("a", "")]);
        retained.connected();
        assert_eq!(drain(&mut retained, now), [pair("a", "")]);
        retained.acknowledged("a", true);
        retained.connected();
        assert_eq!(drain(&mut retained, now), []);
    }

    #[test]
    fn a_new_connection_publishes_all_again() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        retained.set(items(&[("a", "1", "1")]), now, INTERVAL);
        drain(&mut retained, now);
        retained.connected();
        assert_eq!(drain(&mut retained, now), [pair("a", "1")]);
    }

    #[test]
    fn what_the_broker_kept_from_an_earlier_life_is_emptied_if_nobody_wants_it() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        retained.set(items(&[("a", "1", "1")]), now, INTERVAL);
        drain(&mut retained, now);
        retained.found("a");
        retained.found("old");
        assert_eq!(drain(&mut retained, now), [pair("old", "")]);
    }

    #[test]
    fn a_topic_that_comes_back_before_its_end_is_acknowledged_stays_known() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        retained.set(items(&[("a", "1", "1")]), now, INTERVAL);
        drain(&mut retained, now);
        retained.set(items(&[]), now, INTERVAL);
        drain(&mut retained, now);
        retained.set(items(&[("a", "2", "2")]), now, INTERVAL);
        retained.acknowledged("a", true);
        assert_eq!(drain(&mut retained, now), [pair("a", "2")]);
        retained.set(items(&[]), now, INTERVAL);
        assert_eq!(drain(&mut retained, now), [pair("a", "")]);
    }
}
