//! What the API needs to tell what goes on as it happens.

use std::sync::Arc;

use api::live::{LiveNews, LiveTopic};
use futures::stream::BoxStream;
use tokio::sync::watch;

/// One of the news of a topic and camera.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveItem {
    /// Grows by one with each, so that who missed some knows how many.
    pub number: u64,
    /// What is new.
    pub news: LiveNews,
}

/// The newest of a topic and camera; `None` before the first.
pub type LiveSource = watch::Receiver<Option<Arc<LiveItem>>>;

/// What is followed as it happens. Nobody waits for a follower.
pub trait Live: Send + Sync + 'static {
    /// A source of `topic` for each camera that is `wanted`; none where a topic is not of cameras. Work
    /// that only followers cause ends when the last source is dropped.
    fn follow(&self, topic: LiveTopic, wanted: &dyn Fn(&str) -> bool) -> Vec<LiveSource>;

    /// Tells each time that cameras came or went.
    fn turnover(&self) -> BoxStream<'static, ()>;
}
