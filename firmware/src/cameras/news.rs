//! What is followed of a camera as it happens: the newest of each topic, and nothing older. Whoever
//! reads slowly misses what came between, and nobody waits for them.

use std::sync::Arc;

use api::live::{LiveData, LiveNews, LiveTopic, LiveTracks};
use api::status::CameraStats;
use control::ports::{LiveItem, LiveSource};
use jiff::Timestamp;
use tokio::sync::watch;

/// The newest of each topic of one camera.
#[derive(Debug)]
pub(crate) struct CameraNews {
    tracks: watch::Sender<Option<Arc<LiveItem>>>,
    stats: watch::Sender<Option<Arc<LiveItem>>>,
}

impl Default for CameraNews {
    fn default() -> Self {
        Self { tracks: watch::Sender::new(None), stats: watch::Sender::new(None) }
    }
}

impl CameraNews {
    /// The newest of `topic` from now on; `None` where that is not of a camera.
    pub(super) fn follow(&self, topic: LiveTopic) -> Option<LiveSource> {
        match topic {
            LiveTopic::Tracks => Some(self.tracks.subscribe()),
            LiveTopic::Stats => Some(self.stats.subscribe()),
            LiveTopic::Jobs => None,
        }
    }

    /// Whether somebody follows the tracks.
    pub(super) fn tracks_are_followed(&self) -> bool {
        self.tracks.receiver_count() > 0
    }

    /// What `camera` had in its picture at `at`.
    pub(super) fn tracks(&self, camera: &str, at: Timestamp, tracks: LiveTracks) {
        tell(&self.tracks, LiveTopic::Tracks, camera, at, || LiveData::Tracks(tracks));
    }

    /// The statistics of `camera`, as they came just now.
    pub(super) fn stats(&self, camera: &str, stats: &CameraStats) {
        let data = || LiveData::Stats(Box::new(stats.clone()));
        tell(&self.stats, LiveTopic::Stats, camera, base::clock::wall(), data);
    }
}

fn tell(
    to: &watch::Sender<Option<Arc<LiveItem>>>,
    topic: LiveTopic,
    camera: &str,
    at: Timestamp,
    data: impl FnOnce() -> LiveData,
) {
    if to.receiver_count() == 0 {
        return;
    }
    let camera = Some(camera.to_owned());
    let news = LiveNews { topic, camera, at, dropped: 0, data: data() };
    to.send_modify(|newest| {
        let number = newest.as_ref().map_or(1, |newest| newest.number + 1);
        *newest = Some(Arc::new(LiveItem { number, news }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_gets_the_newest_and_can_tell_how_many_it_missed() {
        let news = CameraNews::default();
        let stats = |frames| CameraStats { frames, ..CameraStats::default() };
        news.stats("cam", &stats(1));
        assert!(!news.tracks_are_followed());
        let followed = news.follow(LiveTopic::Stats).unwrap();
        assert!(followed.borrow().is_none(), "what came before it looked is not news");
        for frames in 2..=4 {
            news.stats("cam", &stats(frames));
        }
        let newest = followed.borrow().clone().unwrap();
        assert_eq!(newest.number, 3);
        assert_eq!(newest.news.data, LiveData::Stats(Box::new(stats(4))));
        let tracks = news.follow(LiveTopic::Tracks);
        assert!(news.tracks_are_followed());
        drop(tracks);
        assert!(!news.tracks_are_followed());
    }
}
