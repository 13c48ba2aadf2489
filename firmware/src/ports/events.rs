//! The events that the API serves: the store's.

use std::sync::Arc;

use api::event::Event;
use base::error::Kind;
use control::PortError;
use control::ports::{Answer, EventOrder, EventQuery, Events, SeqBounds};
use futures::FutureExt;
use store::{Order, StoreError, StoreHandle};
use tokio::sync::broadcast;
use ulid::Ulid;

/// The store as the API sees it.
#[derive(Debug)]
pub(crate) struct StoredEvents(pub(crate) StoreHandle);

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn failed(error: StoreError) -> PortError {
    PortError::new(error.kind(), base::error::chain(&error))
}

impl Events for StoredEvents {
    fn query(&self, query: EventQuery) -> Answer<'_, Vec<Event>> {
        let (after_seq, before_seq, order) = match query.order {
            EventOrder::After(seq) => (Some(seq), None, Order::OldestFirst),
            EventOrder::Before(seq) => (None, seq, Order::NewestFirst),
        };
        let query = store::EventQuery {
            after_seq,
            before_seq,
            cameras: query.filter.within,
            camera: query.filter.camera,
            label: query.filter.label,
            kind: query.filter.kind,
            phase: query.filter.phase,
            zone: query.filter.zone,
            from: query.filter.from,
            to: query.filter.to,
            limit: query.limit,
            order,
            ..store::EventQuery::default()
        };
        async move { self.0.events(query).await.map_err(failed) }.boxed()
    }

    fn newest<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Event>> {
        async move {
            // What is no ULID is no event's id.
            let Ok(id) = Ulid::from_string(id) else { return Ok(None) };
            Ok(self.0.event(id).await.map_err(failed)?.pop())
        }
        .boxed()
    }

    fn bounds(&self) -> Answer<'_, SeqBounds> {
        async move {
            let store::SeqBounds { oldest, newest } = self.0.bounds().await.map_err(failed)?;
            Ok(SeqBounds { oldest, newest })
        }
        .boxed()
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.subscribe()
    }
}
