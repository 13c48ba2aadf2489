//! Follows the announcements from any point on: replay from the store, then live, without a gap
//! and without a duplicate.
//!
//! The live channel is subscribed to before the store is asked, so whatever is stored after the
//! last answer of the store arrives live. What arrives on both ways is told apart by its `seq`,
//! which only grows. Who falls behind the live channel goes back to the store.

use std::collections::VecDeque;
use std::sync::Arc;

use api::event::Event;
use api::resources::StreamGap;
use futures::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::ports::{EventFilter, EventOrder, EventQuery, Events, PortError, SeqBounds};

/// Announcements per question to the store.
const PAGE: usize = 500;

/// What a follower is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// Something happened.
    Event(Arc<Event>),
    /// Announcements that the follower has not seen are not kept any more.
    Gap(StreamGap),
}

/// The announcements of `filter` above `after`, which never end; `None`: those from now on. Ends
/// when the store cannot be read: a client comes back and resumes.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn follow(
    events: Arc<dyn Events>,
    filter: EventFilter,
    after: Option<u64>,
) -> Result<impl Stream<Item = Told> + Send + 'static, PortError> {
    let bounds = events.bounds().await?;
    let live = events.subscribe();
    let mut follower = Follower {
        events,
        filter,
        live,
        position: after.unwrap_or(bounds.newest),
        replaying: true,
        ready: VecDeque::new(),
    };
    if follower.position > bounds.newest {
        follower.restart_at(bounds);
    }
    Ok(stream::unfold(follower, |mut follower| async move {
        let told = follower.next().await?;
        Some((told, follower))
    }))
}

struct Follower {
    events: Arc<dyn Events>,
    filter: EventFilter,
    live: Receiver<Arc<Event>>,
    /// Everything up to here was told, or is not of the filter.
    position: u64,
    /// Whether the store has to be asked before the live channel.
    replaying: bool,
    ready: VecDeque<Told>,
}

impl Follower {
    /// Numbers that this store has not given yet come from a store that was lost: all is new.
    fn restart_at(&mut self, bounds: SeqBounds) {
        let resumes_at = bounds.oldest.max(1);
        self.ready.push_back(Told::Gap(StreamGap { after: self.position, resumes_at }));
        self.position = resumes_at - 1;
    }

    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if self.replaying {
                if let Err(error) = self.replay().await {
                    tracing::warn!(%error, "an event stream ends: the store cannot be read");
                    return None;
                }
                continue;
            }
            match self.live.recv().await {
                Ok(event) if event.seq > self.position => {
                    self.position = event.seq;
                    if self.filter.matches(&event) {
                        return Some(Told::Event(event));
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.replaying = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Takes one page of the store. A page that is not full was all there is.
    async fn replay(&mut self) -> Result<(), PortError> {
        let query = EventQuery {
            filter: self.filter.clone(),
            order: EventOrder::After(self.position),
            limit: PAGE,
        };
        let page = self.events.query(query).await?;
        // Asked afterwards: what was deleted before the page was read is deleted still.
        let bounds = self.events.bounds().await?;
        let next = self.position + 1;
        let seamless = page.first().is_some_and(|event| event.seq == next);
        if bounds.oldest > next && !seamless {
            self.ready.push_back(Told::Gap(StreamGap {
                after: self.position,
                resumes_at: page.first().map_or(bounds.oldest, |e| e.seq.min(bounds.oldest)),
            }));
            self.position = bounds.oldest - 1;
        }
        self.replaying = page.len() == PAGE;
        for event in page {
            self.position = self.position.max(event.seq);
            self.ready.push_back(Told::Event(Arc::new(event)));
        }
        Ok(())
    }
}
